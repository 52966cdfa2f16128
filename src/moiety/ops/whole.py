"""A function by one polynomial over the whole range of its argument: no comparison, no table."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.lang.types import Type
from moiety.ops.approximate import ends
from moiety.ops.estimate import FINE, UNIT, Estimate, bounded, cut, number, powers
from moiety.ops.functions import FUNCTIONS
from moiety.ops.intervals import proven, read_as
from moiety.ops.pieces import Intervals, interpolated

ROOM = 60
"""Bits of the polynomial's value before it is cut."""
WIDEST = 58
"""Bits of a place in the range before it is cut to FINE."""


@dataclass(frozen=True)
class Whole:
    """Coefficients as words with so many fraction bits; their sizes, and the polynomial's error."""

    coefficients: tuple[int, ...]
    fraction: int
    sizes: tuple[float, ...]
    error: float


def polynomial(x: Any, function: str, fraction: int, degree: int) -> Estimate:
    """The polynomial through degree + 1 Chebyshev points of the range of a traced x."""
    found = fitted(replace(x.type, shape=(), error=0), function, degree)
    terms = powers(_place(x), degree)
    total = number(x, found.coefficients[0] << FINE, found.fraction + FINE)
    for c, term in zip(found.coefficients[1:], terms, strict=True):
        missing = FINE - term.value.type.fraction
        total = total + term.value * number(x, c << missing, found.fraction + missing)
    off = math.fsum(size * one.error for size, one in zip(found.sizes[1:], terms, strict=True))
    error = found.error + off + math.ldexp(1.0, -fraction)
    most = math.fsum(found.sizes) + error
    known = bounded(total, -most, most, "a polynomial over its range")
    return Estimate(cut(known, fraction), error)


@lru_cache(maxsize=256)
def fitted(x: Type, function: str, degree: int) -> Whole:
    """The polynomial for x, its coefficients rounded."""
    least, most = ends(x)
    intervals = Intervals.between(np.array([least]), np.array([most]))
    found = interpolated(FUNCTIONS[function], intervals, degree)
    sizes = tuple(found.sizes.tolist())
    fraction = min(FINE, ROOM - FINE - math.frexp(math.fsum(sizes))[1])
    if not least < most or fraction < 1:
        raise UsageError(f"a polynomial for {function} on [{least:g}, {most:g}] in 64 bits")
    scaled = np.rint(np.ldexp(found.coefficients[0], fraction)).astype(np.int64)
    rounding = math.ldexp(degree + 1.0, -fraction - 1)
    return Whole(tuple(scaled.tolist()), fraction, sizes, found.error + rounding)


def _place(x: Any) -> Estimate:
    """Where x lies in its range, from -1 to 1, with at most FINE fraction bits."""
    length = x.type.hi - x.type.lo
    fraction = min(WIDEST, FINE + length.bit_length())
    slope = (2 << fraction) // length
    offset = -(slope * (x.type.lo + x.type.hi)) // 2
    wide = read_as(x * slope, fraction=fraction) + number(x, offset, fraction)
    t = proven(cut(wide, FINE), lo=-(1 << FINE) - 1, hi=(1 << FINE) + 2, by="x in its range")
    return Estimate(t, UNIT + math.ldexp(float(length), -fraction))
