"""Distributed point functions: shares of [v = r], and of [r ≤ v], at any public v; one round.

A key pair shares the function that is 1 at a secret point r and 0 elsewhere. Each party walks the
path to v in a tree of seeds: off the path to r both hold the same seed and bit, on it theirs
differ, so a node's bits are shares of "r lies below". The prefix [r ≤ v] is the parity of the
subtrees left of the path; a left subtree's bit follows from its parent's and its sibling's, so a
level costs one hash. The lowest 7 levels are one block of 128 bits.

A party's root comes from its own seed; the correction words are sent to both. To either party
they are pseudorandom: privacy rests on the hash below with seeds of 127 bits under one fixed key,
so 2^q keys leave about 127 - q bits.

Source: Boyle, Gilboa, Ishai (CCS 2016), early termination included; Storrier et al. (Grotto, CCS
2023) for prefix parities; Gupta et al. (SIGMA, PETS 2024) for signs. Hash: MMO with σ, Guo, Katz,
Wang, Yu (IEEE S&P 2020), circular correlation robust for a random permutation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.ring import received

LEAF = 7
"""Levels that one block replaces."""
_DEALING, _WALKING = 40, 15
"""Multiply-adds that take as long as a level of a key, measured with VAES on 512 bits."""


def work(count: int, domain: int, points: int = 1) -> int:
    """Multiply-adds that take as long as keys for `count` points, and their use at some places."""
    return count * (levels(domain) + 1) * (_DEALING + _WALKING * points)


def levels(domain: int) -> int:
    """The levels of the tree over points of `domain` bits."""
    return max(0, domain - LEAF)


def root_fields(count: int) -> tuple[Field, Field]:
    """Each party's roots."""
    return Field((count, 2), only=0), Field((count, 2), only=1)


def key_fields(count: int, domain: int) -> tuple[Field, ...]:
    """The correction words: of seeds (low 63 bits, high 64), of bits (left, right), of blocks."""
    depth = levels(domain)
    inner = (
        Field((depth, count), 63, xor=True, common=True),
        Field((depth, count), 64, xor=True, common=True),
        bit_field(2, depth, count, common=True),
    )
    return (*(inner if depth else ()), Field((count, 2), 64, xor=True, common=True))


def generate(point: Array, roots: tuple[Array, Array], domain: int) -> list[Array]:
    """The correction words of keys for flat points below 2^domain, from roots in the clear."""
    count = point.size
    first = _given((64 * count, 128 * count, 0), point.tobytes() + roots[0].tobytes())
    second = _given((64 * count, 0, 128 * count), bytes(8 * count) + roots[1].tobytes())
    fields = key_fields(count, domain)
    packed = _core.deal_point_keys(first, second, count, 64, domain)
    words = _given([field.size for field in fields], packed)
    return [field.read(words, index) for index, field in enumerate(fields)]


def _given(sizes: Sequence[int], data: bytes) -> Dealt:
    """Fields of so many bits, as if all of them were sent."""
    return _core.Dealt(bytes(16), 0, 0, [(size, True) for size in sizes], data)


@dataclass(frozen=True)
class PrefixMask(Correlation):
    """r uniform mod 2^ring; its top bit; keys for its low ring - 1 bits."""

    count: int
    ring: int

    def _random(self) -> tuple[Field, ...]:
        return Field((self.count,), self.ring), *root_fields(self.count)

    def _dependent(self) -> tuple[Field, ...]:
        return bit_field(self.count), *key_fields(self.count, self.ring - 1)

    def _values(self, *random: Array) -> Iterable[Array]:
        r, *roots = random
        yield (r >> np.uint64(self.ring - 1)).astype(np.uint8)
        low = r & np.uint64((1 << (self.ring - 1)) - 1)
        yield from generate(low, (roots[0], roots[1]), self.ring - 1)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_prefixes(first, second, self.count, self.ring)


def negative(ctx: Context, x: Array, ring: int, *, shifts: Array | None = None) -> Protocol[Array]:
    """Shares of [x < 0], or of [x - shift < 0] for each public shift; each fits `ring` bits.

    c = x + r is opened; the top bit of c - r follows as in `comparison.negative`, in no round.
    """
    part = ctx.supply.packed(PrefixMask(x.size, ring))
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    each = np.zeros(1, np.uint64) if shifts is None else np.ascontiguousarray(shifts)
    shape = (x.size, ring)
    sign = received(_core.prefix_signs, own, theirs, part, 4, shape, each, ctx.first)
    return sign[0] if shifts is None else sign
