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
from moiety.protocols.boolean import unmasked
from moiety.protocols.comparison import DIGIT, Opened, SignMask, below
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.protocols.truncation import WrapProduct
from moiety.ring import pack_bits, pack_words, received, unpack_bits, unpack_words


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
    ring = opened.ring
    mine, theirs = (
        received(_core.unpack_words, data, count, ring) for data in (opened.own, opened.theirs)
    )
    shifted = [Opened(pack_words(mine - shift, ring), opened.theirs, ring) for shift in shifts]
    shape = (count, ring - 1, DIGIT)
    borrows = yield from together(*(below(ctx, each, part, 2, shape) for each in shifted))
    sign: Array = np.stack(borrows) ^ _core.spread_bits(part.row(1, count), count)
    c = mine + theirs - shifts[:, np.newaxis]
    top = (c >> np.uint64(ring - 1)).astype(np.uint8) & np.uint8(1)
    return sign ^ top if ctx.first else sign


def piecewise(
    ctx: Context, below: Array, x: Array, lines: Lines, *, ring: int = 64
) -> Protocol[Array]:
    """Shares mod 2^ring of the line at x; flat x, bits of shape (cuts, n); one round.

    As `boolean.scale`: d = b ^ r and e = x - b are opened; each bit as a word is d + (1 - 2d)·r.
    """
    cuts, count = below.shape
    r, b, words, product = ctx.supply.take(BitsScale(count, cuts, ring))
    d, e = yield from _open(ctx, below ^ r, x - b, ring)
    bits = unmasked(ctx, d, words)
    scaled = bits * e + np.where(d, b - product, product)
    values = lines.words()
    slopes, offsets = values[:, :-1] - values[:, 1:]
    y: Array = values[0, -1] * x + slopes @ scaled + offsets @ bits
    return y + values[1, -1] if ctx.first else y


def _open(ctx: Context, bits: Array, words: Array, ring: int) -> Protocol[tuple[Array, Array]]:
    other = yield from ctx.swap(pack_bits(bits) + pack_words(words, ring))
    border = -(-bits.size // 8)
    theirs = unpack_bits(other[:border], bits.size).reshape(bits.shape)
    return bits ^ theirs, words + unpack_words(other[border:], words.size, ring)


def widen(ctx: Context, x: Array, ring: int, shift: int) -> Protocol[Array]:
    """Shares mod 2^64 of ⌊x / 2^shift⌋, or of that plus 1 if shift > 0, for flat |x| < 2^(ring-2).

    `truncation.approximate` in a ring of any size: x' = x + 2^(ring-2) < 2^(ring-1), so the shares'
    sum wraps unless both top bits are 0. With shift 0 no low bits are lost and x is exact.
    """
    a, b, product = ctx.supply.take(WrapProduct(x.size, 64 - ring + shift))
    mine = a if ctx.first else b
    share = x + np.uint64(1 << (ring - 2)) if ctx.first else x
    share = share & np.uint64((1 << ring) - 1)
    opened = (share >> np.uint64(ring - 1)).astype(np.uint8) ^ np.uint8(1) ^ mine
    theirs = unpack_bits((yield from ctx.swap(pack_bits(opened))), x.size)
    both = _both(ctx, opened, theirs, mine, product)
    y = (share >> np.uint64(shift)) + (both << np.uint64(ring - shift))
    carry = 1 if shift else 0
    public = carry - (1 << (ring - shift)) - ((1 << (ring - 2)) >> shift)
    return y + np.uint64(public % (1 << 64)) if ctx.first else y


def _both(ctx: Context, opened: Array, theirs: Array, mine: Array, product: Array) -> Array:
    """Shares of (a ^ d)·(b ^ e) where this party knows `mine`, a or b, and opened its d or e."""
    known, one = mine.astype(np.uint64), np.uint64(ctx.first)
    kept = np.where(theirs, known - product, product)
    return np.where(opened, np.where(theirs, one - known + product, np.negative(product)), kept)
