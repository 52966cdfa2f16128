"""exp, log, √x, 1/√x, 1/x and x/y of secret fixed-point numbers, over their proven range.

Ordinary functions of traced values. Comparisons find the power of two above x, a public line for
each brings x to [½, 1), one polynomial serves that octave, and a second line scales the result. The
work follows the range: a range within one octave needs no comparison.

Each states a bound of its error against the real function, in real units, truncations included,
for every x of the range, and refuses a range for which it could state none worth having. Each
truncation may be the cheap one, which adds 1 at random: no step here relies on exact floors.
"""

import math
from dataclasses import dataclass
from typing import Any

from moiety.errors import UsageError
from moiety.ops import chebyshev
from moiety.ops.convert import bit_to_word
from moiety.ops.estimate import FINE, UNIT, Estimate, bounded, cut, evaluated, number
from moiety.ops.intervals import less_than_each, piecewise_linear, proven, read_as
from moiety.ops.local import stands_for, sum_over
from moiety.ops.lookup import lookup
from moiety.protocols.piecewise import Lines

MOST = 61
"""Bits of the largest magnitude that is truncated."""
GUARD = 2
"""Fraction bits that a scale has beyond those of the result."""
COARSEST = 8
"""Fewer fraction bits of a polynomial's value are not worth having."""
ENTRIES = 256
"""The most powers of two that a table for exp may hold."""


@dataclass(frozen=True)
class Octaves:
    """The bit lengths that x may have, and the bits [x < 2^k] between them (None: only one)."""

    lengths: range
    below: Any

    @classmethod
    def of(cls, x: Any) -> "Octaves":
        """Those of a traced x ≥ 0."""
        lengths = range(x.type.lo.bit_length(), x.type.hi.bit_length() + 1)
        at = tuple(1 << length for length in lengths[:-1])
        return cls(lengths, less_than_each(x, at=at) if at else None)

    def lines(self, x: Any, lines: Lines, size: float, fraction: int) -> Any:
        """The line for the octave of x, whose value is at most `size` in real units."""
        limit = math.ceil(size * 2.0**fraction)
        if self.below is None:
            ((slope, offset),) = zip(lines.slopes, lines.offsets, strict=True)
            return read_as(x * slope, fraction=fraction) + number(x, offset, fraction)
        return piecewise_linear(
            self.below,
            x,
            lines=lines,
            bounds=(-limit, limit),
            fraction=fraction,
            by="what x can be in each octave",
        )


def _centred(x: Any, octaves: Octaves) -> Estimate:
    """The u in [-1, 1] with x = 2^length · (u + 3) / 4; -1 for x = 0."""
    fraction = max(FINE, octaves.lengths[-1] - 2)
    one = 1 << fraction
    slopes = [4 * one >> length if length else 0 for length in octaves.lengths]
    offsets = [-3 * one if length else -one for length in octaves.lengths]
    wide = octaves.lines(x, Lines(tuple(slopes), tuple(offsets)), 1.0, fraction)
    u = proven(cut(wide, FINE), lo=-(1 << FINE), hi=1 + (1 << FINE), by="x in its octave")
    return Estimate(u, UNIT if fraction > FINE else 0.0)


def _root_of_two(halves: int) -> int:
    """2^(halves / 2), rounded."""
    return (math.isqrt(1 << (halves + 2)) + 1) // 2 if halves >= 0 else int(halves == -1)


def _root(halves: int) -> float:
    """The real number 2^(halves / 2)."""
    return math.ldexp(math.sqrt(2.0) if halves % 2 else 1.0, halves // 2)


def _rescaled(octaves: Octaves, p: Estimate, halves: list[int | None], fraction: int) -> Estimate:
    """For each octave p · 2^(halves / 2), and 0 where that is None; p is at most 2."""
    largest = _root(max(n for n in halves if n is not None))
    wide = _wide(fraction, largest)
    slopes = tuple(0 if n is None else _root_of_two(n + 2 * wide) for n in halves)
    fine = _room(max(slopes))
    factor = Lines(slopes, (0,) * len(slopes))
    product = octaves.lines(cut(p.value, fine), factor, 2.01 * largest + UNIT, fine + wide)
    error = largest * (p.error + 2.0**-fine) + 2.0**-wide + 2.0**-fraction
    return Estimate(cut(product, fraction), error)


def _wide(fraction: int, largest: float) -> int:
    """The fraction bits of scales up to `largest`: some more than the result has, if they fit."""
    spare = MOST - 2 - math.frexp(largest)[1] - fraction - FINE
    return fraction + min(GUARD, max(0, spare))


def _room(largest: int) -> int:
    """The fraction bits of a factor of at most 2 whose product with this one can be truncated."""
    fine = min(FINE, MOST - 1 - largest.bit_length())
    if fine < COARSEST:
        raise UsageError(
            "the largest result leaves no room for its precision in 64 bits",
            hint="narrow the argument's bounds with clip, or use fewer fraction bits",
        )
    return fine


def _positive(x: Any, name: str, least: int = 1) -> Any:
    """Refuses a range in which the function is not defined, or cannot be told from undefined."""
    if x.type.lo < least:
        unit = 2.0**-x.type.fraction
        raise UsageError(
            f"{name} of values that may be {x.type.lo * unit:g}",
            hint=f"declare or clip them to at least {least * unit:g}",
        )
    return x


def _power(x: Any, name: str, fraction: int, degree: int) -> Estimate:
    """A power of x, for the functions that multiply by a power of two from octave to octave."""
    octaves = Octaves.of(x)
    p = evaluated(name, _centred(x, octaves), degree)
    step = {"sqrt": -1, "rsqrt": 1, "reciprocal": 2}[name]
    halves = [step * (x.type.fraction - n) if n else None for n in octaves.lengths]
    return _rescaled(octaves, p, halves, fraction)


def _like(x: Any, fraction: int | None) -> int:
    """The result's fraction bits: as asked, or the argument's."""
    return x.type.fraction if fraction is None else fraction


def _ends(x: Any) -> tuple[float, float]:
    unit = 2.0**-x.type.fraction
    return x.type.lo * unit, x.type.hi * unit


def _stated(found: Estimate, x: Any, function: str, ends: tuple[float, float], slope: float) -> Any:
    """The result with bounds, and what it stands for."""
    lo, hi = min(ends) - found.error, max(ends) + found.error
    value = bounded(found.value, lo, hi, f"the range of {function}")
    return stands_for(value, x, function=function, error=found.error, slope=slope)


def reciprocal(x: Any, *, fraction: int | None = None, degree: int = 8) -> Any:
    """The inverse, for x > 0 or x < 0 throughout; about 6e-7 of the largest, and 2 units."""
    if x.type.hi < 0:
        return -reciprocal(-x, fraction=fraction, degree=degree)
    found = _power(_positive(x, "1 / x"), "reciprocal", _like(x, fraction), degree)
    lo, hi = _ends(x)
    return _stated(found, x, "reciprocal", (1 / hi, 1 / lo), 1 / (lo * lo))


def rsqrt(x: Any, *, fraction: int | None = None, degree: int = 7) -> Any:
    """The inverse root, for x > 0; about 6e-7 of the largest result, and 2 units."""
    found = _power(_positive(x, "1 / √x"), "rsqrt", _like(x, fraction), degree)
    lo, hi = _ends(x)
    most = 1 / math.sqrt(lo)
    return _stated(found, x, "rsqrt", (1 / math.sqrt(hi), most), 0.5 * most / lo)


def sqrt(x: Any, *, fraction: int | None = None, degree: int = 6) -> Any:
    """The square root, for x ≥ 0; about 2e-7 of the largest result, and 2 units of the last place.

    At 0 the slope is infinite; half a unit of error in x is √½ of a unit's root in the result.
    """
    found = _power(_positive(x, "√x", 0), "sqrt", _like(x, fraction), degree)
    lo, hi = _ends(x)
    least = lo if lo else 2.0 ** (-1 - x.type.fraction)
    slope = (0.5 if lo else 1.0) / math.sqrt(least)
    return _stated(found, x, "sqrt", (math.sqrt(lo), math.sqrt(hi)), slope)


def log(x: Any, *, fraction: int | None = None, degree: int = 7) -> Any:
    """The natural logarithm, for x > 0; about 3e-7, and 2 units of the last place."""
    fraction, octaves = _like(x, fraction), Octaves.of(_positive(x, "log"))
    p = evaluated("log", _centred(x, octaves), degree)
    two = chebyshev.LN2
    most = octaves.lengths[-1] - x.type.fraction
    total = p.value + number(x, round(two * most * 2**FINE), FINE)
    if octaves.below is not None:
        down = sum_over(bit_to_word(octaves.below), axis=len(x.type.shape))
        total = total - down * number(x, round(two * 2**FINE), FINE)
    error = p.error + UNIT * len(octaves.lengths) + 2.0**-fraction
    lo, hi = _ends(x)
    found = Estimate(cut(total, fraction), error)
    return _stated(found, x, "log", (chebyshev.logarithm(lo), chebyshev.logarithm(hi)), 1 / lo)


def exp(x: Any, *, fraction: int | None = None, degree: int = 6) -> Any:
    """The exponential; about 1e-6 of the largest result, and 2 units of the last place.

    A result so large that fewer than 28 bits of precision fit states a larger bound; one that
    leaves none is refused, and so is a range of more than 255 powers of two.
    """
    fraction, (lo, hi) = _like(x, fraction), _ends(x)
    lengths = _exponents(lo, hi, fraction)
    most = chebyshev.exponential(hi)
    y = _binary_logarithm(x)
    # a floor, or 1 more by the coin of a cheap truncation; read_as keeps it from being rearranged
    whole = read_as(cut(y.value, 0), fraction=0)
    rest = y.value - whole * number(x, 1 << FINE, FINE)
    v = proven(rest, lo=-(1 << FINE) - 1, hi=1 + (1 << FINE), by="y less its floor")
    p = evaluated("exp2", Estimate(v, y.error), degree)
    wide = _wide(fraction, math.ldexp(1.0, lengths[-1]))
    table = tuple(_root_of_two(2 * (n + wide)) for n in lengths)
    place = proven(whole - lengths[0], lo=0, hi=len(table) - 1, by="the range of y")
    fine = _room(max(table))
    product = cut(p.value, fine) * lookup(place, table=table, fraction=wide)
    error = 2.01 * most * (p.error + 2.0**-fine) + 2.0**-wide + 2.0**-fraction
    found = Estimate(cut(product, fraction), error)
    return _stated(found, x, "exp", (0.0, most), most)


def _exponents(lo: float, hi: float, fraction: int) -> range:
    """The powers of two that x / ln 2 may be rounded down to, or one above it."""
    per_unit = 1.4426950408889634
    if hi * per_unit + fraction > MOST:
        raise UsageError(
            f"exp of values up to {hi:g} does not fit with {fraction} fraction bits",
            hint="clip the argument, or use fewer fraction bits",
        )
    lengths = range(math.floor(lo * per_unit - 1e-6), math.floor(hi * per_unit + 1e-6) + 2)
    if len(lengths) > ENTRIES:
        raise UsageError(
            f"exp of values in [{lo:g}, {hi:g}], which spans {len(lengths)} powers of two",
            hint=f"clip the argument to at least {-fraction:g}: below, exp rounds to 0",
        )
    return lengths


def _binary_logarithm(x: Any) -> Estimate:
    """The value x / ln 2, with FINE fraction bits."""
    bits = min(40, MOST - x.type.magnitude.bit_length() - 1)
    bits = max(bits, FINE - x.type.fraction)
    factor = number(x, round(2**bits / chebyshev.LN2), bits)
    error = x.type.magnitude * 2.0 ** (-x.type.fraction - bits - 1) + UNIT
    return Estimate(cut(x * factor, FINE), error)


def divide(x: Any, y: Any, *, fraction: int | None = None) -> Any:
    """The quotient, for y > 0 or y < 0 throughout; as precise as 1 / y where |x| is largest."""
    fraction, least = _like(x, fraction), min(abs(end) for end in _ends(y))
    if y.type.lo <= 0 <= y.type.hi:
        _positive(y, "division by")
    largest = math.ceil(1 / least * 1.01).bit_length() + x.type.magnitude.bit_length()
    bits = min(40, MOST - largest)
    if bits + x.type.fraction < fraction:
        raise UsageError(
            f"a quotient of values up to {max(map(abs, _ends(x))):g} by ones from {least:g}",
            hint="narrow the bounds with clip, or use fewer fraction bits",
        )
    return cut(x * reciprocal(y, fraction=bits), fraction)
