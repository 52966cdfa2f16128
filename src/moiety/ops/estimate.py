"""Traced values that stand for real numbers, with a bound of the error: polynomials of them."""

import math
from dataclasses import dataclass
from typing import Any

from moiety.lang.trace import constant
from moiety.ops import chebyshev
from moiety.ops.chebyshev import SMOOTH
from moiety.ops.convert import truncate_exact
from moiety.ops.intervals import proven

FINE = 28
"""Fraction bits of a polynomial's argument, coefficients and value."""
UNIT = 2.0**-FINE


@dataclass(frozen=True)
class Estimate:
    """A traced value, and how far it may be from what it stands for, in real units."""

    value: Any
    error: float


def number(like: Any, word: int, fraction: int = 0) -> Any:
    """A public constant in the program of a traced value."""
    return like.builder.add(constant(word, fraction))


def cut(x: Any, fraction: int) -> Any:
    """The same real number with so many fraction bits; within one unit of the last place."""
    excess = x.type.fraction - fraction
    return truncate_exact(x, shift=excess) if excess > 0 else x


def evaluated(name: str, u: Estimate, degree: int) -> Estimate:
    """The polynomial for a function of u in [-1, 1], with FINE fraction bits."""
    polynomial = chebyshev.polynomial(name, degree, FINE)
    found = powers(u, degree)
    total = number(u.value, polynomial.coefficients[0] << FINE, 2 * FINE)
    for c, power in zip(polynomial.coefficients[1:], found, strict=True):
        total = total + power.value * number(u.value, c, FINE)
    smooth, inexact = SMOOTH[name], polynomial.evaluated([power.error for power in found])
    error = polynomial.error + inexact + UNIT
    lo, hi = smooth.least - error, smooth.most + error
    value = bounded(cut(total, FINE), lo, hi, f"the range of {name}")
    return Estimate(value, error)


def bounded(x: Any, lo: float, hi: float, proof: str) -> Any:
    """The same x, known to lie between real bounds; a unit is added for each truncation's coin."""
    scale = 2.0**x.type.fraction
    return proven(x, lo=math.floor(lo * scale) - 1, hi=math.ceil(hi * scale) + 1, by=proof)


def powers(u: Estimate, degree: int) -> list[Estimate]:
    """The powers u, u², … by a tree of products, so that there are log₂ degree levels of them."""
    found = [u]
    while len(found) < degree:
        high = found[-1]
        for low in found[: degree - len(found)]:
            error = high.error + low.error + high.error * low.error + UNIT
            product = cut(high.value * low.value, FINE)
            found.append(Estimate(bounded(product, -1 - error, 1 + error, "a power"), error))
    return found
