"""Sums of sines and polynomials fitted to real functions, with bounds of their error.

A fit is part of what a program means, and parties that disagree about it would compute garbage. So
it is computed alike on every machine: by correctly rounded decimals, sums by `math.fsum`, and
additions, products and quotients of doubles; no function of a C library.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache

from moiety.errors import UsageError

RIDGE = 1e-7
"""Weight of the squared amplitudes: large ones would amplify rounding."""
DIGITS = 25
PASSES = 30
ROUNDING = 2.0**-16
"""What an amplitude of 1 costs in error, when fits are compared."""
PI = Decimal("3.141592653589793238462643383279502884197169399375105820974944592307816406286")


@dataclass(frozen=True)
class Curve:
    """A function that is `centre` plus an odd one, which rises from -limit to limit.

    `odd` is exact to `DIGITS` digits; `slope` bounds its derivative and `bend` its second one.
    """

    odd: Callable[[Decimal], Decimal]
    centre: float
    limit: float
    slope: float
    bend: float


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp()) - Decimal("0.5")


def _erf(x: Decimal) -> Decimal:
    """Kummer's series: 2x/√π · exp(-x²) · Σ (2x²)^k / (1·3·5···(2k+1)), all terms positive."""
    square, term, total, k = 2 * x * x, Decimal(1), Decimal(1), 0
    while term > Decimal(10) ** -DIGITS * total:
        k += 1
        term *= square / (2 * k + 1)
        total += term
    return 2 * x * (-x * x).exp() * total / PI.sqrt()


CURVES = {
    "sigmoid": Curve(_sigmoid, centre=0.5, limit=0.5, slope=0.25, bend=0.1),
    "erf": Curve(_erf, centre=0.0, limit=1.0, slope=1.13, bend=0.97),
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
    return (curve.limit - _exactly(curve.odd, Decimal(sixteenths) / 16)) * 1.0001


def _exactly(function: Callable[[Decimal], Decimal], x: Decimal) -> float:
    with localcontext(Context(prec=DIGITS)):
        return float(function(x))


def _fitted(curve: Curve, reach: float, terms: int, period: int) -> Fit:
    """Least squares, reweighted until the largest errors are as small as they get (Lawson)."""
    count = 12 * terms
    places = [reach * (i + 1) / count for i in range(count)]
    targets = [_exactly(curve.odd, Decimal(x)) for x in places]
    rows = [_waves(x, terms, period) for x in places]
    weights, trials = [1.0 / count] * count, []
    for _ in range(PASSES):
        amplitudes = _least_squares(rows, targets, weights)
        errors = [abs(_dot(row, amplitudes) - y) for row, y in zip(rows, targets, strict=True)]
        trials.append(Fit(period, tuple(amplitudes), max(errors)))
        weights = [w * (e / max(errors) + 1e-3) for w, e in zip(weights, errors, strict=True)]
        total = math.fsum(weights)
        weights = [w / total for w in weights]
    return min(trials, key=_price)


def _waves(x: float, terms: int, period: int) -> list[float]:
    """The sines of the first multiples of 2πx / 2^period, for |x| at most half a period."""
    angle = 2 * math.pi * x / 2**period
    sine, cosine = angle * _series(angle * angle, 3), _series(angle * angle, 2)
    s, c, found = sine, cosine, []
    for _ in range(terms):
        found.append(s)
        s, c = s * cosine + c * sine, c * cosine - s * sine
    return found


def _series(square: float, begin: int) -> float:
    """1 - s / (1·2) + … or 1 - s / (2·3) + …, twenty terms: to 1e-15 for |angle| ≤ π."""
    total = 1.0
    for k in range(begin + 38, begin - 1, -2):
        total = 1.0 - square / (k * (k - 1)) * total
    return total


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def _least_squares(
    rows: list[list[float]], targets: list[float], weights: list[float]
) -> list[float]:
    """The amplitudes with the least weighted squared error plus RIDGE times their squares."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    weighted = [[w * v for w, v in zip(weights, column, strict=True)] for column in columns]
    matrix = [[_dot(left, right) for right in columns] for left in weighted]
    for j, row in enumerate(matrix):
        row[j] += RIDGE
    return _solved(matrix, [_dot(column, targets) for column in weighted])


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """The solution of a positive definite system, by elimination."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for j, pivot in enumerate(rows):
        for i, row in enumerate(rows):
            if i != j:
                factor = row[j] / pivot[j]
                rows[i] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
        pivot = rows[j]
    return [row[-1] / row[j] for j, row in enumerate(rows)]


def _bound(curve: Curve, reach: float, fit: Fit) -> float:
    """The largest error on a grid, and what it can grow by between two points of it.

    Between points h apart a function exceeds its larger end by at most h²/8 · max |f''|.
    """
    terms = len(fit.amplitudes)
    step = reach / (128 * terms)
    errors = []
    for i in range(128 * terms + 1):
        value = _dot(_waves(step * i, terms, fit.period), fit.amplitudes)
        errors.append(abs(value - _exactly(curve.odd, Decimal(step * i))))
    base = 2 * math.pi / 2**fit.period
    bends = math.fsum(abs(b) * (base * j) ** 2 for j, b in enumerate(fit.amplitudes, 1))
    return (max(errors) + step * step / 8 * (curve.bend + bends)) * 1.0001


def sixteenths(magnitude: int, fraction: int) -> int:
    """A reach that covers |x| ≤ magnitude / 2^fraction, in sixteenths."""
    reach = -(-16 * magnitude // (1 << fraction))
    if reach > 16 * 1024:
        raise UsageError(
            f"a sum of sines for |x| up to {magnitude / 2**fraction:g}",
            hint="clip the argument: the function is all but constant there",
        )
    return max(1, reach)
