"""Sums of sines fitted to real functions, with bounds of their error.

A fit is part of what a program means, and parties that disagree about it would compute garbage. So
it is computed alike on every machine: by additions, products and quotients of doubles, one NumPy
operation each, in a fixed order; no function of a C library.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moiety.errors import UsageError
from moiety.ops.functions import FUNCTIONS, Reals, added

RIDGE = 1e-7
"""Weight of the squared amplitudes: large ones would amplify rounding."""
PASSES = 30
ROUNDING = 2.0**-16
"""What an amplitude of 1 costs in error, when fits are compared."""


@dataclass(frozen=True)
class Curve:
    """A function that is `centre` plus an odd one, which rises from -limit to limit.

    `slope` bounds its derivative and `bend` its second one.
    """

    name: str
    centre: float
    limit: float
    slope: float
    bend: float

    def odd(self, x: Reals) -> Reals:
        """The odd part."""
        return FUNCTIONS[self.name].value(x) - self.centre


CURVES = {
    "sigmoid": Curve("sigmoid", centre=0.5, limit=0.5, slope=0.25, bend=0.1),
    "erf": Curve("erf", centre=0.0, limit=1.0, slope=1.13, bend=0.97),
}


@dataclass(frozen=True)
class Fit:
    """amplitudes_j · sin(2πjx / 2^period) for j = 1, 2, …; `error` bounds it for |x| ≤ reach."""

    period: int
    amplitudes: tuple[float, ...]
    error: float

    @property
    def total(self) -> float:
        """The sum of the amplitudes' sizes, which multiplies rounding."""
        return math.fsum(map(abs, self.amplitudes))

    def rounding(self, fractions: tuple[int, int]) -> float:
        """What rounding adds: factors to fractions[0] bits, dealt waves to fractions[1]."""
        factors = len(self.amplitudes) * 2.0 ** -fractions[0]
        return 0.7072 * (factors + self.total * 2.0 ** -fractions[1])


@lru_cache(maxsize=256)
def sines(name: str, sixteenths: int, terms: int) -> Fit:
    """The better of two periods for |x| ≤ sixteenths / 16."""
    curve, reach = CURVES[name], sixteenths / 16
    trial = _best(curve, reach, terms)
    return Fit(trial.period, trial.amplitudes, _bound(curve, reach, trial))


@lru_cache(maxsize=64)
def anywhere(name: str, terms: int) -> tuple[int, Fit, float]:
    """A reach in sixteenths, its fit, and a bound of the error for all reals.

    Beyond the reach the limit stands for the curve. Reach and fit balance both errors.
    """
    low, high = 8, 16 * 40
    while high - low > 2:
        middle = (low + high) // 2
        far = _tail(name, middle) > _best(CURVES[name], middle / 16, terms).error
        low, high = (middle, high) if far else (low, middle)
    fit = sines(name, high, terms)
    return high, fit, max(fit.error, _tail(name, high))


def _best(curve: Curve, reach: float, terms: int) -> Fit:
    """The better of two periods, with its largest error on the points of the fit."""
    least = math.ceil(2 * reach).bit_length()
    fits = [_fitted(curve, reach, terms, period) for period in (least, least + 1)]
    return min(fits, key=_price)


def _price(fit: Fit) -> float:
    return fit.error + fit.total * ROUNDING


def _tail(name: str, sixteenths: int) -> float:
    curve = CURVES[name]
    return (curve.limit - float(curve.odd(np.array([sixteenths / 16]))[0])) * 1.0001


def _fitted(curve: Curve, reach: float, terms: int, period: int) -> Fit:
    """Least squares, reweighted until the largest errors are as small as they get (Lawson)."""
    count = 12 * terms
    places = reach * np.arange(1, count + 1) / count
    targets, waves = curve.odd(places), _waves(places, terms, period)
    products = waves[:, np.newaxis] * waves
    weights, trials = np.full(count, 1.0 / count), []
    for _ in range(PASSES):
        amplitudes = _least_squares(products, waves * targets, weights)
        errors = np.abs(_value(waves, amplitudes) - targets)
        trials.append(Fit(period, tuple(amplitudes.tolist()), float(errors.max())))
        weights = weights * (errors / errors.max() + 1e-3)
        weights = weights / added(weights)
    return min(trials, key=_price)


def _waves(x: Reals, terms: int, period: int) -> Reals:
    """The sines of the first multiples of 2πx / 2^period, for |x| at most half a period."""
    angle = 2 * math.pi * x / 2**period
    sine, cosine = angle * _series(angle * angle, 3), _series(angle * angle, 2)
    s, c, found = sine, cosine, []
    for _ in range(terms):
        found.append(s)
        s, c = s * cosine + c * sine, c * cosine - s * sine
    return np.stack(found)


def _series(square: Reals, begin: int) -> Reals:
    """1 - s / (1·2) + … or 1 - s / (2·3) + …, twenty terms: to 1e-15 for |angle| ≤ π."""
    total = np.ones_like(square)
    for k in range(begin + 38, begin - 1, -2):
        total = 1.0 - square / (k * (k - 1)) * total
    return total


def _value(waves: Reals, amplitudes: Reals) -> Reals:
    """The sum of waves at each place."""
    return added((waves * amplitudes[:, np.newaxis]).T)


def _least_squares(products: Reals, aims: Reals, weights: Reals) -> Reals:
    """The amplitudes with the least weighted squared error plus RIDGE times their squares."""
    matrix = added(products * weights) + RIDGE * np.eye(len(aims))
    rows = np.concatenate([matrix, added(aims * weights)[:, np.newaxis]], axis=1)
    for j in range(len(rows)):
        factors = rows[:, j] / rows[j, j]
        factors[j] = 0.0
        rows = rows - factors[:, np.newaxis] * rows[j]
    solved: Reals = rows[:, -1] / np.diagonal(rows)
    return solved


def _bound(curve: Curve, reach: float, fit: Fit) -> float:
    """The largest error on a grid, and what it can grow by between two points of it.

    Between points h apart a function exceeds its larger end by at most h²/8 · max |f''|.
    """
    terms = len(fit.amplitudes)
    step = reach / (128 * terms)
    places = step * np.arange(128 * terms + 1, dtype=np.float64)
    value = _value(_waves(places, terms, fit.period), np.array(fit.amplitudes))
    worst = float(np.abs(value - curve.odd(places)).max())
    base = 2 * math.pi / 2**fit.period
    bends = math.fsum(abs(b) * (base * j) ** 2 for j, b in enumerate(fit.amplitudes, 1))
    return (worst + step * step / 8 * (curve.bend + bends)) * 1.0001


def sixteenths(magnitude: int, fraction: int) -> int:
    """A reach that covers |x| ≤ magnitude / 2^fraction, in sixteenths."""
    reach = -(-16 * magnitude // (1 << fraction))
    if reach > 16 * 1024:
        raise UsageError(
            f"a sum of sines for |x| up to {magnitude / 2**fraction:g}",
            hint="clip the argument: the function is all but constant there",
        )
    return max(1, reach)
