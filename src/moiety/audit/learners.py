"""What attackers learn with: a linear model, boosted trees, and whichever of both does better.

A `Fit` takes rows and a number for each; what it returns takes rows and gives a number for each,
for classifiers the probability of label 1. All run in one thread; the same data give the same.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import lightgbm
import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moiety.audit.tables import Floats, halves

Predict: TypeAlias = Callable[[Floats], Floats]
Fit: TypeAlias = Callable[[Floats, Floats], Predict]
Loss: TypeAlias = Callable[[Floats, Floats], float]

_FEW = 20
"""Fewer rows are not divided to choose a learner: it is the linear one."""

SURE = 1e-6


def logit(probability: Floats, sure: float = SURE) -> Floats:
    """The log-odds of probabilities, which are cut to [sure, 1 - sure]; within ±13.8 if unset."""
    inside = np.clip(probability, sure, 1 - sure)
    return np.asarray(np.log(inside / (1 - inside)))


def logistic(rows: Floats, labels: Floats) -> Predict:
    """A logistic regression on standardised columns (C = 1)."""
    model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
    model.fit(rows, labels)
    return lambda some: np.asarray(model.predict_proba(some)[:, 1])


def trees(rows: Floats, labels: Floats) -> Predict:
    """A hundred boosted trees of at most 15 leaves (LightGBM)."""
    return _boosted("binary", rows, labels)


def ridge(rows: Floats, targets: Floats) -> Predict:
    """Linear regression on standardised columns, its penalty chosen by leaving one out.

    `targets` may have several columns; each has a penalty of its own.
    """
    penalties = np.logspace(-6, 6, 13)
    several = targets.ndim > 1
    model = make_pipeline(StandardScaler(), RidgeCV(penalties, alpha_per_target=several))
    model.fit(rows, targets)
    return lambda some: np.asarray(model.predict(some)).reshape(len(some), *targets.shape[1:])


def tree_numbers(rows: Floats, targets: Floats) -> Predict:
    """A hundred boosted trees that predict a number (LightGBM)."""
    return _boosted("regression", rows, targets)


def classifier(rows: Floats, labels: Floats) -> Predict:
    """`logistic` or `trees`, whichever has the smaller log loss on a quarter of the rows."""
    return _better((logistic, trees), _log_loss, rows, labels)


def regressor(rows: Floats, targets: Floats) -> Predict:
    """`ridge` or `tree_numbers`, whichever has the smaller squared error on a quarter of rows."""
    return _better((ridge, tree_numbers), _squared, rows, targets)


def _better(fits: tuple[Fit, ...], loss: Loss, rows: Floats, targets: Floats) -> Predict:
    learn, judge = halves(len(rows), seed=0, share=0.75)
    if len(rows) < _FEW or np.ptp(targets[learn]) == 0:
        return fits[0](rows, targets)
    losses = [loss(targets[judge], fit(rows[learn], targets[learn])(rows[judge])) for fit in fits]
    return fits[int(np.argmin(losses))](rows, targets)


def _log_loss(labels: Floats, found: Floats) -> float:
    inside = np.clip(found, SURE, 1 - SURE)
    return float(-np.where(labels == 1, np.log(inside), np.log(1 - inside)).mean())


def _squared(targets: Floats, found: Floats) -> float:
    return float(np.square(targets - found).mean())


def _boosted(objective: str, rows: Floats, targets: Floats) -> Predict:
    settings: dict[str, Any] = {
        "objective": objective,
        "num_leaves": 15,
        "min_data_in_leaf": max(1, min(20, len(rows) // 10)),
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, targets, params=settings), 100)
    return lambda some: np.asarray(booster.predict(some, num_threads=1))
