"""95 % intervals: of rates exactly, of areas by DeLong's method, of the rest by resampling rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, rankdata
from sklearn.utils import check_random_state

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Interval = tuple[float, float]

TAIL = 0.025
"""The chance that is left beyond each end of an interval."""
RESAMPLES = 1000

_Z = 1.959964
_BLOCK = 1 << 21
"""Counts that are held at once."""


def least_rate(hits: npt.ArrayLike, trials: int, tail: float = TAIL) -> Floats:
    """The rates that are exceeded but for a chance of `tail` (Clopper, Pearson 1934)."""
    count = np.asarray(hits)
    return np.where(count > 0, beta.ppf(tail, np.maximum(count, 1), trials - count + 1), 0.0)


def largest_rate(hits: npt.ArrayLike, trials: int, tail: float = TAIL) -> Floats:
    """The rates that are not reached but for a chance of `tail` (Clopper, Pearson 1934)."""
    return 1 - least_rate(trials - np.asarray(hits), trials, tail)


def rate(hits: int, trials: int) -> Interval:
    """The interval of a rate, exact for independent trials."""
    return float(least_rate(hits, trials)), float(largest_rate(hits, trials))


def area(event: Flags, score: Floats) -> tuple[float, Floats]:
    """The AUC, and each row's part in its chance: of several scores, take differences row by row.

    Source: DeLong, DeLong, Clarke-Pearson (Biometrics 1988).
    """
    ranks, rows = rankdata(score), len(score)
    events, others = int(event.sum()), int((~event).sum())
    placed = np.empty(rows)
    placed[event] = (ranks[event] - rankdata(score[event])) / others
    placed[~event] = 1 - (ranks[~event] - rankdata(score[~event])) / events
    value = float(placed[event].mean())
    return value, (placed - value) * rows / np.where(event, events, others)


def spread(parts: Floats) -> float:
    """Half the width of the interval of a mean of rows' parts, for many rows."""
    return float(_Z * parts.std(ddof=1) / np.sqrt(len(parts)))


def resampled(rows: int, statistic: Callable[[Floats], Floats]) -> tuple[float, Interval]:
    """The value of a statistic and its interval (Efron 1979, percentiles).

    It is told how often each row counts (resamples × rows), and gives a number a resample. Ends are
    moved out to the value itself where resampling is all on one side of it.
    """
    random: Any = check_random_state(0)
    step = max(1, _BLOCK // rows)
    value = float(statistic(np.ones((1, rows)))[0])
    blocks = (min(step, RESAMPLES - at) for at in range(0, RESAMPLES, step))
    found = np.concatenate([statistic(_counts(random, count, rows)) for count in blocks])
    low, high = np.quantile(found, [TAIL, 1 - TAIL])
    return value, (min(float(low), value), max(float(high), value))


def _counts(random: Any, resamples: int, rows: int) -> Floats:
    """(resamples × rows) how often each row is drawn, of as many draws as there are rows."""
    drawn = random.randint(rows, size=(resamples, rows)) + rows * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=resamples * rows)
    return counts.reshape(resamples, rows).astype(np.float64)
