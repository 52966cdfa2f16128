"""c < r for a public c and a dealt secret r; from it, the sign of a shared word.

The dealer deals each digit of r as a thermometer table, T[v] = [v < digit] for each v, shared by
exclusive or. A party looks its shares up at the digits of the public c, so the tree of ANDs starts
at digits and not at bits: fewer rounds and fewer bytes.

Source: Garay, Schoenmakers, Villegas (PKC 2007) for the tree; Catrina, de Hoogh (SCN 2010) for the
masked opening; Ishai et al. (TCC 2013) for dealt truth tables, here one for each digit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moiety.protocols.additive import open_words
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitTriples, products
from moiety.protocols.correlations import Array, Correlation, Field, bit_field

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


def digits(bits: int, digit: int = DIGIT) -> list[tuple[int, int]]:
    """(first bit, width) of each digit, most significant first; the least may be narrower."""
    borders = [*range(bits, 0, -digit), 0]
    return [(low, high - low) for high, low in pairwise(borders)]


def table_fields(count: int, bits: int, digit: int) -> tuple[Field, ...]:
    """One field of tables per digit: 2^width - 1 bits each, since no digit exceeds 2^width - 1."""
    return tuple(Field((count,), (1 << width) - 1, xor=True) for _, width in digits(bits, digit))


def tables(r: Array, bits: int, digit: int) -> Iterator[Array]:
    """For each digit of r the word whose bit v is [v < digit]: 2^digit - 1."""
    one = np.uint64(1)
    for low, width in digits(bits, digit):
        table = (one << (r >> np.uint64(low) & np.uint64((1 << width) - 1))) - one
        yield table.astype(np.uint8) if width == 1 else table


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


def below(
    ctx: Context, c: Array, shares: Iterable[Array], bits: int, digit: int = DIGIT
) -> Protocol[Array]:
    """Shares of [c < r] on the low `bits` bits, for public c and tables of r; no table: 0."""
    less, equal = _lookup(ctx, c, shares, digits(bits, digit))
    while len(less) > 1:
        less, equal = yield from _merge(ctx, less, equal)
    return less[0] if len(less) else np.zeros(c.shape, np.uint8)


def _lookup(
    ctx: Context, c: Array, shares: Iterable[Array], places: list[tuple[int, int]]
) -> tuple[Array, Array]:
    """Shares of [c < r] and [c = r] digit by digit, most significant first.

    [c = r] = [c - 1 < r] ^ [c < r], and [-1 < r] = 1 is the bit that the first party shifts in.
    Nobody needs [c = r] of the least significant digit, so `equal` has one row less.
    """
    less = np.empty((len(places), c.size), np.uint8)
    equal = np.empty_like(less)
    one, first = np.uint64(1), np.uint64(ctx.first)
    for row, (table, (low, width)) in enumerate(zip(shares, places, strict=True)):
        place = c >> np.uint64(low) & np.uint64((1 << width) - 1)
        entries = (table.astype(np.uint64) << one | first) >> place
        less[row] = entries >> one & one
        equal[row] = (entries & one).astype(np.uint8) ^ less[row]
    return less, equal[:-1]


def _merge(ctx: Context, less: Array, equal: Array) -> Protocol[tuple[Array, Array]]:
    """One level of the tree: less = less' ^ equal'·less'', equal = equal'·equal'' for each pair.

    An odd digit out is the most significant: it passes unchanged.
    """
    odd, count = len(less) % 2, less.shape[1]
    high, low = slice(odd, None, 2), slice(odd + 1, None, 2)
    factors = [less[low].reshape(-1), equal[low].reshape(-1)]
    found = yield from products(ctx, equal[high].reshape(-1), [f for f in factors if f.size])
    merged = less[high] ^ found[0].reshape(-1, count)
    both = found[1].reshape(-1, count) if len(found) > 1 else equal[:0]
    return np.concatenate([less[:odd], merged]), np.concatenate([equal[:odd], both])


def negative(ctx: Context, x: Array, ring: int, digit: int = DIGIT) -> Protocol[Array]:
    """Shares of [x < 0] for flat x in [-2^(ring-1), 2^(ring-1)).

    c = x + r mod 2^ring is opened, so x = c - r, and its top bit is that of c, of r, and the
    borrow from the bits below: top(x) = top(c) ^ top(r) ^ [c < r on the low ring - 1 bits].
    """
    r, top, *shares = ctx.supply.take(SignMask(x.size, ring, digit))
    (c,) = yield from open_words(ctx, x + r, ring=ring)
    borrow = yield from below(ctx, c, shares, ring - 1, digit)
    sign: Array = top ^ borrow
    return sign ^ (c >> np.uint64(ring - 1)).astype(np.uint8) if ctx.first else sign
