"""Real functions at doubles, alike on every machine, with bounds of their derivatives.

A value is part of what a program means. Parties that rounded it differently would compute garbage,
so it is made by operations that IEEE 754 rounds correctly, one NumPy operation each; no function of
a C library. Values are right to some 1e-15 of the largest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
RELATIVE = 2.0**-48
"""How far a value may be off, in units of the largest one."""
_LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-1")
_LN2_LOW = float.fromhex("0x1.ef35793c76730p-45")
_PER_LN2 = float.fromhex("0x1.71547652b82fep+0")
_TWO_PER_ROOT_PI = float.fromhex("0x1.20dd750429b6dp+0")
_ROOT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
_SPAN = (-745.0, 709.0)


def exp(x: Reals) -> Reals:
    """The exponential: 2^n times the series of the rest, which is at most ½ ln 2."""
    x = np.clip(x, *_SPAN)
    n = np.rint(x * _PER_LN2)
    rest = (x - n * _LN2_HIGH) - n * _LN2_LOW
    total = np.ones_like(rest)
    for k in range(15, 0, -1):
        total = 1.0 + rest / k * total
    scaled: Reals = np.ldexp(total, n.astype(np.int32))
    return scaled


def log(x: Reals) -> Reals:
    """The natural logarithm: that of the power of two, and twice the series of artanh."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < _ROOT_HALF
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    power = exponent.astype(np.float64) - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square, total = s * s, np.zeros_like(s)
    for k in range(25, 0, -2):
        total = total * square + 1.0 / k
    return (2.0 * s * total + power * _LN2_LOW) + power * _LN2_HIGH


def sigmoid(x: Reals) -> Reals:
    """The logistic function, without overflow for either sign."""
    small = exp(-np.abs(x))
    return np.where(x < 0, small, 1.0) / (1.0 + small)


def tanh(x: Reals) -> Reals:
    """The hyperbolic tangent."""
    small = exp(-2.0 * np.abs(x))
    risen = (1.0 - small) / (1.0 + small)
    return np.where(x < 0, -risen, risen)


def erf(x: Reals) -> Reals:
    """The error function, by Kummer's series: 2x/√π · exp(-x²) · Σ (2x²)^k / (1·3·5···(2k+1))."""
    near = np.clip(x, -6.0, 6.0)
    square = near * near
    total = np.ones_like(square)
    for k in range(100, 0, -1):
        total = 1.0 + 2.0 * square / (2 * k + 1) * total
    return np.clip(_TWO_PER_ROOT_PI * near * exp(-square) * total, -1.0, 1.0)


def sqrt(x: Reals) -> Reals:
    """The square root, which IEEE 754 rounds correctly."""
    root: Reals = np.sqrt(x)
    return root


def added(x: Reals) -> Reals:
    """The sum over the last axis, pair by pair in an order that no machine chooses."""
    while (size := x.shape[-1]) > 1:
        half = size // 2
        x = np.concatenate([x[..., :half] + x[..., half : 2 * half], x[..., 2 * half :]], axis=-1)
    return x[..., 0]


@dataclass(frozen=True)
class Function:
    """A monotone function: its value, and bounds of |f'| and |f''| on an interval.

    `limits` are its values at -∞ and ∞ where they exist; `tolerance`, if any, is the error that is
    accepted where none is named; `word` is its name in messages; its argument is at least `least`
    units of the last place.
    """

    value: Callable[[Reals], Reals]
    slope: Callable[[float, float], float]
    bend: Callable[[float, float], float]
    word: str
    limits: tuple[float | None, float | None] = (None, None)
    tolerance: float = 0.0
    least: int | None = None

    def at(self, x: float) -> float:
        """The value at one point."""
        return float(self.value(np.array([x]))[0])

    def ends(self, lo: float, hi: float) -> tuple[float, float]:
        """The least and the largest value on an interval."""
        first, second = self.at(lo), self.at(hi)
        return min(first, second), max(first, second)


def _power(factor: float, exponent: float) -> Callable[[float, float], float]:
    """The bound factor · |x|^exponent, largest at the end next to 0, for exponents below 0."""

    def bound(lo: float, hi: float) -> float:
        near = min(abs(lo), abs(hi))
        return 1.0001 * factor * near**exponent if near else math.inf

    return bound


def _flat(most: float) -> Callable[[float, float], float]:
    return lambda lo, hi: most


def _exp_at_most(lo: float, hi: float) -> float:
    return 1.0001 * float(exp(np.array([hi]))[0])


FUNCTIONS = {
    "sigmoid": Function(sigmoid, _flat(0.25), _flat(0.1), "sigmoid", (0.0, 1.0), 1e-3),
    "tanh": Function(tanh, _flat(1.0), _flat(0.77), "tanh", (-1.0, 1.0), 2e-3),
    "erf": Function(erf, _flat(1.13), _flat(0.97), "erf", (-1.0, 1.0), 1e-3),
    "exp": Function(exp, _exp_at_most, _exp_at_most, "exp", (0.0, None)),
    "log": Function(log, _power(1.0, -1.0), _power(1.0, -2.0), "log", least=1),
    "sqrt": Function(sqrt, _power(0.5, -0.5), _power(0.25, -1.5), "√x", least=0),
    "rsqrt": Function(
        lambda x: 1.0 / np.sqrt(x),
        _power(0.5, -1.5),
        _power(0.75, -2.5),
        "1 / √x",
        (None, 0.0),
        least=1,
    ),
    "reciprocal": Function(
        lambda x: 1.0 / x, _power(1.0, -2.0), _power(2.0, -3.0), "1 / x", (0.0, 0.0), least=1
    ),
}
"""The functions that are approximated where their argument is secret."""
