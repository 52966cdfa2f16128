"""Rows become noisy, low-dimensional representations, and each person is charged for it (PPDT).

    PrivateTransform Guarantee Ledger Encoding flip

A party clips a row, projects it to few dimensions and adds noise; what it then hands out is
differentially private for each row. See docs/transform.md for what that means and what it does not.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Encoding": "encoding",
    "Guarantee": "account",
    "Ledger": "ledger",
    "PrivateTransform": "estimator",
    "flip": "labels",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """The public names, each loaded when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'moiety.transform' has no attribute {name!r}")
    return getattr(import_module(f"moiety.transform.{_HOMES[name]}"), name)
