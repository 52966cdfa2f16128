"""Correlated randomness: what a dealer supplies, what each party expands, how it is spent once.

A correlation declares its fields: some random (each party draws its share from its own seed),
some that depend on them (party 0 draws its share, party 1 is sent the correction that makes the
shares combine to the value). So party 0 needs a seed only, and party 1 a seed and corrections,
packed to their true width. The dealer draws both parties' streams and never sees an input.

Source: Chameleon (Riazi et al., ASIACCS 2018) deals triples in this form.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from moiety.errors import MaterialError
from moiety.ring import Stream, pack_bits, pack_words, unpack_bits, unpack_words

Array = np.ndarray[Any, Any]
Shares = tuple[Array, ...]


@dataclass(frozen=True)
class Field:
    """An array shared between two parties: by addition mod 2^bits, or by exclusive or.

    `only` names the one party that holds all of it. A bit array (1 bit, xor) has dtype uint8.
    """

    shape: tuple[int, ...]
    bits: int = 64
    xor: bool = False
    only: int | None = None

    @property
    def size(self) -> int:
        """Bits of the whole field."""
        return prod(self.shape) * self.bits

    @property
    def is_bits(self) -> bool:
        """True for a bit array."""
        return self.xor and self.bits == 1

    def draw(self, stream: Stream) -> Array:
        """A uniform field."""
        count = prod(self.shape)
        if self.is_bits:
            return unpack_bits(stream.bytes(-(-count // 8)), count, strict=False).reshape(
                self.shape
            )
        return self.reduce(stream.words(count)).reshape(self.shape)

    def reduce(self, x: Array) -> Array:
        """The value of x mod 2^bits."""
        return x if self.bits == 64 or self.is_bits else x & np.uint64((1 << self.bits) - 1)

    def combine(self, a: Array, b: Array) -> Array:
        """The value that two shares stand for."""
        if self.only is not None:
            return b if self.only else a
        return a ^ b if self.xor else self.reduce(a + b)

    def correction(self, value: Array, share: Array) -> bytes:
        """What makes `share` combine to `value`, packed."""
        missing: Array = value ^ share if self.xor else value - share
        return pack_bits(missing) if self.is_bits else pack_words(missing, self.bits)

    def parse(self, data: bytes) -> Array:
        """The share in a packed correction."""
        count = prod(self.shape)
        flat = unpack_bits(data, count) if self.is_bits else unpack_words(data, count, self.bits)
        return flat.reshape(self.shape)


def bit_field(*shape: int, only: int | None = None) -> Field:
    """A field of bits."""
    return Field(shape, bits=1, xor=True, only=only)


class Correlation(ABC):
    """One kind of correlated randomness; subclasses are frozen dataclasses of shape parameters."""

    @abstractmethod
    def _random(self) -> tuple[Field, ...]:
        """The fields that are uniform."""

    @abstractmethod
    def _dependent(self) -> tuple[Field, ...]:
        """The fields that follow from the random ones."""

    @abstractmethod
    def _values(self, *random: Array) -> Iterable[Array]:
        """The dependent fields from the random ones, in the clear: the dealer's work."""

    def corrections(self) -> tuple[int, ...]:
        """The bits of each field that party 1 is sent."""
        return tuple(field.size for field in self._dependent())

    def size(self) -> int:
        """The bytes that party 1 is sent."""
        return sum(-(-bits // 8) for bits in self.corrections())

    def deal(self, streams: tuple[Stream, Stream]) -> bytes:
        """The corrections for party 1."""
        shares = [self._draw(party, stream) for party, stream in enumerate(streams)]
        random = [
            field.combine(*pair) for field, *pair in zip(self._random(), *shares, strict=True)
        ]
        packed = []
        for field, value in zip(self._dependent(), self._values(*random), strict=True):
            packed.append(field.correction(value, field.draw(streams[0])))
        return b"".join(packed)

    def take(self, party: int, stream: Stream, corrections: bytes) -> Shares:
        """A party's shares of every field, random ones first; empty where it holds nothing."""
        own = self._draw(party, stream)
        if party == 0:
            return own + tuple(field.draw(stream) for field in self._dependent())
        begin, parsed = 0, []
        for field in self._dependent():
            end = begin + -(-field.size // 8)
            parsed.append(field.parse(corrections[begin:end]))
            begin = end
        return own + tuple(parsed)

    def _draw(self, party: int, stream: Stream) -> Shares:
        nothing = np.empty(0, np.uint64)
        return tuple(
            field.draw(stream) if field.only in (None, party) else nothing
            for field in self._random()
        )


class Supply:
    """The correlations of one step, in the order of its bill; each is taken once."""

    def __init__(self, shares: Iterable[tuple[Correlation, Shares]]) -> None:
        self._shares: Iterator[tuple[Correlation, Shares]] = iter(shares)

    def take(self, wanted: Correlation) -> Shares:
        """This party's share of the next correlation, which must be the wanted one."""
        dealt, share = next(self._shares, (None, ()))
        if dealt != wanted:
            raise MaterialError(f"a step asks for {wanted} where its bill has {dealt}")
        return share

    def finish(self) -> None:
        """Refuses to leave correlations of the bill unspent."""
        left = next(self._shares, None)
        if left is not None:
            raise MaterialError(f"a step ended with {left[0]} unspent")
