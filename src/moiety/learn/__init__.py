"""Learning: in the clear, for an enclave; and among parties, as programs of the language.

    ScorecardClassifier LogisticRegression LinearRegression MLPClassifier BoostedTreesClassifier

keep scikit-learn's contract, with a runner that says where they compute; `Vertical` says who owns
which columns of the same rows, `Horizontal` who owns which rows.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "BoostedTreesClassifier": "boosting",
    "Horizontal": "partition",
    "LinearRegression": "linear",
    "LogisticRegression": "logistic",
    "MLPClassifier": "mlp",
    "ScorecardClassifier": "scorecard_mpc",
    "Vertical": "partition",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """The public names, each loaded when it is first used: an enclave loads what it runs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'moiety.learn' has no attribute {name!r}")
    return getattr(import_module(f"moiety.learn.{_HOMES[name]}"), name)
