"""Logistic regression among parties: Newton steps of one Hessian, or stochastic gradients."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Runner, Secret
from moiety.learn.base import Classifier, Linear, bring_columns, largest, linear
from moiety.learn.newton import SCALED, curvature, gram_of, unscaled
from moiety.learn.numbers_program import INTERCEPT_BITS, LINEAR_BITS, LINEAR_BOUND
from moiety.learn.partition import Partition, Plain, shuffled
from moiety.learn.program import (
    Brought,
    Layout,
    Values,
    batches,
    begun,
    held,
    kept,
    secured,
)
from moiety.learn.shared_model import Owners, SharedModel, by_owner, column, of_numbers

MOMENTUM = 1 / 3
"""How far Newton steps look ahead (Nesterov 1983): best where the Hessian is half of its bound."""
FASTEST = 8.0
"""The largest part of a gradient that momentum carries on."""


class LogisticRegression(Linear, Classifier):
    """Logistic regression with an L2 penalty of inverse strength C, as scikit-learn has it.

    `solver` "newton": `max_iter` steps with the Hessian's bound XᵀX/4 (Böhning, Lindsay 1988);
    where classes are told apart almost surely, many are needed. "sgd": `max_iter` passes over
    batches of `batch_size` rows. Columns are cut to [-clip, clip] at their owners, weights to
    ±bound (of columns of unit length for "newton"). With `max_logit`, "sgd" cuts each weight so far
    that no logit can be larger: up to 7.5 that makes the sigmoid cheaper. `random_state` is public:
    all parties give the same.
    """

    def __init__(
        self,
        runner: Runner | None = None,
        *,
        solver: str = "newton",
        C: float = 1.0,
        max_iter: int = 10,
        learning_rate: float = 0.5,
        momentum: float = 0.0,
        batch_size: int = 1000,
        clip: float = 4.0,
        bound: float = 8.0,
        max_logit: float | None = None,
        random_state: int = 0,
        receiver: str | None = None,
    ) -> None:
        self.runner = runner
        self.solver = solver
        self.C = C
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.batch_size = batch_size
        self.clip = clip
        self.bound = bound
        self.max_logit = max_logit
        self.random_state = random_state
        self.receiver = receiver

    def fit(self, X: Any, y: Any) -> Self:
        """The estimator with `weights_` as shares; nothing is revealed."""
        if self.solver not in ("newton", "sgd"):
            raise UsageError(f"the solver {self.solver!r}", hint='"newton" or "sgd"')
        table = self._table(X, fitting=True)
        if self.solver == "newton":
            self.weights_ = self._newton(
                bring_columns(self._runner, table, self.clip), self._labels(table, y), len(table)
            )
        else:
            self.weights_ = self._sgd(table, y)
        self.owners_ = Owners.of_numbers(table)
        return self

    def model(self, owner: str | None = None) -> SharedModel:
        """The shares that `numbers_program.linear` takes; trained on rows, for rows of `owner`.

        Raises:
            UsageError: weights could be larger than it has room for.
        """
        if largest(self.weights_) > LINEAR_BOUND:
            raise UsageError(
                f"weights of up to {largest(self.weights_):g}",
                hint=f"a score has room for {LINEAR_BOUND:g}: train with bound=8, or less",
            )
        places, own = self.owners_.placed(self._runner.parties, owner)
        weights = by_owner("weights", column(self.weights_, LINEAR_BITS), places, own)
        arrays = {"intercept": column(self.intercept_, INTERCEPT_BITS), **weights}
        return SharedModel(of_numbers("logistic", places, own, self.clip), arrays)

    def _newton(self, x: Brought, y: Brought, rows: int) -> Secret:
        run = self._runner
        ridge = 1.0 / (self.C * rows)
        h, largest = gram_of(run, x, rows, 4 * ridge)
        bend = curvature(run, h, largest)
        zero = begun(run, np.zeros(h.shape[0]), self.bound)
        found = run.repeat(
            newton(run.parties, x.layout, y.layout, self.bound, ridge),
            state={"w": zero, "before": zero},
            given={**x.given, **y.given, **bend.given},
            spans=[slice(None)] * self.max_iter,
        ).state["w"]
        weights: Secret = run.call(unscaled(self.bound), w=found, scale=bend.scale)["w"]
        return weights

    def _sgd(self, table: Partition, y: Any) -> Secret:
        run, size = self._runner, self.n_features_in_ + 1
        x = bring_columns(run, shuffled(table, self.random_state), self.clip)
        y = self._labels(table, y, seed=self.random_state)
        most = self._most()
        pace = Pace(self.learning_rate, self.momentum, 1.0 / (self.C * len(table)))
        zeros = {"w": most, "v": FASTEST} if self.momentum else {"w": most}
        found = run.repeat(
            descent(run.parties, x.layout, y.layout, most, pace),
            state={name: begun(run, np.zeros(size), bound) for name, bound in zeros.items()},
            given={**x.given, **y.given},
            spans=batches(x, y, self.batch_size, self.max_iter),
            batched=(*x.layout.names, *y.layout.names),
        )
        return found.state["w"]

    def _most(self) -> float:
        """The largest weight."""
        if self.max_logit is None:
            return self.bound
        return min(self.bound, self.max_logit / (self.clip * self.n_features_in_ + 1))

    def _told(self, what: str, X: Any) -> Plain | None:
        return self._predicted(what, X)


@cache
def newton(parties: tuple[str, ...], x: Layout, y: Layout, bound: float, ridge: float) -> Function:
    """A step of the weights of columns of unit length, with four times the inverse of XᵀX."""

    def step(**values: Array) -> dict[str, Array]:
        w, scale = values["w"], values["scale"]
        ahead = w + MOMENTUM * (w - values["before"])
        slopes = slope(x, y, {**values, "w": ahead * scale}, ridge)
        rest = values["inverse"] @ (slopes * scale)
        return {"w": xp.clip(ahead - 4 * rest, -bound, bound), "before": w}

    arguments = {**x.arguments, **y.arguments, **SCALED, **held(w=bound, before=bound)}
    return secured(parties, step, arguments, kept("w", "before"))


def slope(x: Layout, y: Layout, values: Values, ridge: float) -> Array:
    """The slope of the mean loss by each weight; the penalty is not for the intercept."""
    w, rows = values["w"], y.joined(values).size
    miss = xp.sigmoid(linear(x, values)) - y.joined(values)
    sums = [x.joined(values).T @ miss, xp.sum(miss, keepdims=True)]
    penalty = w * np.append(np.full(w.size - 1, ridge), 0.0)
    return xp.concat([one * (1.0 / rows) for one in sums]) + penalty


@dataclass(frozen=True)
class Pace:
    """How fast gradients are followed, and the weight of the penalty."""

    rate: float
    momentum: float
    ridge: float


@cache
def descent(parties: tuple[str, ...], x: Layout, y: Layout, bound: float, pace: Pace) -> Function:
    """A step against the slope on one batch."""

    def step(**values: Array) -> dict[str, Array]:
        velocity = slope(x, y, values, pace.ridge)
        if pace.momentum:
            velocity = xp.clip(pace.momentum * values["v"] + velocity, -FASTEST, FASTEST)
        moved = xp.clip(values["w"] - pace.rate * velocity, -bound, bound)
        return {"w": moved, "v": velocity} if pace.momentum else {"w": moved}

    state = held(w=bound, v=FASTEST) if pace.momentum else held(w=bound)
    return secured(parties, step, {**x.arguments, **y.arguments, **state}, kept(*state))
