"""A function by tables: its value, or a polynomial for it, looked up for one of 2^bits intervals.

The place of x is a truncation, the coefficients are entries of dealt tables, the powers of x within
its interval are made meanwhile. A truncation may be the cheap one, so the polynomial of an interval
is good for the one before it too.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.lang.types import Type
from moiety.ops.estimate import FINE, UNIT, Estimate, bounded, cut, number, powers
from moiety.ops.functions import FUNCTIONS, RELATIVE, Reals
from moiety.ops.intervals import proven, read_as
from moiety.ops.lookup import LARGEST, lookup
from moiety.ops.pieces import Fitted, Intervals, interpolated

TOTAL = 56
"""Fraction bits of a polynomial's value before it is cut, if they fit."""
ROOM = 60
"""Bits of that value."""


@dataclass(frozen=True)
class Spacing:
    """Interval i is about where (x - lo) · factor / 2^shift is i; each power of two is public."""

    lo: int
    span: int
    factor: int
    shift: int
    bits: int

    @classmethod
    def of(cls, x: Type, bits: int) -> "Spacing":
        """The spacing of 2^bits intervals over the range of x, the last one for a coin."""
        span = x.hi - x.lo
        shift = max(span.bit_length() + 1, min(FINE, ROOM - bits))
        if not 2 <= bits <= LARGEST or bits + shift > ROOM or not span:
            raise UsageError(f"a table of 2^{bits} intervals of {x}")
        return cls(x.lo, span, (((1 << bits) - 1) << shift) // (span + 1), shift, bits)

    @property
    def exact(self) -> bool:
        """Whether each word has an entry of its own."""
        return self.span < 1 << self.bits

    def intervals(self, fraction: int) -> Intervals:
        """What x can be in each interval or the one before, as far as x can be there."""
        index = np.arange(1 << self.bits, dtype=np.float64)
        step = math.ldexp((1 << self.shift) / self.factor, -fraction)
        first = math.ldexp(float(self.lo), -fraction)
        last = self.span * self.factor / (1 << self.shift)
        low = np.clip(-index, -1.0, 1.0)
        high = np.clip(last - index, -1.0, 1.0)
        return Intervals(first + index * step, np.full(index.shape, step), low, high)

    def place(self, x: Any) -> tuple[Any, Any]:
        """The number of x's interval, and where x is in it, from -1 to 1, with `shift` bits."""
        scaled = read_as(
            (x - number(x, self.lo, x.type.fraction)) * self.factor, fraction=self.shift
        )
        # read_as keeps the floor from being rearranged
        index = read_as(cut(scaled, 0), fraction=0)
        one = 1 << self.shift
        rest = scaled - index * number(x, one, self.shift)
        known = proven(index, lo=0, hi=(1 << self.bits) - 1, by="the range of x")
        return known, proven(rest, lo=-one, hi=one, by="x less where its interval is")


def table(x: Any, function: str, fraction: int, bits: int) -> Estimate:
    """The entry for x's interval."""
    spacing = Spacing.of(x.type, bits)
    entries, error = _entries(function, spacing, x.type.fraction, fraction)
    place = x - number(x, x.type.lo, x.type.fraction)
    index = read_as(place, fraction=0) if spacing.exact else spacing.place(x)[0]
    return Estimate(lookup(index, table=entries, fraction=fraction), error)


def table_error(x: Type, function: str, fraction: int, bits: int) -> float:
    """What `table` would state."""
    return _entries(function, Spacing.of(x, bits), x.fraction, fraction)[1]


@lru_cache(maxsize=256)
def _entries(
    function: str, spacing: Spacing, argument: int, fraction: int
) -> tuple[tuple[int, ...], float]:
    """The entries as words, and how far the function is from them."""
    value = FUNCTIONS[function].value
    if spacing.exact:
        places = np.arange(spacing.span + 1, dtype=np.float64) + float(spacing.lo)
        low = high = value(np.ldexp(places, -argument))
    else:
        intervals = spacing.intervals(argument)
        low, high = value(intervals.reals(intervals.places(np.array([-1.0, 1.0])))).T
    middle = (low + high) / 2
    words = np.rint(np.ldexp(middle, fraction))
    if not np.abs(words).max() < 2.0**62:
        raise UsageError(f"a table of {function} with {fraction} fraction bits")
    error = float(np.abs(high - low).max()) / 2 + math.ldexp(1.0, -fraction - 1)
    error += RELATIVE * float(np.abs(middle).max())
    return tuple(words.astype(np.int64).tolist()), error


@dataclass(frozen=True)
class Polynomials:
    """Coefficients as words of tables, with the fraction bits of each, and the error of all."""

    tables: tuple[tuple[int, ...], ...]
    fractions: tuple[int, ...]
    largest: float
    error: float


def polynomials(x: Any, function: str, fraction: int, bits: int, degree: int) -> Estimate:
    """The polynomial of this degree for x's interval."""
    spacing = _wide(x.type, bits)
    found = _polynomials(function, spacing, x.type.fraction, degree)
    index, rest = spacing.place(x)
    fine = min(spacing.shift, FINE)
    start = Estimate(cut(rest, fine), UNIT if spacing.shift > FINE else 0.0)
    total = lookup(index, table=found.tables[0], fraction=found.fractions[0])
    for power, entries, bits_of in zip(
        powers(start, degree), found.tables[1:], found.fractions[1:], strict=True
    ):
        total = total + lookup(index, table=entries, fraction=bits_of) * power.value
    most = found.largest + found.error
    known = bounded(total, -most, most, "a polynomial in its interval")
    return Estimate(cut(known, fraction), found.error + math.ldexp(1.0, -fraction))


def polynomials_error(x: Type, function: str, fraction: int, bits: int, degree: int) -> float:
    """What `polynomials` would state."""
    found = _polynomials(function, _wide(x, bits), x.fraction, degree)
    return found.error + math.ldexp(1.0, -fraction)


def _wide(x: Type, bits: int) -> Spacing:
    """Intervals of more than one word each: for fewer words, entries are all that is needed."""
    spacing = Spacing.of(x, bits)
    if spacing.exact:
        raise UsageError(f"2^{bits} intervals of {x}, which has no more words")
    return spacing


@lru_cache(maxsize=256)
def _polynomials(function: str, spacing: Spacing, argument: int, degree: int) -> Polynomials:
    fitted = interpolated(FUNCTIONS[function], spacing.intervals(argument), degree)
    sizes = fitted.sizes
    largest = math.fsum(sizes.tolist())
    total = min(TOTAL, ROOM - math.frexp(largest)[1])
    bits = [0] + [_fraction_of_power(j, min(spacing.shift, FINE)) for j in range(1, degree + 1)]
    fractions = tuple(total - one for one in bits)
    if min(fractions) < 1:
        raise UsageError(f"polynomials for {function} of up to {largest:g} in 64 bits")
    return Polynomials(
        tuple(_words(fitted, j, one) for j, one in enumerate(fractions)),
        fractions,
        largest,
        fitted.error + _rounding(sizes, fractions, spacing),
    )


def _fraction_of_power(order: int, fine: int) -> int:
    """The fraction bits of a power of a number with `fine` ones, as `powers` makes it."""
    return min(order * fine, FINE) if order > 1 else fine


def _words(fitted: Fitted, order: int, fraction: int) -> tuple[int, ...]:
    scaled = np.rint(np.ldexp(fitted.coefficients[:, order], fraction))
    return tuple(scaled.astype(np.int64).tolist())


def _rounding(sizes: Reals, fractions: tuple[int, ...], spacing: Spacing) -> float:
    """What rounded coefficients and powers do to a value."""
    start = UNIT if spacing.shift > FINE else 0.0
    off, errors = start, [0.0, start]
    for _ in fractions[2:]:
        off = 2 * off + off * off + UNIT
        errors.append(off)
    rounded = math.fsum(math.ldexp(1.0, -one - 1) for one in fractions)
    return rounded + math.fsum(float(s) * e for s, e in zip(sizes, errors, strict=False))
