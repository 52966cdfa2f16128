"""A table looked up at a secret place: the dealer rotates it by a mask, c = x + r is opened.

Each party reads its share of the rotated table at c: one round, and nothing depends on r but r's
share and uniform shares of the table.

Source: one-time truth tables, Ishai et al. (TCC 2013), by addition instead of exclusive or.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.ring import received


@dataclass(frozen=True)
class UnitVector(Correlation):
    """r uniform mod 2^bits, and the vector of 2^bits bits that is 1 at r."""

    count: int
    bits: int

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.bits),)

    def _dependent(self) -> tuple[Field, ...]:
        return (bit_field(self.count, 1 << self.bits),)

    def _values(self, *random: Array) -> Iterable[Array]:
        places = np.arange(1 << self.bits, dtype=np.uint64)
        yield (random[0][:, np.newaxis] == places).astype(np.uint8)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_units(first, second, (self.count, self.bits))


@dataclass(frozen=True)
class RotatedTable(Correlation):
    """r uniform mod 2^bits, and words mod 2^ring whose place v holds table[v - r mod 2^bits].

    A table shorter than 2^bits is followed by zeros.
    """

    count: int
    bits: int
    ring: int
    table: tuple[int, ...] = field(repr=False)

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.bits),)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field((self.count, 1 << self.bits), self.ring),)

    def _values(self, *random: Array) -> Iterable[Array]:
        places = np.arange(1 << self.bits, dtype=np.uint64)
        rows = places - random[0][:, np.newaxis] & np.uint64((1 << self.bits) - 1)
        yield padded(self.table, self.bits)[rows]

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        table = padded(self.table, self.bits)
        return _core.deal_rotated(first, second, (self.count, self.bits), self.ring, table)


def padded(table: tuple[int, ...], bits: int) -> Array:
    """The table as 2^bits words."""
    words = np.zeros(1 << bits, np.uint64)
    words[: len(table)] = np.array(table, np.int64).view(np.uint64)
    return words


def one_hot(ctx: Context, x: Array, bits: int) -> Protocol[Array]:
    """Shares of [x = v] for each v below 2^bits, for flat x: shape (n, 2^bits)."""
    part = ctx.supply.packed(UnitVector(x.size, bits))
    own = _core.mask_words([masked(x)], part, 0, bits)
    theirs = yield from ctx.swap(own)
    return received(_core.one_hot, own, theirs, part, (x.size, bits))


def entry(ctx: Context, x: Array, mask: RotatedTable) -> Protocol[Array]:
    """Shares mod 2^ring of table[x] for flat x."""
    part = ctx.supply.packed(mask)
    own = _core.mask_words([masked(x)], part, 0, mask.bits)
    theirs = yield from ctx.swap(own)
    return received(_core.entries, own, theirs, part, (x.size, mask.bits), mask.ring)
