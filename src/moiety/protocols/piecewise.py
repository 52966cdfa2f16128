"""A public line for each interval in which a shared word may lie, and words of wider rings.

Intervals are told by bits b_k = [x < cut_k] for rising cuts, so the bits rise too: 0…01…1.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.errors import InternalError
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol, together
from moiety.protocols.boolean import axes
from moiety.protocols.comparison import DIGIT, Opened, SignMask, sign
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.protocols.truncation import WrapProduct
from moiety.ring import received


@dataclass(frozen=True)
class BitsScale(Correlation):
    """Random bits r_k and a word b for each element; r_k as words, and r_k · b."""

    count: int
    bits: int
    ring: int = 64

    def _random(self) -> tuple[Field, ...]:
        return bit_field(self.bits, self.count), Field((self.count,), self.ring)

    def _dependent(self) -> tuple[Field, ...]:
        shape = (self.bits, self.count)
        return Field(shape, self.ring), Field(shape, self.ring)

    def _values(self, *random: Array) -> Iterable[Array]:
        r, b = random
        yield r.astype(np.uint64)
        yield np.where(r, b, np.uint64(0))

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        shape = (self.bits, self.count)
        sizes, each = (self.bits * self.count, self.count), axes(shape, shape, shape[1:])
        return _core.deal_scaled(first, second, sizes, self.ring, each)


@dataclass(frozen=True)
class Lines:
    """In interval j the line slopes[j]·x + offsets[j]; one more of each than there are cuts."""

    slopes: tuple[int, ...]
    offsets: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.slopes) == len(self.offsets) > 0:
            raise InternalError(f"{len(self.slopes)} slopes and {len(self.offsets)} offsets")

    @property
    def cuts(self) -> int:
        """The number of cuts."""
        return len(self.slopes) - 1

    def words(self) -> Array:
        """The slopes and the offsets mod 2^64, in two rows."""
        rows = [[number % (1 << 64) for number in each] for each in (self.slopes, self.offsets)]
        return np.array(rows, np.uint64)


def signs(ctx: Context, x: Array, shifts: Array, ring: int) -> Protocol[Array]:
    """Shares of [x - shift < 0] for each public shift, as rows; each fits `ring` bits."""
    part = ctx.supply.packed(SignMask(x.size, ring))
    own = _core.mask_words([masked(x)], part, 0, ring)
    opened = Opened(own, (yield from ctx.swap(own)), ring)
    return (yield from signs_of(ctx, opened, part, shifts, x.size))


def signs_of(
    ctx: Context, opened: Opened, part: Dealt, shifts: Array, count: int
) -> Protocol[Array]:
    """The same once c is open: as `comparison.negative` for c less each shift."""
    shape = count, DIGIT
    each = (sign(ctx, opened, part, shape, shift) for shift in shifts.tolist())
    return np.stack((yield from together(*each)))


def piecewise(
    ctx: Context, below: Array, x: Array, lines: Lines, *, ring: int = 64
) -> Protocol[Array]:
    """Shares mod 2^ring of the line at x; flat x, bits of shape (cuts, n); one round.

    As `boolean.scale`: d = b ^ r and e = x - b are opened; each bit as a word is d + (1 - 2d)·r.
    """
    cuts, count = below.shape
    part, flat = ctx.supply.packed(BitsScale(count, cuts, ring)), masked(x)
    own = _core.mask_scaled(np.ascontiguousarray(below).reshape(-1), flat, part, ring)
    theirs = yield from ctx.swap(own)
    slopes, offsets = lines.words()
    return received(_core.draw_lines, own, theirs, part, flat, ring, slopes, offsets, ctx.first)


def widen(ctx: Context, x: Array, ring: int, shift: int) -> Protocol[Array]:
    """Shares mod 2^64 of ⌊x / 2^shift⌋, or of that plus 1 if shift > 0, for flat |x| < 2^(ring-2).

    `truncation.approximate` in a ring of any size: x' = x + 2^(ring-2) < 2^(ring-1), so the shares'
    sum wraps unless both top bits are 0. With shift 0 no low bits are lost and x is exact.
    """
    part, flat = ctx.supply.packed(WrapProduct(x.size, 64 - ring + shift)), masked(x)
    own = _core.mask_tops(flat, part, ctx.party, (1 << (ring - 2)) if ctx.first else 0, ring)
    theirs = yield from ctx.swap(own)
    return received(_core.truncate_words, flat, own, theirs, part, shift, ctx.first, ring)
