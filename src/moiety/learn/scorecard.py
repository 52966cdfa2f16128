"""A scorecard: logistic regression on the weights of evidence, one weight for each bin."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from moiety.learn.woe import (
    Codes,
    Floats,
    WoeTable,
    check_codes,
    check_labels,
    woe_table,
)


@dataclass(frozen=True)
class Points:
    """How a logit is shown as a score: `base` points at `odds` of the event, less where riskier.

    Each doubling of the odds costs `pdo` points:
    points = base - pdo · (logit - ln odds) / ln 2.
    """

    base: float = 600.0
    pdo: float = 50.0
    odds: float = 1 / 19

    def of(self, logit: Floats) -> Floats:
        """The score of each logit; higher is better."""
        return self.base - self.pdo * (logit - math.log(self.odds)) / math.log(2)


@dataclass(frozen=True)
class Scorecard:
    """logit = intercept + Σ over columns of the weight of the row's bin; positive is riskier."""

    intercept: float
    weights: dict[str, Floats]
    """For each column, its coefficient times the weight of evidence of each bin."""
    coefficients: dict[str, float]
    tables: dict[str, WoeTable]

    def __repr__(self) -> str:
        bins = sum(len(weights) for weights in self.weights.values())
        return f"Scorecard({len(self.weights)} columns, {bins} bins)"

    @property
    def counts(self) -> dict[str, int]:
        """The number of bins of each column."""
        return {name: len(weights) for name, weights in self.weights.items()}

    def logit(self, codes: Mapping[str, Codes]) -> Floats:
        """The log-odds of the event for each row.

        Raises:
            DataError: the codes are not of this scorecard's columns and bins.
        """
        total = np.full(check_codes(codes, self.counts), self.intercept)
        for name, weights in self.weights.items():
            total += weights[codes[name]]
        return total

    def bound(self) -> float:
        """No logit exceeds this in absolute value, whatever the row."""
        reach = sum(float(np.abs(weights).max()) for weights in self.weights.values())
        return abs(self.intercept) + reach

    def points(self, scale: Points | None = None) -> dict[str, Floats]:
        """The points of each bin, by column; the intercept is spread evenly over the columns.

        A row's score is the sum of its bins' points, and `Points.of(logit)`.
        """
        scale = scale or Points()
        share = self.intercept / len(self.weights)
        zero = float(scale.of(np.zeros(1))[0]) / len(self.weights)
        slope = scale.pdo / math.log(2)
        return {name: zero - slope * (share + w) for name, w in self.weights.items()}


def fit_scorecard(
    codes: Mapping[str, Codes],
    bin_counts: Mapping[str, int],
    y: Codes,
    *,
    smoothing: float = 0.5,
    c: float = 1.0,
) -> Scorecard:
    """The scorecard of these bin codes and labels (1 = the event), by column in the codes' order.

    `c` is the inverse strength of the L2 penalty on the coefficients, as in scikit-learn.

    Raises:
        DataError: codes, counts and labels do not fit each other, or all labels are alike.
    """
    rows = check_codes(codes, bin_counts)
    check_labels(y, rows)
    tables = {
        name: woe_table(name, column, bin_counts[name], y, smoothing=smoothing)
        for name, column in codes.items()
    }
    evidence = np.column_stack([tables[name].woe[column] for name, column in codes.items()])
    fit = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10).fit(evidence, y)
    coefficients = dict(zip(codes, fit.coef_[0].tolist(), strict=True))
    return Scorecard(
        intercept=float(fit.intercept_[0]),
        weights={name: coefficients[name] * tables[name].woe for name in codes},
        coefficients=coefficients,
        tables=tables,
    )
