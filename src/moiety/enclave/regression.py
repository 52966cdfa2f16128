"""Logistic regression on rows that are divided among workers: Newton's method on summed parts.

In each step a worker makes gradient and Hessian of its own rows, a batch at a time; their sums give
the step that all rows together would take (iteratively reweighted least squares; Hastie, Tibshirani
and Friedman, The Elements of Statistical Learning, §4.4.1).

What workers learn: all have the model, and after each step sums over all rows; of two workers each
has the other's own sums. Those of a worker with fewer rows than columns can tell its rows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moiety.enclave.collectives import Collectives
from moiety.errors import DataError

Floats = npt.NDArray[np.float64]
Batches = Callable[[], Iterable[tuple[Floats, Floats]]]

MOST_STEPS = 50
CLOSE = 1e-9


@dataclass(frozen=True, repr=False, eq=False)
class Logistic:
    """log-odds = intercept + rows · weights; `steps` of Newton's were taken."""

    intercept: float
    weights: Floats
    steps: int

    def logit(self, rows: Floats) -> Floats:
        """The log-odds of each row."""
        return np.asarray(self.intercept + rows @ self.weights)


def regress(collectives: Collectives, batches: Batches, columns: int, *, ridge: float) -> Logistic:
    """The minimum of -log-likelihood + ridge/2 · |weights|²; the same bits at every worker.

    `batches` gives this worker's rows and outcomes (0 or 1) anew each time it is called. There is
    no penalty on the intercept. It stops when no coefficient moves by more than CLOSE.

    Raises:
        DataError: a value is not finite, an outcome not 0 or 1, or it does not converge.
    """
    found, penalty = np.zeros(columns + 1), np.diag([0.0] + [ridge] * columns)
    for step in range(1, MOST_STEPS + 1):
        total = collectives.allreduce(_sums(batches(), found))
        if not np.isfinite(total).all():
            raise DataError("a worker's rows hold a missing value or an outcome other than 0 and 1")
        hessian, gradient = total[:, :-1] + penalty, total[:, -1] - penalty @ found
        change = np.linalg.solve(hessian, gradient)
        found = found + change
        if np.abs(change).max() < CLOSE:
            return Logistic(float(found[0]), found[1:], step)
    raise DataError(
        f"no minimum within {MOST_STEPS} steps",
        hint="use a larger ridge: outcomes may be separable",
    )


def _sums(batches: Iterable[tuple[Floats, Floats]], found: Floats) -> Floats:
    """Hessian and gradient side by side; NaN where the rows are not fit for it.

    A worker with unfit rows still takes part in the sum: so all workers stop in the same step.
    """
    total = np.zeros((len(found), len(found) + 1))
    for rows, outcomes in batches:
        if not np.isfinite(rows).all() or not np.isin(outcomes, (0, 1)).all():
            return np.full_like(total, np.nan)
        table = np.column_stack([np.ones(len(rows)), rows])
        chance = 1 / (1 + np.exp(-np.clip(table @ found, -700, 700)))
        total[:, :-1] += (table * (chance * (1 - chance))[:, None]).T @ table
        total[:, -1] += table.T @ (outcomes - chance)
    return total
