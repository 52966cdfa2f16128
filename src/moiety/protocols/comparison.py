"""c < r for a public c and a dealt secret r; from it, the sign of a shared word.

The dealer deals each digit of r as a thermometer table, T[v] = [v < digit] for each v, shared by
exclusive or. A party looks its shares up at the digits of the public c, so the tree of ANDs starts
at digits and not at bits: fewer rounds and fewer bytes. Tables, and the state of the tree, lie in
rows of one bit of each element, so that a gate serves many elements at once.

Source: Garay, Schoenmakers, Villegas (PKC 2007) for the tree; Catrina, de Hoogh (SCN 2010) for the
masked opening; Ishai et al. (TCC 2013) for dealt truth tables, here one for each digit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.additive import masked, pieces
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitTriples
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.ring import received

DIGIT = 4
"""Bits of a digit: a table of 2^4 - 1 bits is dealt for each."""


@dataclass(frozen=True)
class SignMask(Correlation):
    """r uniform mod 2^ring; the tables of its low ring - 1 bits, and its top bit."""

    count: int
    ring: int
    digit: int = DIGIT

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.ring),)

    def _dependent(self) -> tuple[Field, ...]:
        return bit_field(self.count), *table_fields(self.count, self.ring - 1, self.digit)

    def _values(self, *random: Array) -> Iterable[Array]:
        (r,) = random
        yield (r >> np.uint64(self.ring - 1)).astype(np.uint8)
        yield from tables(r, self.ring - 1, self.digit)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        shape = (self.count, self.ring, self.ring - 1, self.digit)
        return _core.deal_tables(first, second, 2, shape, top=True)


def digits(bits: int, digit: int = DIGIT) -> list[tuple[int, int]]:
    """(first bit, width) of each digit, most significant first; the least may be narrower."""
    borders = [*range(bits, 0, -digit), 0]
    return [(low, high - low) for high, low in pairwise(borders)]


def table_fields(count: int, bits: int, digit: int) -> tuple[Field, ...]:
    """One table per digit: 2^width - 1 rows, since no digit exceeds 2^width - 1."""
    return tuple(bit_field((1 << width) - 1, count) for _, width in digits(bits, digit))


def tables(r: Array, bits: int, digit: int) -> Iterator[Array]:
    """For each digit of r the rows [v < digit], from v = 0 on."""
    for low, width in digits(bits, digit):
        place = r >> np.uint64(low) & np.uint64((1 << width) - 1)
        rows = np.arange((1 << width) - 1, dtype=np.uint64)
        yield (rows[:, np.newaxis] < place).astype(np.uint8)


def level_sizes(leaves: int) -> list[int]:
    """The pairs that each level of the tree merges."""
    sizes = []
    while leaves > 1:
        sizes.append(leaves // 2)
        leaves -= leaves // 2
    return sizes


def tree_triples(count: int, bits: int, digit: int = DIGIT) -> tuple[BitTriples, ...]:
    """The correlations of `below`, level by level.

    In each pair, equal of the high digit meets less and equal of the low one; the last pair, which
    holds the least significant digit, has no use for the latter.
    """
    sizes = level_sizes(len(digits(bits, digit)))
    return tuple(
        BitTriples((pairs * count, (pairs - 1) * count) if pairs > 1 else (count,))
        for pairs in sizes
    )


def opened_bits(count: int, bits: int, digit: int = DIGIT) -> list[int]:
    """The bits that each party opens in each round of `below`."""
    return [(3 * pairs - 1) * count for pairs in level_sizes(len(digits(bits, digit)))]


@dataclass(frozen=True, repr=False)
class Opened:
    """A masked word that was opened: the messages whose sum mod 2^ring it is."""

    own: bytes
    theirs: bytes
    ring: int


@dataclass(frozen=True, repr=False)
class Remade:
    """As `Opened`, but for its own message a party has the words that the dealt field 0 masked."""

    own: Array
    theirs: bytes
    ring: int


def below(
    ctx: Context, c: Opened, part: Dealt, field: int, shape: tuple[int, int, int]
) -> Protocol[Array]:
    """Shares of [c < r] on the low bits; `shape` is (count, low bits, bits of a digit).

    The tables of r are the fields of `part` from number `field` on. No low bits: 0.
    """
    state = yield from _compared(ctx, _looked_up(ctx, c, part, field, shape), shape)
    row = state[0] if len(state) > 1 else np.zeros_like(state[0])
    return _core.spread_bits(row, shape[0])


def _looked_up(
    ctx: Context,
    c: Opened | Remade,
    part: Dealt,
    field: int,
    shape: tuple[int, int, int],
    shift: int = 0,
) -> Array:
    """Rows of bits: what the tables of r say of each digit of c - shift; last its top bits."""
    count, bits, digit = shape
    look_up = partial(_core.look_up, shift=shift % (1 << 64))
    return received(look_up, c.own, c.theirs, part, field, (count, c.ring, bits, digit), ctx.first)


def _compared(ctx: Context, state: Array, shape: tuple[int, int, int]) -> Protocol[Array]:
    """Rows of bits: shares of [c - shift < r], unless there are no low bits; last its top bits."""
    count, bits, digit = shape
    for triples in tree_triples(count, bits, digit):
        state = yield from _merged(ctx, state, ctx.supply.packed(triples), count)
    return state


def _merged(ctx: Context, state: Array, level: Dealt, count: int) -> Protocol[Array]:
    theirs = yield from ctx.swap(_core.mask_level(state, level, count))
    return received(_core.merge_level, state, theirs, level, count, ctx.first)


def sign(
    ctx: Context, c: Opened, part: Dealt, shape: tuple[int, int], shift: int = 0
) -> Protocol[Array]:
    """Shares of the top bit of c - shift - r; `part` is a `SignMask`, `shape` (count, digit).

    It is that of c - shift, of r, and the borrow from the bits below.
    """
    count, digit = shape
    low = count, c.ring - 1, digit
    rows = yield from _compared(ctx, _looked_up(ctx, c, part, 2, low, shift), low)
    return _top(ctx, rows, part, count)


def _top(ctx: Context, rows: Array, part: Dealt, count: int) -> Array:
    *borrow, top = rows
    found = part.row(1, count)
    for row in [*borrow, top] if ctx.first else borrow:
        found = found ^ row
    return _core.spread_bits(found, count)


def negative(ctx: Context, x: Array, ring: int, digit: int = DIGIT) -> Protocol[Array]:
    """Shares of [x < 0] for flat x in [-2^(ring-1), 2^(ring-1)).

    c = x + r mod 2^ring is opened, so x = c - r, and its top bit is that of c, of r, and the
    borrow from the bits below: top(x) = top(c) ^ top(r) ^ [c < r on the low ring - 1 bits].
    """
    part, x = ctx.supply.packed(SignMask(x.size, ring, digit)), masked(x)
    made = pieces(x.size, ring, partial(_core.mask_span, x, part, 0, ring, subtract=False))
    theirs = yield from ctx.swap(made)
    shape = x.size, ring - 1, digit
    state = _looked_up(ctx, Remade(x, theirs, ring), part, 2, shape)
    del theirs  # large, and not needed any more
    compared = _compared(ctx, state, shape)
    del state
    return _top(ctx, (yield from compared), part, x.size)
