"""Words shared by addition: x = x0 + x1 mod 2^64. Opening, products, reveal.

Semi-honest, two parties and a dealer. What a party receives in an opening is masked by words that
it does not know, so it is uniform whatever the inputs and however they were shared.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.base import Context, Protocol, Tick
from moiety.protocols.correlations import Array, Correlation, Field
from moiety.ring import Pieces, matmul, pack_words, received, unpack_words

PIECE = 1 << 17
"""Words of a message that are made at once; of 64 bits, as many as the wire moves at once."""


@dataclass(frozen=True)
class Triple(Correlation):
    """Random a, b and c = a · b, element by element."""

    count: int
    ring: int = 64

    def _random(self) -> tuple[Field, ...]:
        return Field((self.count,), self.ring), Field((self.count,), self.ring)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.ring),)

    def _values(self, *random: Array) -> Iterable[Array]:
        a, b = random
        yield a * b

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_products(first, second, self.count, self.ring)


@dataclass(frozen=True)
class MatrixTriple(Correlation):
    """Random A (m × k), B (k × n) and C = A · B."""

    m: int
    k: int
    n: int
    ring: int = 64

    def _random(self) -> tuple[Field, ...]:
        return Field((self.m, self.k), self.ring), Field((self.k, self.n), self.ring)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field((self.m, self.n), self.ring),)

    def _values(self, *random: Array) -> Iterable[Array]:
        a, b = random
        yield matmul(a, b)


def open_words(ctx: Context, *shares: Array, ring: int = 64) -> Protocol[list[Array]]:
    """The values mod 2^ring, known to every party: all in one message, one round."""
    flat = np.concatenate([share.reshape(-1) for share in shares])
    answers = yield ctx.to_all(pack_words(flat, ring))
    for message in answers.values():
        flat = flat + unpack_words(message, flat.size, ring)
    flat = flat if ring == 64 else flat & np.uint64((1 << ring) - 1)
    ends = np.cumsum([share.size for share in shares])[:-1]
    return [
        part.reshape(share.shape) for part, share in zip(np.split(flat, ends), shares, strict=True)
    ]


def masked(x: Array) -> Array:
    """The words as a kernel masks them: flat and contiguous."""
    return np.ascontiguousarray(x).reshape(-1)


def pieces(count: int, ring: int, kernel: Callable[[int, int], bytes]) -> Pieces:
    """A message made while it is sent: a kernel makes so many words from a first one on."""

    def make() -> Iterator[bytes]:
        for first in range(0, count, PIECE):
            yield kernel(first, PIECE)

    return Pieces(-(-count * ring // 8), make)


def multiply(ctx: Context, x: Array, y: Array, *, ring: int = 64) -> Protocol[Array]:
    """Beaver: with c = a·b, x·y = c + d·b + a·e + d·e where d = x - a and e = y - b are opened."""
    part = ctx.supply.packed(Triple(x.size, ring))
    own = _core.mask_words([masked(x), masked(y)], part, 0, ring, subtract=True)
    theirs = yield from ctx.swap(own)
    flat = received(_core.multiply_words, own, theirs, part, x.size, ring, ctx.first)
    return flat.reshape(x.shape)


def matrix_multiply(ctx: Context, x: Array, y: Array, *, ring: int = 64) -> Protocol[Array]:
    """Beaver for matrices; d·e is folded into a·e at the first party: two products each."""
    (m, k), n = x.shape, y.shape[1]
    a, b, c = ctx.supply.take(MatrixTriple(m, k, n, ring))
    d, e = yield from open_words(ctx, x - a, y - b, ring=ring)
    left = a + d if ctx.first else a
    return c + matmul(d, b) + matmul(left, e)


def reveal(ctx: Context, share: Array, *, to: int, ring: int) -> Protocol[Array | None]:
    """The value in [-2^(ring-1), 2^(ring-1)) at party `to`, None elsewhere; one round, one way.

    The message is the sender's share mod 2^ring: the result minus the receiver's own share.
    """
    if ctx.party != to:
        yield Tick({to: pack_words(share, ring)})
        return None
    answers = yield Tick(expect=dict.fromkeys(ctx.peers, -(-share.size * ring // 8)))
    total = share.reshape(-1)
    for message in answers.values():
        total = total + unpack_words(message, share.size, ring)
    return signed(total, ring).reshape(share.shape)


def signed(x: Array, ring: int) -> Array:
    """The words equal to x mod 2^ring that, read as signed, lie in [-2^(ring-1), 2^(ring-1))."""
    extended: Array = ((x << np.uint64(64 - ring)).view(np.int64) >> np.int64(64 - ring)).view(
        np.uint64
    )
    return extended
