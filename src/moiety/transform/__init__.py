"""Rows become noisy, low-dimensional representations, and each person is charged for it (PPDT).

    PrivateTransform Guarantee Ledger Encoding flip

A party clips a row, projects it to few dimensions and adds noise; what it then hands out is
differentially private for each row. See docs/transform.md for what that means and what it does not.
"""

from moiety.lazy import names

_HOMES = {
    "Encoding": "encoding",
    "Guarantee": "account",
    "Ledger": "ledger",
    "PrivateTransform": "estimator",
    "flip": "labels",
}
__all__ = sorted(_HOMES)
__getattr__ = names(__name__, _HOMES)
