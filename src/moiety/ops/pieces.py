"""Polynomials fitted to a function on many intervals, alike on every machine, with their errors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moiety.ops.chebyshev import points
from moiety.ops.functions import RELATIVE, Function, Reals, added

GRID = 64
"""Points for each coefficient at which a polynomial is compared with the function."""
STEPS = 14
"""Halvings with which the end of an interval is sought."""
FILL = 0.98
"""A piece ends where its error is this part of what is accepted, or more."""


@dataclass(frozen=True)
class Fitted:
    """For each interval Σ coefficients[i] · tⁱ, t from -1 to 1 along it, and a bound of the error.

    Where the function is used in a part of an interval only, the polynomial is good there only.
    """

    coefficients: Reals
    errors: Reals

    @property
    def error(self) -> float:
        """The largest error."""
        return float(self.errors.max())

    @property
    def sizes(self) -> Reals:
        """The largest size of each coefficient."""
        sizes: Reals = np.abs(self.coefficients).max(axis=0)
        return sizes


@dataclass(frozen=True)
class Intervals:
    """Intervals by middle and half their length; used for t from `low` to `high`."""

    middles: Reals
    halves: Reals
    low: Reals
    high: Reals

    @classmethod
    def between(cls, starts: Reals, ends: Reals) -> "Intervals":
        """Whole intervals."""
        ones = np.ones_like(starts)
        return cls((starts + ends) / 2, (ends - starts) / 2, -ones, ones)

    def places(self, t: Reals) -> Reals:
        """For t from -1 to 1, points of the used part of each interval, by their own t."""
        half, middle = (self.high - self.low) / 2, (self.high + self.low) / 2
        return middle[:, np.newaxis] + half[:, np.newaxis] * t

    def reals(self, t: Reals) -> Reals:
        """The numbers at these t."""
        return self.middles[:, np.newaxis] + self.halves[:, np.newaxis] * t


def interpolated(function: Function, intervals: Intervals, degree: int) -> Fitted:
    """The polynomials through degree + 1 Chebyshev points of each interval."""
    nodes = intervals.places(np.array([float(t) for t in points(degree + 1)]))
    coefficients = _through(nodes, function.value(intervals.reals(nodes)))
    return Fitted(coefficients, _errors(function, intervals, coefficients))


def _through(nodes: Reals, values: Reals) -> Reals:
    """Newton's form of each polynomial, multiplied out."""
    slopes = values.copy()
    count = nodes.shape[1]
    for order in range(1, count):
        gaps = nodes[:, order:] - nodes[:, : count - order]
        slopes[:, order:] = (slopes[:, order:] - slopes[:, order - 1 : -1]) / gaps
    found = np.zeros_like(slopes)
    found[:, 0] = slopes[:, -1]
    for at in range(count - 2, -1, -1):
        shifted = np.concatenate([slopes[:, at : at + 1], found[:, :-1]], axis=1)
        found = shifted - nodes[:, at : at + 1] * found
    return found


def _errors(function: Function, intervals: Intervals, coefficients: Reals) -> Reals:
    """The largest errors on a grid, and what they can grow by between two points of it.

    Between points h apart a function exceeds its larger end by at most h²/8 · max |f''|.
    """
    count = GRID * coefficients.shape[1]
    t = intervals.places(np.arange(count + 1) * 2.0 / count - 1.0)
    x = intervals.reals(t)
    worst = np.abs(polynomials(coefficients, t) - function.value(x)).max(axis=1)
    pairs = zip(x[:, 0].tolist(), x[:, -1].tolist(), strict=True)
    bends = np.array([function.bend(lo, hi) for lo, hi in pairs]) * intervals.halves**2
    orders = np.arange(coefficients.shape[1])
    bends = bends + added(np.abs(coefficients) * (orders * (orders - 1.0)))
    steps = (intervals.high - intervals.low) / count
    slack = RELATIVE * np.abs(coefficients).max()
    errors: Reals = (worst + steps**2 / 8 * bends) * 1.0001 + slack
    return errors


def polynomials(coefficients: Reals, t: Reals) -> Reals:
    """Their values, row by row."""
    total = np.zeros_like(t)
    for column in coefficients.T[::-1]:
        total = total * t + column[:, np.newaxis]
    return total


@dataclass(frozen=True)
class Wanted:
    """Polynomials of a degree for a function on a span, within an error, cut at whole units."""

    function: Function
    span: tuple[float, float]
    unit: float
    degree: int
    error: float


def split(wanted: Wanted, most: int) -> tuple[list[float], Fitted] | None:
    """Cuts between as few intervals as keep the error; None if that takes more than `most`.

    Where a function is as near to its limit as the error allows, the limit stands for it.
    """
    function, span, degree, error = wanted.function, wanted.span, wanted.degree, wanted.error
    low, high = _reach(wanted)
    cuts, rows, errors = [], [], []
    if low > span[0]:
        rows.append(_constant(function.limits[0], degree))
        errors.append(error)
        cuts.append(low)
    for end, fitted in _greedy(wanted, low, high):
        rows.append(fitted.coefficients[0])
        errors.append(fitted.error)
        cuts.append(end)
        if len(cuts) > most:
            return None
    if not cuts or cuts[-1] != high:
        return None
    if high < span[1]:
        rows.append(_constant(function.limits[1], degree))
        errors.append(error)
    else:
        cuts.pop()
    return cuts, Fitted(np.array(rows), np.array(errors))


def _constant(value: float | None, degree: int) -> Reals:
    return np.array([value or 0.0, *[0.0] * degree])


def _reach(wanted: Wanted) -> tuple[float, float]:
    """The part of the span in which no limit is near."""
    function, error, found = wanted.function, wanted.error, list(wanted.span)
    for side, limit in enumerate(function.limits):
        if limit is None or abs(function.at(found[side]) - limit) > error:
            continue
        far, near = found[side], found[1 - side]
        for _ in range(60):
            middle = (near + far) / 2
            far_enough = abs(function.at(middle) - limit) <= error
            near, far = (near, middle) if far_enough else (middle, far)
        outward = math.ceil if side else math.floor
        found[side] = outward(far / wanted.unit) * wanted.unit
    return found[0], found[1]


def _greedy(wanted: Wanted, begin: float, end: float) -> Iterator[tuple[float, Fitted]]:
    """Intervals from the left, each as long as its error allows, and their polynomials."""
    while begin < end:
        good, fitted, bad, trial = begin, None, end, end
        for _ in range(STEPS):
            found = _one(wanted, begin, trial)
            if found.error > wanted.error:
                bad = trial
            else:
                good, fitted = trial, found
                if trial == end or found.error >= FILL * wanted.error:
                    break
            trial = begin + round((good + bad - 2 * begin) / 2 / wanted.unit) * wanted.unit
            if trial <= good or trial >= bad:
                break
        if fitted is None:
            return
        yield good, fitted
        begin = good


def _one(wanted: Wanted, begin: float, end: float) -> Fitted:
    intervals = Intervals.between(np.array([begin]), np.array([end]))
    return interpolated(wanted.function, intervals, wanted.degree)
