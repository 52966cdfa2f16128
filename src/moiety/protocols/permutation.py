"""A shared vector in the order that one party alone knows: share translation.

The owner of the order π draws a random permutation ρ and tells the other party δ = ρ⁻¹∘π, which is
uniform whatever π is. Both put their shares in the order δ; the other then sends its share less a
mask a, and the owner applies ρ to all of it. The dealer, who never sees π, dealt shares of ρ(a).

The owner learns nothing of the vector, the other party nothing of the order. Orders that are used
again with the same ρ and δ would save the first message; each use here is fresh.

Source: Chase, Ghosh, Poburinnaya (ASIACRYPT 2020), with a dealer in place of oblivious transfers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.errors import PeerMisbehaved
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol, Tick
from moiety.protocols.correlations import Array, Correlation, Field
from moiety.ring import pack_words, received, unpack_words


@dataclass(frozen=True)
class Shuffle(Correlation):
    """ρ, drawn by the owner as sort keys; a (rows × columns), drawn by the other; shares of ρ(a).

    Equal keys would favour the identity: among n rows that has probability n² / 2^65.
    """

    owner: int
    rows: int
    columns: int
    ring: int = 64

    def _random(self) -> tuple[Field, ...]:
        keys = Field((self.rows,), only=self.owner)
        return keys, Field((self.rows, self.columns), self.ring, only=1 - self.owner)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field((self.rows, self.columns), self.ring),)

    def _values(self, *random: Array) -> Iterable[Array]:
        keys, mask = random
        yield mask[np.argsort(keys, kind="stable")]

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_shuffle(first, second, self.owner, self.shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, and the bits of a word in a message."""
        return self.rows, self.columns, self.ring


def place_bits(rows: int) -> int:
    """The bits of a row's number in a message."""
    return max(1, (rows - 1).bit_length())


def permute(ctx: Context, shuffle: Shuffle, order: Array | None, x: Array) -> Protocol[Array]:
    """Shares of x[order] for shared rows x and an order that its owner holds; two rounds."""
    part, peer, shape = ctx.supply.packed(shuffle), 1 - ctx.party, shuffle.shape
    if order is not None:
        return (yield from _owned(peer, part, order.astype(np.uint64), x, shape))
    bits = place_bits(shuffle.rows)
    answer = yield Tick(expect={peer: -(-shuffle.rows * bits // 8)})
    delta = _checked(unpack_words(answer[peer], shuffle.rows, bits), shuffle.rows)
    yield Tick({peer: _core.mask_rows(masked(x), delta, part, shape)})
    return part.words(2, x.size, shuffle.ring).reshape(x.shape)


def _owned(
    peer: int, part: Dealt, order: Array, x: Array, shape: tuple[int, int, int]
) -> Protocol[Array]:
    """The owner's side. delta[rho] = order, so x[order] = x[delta][rho]."""
    rows, _, ring = shape
    rho = _core.shuffle_order(part, rows)
    delta = np.empty_like(order)
    delta[rho] = order
    yield Tick({peer: pack_words(delta, place_bits(rows))})
    answer = (yield Tick(expect={peer: -(-x.size * ring // 8)}))[peer]
    moved = received(_core.place_rows, masked(x), order, rho, answer, part, shape)
    return moved.reshape(x.shape)


def _checked(delta: Array, rows: int) -> Array:
    """The places, if each occurs once."""
    seen = np.zeros(rows, bool)
    if delta.size and delta.max() < rows:
        seen[delta] = True
    if not seen.all():
        raise PeerMisbehaved("a message that should be a permutation of the rows is none")
    return np.ascontiguousarray(delta)
