"""Piecewise polynomials: a polynomial of its own for each interval between public cuts."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.lang.trace import constant
from moiety.lang.types import Type
from moiety.ops.approximate import ends
from moiety.ops.convert import bit_to_word
from moiety.ops.estimate import FINE, UNIT, Estimate, bounded, cut, number, powers
from moiety.ops.functions import FUNCTIONS
from moiety.ops.intervals import less_than_each, piecewise_linear, proven
from moiety.ops.local import concat, reshape, sum_over
from moiety.ops.pieces import Wanted, split
from moiety.protocols.piecewise import Lines

WIDEST = 58
"""Bits of a place in its interval before it is cut to FINE."""
MOST = 16
"""Pieces of a fitted spline."""
SHARE = 0.95
"""The part of an error that its polynomials may make; the rest is for rounding."""


@dataclass(frozen=True)
class Pieces:
    """In the interval between two cuts (words), Σ coefficients[j][i] · tⁱ for t in [-1, 1].

    t is -1 and 1 at the ends of the interval; the first and the last end where x does.
    """

    cuts: tuple[int, ...]
    coefficients: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        degrees = {len(row) for row in self.coefficients}
        if len(self.coefficients) != len(self.cuts) + 1 or len(degrees) != 1 or degrees == {1}:
            raise UsageError(
                f"{len(self.coefficients)} pieces of {sorted(degrees)} coefficients"
                f" for {len(self.cuts)} cuts",
                hint="name one piece more than cuts, each with as many coefficients, at least 2",
            )

    @property
    def degree(self) -> int:
        """The degree of the polynomials."""
        return len(self.coefficients[0]) - 1

    @property
    def words(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The coefficients with FINE fraction bits: pieces × (degree + 1)."""
        scaled: np.ndarray[Any, np.dtype[np.int64]] = np.rint(
            np.ldexp(np.array(self.coefficients), FINE)
        ).astype(np.int64)
        return scaled


def spline(x: Any, *, pieces: Pieces, fraction: int | None = None) -> tuple[Any, float]:
    """The piecewise polynomial at a traced x, and a bound of what rounding does to it."""
    shape, fraction = x.type.shape, x.type.fraction if fraction is None else fraction
    x = reshape(x, shape=(x.type.size,))
    below = less_than_each(x, at=pieces.cuts)
    t = _place(x, below, pieces)
    chosen = _chosen(below, pieces)
    terms = powers(t, pieces.degree)
    flat = [reshape(term.value, shape=(x.type.size, 1)) for term in terms]
    one = number(x, 1 << FINE, FINE)
    ones = reshape(flat[0] * number(x, 0) + one, shape=(x.type.size, 1))
    products = chosen * concat(ones, *flat, axis=1)
    largest = float(np.abs(pieces.coefficients).sum(axis=1).max())
    sizes = np.abs(pieces.coefficients).max(axis=0)[1:].tolist()
    off = math.fsum(s * term.error for s, term in zip(sizes, terms, strict=True))
    error = off + UNIT * (pieces.degree + 1) + 2.0**-fraction
    total = bounded(sum_over(products, axis=1), -largest - error, largest + error, "the pieces")
    return reshape(cut(total, fraction), shape=shape), error


def _place(x: Any, below: Any, pieces: Pieces) -> Estimate:
    """Where x lies in its interval, from -1 to 1, with FINE fraction bits."""
    borders = [x.type.lo, *pieces.cuts, x.type.hi]
    if sorted(set(borders)) != borders:
        raise UsageError(f"cuts {pieces.cuts} do not rise between {x.type.lo} and {x.type.hi}")
    lengths = np.diff(np.array(borders, dtype=object))
    fraction = min(WIDEST, FINE + max(length.bit_length() for length in lengths))
    slopes = tuple((2 << fraction) // length for length in lengths)
    offsets = tuple(
        -(slope * (a + b)) // 2 for slope, a, b in zip(slopes, borders, borders[1:], strict=False)
    )
    bounds = (-(1 << fraction) - 1, (1 << fraction) + 1)
    lines = Lines(slopes, offsets)
    wide = piecewise_linear(
        below, x, lines=lines, bounds=bounds, fraction=fraction, by="x in its interval"
    )
    t = proven(cut(wide, FINE), lo=-(1 << FINE) - 1, hi=(1 << FINE) + 2, by="x in its interval")
    steepness = max(float(length) for length in lengths) * 2.0**-fraction
    return Estimate(t, UNIT + steepness)


def _chosen(below: Any, pieces: Pieces) -> Any:
    """The coefficients of x's interval (n × (degree + 1)): linear in the bits [x < cut]."""
    words = pieces.words
    steps = words[:-1] - words[1:]
    flags, add = bit_to_word(below), below.builder.add
    found = flags @ add(constant(steps, FINE)) + add(constant(words[-1:], FINE))
    limit = int(np.abs(words).max())
    return proven(found, lo=-limit, hi=limit, by="one piece for each x")


def fitted(x: Any, function: str, fraction: int, degree: int, error: float) -> Estimate:
    """The function at a traced x, by as few pieces as keep the error, or nearly.

    Raises:
        UsageError: that takes more than MOST pieces.
    """
    plain = replace(x.type, shape=(), error=0)
    found = fitted_pieces(plain, function, degree, error - math.ldexp(1.0, -fraction))
    if found is None:
        raise UsageError(f"{function} does not take 2 to {MOST} pieces of degree {degree}")
    if degree == 1:
        return _lines(x, found, fraction)
    value, rounding = spline(x, pieces=found.pieces, fraction=fraction)
    return Estimate(value, found.error + rounding)


def _lines(x: Any, found: "Found", fraction: int) -> Estimate:
    """Pieces of degree 1: the line of x's interval is all that is needed."""
    least, most = ends(x.type)
    unit = math.ldexp(1.0, -x.type.fraction)
    borders = [least, *(cut * unit for cut in found.pieces.cuts), most]
    largest = float(np.abs(found.pieces.coefficients).sum(axis=1).max()) + found.error
    wide = min(x.type.fraction + FINE, WIDEST - math.frexp(largest)[1])
    bits = wide - x.type.fraction
    if bits < 1 or wide < fraction:
        raise UsageError(f"lines for values up to {largest:g} in 64 bits")
    slopes, offsets, off = [], [], 0.0
    for (value, rise), a, b in zip(found.pieces.coefficients, borders, borders[1:], strict=False):
        exact = math.ldexp(2.0 * rise / (b - a), bits)
        slope = round(exact)
        middle = round(math.ldexp((a + b) / 2, x.type.fraction + 1))
        slopes.append(slope)
        offsets.append(round(math.ldexp(value, wide)) - slope * middle // 2)
        off = max(off, abs(exact - slope) * math.ldexp(b - a, -bits - 1))
    error = found.error + off + math.ldexp(2.0, -wide) + math.ldexp(1.0, -fraction)
    limit = math.ceil(math.ldexp(largest + off, wide)) + 2
    value = piecewise_linear(
        less_than_each(x, at=found.pieces.cuts),
        x,
        lines=Lines(tuple(slopes), tuple(offsets)),
        bounds=(-limit, limit),
        fraction=wide,
        by="the line of x's interval",
    )
    return Estimate(cut(value, fraction), error)


@dataclass(frozen=True)
class Found:
    """Pieces for a function, and their error before any rounding."""

    pieces: Pieces
    error: float


@lru_cache(maxsize=256)
def fitted_pieces(x: Type, function: str, degree: int, error: float) -> Found | None:
    """As few pieces of a degree as keep some less than the error; None for more than MOST."""
    unit = math.ldexp(1.0, -x.fraction)
    wanted = Wanted(FUNCTIONS[function], ends(x), unit, degree, SHARE * error)
    found = split(wanted, MOST) if error > 0 else None
    if found is None or not found[0]:
        return None
    rows = tuple(tuple(row) for row in found[1].coefficients.tolist())
    return Found(Pieces(tuple(round(cut / unit) for cut in found[0]), rows), found[1].error)
