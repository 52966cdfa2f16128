"""Polynomials for smooth functions on [-1, 1], alike on every machine, with a bound of the error.

Decimals are used throughout: their exp, ln and sqrt are correctly rounded.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache

DIGITS = 40
PI = Decimal("3.141592653589793238462643383279502884197")
LN2 = Decimal("0.6931471805599453094172321214581765680755")


@dataclass(frozen=True)
class Smooth:
    """A function of u in [-1, 1]; `far(n)` bounds how far it is from interpolation at n points."""

    value: Callable[[Decimal], Decimal]
    least: float
    most: float
    slope: float
    far: Callable[[int], float]


def _mantissa(u: Decimal) -> Decimal:
    """From [-1, 1] to [½, 1]."""
    return (u + 3) / 4


def _odd_factorial(n: int) -> int:
    """1·3·5···n, and 1 for n < 1."""
    return math.prod(range(1, n + 1, 2))


def _far(largest: Callable[[int], float]) -> Callable[[int], float]:
    """|f - p| ≤ max |f⁽ⁿ⁾| / (2ⁿ⁻¹ n!) for p through n Chebyshev points."""
    return lambda n: largest(n) / 2.0 ** (n - 1) / math.factorial(n)


SMOOTH = {
    "exp2": Smooth(
        lambda u: (u * LN2).exp(), 0.5, 2.0, 1.39, _far(lambda n: 2 * math.prod([0.6932] * n))
    ),
    "log": Smooth(
        lambda u: _mantissa(u).ln(), -0.6932, 0.0, 0.5, _far(lambda n: math.factorial(n) / 2.0**n)
    ),
    "reciprocal": Smooth(
        lambda u: 1 / _mantissa(u), 1.0, 2.0, 1.0, _far(lambda n: 2 * math.factorial(n) / 2.0**n)
    ),
    "sqrt": Smooth(
        lambda u: _mantissa(u).sqrt(),
        0.7071,
        1.0,
        0.18,
        _far(lambda n: _odd_factorial(2 * n - 3) / 4.0**n),
    ),
    "rsqrt": Smooth(
        lambda u: 1 / _mantissa(u).sqrt(),
        1.0,
        1.4143,
        0.36,
        _far(lambda n: 1.4143 * _odd_factorial(2 * n - 1) / 4.0**n),
    ),
}


@dataclass(frozen=True)
class Polynomial:
    """Σ coefficients_i · uⁱ, in units of 2^-fraction; `error` bounds it on [-1, 1]."""

    coefficients: tuple[int, ...]
    fraction: int
    error: float

    def evaluated(self, powers: list[float]) -> float:
        """How far the value is off where each power is off by so much, and all are at most 1."""
        pairs = zip(self.coefficients[1:], powers, strict=True)
        return math.fsum(abs(c) * 2.0**-self.fraction * e for c, e in pairs)


@lru_cache(maxsize=64)
def polynomial(name: str, degree: int, fraction: int) -> Polynomial:
    """The interpolation at degree + 1 Chebyshev points, its coefficients rounded."""
    smooth = SMOOTH[name]
    with localcontext(Context(prec=DIGITS)):
        nodes = points(degree + 1)
        exact = _solved(nodes, [smooth.value(u) for u in nodes])
        rounded = [int((c * 2**fraction).to_integral_value()) for c in exact]
        near = [Decimal(c) / 2**fraction for c in rounded]
        return Polynomial(tuple(rounded), fraction, _bound(smooth, near))


def _bound(smooth: Smooth, coefficients: list[Decimal]) -> float:
    """The error on [-1, 1] from that on the points of a finer interpolation q, of degree D.

    |p - q| ≤ max over N Chebyshev points / cos(πD / 2N) (Ehlich, Zeller 1964), and q is close to f.
    """
    degree = 3 * len(coefficients) + 8
    rest = smooth.far(degree + 1)
    errors = [abs(float(_horner(coefficients, u) - smooth.value(u))) for u in points(8 * degree)]
    return (max(errors) + rest) / 0.98078 + rest


def _horner(coefficients: list[Decimal], u: Decimal) -> Decimal:
    total = Decimal(0)
    for c in reversed(coefficients):
        total = total * u + c
    return total


def points(count: int) -> list[Decimal]:
    """The roots of the Chebyshev polynomial of this degree."""
    return [_cosine(PI * (2 * k + 1) / (2 * count)) for k in range(count)]


def _cosine(x: Decimal) -> Decimal:
    term, total, k = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal(10) ** -DIGITS:
        term *= -x * x / ((k + 1) * (k + 2))
        total, k = total + term, k + 2
    return total


def _solved(points: list[Decimal], values: list[Decimal]) -> list[Decimal]:
    """The coefficients of the polynomial through these points: Newton's form, multiplied out."""
    slopes = list(values)
    for order in range(1, len(points)):
        for i in range(len(points) - 1, order - 1, -1):
            slopes[i] = (slopes[i] - slopes[i - 1]) / (points[i] - points[i - order])
    found = [slopes[-1]]
    for point, slope in zip(points[-2::-1], slopes[-2::-1], strict=True):
        shifted = [Decimal(0), *found]
        found = [a - point * b for a, b in zip(shifted, [*found, Decimal(0)], strict=True)]
        found[0] += slope
    return found
