"""x / 2^shift: exactly rounded down, or cheaper and wrong by at most one unit in the last place.

Shifting one's own share gives shares in a ring of fewer bits only: taken for shares mod 2^64 they
would fail by 2^(64-shift) with probability |x| / 2^63.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import to_words
from moiety.protocols.comparison import DIGIT, Opened, below, table_fields, tables
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.ring import received


@dataclass(frozen=True)
class FloorMask(Correlation):
    """r uniform mod 2^ring; r >> shift, its top bit, and the tables of its low `shift` bits."""

    count: int
    ring: int
    shift: int
    digit: int = DIGIT

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.ring),)

    def _dependent(self) -> tuple[Field, ...]:
        top = Field((self.count,), 64 - self.ring + self.shift)
        return Field((self.count,)), top, *table_fields(self.count, self.shift, self.digit)

    def _values(self, *random: Array) -> Iterable[Array]:
        (r,) = random
        yield r >> np.uint64(self.shift)
        yield r >> np.uint64(self.ring - 1)
        yield from tables(r, self.shift, self.digit)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        shape = (self.count, self.ring, self.shift, self.digit)
        return _core.deal_floor(first, second, shape)


def floor(ctx: Context, x: Array, ring: int, shift: int, digit: int = DIGIT) -> Protocol[Array]:
    """Shares of ⌊x / 2^shift⌋ for flat x with |x| < 2^(ring-2); exact.

    With x' = x + 2^(ring-2), so that 0 ≤ x' < 2^(ring-1), c = x' + r mod 2^ring is opened.
    x' = c - r + 2^ring·[wrap], and since x' has one bit less than r, it wraps exactly when the top
    bit of r is 1 and that of c is 0. So
    ⌊x' / 2^shift⌋ = (c >> shift) - (r >> shift) - [c < r on the low bits] + 2^(ring-shift)·[wrap].
    """
    part = ctx.supply.packed(FloorMask(x.size, ring, shift, digit))
    offset = 1 << (ring - 2) if ctx.first else 0
    own = _core.mask_words([masked(x)], part, 0, ring, offset=offset)
    theirs = yield from ctx.swap(own)
    low = yield from below(ctx, Opened(own, theirs, ring), part, 3, (x.size, shift, digit))
    borrow = yield from to_words(ctx, low)
    shape = (x.size, ring, shift)
    return received(_core.floor_words, own, theirs, part, borrow, shape, ctx.first)


@dataclass(frozen=True)
class WrapProduct(Correlation):
    """A bit known to party 0, a bit known to party 1, and shares of their product mod 2^shift."""

    count: int
    shift: int

    def _random(self) -> tuple[Field, ...]:
        return bit_field(self.count, only=0), bit_field(self.count, only=1)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.shift),)

    def _values(self, *random: Array) -> Iterable[Array]:
        a, b = random
        yield (a & b).astype(np.uint64)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_wraps(first, second, self.count, self.shift)


def approximate(ctx: Context, x: Array, shift: int) -> Protocol[Array]:
    """Shares of ⌊x / 2^shift⌋ or that plus 1, for flat x with |x| < 2^62; one bit each way.

    With x' = x + 2^62 < 2^63, the shares' sum wraps exactly unless both top bits are 0, and
    x' >> shift = (x0 >> shift) + (x1 >> shift) - 2^(64-shift)·[wrap] + carry of the low bits.
    The carry is not computed: 1 stands for it. It depends on x and on a share that one party
    knows, so a value made from this result must not be revealed.
    [wrap] = 1 - p·q where p and q are the parties' negated top bits; with dealt bits a (party 0's)
    and b (party 1's), d = p ^ a and e = q ^ b are opened, and p·q follows from shares of a·b.

    Source: Guo et al., USENIX Security 2025 (ePrint 2025/200), with a dealer in place of OT.
    """
    part, flat = ctx.supply.packed(WrapProduct(x.size, shift)), masked(x)
    own = _core.mask_tops(flat, part, ctx.party, (1 << 62) if ctx.first else 0)
    theirs = yield from ctx.swap(own)
    return received(_core.truncate_words, flat, own, theirs, part, shift, ctx.first)


def shorten(x: Array, ring: int, shift: int, first: bool) -> Array:
    """Shares mod 2^(ring - shift) of ⌊x / 2^shift⌋ or that plus 1, for shares mod 2^ring.

    (x0 >> shift) + (x1 >> shift) lacks no more than the carry of the low bits; as in `approximate`,
    1 stands for it, and a value made from this result must not be revealed.
    """
    short: Array = (x << np.uint64(64 - ring)) >> np.uint64(64 - ring + shift)
    return short + np.uint64(1) if first else short
