"""[x = 0] for a shared word x: c = x + r is opened, and [c = r] follows from what was dealt of r.

By one distributed point function in one round, or by a shared unit table for each digit of r and a
tree of ANDs: more rounds, less to deal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols import dpf
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitTriples
from moiety.protocols.comparison import DIGIT, digits, level_sizes
from moiety.protocols.correlations import Array, Correlation, Field
from moiety.ring import received


@dataclass(frozen=True)
class PointMask(Correlation):
    """r uniform mod 2^ring, and keys of the function that is 1 at r."""

    count: int
    ring: int

    def _random(self) -> tuple[Field, ...]:
        return Field((self.count,), self.ring), *dpf.root_fields(self.count)

    def _dependent(self) -> tuple[Field, ...]:
        return dpf.key_fields(self.count, self.ring)

    def _values(self, *random: Array) -> Iterable[Array]:
        r, zero, one = random
        return dpf.generate(r, (zero, one), self.ring)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_point_keys(first, second, self.count, self.ring, self.ring)


@dataclass(frozen=True)
class UnitMask(Correlation):
    """r uniform mod 2^ring, and for each digit of r the word whose one set bit is that digit."""

    count: int
    ring: int
    digit: int = DIGIT

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.ring),)

    def _dependent(self) -> tuple[Field, ...]:
        places = digits(self.ring, self.digit)
        return tuple(Field((self.count,), 1 << width, xor=True) for _, width in places)

    def _values(self, *random: Array) -> Iterable[Array]:
        for low, width in digits(self.ring, self.digit):
            place = random[0] >> np.uint64(low) & np.uint64((1 << width) - 1)
            yield np.uint64(1) << place

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_digits(first, second, (self.count, self.ring, self.digit))


def zero_at_once(ctx: Context, x: Array, ring: int) -> Protocol[Array]:
    """Shares of [x = 0 mod 2^ring] for flat x; one round."""
    part = ctx.supply.packed(PointMask(x.size, ring))
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    return received(_core.point_shares, own, theirs, part, 3, (x.size, ring), ctx.first)


def zero(ctx: Context, x: Array, ring: int, digit: int = DIGIT) -> Protocol[Array]:
    """Shares of [x = 0 mod 2^ring] for flat x; a round, and one for each level of the tree."""
    count, shape = x.size, (x.size, ring, digit)
    part = ctx.supply.packed(UnitMask(*shape))
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    equal = received(_core.equal_digits, own, theirs, part, shape)
    for triples in tree_triples(count, ring, digit):
        level = ctx.supply.packed(triples)
        theirs = yield from ctx.swap(_core.mask_level(equal, level, count, all=True))
        merge = partial(_core.merge_level, all=True)
        equal = received(merge, equal, theirs, level, count, ctx.first)
    return _core.spread_bits(equal[0], count)


def tree_triples(count: int, ring: int, digit: int = DIGIT) -> tuple[BitTriples, ...]:
    """The correlations of `zero` after its mask, level by level."""
    return tuple(BitTriples((pairs * count,)) for pairs in level_sizes(len(digits(ring, digit))))


def opened_bits(count: int, ring: int, digit: int = DIGIT) -> list[int]:
    """The bits that each party opens in each round of `zero` after the first."""
    return [2 * pairs * count for pairs in level_sizes(len(digits(ring, digit)))]
