"""What estimators that learn among parties have in common: scikit-learn's contract.

`fit` leaves parameters as shares: no party sees them. `predict` and the like reveal to `receiver`,
or to the runner's first party, what they are asked for and nothing else; elsewhere they return
None. They carry the rounding coins of training's truncations, which the receiver learns too.
"""

import math
from collections.abc import Sequence
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

import moiety.array as xp
from moiety.array import Array
from moiety.errors import DataError, UsageError
from moiety.function.function import Function
from moiety.function.runner import Owned, Runner, Secret
from moiety.function.signature import COMPUTING, To
from moiety.learn.partition import Horizontal, Partition, Plain, labels, shuffled, table
from moiety.learn.program import Brought, Layout, Values, bring, held, secured

LABELS = (0.0, 1.0)
WHOLE = ("max_iter", "batch_size", "n_estimators", "max_depth")
POSITIVE = ("C", "clip", "bound", "learning_rate", "learning_rate_init")


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and int(value) >= 1


def _positive(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < math.inf


class Joint(BaseEstimator):  # type: ignore[misc]
    """An estimator that computes through a runner; see `fit` of each for its hyperparameters."""

    runner: Runner | None
    receiver: str | None

    @property
    def _runner(self) -> Runner:
        if self.runner is None:
            raise UsageError(
                f"{type(self).__name__} has no runner",
                hint="give runner=: a session's, or Twin(...) or Clear(...) of moiety.run.local",
            )
        return self.runner

    @property
    def _receiver(self) -> str:
        return self.receiver or self._runner.parties[0]

    def _check_parameters(self) -> None:
        """Refuses hyperparameters that mean nothing, and a receiver that can be told nothing."""
        parameters = self.get_params(deep=False)
        sizes = parameters.get("hidden_layer_sizes", ())
        layers = sizes if isinstance(sizes, Sequence) else (None,)
        wrong = [name for name in WHOLE if not _whole(parameters.get(name, 1))]
        wrong += [name for name in POSITIVE if not _positive(parameters.get(name, 1.0))]
        wrong += ["hidden_layer_sizes"] if not all(map(_whole, layers)) else []
        if wrong:
            kind = "whole numbers" if wrong[0] in (*WHOLE, "hidden_layer_sizes") else "a number"
            raise UsageError(
                f"{wrong[0]} = {parameters[wrong[0]]!r} of {type(self).__name__}",
                hint=f"give {kind} above 0",
            )
        computing = self._runner.parties[:COMPUTING]
        if self._receiver not in computing:
            raise UsageError(
                f"{self._receiver} is to be told, and does not compute",
                hint=f"receiver= is one of the runner's first two parties: {', '.join(computing)}",
            )

    def _fitted(self) -> None:
        if not hasattr(self, "n_features_in_"):
            raise UsageError(f"this {type(self).__name__} is not fitted", hint="call fit first")

    def _table(self, X: Any, *, fitting: bool = False) -> Partition:
        """The table by owner; outside `fit` with the columns that `fit` saw."""
        x = table(self._runner, X)
        if fitting:
            self._check_parameters()
            if not len(x):
                raise DataError(f"no rows to learn from: {x}")
            self.n_features_in_ = x.shape[1]
            self.widths_ = x.widths
        self._fitted()
        if x.shape[1] != self.n_features_in_:
            raise DataError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return x if x.widths is None else x.ordered(getattr(self, "widths_", None))


class Classifier(ClassifierMixin, Joint):  # type: ignore[misc]
    """Two classes, 0 and 1; 1 is the event."""

    def decision_function(self, X: Any) -> Plain | None:
        """The log-odds of the event for each row."""
        return self._told("logit", X)

    def predict_proba(self, X: Any) -> Plain | None:
        """The probabilities of both classes for each row."""
        event = self._told("probability", X)
        return None if event is None else np.column_stack([1 - event, event])

    def predict(self, X: Any) -> Plain | None:
        """The likelier class of each row; nothing else is revealed."""
        chosen = self._told("event", X)
        return None if chosen is None else self.classes_[chosen.astype(np.int64)]

    def score(self, X: Any, y: Any, sample_weight: Plain | None = None) -> float:
        """The share of rows whose likelier class is theirs, where receiver and labels are."""
        result: float = super().score(X, _here(y), sample_weight)
        return result

    def _labels(self, x: Partition, y: Any, *, seed: int | None = None) -> Brought:
        """Labels that fit a table; with a seed, shuffled as the table is."""
        y = labels(self._runner, x, y)
        for part in y.parts:
            if part.data is not None and not np.isin(part.data, LABELS).all():
                raise DataError(
                    "Unknown label type: labels are 0 and 1",
                    hint="map them, 1 where the event happened",
                )
        self.classes_ = np.array([0, 1])
        return bring(self._runner, y if seed is None else shuffled(y, seed), "y", LABELS, int)

    def _told(self, what: str, X: Any) -> Plain | None:
        """What a receiver is told of each row."""
        raise NotImplementedError


class Regressor(RegressorMixin, Joint):  # type: ignore[misc]
    """A number for each row."""

    def predict(self, X: Any) -> Plain | None:
        """The prediction for each row."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Plain | None = None) -> float:
        """R², where receiver and labels are."""
        result: float = super().score(X, _here(y), sample_weight)
        return result


def _here(y: Any) -> Plain:
    """Labels in the clear.

    Raises:
        UsageError: some are elsewhere.
    """
    parts = y.parts if isinstance(y, Horizontal) else [y] if isinstance(y, Owned) else None
    if parts is None:
        return np.asarray(y)
    held = [part.data for part in parts if part.data is not None]
    if len(held) < len(parts):
        raise UsageError("a score needs all labels", hint="score where receiver and labels are")
    return np.concatenate(held)


def bring_columns(runner: Runner, x: Partition, clip: float) -> Brought:
    """The table's numbers, cut to [-clip, clip] at their owners."""
    within = x.map(lambda data: np.clip(reals(data), -clip, clip))
    return bring(runner, within, "x", (-float(clip), float(clip)))


def reals(data: Plain) -> Plain:
    """The numbers as float64.

    Raises:
        DataError: not all are numbers; they are not shown.
    """
    try:
        return np.asarray(data, np.float64)
    except (TypeError, ValueError):
        raise DataError("a table's columns are not all numbers", hint="encode them") from None


def told(logit: Array, what: str) -> Array:
    """What the receiver learns of a logit."""
    forms = {"logit": lambda: logit, "probability": lambda: xp.sigmoid(logit)}
    return forms[what]() if what in forms else logit > 0


class Linear(Joint):
    """Linear in columns that owners cut to [-clip, clip]; the last weight is the intercept."""

    clip: float
    weights_: Secret

    @property
    def coef_(self) -> Secret:
        """The columns' coefficients."""
        return self.weights_.rows(slice(0, self.n_features_in_))

    @property
    def intercept_(self) -> Secret:
        """The constant."""
        return self.weights_.rows(slice(self.n_features_in_, None))

    def _predicted(self, what: str, X: Any) -> Plain | None:
        x = bring_columns(self._runner, self._table(X), self.clip)
        bound = largest(self.weights_)
        function = prediction(self._runner.parties, x.layout, bound, what, self._receiver)
        found: Plain | None = self._runner.call(function, **x.given, w=self.weights_)["told"]
        return found


def largest(secret: Secret) -> float:
    """The proven largest size of an element."""
    return secret.type.magnitude * 2.0**-secret.type.fraction


def linear(x: Layout, values: Values) -> Array:
    """The sums X · w, with the intercept, of a program with the argument w."""
    w = values["w"]
    return x.joined(values) @ w[:-1] + w[-1:]


@cache
def prediction(
    parties: tuple[str, ...], x: Layout, bound: float, what: str, receiver: str
) -> Function:
    """What the receiver learns of a linear model's rows."""

    def predict(**values: Array) -> dict[str, Array]:
        return {"told": told(linear(x, values), what)}

    results = {"told": To(receiver, coins=True)}
    return secured(parties, predict, {**x.arguments, **held(w=bound)}, results)
