"""Linear regression among parties, by the normal equations."""

from functools import cache
from typing import Any, Self

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Runner
from moiety.learn.base import Linear, Regressor, bring_columns
from moiety.learn.newton import SCALED, curvature, gram_of, unscaled
from moiety.learn.partition import Plain, labels
from moiety.learn.program import Layout, begun, bring, held, kept, secured


class LinearRegression(Linear, Regressor):
    """Least squares with an L2 penalty alpha · |w|² on the coefficients, as `Ridge` has it.

    Targets lie within the public `bounds`; columns are cut to [-clip, clip] at their owners:
    standardise them. Coefficients of columns of unit length lie within ±bound, in units of half
    the width of `bounds`. `max_iter` steps refine the solution of the normal equations.
    """

    def __init__(
        self,
        runner: Runner | None = None,
        *,
        bounds: tuple[float, float] = (-1.0, 1.0),
        alpha: float = 0.0,
        clip: float = 4.0,
        bound: float = 8.0,
        max_iter: int = 20,
        receiver: str | None = None,
    ) -> None:
        self.runner = runner
        self.bounds = bounds
        self.alpha = alpha
        self.clip = clip
        self.bound = bound
        self.max_iter = max_iter
        self.receiver = receiver

    def fit(self, X: Any, y: Any) -> Self:
        """The estimator with `weights_` as shares; nothing is revealed."""
        run, table = self._runner, self._table(X, fitting=True)
        middle, half = self._span()
        targets = labels(run, table, y).map(lambda data: (data - middle) / half)
        x, target = bring_columns(run, table, self.clip), bring(run, targets, "y", (-1, 1))
        rows = len(table)
        h, largest = gram_of(run, x, rows, self.alpha / rows)
        bend = curvature(run, h, largest)
        means = moments(run.parties, x.layout, target.layout, rows)
        moment = run.call(means, **x.given, **target.given)["moment"]
        found = run.repeat(
            solving(self.bound, self.clip),
            state={"w": begun(run, np.zeros(moment.shape), self.bound)},
            given={**bend.given, "matrix": bend.matrix, "moment": moment},
            spans=[slice(None)] * self.max_iter,
        ).state["w"]
        self.weights_ = run.call(unscaled(self.bound), w=found, scale=bend.scale)["w"]
        return self

    def predict(self, X: Any) -> Plain | None:
        """The prediction for each row."""
        found, (middle, half) = self._predicted("logit", X), self._span()
        return None if found is None else middle + half * found

    def _span(self) -> tuple[float, float]:
        """The middle of the targets' bounds, and half their width."""
        low, high = self.bounds
        if not low < high:
            raise UsageError(f"targets within ({low}, {high})", hint="bounds=(low, high)")
        return (low + high) / 2, (high - low) / 2


@cache
def moments(parties: tuple[str, ...], x: Layout, y: Layout, rows: int) -> Function:
    """The mean products of the targets with each column, and the targets' mean."""

    def products(**values: Array) -> dict[str, Array]:
        table, target = x.joined(values), y.joined(values)
        sums = [table.T @ target, xp.sum(target, keepdims=True)]
        return {"moment": xp.concat([one * (1.0 / rows) for one in sums])}

    return secured(parties, products, {**x.arguments, **y.arguments}, kept("moment"))


@cache
def solving(bound: float, clip: float) -> Function:
    """A step towards the solution for columns of unit length."""

    def solve(**values: Array) -> dict[str, Array]:
        w = values["w"]
        rest = values["scale"] * values["moment"] - values["matrix"] @ w
        return {"w": xp.clip(w + values["inverse"] @ rest, -bound, bound)}

    declared = held(matrix=1, moment=max(clip, 1.0) + 0.01, w=bound)
    return secured((), solve, {**SCALED, **declared}, kept("w"))
