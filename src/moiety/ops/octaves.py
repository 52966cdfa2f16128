"""exp, log, √x, 1/√x and 1/x of secret fixed-point numbers, by one polynomial for every octave.

Comparisons find the power of two above x, a public line for each brings x to [½, 1), one polynomial
serves that octave, and a second line scales the result. The work follows the range: a range within
one octave needs no comparison.

Each function of a traced value states a bound of its error against the real function, truncations
included, for every x of the range, and refuses a range for which it could state none worth having.
Each truncation may be the cheap one, which adds 1 at random: no step here relies on exact floors.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moiety.errors import UsageError
from moiety.ops import chebyshev
from moiety.ops.approximate import check_domain, ends
from moiety.ops.convert import bit_to_word
from moiety.ops.estimate import FINE, UNIT, Estimate, bounded, cut, evaluated, number
from moiety.ops.functions import FUNCTIONS
from moiety.ops.intervals import less_than_each, piecewise_linear, proven, read_as
from moiety.ops.local import sum_over
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


def _power(x: Any, name: str, fraction: int, degree: int) -> Estimate:
    """A power of x, for the functions that multiply by a power of two from octave to octave."""
    octaves = Octaves.of(x)
    p = evaluated(name, _centred(x, octaves), degree)
    step = {"sqrt": -1, "rsqrt": 1, "reciprocal": 2}[name]
    halves = [step * (x.type.fraction - n) if n else None for n in octaves.lengths]
    return _rescaled(octaves, p, halves, fraction)


def _ranged(found: Estimate, x: Any, function: str) -> Estimate:
    """The result, known to lie in the function's range, or outside by no more than its error."""
    least, most = FUNCTIONS[function].ends(*ends(x.type))
    value = bounded(
        found.value, least - found.error, most + found.error, f"the range of {function}"
    )
    return Estimate(value, found.error)


def reciprocal(x: Any, fraction: int, degree: int) -> Estimate:
    """The inverse, for x > 0 or x < 0 throughout."""
    check_domain(x.type, "reciprocal")
    if x.type.hi < 0:
        found = reciprocal(-x, fraction, degree)
        return Estimate(-found.value, found.error)
    return _ranged(_power(x, "reciprocal", fraction, degree), x, "reciprocal")


def rsqrt(x: Any, fraction: int, degree: int) -> Estimate:
    """The inverse root, for x > 0."""
    check_domain(x.type, "rsqrt")
    return _ranged(_power(x, "rsqrt", fraction, degree), x, "rsqrt")


def sqrt(x: Any, fraction: int, degree: int) -> Estimate:
    """The square root, for x ≥ 0."""
    check_domain(x.type, "sqrt")
    return _ranged(_power(x, "sqrt", fraction, degree), x, "sqrt")


def log(x: Any, fraction: int, degree: int) -> Estimate:
    """The natural logarithm, for x > 0."""
    check_domain(x.type, "log")
    octaves = Octaves.of(x)
    p = evaluated("log", _centred(x, octaves), degree)
    two = chebyshev.LN2
    most = octaves.lengths[-1] - x.type.fraction
    total = p.value + number(x, round(two * most * 2**FINE), FINE)
    if octaves.below is not None:
        down = sum_over(bit_to_word(octaves.below), axis=len(x.type.shape))
        total = total - down * number(x, round(two * 2**FINE), FINE)
    error = p.error + UNIT * len(octaves.lengths) + 2.0**-fraction
    return _ranged(Estimate(cut(total, fraction), error), x, "log")


def exp(x: Any, fraction: int, degree: int) -> Estimate:
    """The exponential.

    A result so large that fewer than 28 bits of precision fit states a larger bound; one that
    leaves none is refused, and so is a range of more than 255 powers of two.
    """
    lo, hi = ends(x.type)
    lengths = _exponents(lo, hi, fraction)
    most = FUNCTIONS["exp"].at(hi)
    y, whole = _binary_logarithm(x)
    rest = y.value - whole * number(x, 1 << FINE, FINE)
    v = proven(rest, lo=-(1 << FINE) - 1, hi=1 + (1 << FINE), by="y less its floor")
    p = evaluated("exp2", Estimate(v, y.error), degree)
    wide = _wide(fraction, math.ldexp(1.0, lengths[-1]))
    table = tuple(_root_of_two(2 * (n + wide)) for n in lengths)
    place = proven(whole - lengths[0], lo=0, hi=len(table) - 1, by="the range of y")
    fine = _room(max(table))
    product = cut(p.value, fine) * lookup(place, table=table, fraction=wide)
    error = 2.01 * most * (p.error + 2.0**-fine) + 2.0**-wide + 2.0**-fraction
    return _ranged(Estimate(cut(product, fraction), error), x, "exp")


OCTAVES: dict[str, Callable[[Any, int, int], Estimate]] = {
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "rsqrt": rsqrt,
    "reciprocal": reciprocal,
}
"""Each is a function of a traced x, the result's fraction bits, and the polynomial's degree."""
DEGREES = {"exp": 6, "log": 7, "sqrt": 6, "rsqrt": 7, "reciprocal": 8}
"""With these, fraction bits bound the error of most ranges, not polynomials."""


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


def _binary_logarithm(x: Any) -> tuple[Estimate, Any]:
    """The value x / ln 2, with FINE fraction bits, and its floor, or 1 more by a coin."""
    bits = min(40, MOST - x.type.magnitude.bit_length() - 1)
    bits = max(bits, FINE - x.type.fraction)
    product = x * number(x, round(2**bits / chebyshev.LN2), bits)
    error = x.type.magnitude * 2.0 ** (-x.type.fraction - bits - 1) + UNIT
    # read_as keeps the floor from being rearranged
    return Estimate(cut(product, FINE), error), read_as(cut(product, 0), fraction=0)
