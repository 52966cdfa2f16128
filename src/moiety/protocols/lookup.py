"""A table looked up at a secret place: the dealer rotates it by a mask, c = x + r is opened.

Each party reads its share of the rotated table at c: one round, and nothing depends on r but r's
share and uniform shares of the table.

Source: one-time truth tables, Ishai et al. (TCC 2013), by addition instead of exclusive or.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from moiety.protocols.additive import open_words
from moiety.protocols.base import Context, Protocol
from moiety.protocols.correlations import Array, Correlation, Field, bit_field


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


def padded(table: tuple[int, ...], bits: int) -> Array:
    """The table as 2^bits words."""
    words = np.zeros(1 << bits, np.uint64)
    words[: len(table)] = np.array(table, np.int64).view(np.uint64)
    return words


def one_hot(ctx: Context, x: Array, bits: int) -> Protocol[Array]:
    """Shares of [x = v] for each v below 2^bits, for flat x: shape (n, 2^bits)."""
    r, unit = ctx.supply.take(UnitVector(x.size, bits))
    (c,) = yield from open_words(ctx, x + r, ring=bits)
    places = np.arange(1 << bits, dtype=np.uint64)
    columns = c[:, np.newaxis] - places & np.uint64((1 << bits) - 1)
    return np.take_along_axis(unit, columns.astype(np.int64), axis=1)


def entry(ctx: Context, x: Array, mask: RotatedTable) -> Protocol[Array]:
    """Shares mod 2^ring of table[x] for flat x."""
    r, table = ctx.supply.take(mask)
    (c,) = yield from open_words(ctx, x + r, ring=mask.bits)
    found: Array = table[np.arange(x.size), c.astype(np.int64)]
    return found
