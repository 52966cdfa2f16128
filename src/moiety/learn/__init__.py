"""Learning: in the clear, for an enclave; and among parties, as programs of the language.

    ScorecardClassifier LogisticRegression LinearRegression MLPClassifier BoostedTreesClassifier

keep scikit-learn's contract, with a runner that says where they compute; `Vertical` says who owns
which columns of the same rows, `Horizontal` who owns which rows.
"""

from moiety.lazy import names

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
__getattr__ = names(__name__, _HOMES)
