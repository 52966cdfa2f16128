"""Bits shared by exclusive or: products with a common factor, and bits times words.

A bit that a caller holds is a uint8 of 0 or 1; in a message, in dealt material and inside a
comparison bits are packed, the last byte padded with 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.base import Context, Protocol, Tick
from moiety.protocols.correlations import Array, Correlation, Field, bit_field
from moiety.ring import pack_bits, received, unpack_bits


@dataclass(frozen=True)
class BitTriples(Correlation):
    """Random a and b_j, and c_j = a · b_j where b_j meets the first lengths[j] bits of a.

    The products share the factor a, so m products of n bits open (1 + m)·n bits, not 2·m·n.
    """

    lengths: tuple[int, ...]

    def _random(self) -> tuple[Field, ...]:
        return tuple(map(bit_field, (self.lengths[0], *self.lengths)))

    def _dependent(self) -> tuple[Field, ...]:
        return tuple(map(bit_field, self.lengths))

    def _values(self, *random: Array) -> Iterable[Array]:
        a, *others = random
        return (a[: b.size] & b for b in others)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_bit_products(first, second, self.lengths)


@dataclass(frozen=True)
class BitWord(Correlation):
    """A random bit, shared by exclusive or and by addition."""

    count: int

    def _random(self) -> tuple[Field, ...]:
        return (bit_field(self.count),)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field((self.count,)),)

    def _values(self, *random: Array) -> Iterable[Array]:
        yield random[0].astype(np.uint64)

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        return _core.deal_bit_words(first, second, self.count)


@dataclass(frozen=True)
class BitScale(Correlation):
    """Random bits r and words b of shapes that broadcast to `shape`; r as words, and r · b."""

    bits: tuple[int, ...]
    words: tuple[int, ...]
    shape: tuple[int, ...]
    ring: int = 64

    def _random(self) -> tuple[Field, ...]:
        return bit_field(*self.bits), Field(self.words, self.ring)

    def _dependent(self) -> tuple[Field, ...]:
        return Field(self.bits, self.ring), Field(self.shape, self.ring)

    def _values(self, *random: Array) -> Iterable[Array]:
        bits, b = random
        return bits.astype(np.uint64), np.where(bits, b, np.uint64(0))

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        sizes, each = (prod(self.bits), prod(self.words)), axes(self.shape, self.bits, self.words)
        return _core.deal_scaled(first, second, sizes, self.ring, each)


def reveal(ctx: Context, share: Array, *, to: int) -> Protocol[Array | None]:
    """The bits at party `to`, None elsewhere; the message is the sender's share."""
    if ctx.party != to:
        yield Tick({to: pack_bits(share)})
        return None
    answers = yield Tick(expect=dict.fromkeys(ctx.peers, -(-share.size // 8)))
    total = share.reshape(-1)
    for message in answers.values():
        total = total ^ unpack_bits(message, share.size)
    return total.reshape(share.shape)


def products(ctx: Context, factor: Array, others: Sequence[Array]) -> Protocol[list[Array]]:
    """The products factor · other_j of flat bit arrays; one round.

    An other of n bits meets the first n bits of the factor. With c = a·b: x·y = c ^ d·b ^ a·e ^ d·e
    where d = x ^ a, for all products alike, and e = y ^ b are opened.
    """
    lengths = tuple(other.size for other in others)
    part = ctx.supply.packed(BitTriples(lengths))
    own = _core.mask_bits([*map(np.ascontiguousarray, (factor, *others))], part, 0)
    theirs = yield from ctx.swap(own)
    return received(_core.multiply_bits, own, theirs, part, lengths, ctx.first)


def to_words(ctx: Context, bit: Array) -> Protocol[Array]:
    """The bit as a word: with a dealt bit r, d = bit ^ r is opened, and bit = d + (1 - 2d)·r."""
    part = ctx.supply.packed(BitWord(bit.size))
    own = _core.mask_bits([np.ascontiguousarray(bit).reshape(-1)], part, 0)
    theirs = yield from ctx.swap(own)
    words = received(_core.unmask_bits, own, theirs, part, bit.size, ctx.first)
    return words.reshape(bit.shape)


def scale(ctx: Context, bits: Array, x: Array, *, ring: int = 64) -> Protocol[Array]:
    """The products bits · x for words x, broadcasting; one round, each bit and word opened once.

    d = bits ^ r and e = x - b are opened. bits·x = s·e + bits·b, where s are the bits as words,
    s = d + (1 - 2d)·r, and bits·b = r·b, or b - r·b where d is 1.
    """
    shape = np.broadcast_shapes(bits.shape, x.shape)
    part = ctx.supply.packed(BitScale(bits.shape, x.shape, shape, ring))
    flat = np.ascontiguousarray(bits).reshape(-1), np.ascontiguousarray(x).reshape(-1)
    own = _core.mask_scaled(*flat, part, ring)
    theirs = yield from ctx.swap(own)
    sizes, each = (bits.size, x.size), axes(shape, bits.shape, x.shape)
    found = received(_core.scale_words, own, theirs, part, sizes, ring, each, ctx.first)
    return found.reshape(shape)


def axes(shape: tuple[int, ...], *operands: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """For each axis of two broadcast operands its size, and how far apart its entries lie in each.

    Axes along which neither operand is repeated, or one is, become one.
    """
    steps = [_steps(shape, operand) for operand in operands]
    found: list[tuple[int, int, int]] = []
    for size, one, other in reversed(list(zip(shape, *steps, strict=True))):
        inner = found[-1] if found else (1, one, other)
        whole = (inner[0] * inner[1], inner[0] * inner[2])
        if found and (one, other) == whole:
            found[-1] = (size * inner[0], *inner[1:])
        elif size != 1:
            found.append((size, one, other))
    return found[::-1]


def _steps(shape: tuple[int, ...], operand: tuple[int, ...]) -> list[int]:
    """How far apart an operand's entries lie along each axis; 0 where it is repeated."""
    padded = (1,) * (len(shape) - len(operand)) + operand
    steps, step = [], 1
    for size in reversed(padded):
        steps.append(step if size != 1 else 0)
        step *= size
    return steps[::-1]
