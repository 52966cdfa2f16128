"""How a function of shared numbers can be approximated: families of expansions, cheapest first.

sines            one opening; where the range is wide, clamped by two comparisons of it
polynomials      one over the whole range: no comparison, no table
lines, splines   a polynomial for each of some intervals, told by comparisons
tables           an entry, or a polynomial's coefficients, for each of 2^k intervals, told by a
                 truncation
octaves          one polynomial for all octaves, each told by a comparison
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from moiety.errors import UsageError
from moiety.lang.program import Input
from moiety.lang.trace import Trace
from moiety.lang.types import SHARED, Type
from moiety.ops import chebyshev, grid, octaves, spline, whole
from moiety.ops.approximate import approximated, check_domain, check_positive, ends
from moiety.ops.bounded import sines, sines_error
from moiety.ops.convert import truncate_exact
from moiety.ops.estimate import FINE, Estimate, cut
from moiety.ops.functions import FUNCTIONS
from moiety.ops.intervals import widen
from moiety.ops.octaves import DEGREES, OCTAVES

TERMS = (3, 5, 8, 12, 16)
BITS = {0: range(2, 13), 1: range(2, 11), 2: range(2, 9), 3: range(2, 8)}
"""For each degree the sizes of tables of polynomials, as powers of two."""
SHAPES = {1: "lines", 2: "parabolas", 3: "cubics"}
FINEST = 40
"""The most fraction bits of a sum of sines."""
PROVEN = 32
"""Sums of sines are tried without a clamp for arguments up to this size."""
PRECISION = 2.0**-18
"""What is accepted where no error is named, in units of the largest result."""


@dataclass(frozen=True)
class Goal:
    """What an expansion gives: a function with so many fraction bits, within an error.

    `exact`: its last truncation must have no rounding coin, because the result is told.
    """

    function: str
    fraction: int
    error: float
    exact: bool = False


@dataclass(frozen=True)
class Expansion:
    """One way to approximate: `least` bounds the error from below, without building anything."""

    name: str
    least: Callable[[Type, Goal], float]
    build: Callable[[Any, Goal], Estimate]


Family = tuple[Expansion, ...]


def families(function: str) -> tuple[Family, ...]:
    """All expansions of a function; within a family each is finer than the one before."""
    own: tuple[Family, ...]
    if function in OCTAVES:
        own = (tuple(_octave(degree) for degree in range(2, 10)),)
    else:
        own = tuple(
            tuple(_sines(terms, clamped=clamped) for terms in TERMS) for clamped in (False, True)
        )
    polynomials = tuple(_polynomial(degree) for degree in range(2, 9))
    splines = tuple((_spline(degree),) for degree in (1, 2, 3))
    tables = tuple(tuple(_table(degree, bits) for bits in sizes) for degree, sizes in BITS.items())
    return (*own, polynomials, *splines, *tables)


def _sines(terms: int, *, clamped: bool) -> Expansion:
    def least(x: Type, goal: Goal) -> float:
        if not clamped and max(map(abs, ends(x))) > PROVEN:
            raise UsageError(f"an argument beyond {PROVEN} needs a clamp")
        if goal.fraction > FINEST:
            raise UsageError(f"sums of sines have at most {FINEST} fraction bits")
        return sines_error(x, goal.function, terms, FINEST, clamped=clamped)

    def build(x: Any, goal: Goal) -> Estimate:
        room = goal.error - math.ldexp(1.0, -goal.fraction)
        for fraction in range(max(8, goal.fraction), FINEST + 1, 2):
            error = sines_error(x.type, goal.function, terms, fraction, clamped=clamped)
            if error <= room or fraction >= FINEST - 1:
                break
        found = sines(x, goal.function, terms, fraction, clamped=clamped)
        return _widened(found, goal)

    return Expansion(f"{terms} sines, clamped" if clamped else f"{terms} sines", least, build)


def _widened(found: Estimate, goal: Goal) -> Estimate:
    """The result with the goal's fraction bits and shares mod 2^64."""
    excess = found.value.type.fraction - goal.fraction
    if not excess:
        return Estimate(widen(found.value), found.error)
    brought = truncate_exact if goal.exact else widen
    error = found.error + math.ldexp(1.0, -goal.fraction)
    return Estimate(brought(found.value, shift=excess), error)


def _spline(degree: int) -> Expansion:
    name = "lines" if degree == 1 else f"splines of degree {degree}"

    def least(x: Type, goal: Goal) -> float:
        return 0.0

    def build(x: Any, goal: Goal) -> Estimate:
        return spline.fitted(x, goal.function, goal.fraction, degree, goal.error)

    return Expansion(name, least, build)


def _polynomial(degree: int) -> Expansion:
    def least(x: Type, goal: Goal) -> float:
        return whole.fitted(replace(x, shape=(), error=0), goal.function, degree).error

    def build(x: Any, goal: Goal) -> Estimate:
        return whole.polynomial(x, goal.function, goal.fraction, degree)

    return Expansion(f"polynomial of degree {degree}", least, build)


def _table(degree: int, bits: int) -> Expansion:
    def least(x: Type, goal: Goal) -> float:
        if not degree:
            return grid.table_error(x, goal.function, goal.fraction, bits)
        return grid.polynomials_error(x, goal.function, goal.fraction, bits, degree)

    def build(x: Any, goal: Goal) -> Estimate:
        if not degree:
            return grid.table(x, goal.function, goal.fraction, bits)
        return grid.polynomials(x, goal.function, goal.fraction, bits, degree)

    kind = f" {SHAPES[degree]}" if degree else ""
    return Expansion(f"table of {1 << bits}{kind}", least, build)


def _octave(degree: int) -> Expansion:
    def least(x: Type, goal: Goal) -> float:
        name = "exp2" if goal.function == "exp" else goal.function
        largest = max(map(abs, FUNCTIONS[goal.function].ends(*ends(x))))
        error = chebyshev.polynomial(name, degree, FINE).error
        return error if name == "log" else error * largest / 2

    def build(x: Any, goal: Goal) -> Estimate:
        return OCTAVES[goal.function](x, goal.fraction, degree)

    return Expansion(f"octaves of degree {degree}", least, build)


# what a traced program calls


def approximation(x: Any, function: str, fraction: int, error: float | None = None) -> Any:
    """The abstract step for a function of a traced x, within `error` in real units.

    Raises:
        UsageError: the range is not one in which the function is defined and fits.
    """
    check_domain(x.type, function)
    accepted = tolerance(function, x.type, fraction) if error is None else error
    return approximated(
        x, function=function, argument=x.type.fraction, fraction=fraction, error=accepted
    )


def tolerance(function: str, x: Type, fraction: int) -> float:
    """The error that is accepted where none is named.

    It is the function's own, or PRECISION and four units of the last place, or, if it is larger,
    the error of the usual expansion: a large exp leaves few bits for precision.
    """
    largest = max(map(abs, FUNCTIONS[function].ends(*ends(x))))
    found = max(FUNCTIONS[function].tolerance, PRECISION * largest + math.ldexp(4.0, -fraction))
    if x.owner == SHARED and function in OCTAVES:
        found = max(found, _usual(function, replace(x, shape=()), fraction))
    return found


@lru_cache(maxsize=1024)
def _usual(function: str, x: Type, fraction: int) -> float:
    value = Trace().add(Input("x", x))
    return OCTAVES[function](value, fraction, DEGREES[function]).error


def quotient(x: Any, y: Any, fraction: int, error: float | None = None) -> Any:
    """The quotient x / y of traced values, for y > 0 or y < 0 throughout."""
    if y.type.lo <= 0 <= y.type.hi:
        check_positive(y.type, "division by")
    least, largest = min(map(abs, ends(y.type))), max(map(abs, ends(x.type)))
    needed = math.ceil(1 / least * 1.01).bit_length() + x.type.magnitude.bit_length()
    bits = min(40, octaves.MOST - needed)
    if bits + x.type.fraction < fraction:
        raise UsageError(
            f"a quotient of values up to {largest:g} by ones from {least:g}",
            hint="narrow the bounds with clip, or use fewer fraction bits",
        )
    within = None if error is None else _share(error, fraction, largest)
    return cut(x * approximation(y, "reciprocal", bits, within), fraction)


def _share(error: float, fraction: int, largest: float) -> float:
    """The error of 1 / y that gives x / y so much, its last truncation included."""
    left = error - math.ldexp(1.0, -fraction)
    if left <= 0:
        raise UsageError(
            f"a quotient within {error:g}, with {fraction} fraction bits",
            hint="allow a larger error, or use more fraction bits",
        )
    return left / largest if largest else left
