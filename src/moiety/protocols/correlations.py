"""Correlated randomness: what a dealer supplies, what each party expands, how it is spent once.

A correlation declares its fields: some random (each party draws its share from its own seed),
some that depend on them (party 0 draws its share, party 1 is sent the correction that makes the
shares combine to the value). So party 0 needs a seed only, and party 1 a seed and corrections,
packed to their true width. A common field is the exception: both parties are sent its value. The
dealer draws both parties' streams and never sees an input.

Source: Chameleon (Riazi et al., ASIACCS 2018) deals triples in this form.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from moiety._core import Dealt, Layout
from moiety.errors import InternalError, MaterialError
from moiety.ring import Stream, pack_bits, pack_words

Array = np.ndarray[Any, Any]
Shares = tuple[Array, ...]


@dataclass(frozen=True)
class Field:
    """An array shared between two parties: by addition mod 2^bits, or by exclusive or.

    `only` names the one party that holds all of it. A `common` field is sent to both parties in
    full; it must look uniform to each. A bit array (1 bit, xor) has dtype uint8.
    """

    shape: tuple[int, ...]
    bits: int = 64
    xor: bool = False
    only: int | None = None
    common: bool = False

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
        return self.read(stream.part([(self.size, False)]), 0)

    def read(self, part: Dealt, index: int) -> Array:
        """This field as number `index` of a party's part."""
        count = prod(self.shape)
        flat = part.bits(index, count) if self.is_bits else part.words(index, count, self.bits)
        return flat.reshape(self.shape)

    def reduce(self, x: Array) -> Array:
        """The value of x mod 2^bits."""
        return x if self.bits == 64 or self.is_bits else x & np.uint64((1 << self.bits) - 1)

    def combine(self, a: Array, b: Array) -> Array:
        """The value that two shares stand for."""
        if self.only is not None:
            return b if self.only else a
        return a ^ b if self.xor else self.reduce(a + b)

    def correction(self, value: Array, share: Array) -> bytes:
        """What makes `share` combine to `value`, packed; a common field is its own correction."""
        missing: Array = value if self.common else value ^ share if self.xor else value - share
        return pack_bits(missing) if self.is_bits else pack_words(missing, self.bits)


def bit_field(*shape: int, only: int | None = None, common: bool = False) -> Field:
    """A field of bits."""
    return Field(shape, bits=1, xor=True, only=only, common=common)


class Correlation(ABC):
    """One kind of correlated randomness; subclasses are frozen dataclasses of shape parameters."""

    needs_mask = False
    """True where it is dealt from the mask of the step's first operand."""

    @abstractmethod
    def _random(self) -> tuple[Field, ...]:
        """The fields that are uniform."""

    @abstractmethod
    def _dependent(self) -> tuple[Field, ...]:
        """The fields that follow from the random ones; common ones last."""

    @abstractmethod
    def _values(self, *random: Array) -> Iterable[Array]:
        """The dependent fields from the random ones, in the clear: the dealer's work."""

    def fields(self) -> tuple[Field, ...]:
        """All fields, random ones first."""
        return self._random() + self._dependent()

    def corrections(self) -> tuple[int, ...]:
        """The bits of each field that party 1 is sent."""
        return tuple(field.size for field in self._dependent())

    def common(self) -> tuple[int, ...]:
        """The bits of each field that party 0 is sent too."""
        return tuple(field.size for field in self._dependent() if field.common)

    def size(self, party: int = 1) -> int:
        """The bytes that a party is sent; party 0's are the last of party 1's."""
        return sum(-(-bits // 8) for bits in (self.corrections() if party else self.common()))

    def deal(self, streams: tuple[Stream, Stream], mask: "Rows | None" = None) -> bytes:
        """The corrections for party 1; `mask` is what the step's table was masked with."""
        first, second = (self.dealt(party, stream) for party, stream in enumerate(streams))
        return self.corrected(first, second, mask)

    def corrected(self, first: Dealt, second: Dealt, mask: "Rows | None" = None) -> bytes:
        """The same from what the parties draw."""
        if not self.needs_mask:
            return self._correct(first, second)
        if mask is None:
            raise InternalError(f"{self} is dealt without its mask")
        return self._correct_rows(mask, first, second)

    def dealt(self, party: int, stream: Stream) -> Dealt:
        """What a party draws, as the dealer draws it again."""
        return stream.part(_layout(self, party, dealer=True))

    def _correct_rows(self, mask: "Rows", first: Dealt, second: Dealt) -> bytes:
        """The corrections of what depends on a mask."""
        raise InternalError(f"{self} does not depend on a mask")

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        """The corrections, from what the parties draw; a subclass may know a faster way."""
        if not self._dependent():
            return b""
        random = [
            field.combine(
                *(_read(field, part, index, party) for party, part in enumerate((first, second)))
            )
            for index, field in enumerate(self._random())
        ]
        packed, begin = [], len(random)
        values = self._values(*random)
        for index, (field, value) in enumerate(zip(self._dependent(), values, strict=True), begin):
            share = value if field.common else field.read(first, index)
            packed.append(field.correction(value, share))
        return b"".join(packed)

    def take(self, party: int, stream: Stream, corrections: bytes, begin: int = 0) -> "Part":
        """A party's part; what it was sent for it is in `corrections` from byte `begin` on."""
        return Part(self, party, stream.part(_layout(self, party), corrections, begin))


@dataclass(frozen=True)
class Rows:
    """A mask as the dealer draws it again, and the first of its rows that are meant."""

    mask: Correlation
    part: Dealt
    row: int = 0


@lru_cache(maxsize=4096)
def _layout(
    correlation: Correlation, party: int, *, dealer: bool = False
) -> list[tuple[int, bool]]:
    """The bits of each field in a party's part, and whether they are sent to it.

    To the dealer nothing is sent: it leaves out what is not drawn.
    """
    fields = [
        (field.size if field.only in (None, party) else 0, False) for field in correlation._random()
    ]
    for field in correlation._dependent():
        sent = party == 1 or field.common
        fields.append((0, False) if sent and dealer else (field.size, sent))
    return fields


def layout(
    items: Iterable[tuple[Correlation, int, int]], party: int, *, dealer: bool = False
) -> Layout:
    """Where a party's parts lie in every run, or what the dealer draws of them.

    Each item is a correlation, its stream, and the first byte of what the party is sent for it.
    """
    return Layout(
        [(stream, begin, _layout(one, party, dealer=dealer)) for one, stream, begin in items]
    )


def _read(field: Field, part: Dealt, index: int, party: int) -> Array:
    """A random field in a party's part; empty where the party holds nothing."""
    return field.read(part, index) if field.only in (None, party) else np.empty(0, np.uint64)


class Part:
    """One party's part of a correlation: packed; its arrays are made when they are asked for."""

    __slots__ = ("_correlation", "_party", "packed")

    def __init__(self, correlation: Correlation, party: int, packed: Dealt) -> None:
        self.packed = packed
        self._correlation, self._party = correlation, party

    def arrays(self) -> Shares:
        """This party's share of every field, random ones first; empty where it holds nothing."""
        fields = enumerate(self._correlation.fields())
        return tuple(_read(field, self.packed, index, self._party) for index, field in fields)

    def __repr__(self) -> str:
        return f"Part({self._correlation}, party {self._party})"


class Supply:
    """The correlations of one step, in the order of its bill; each is taken once.

    What a party was sent for them may come later, but before any message of its peer is used:
    `complete` waits for it.
    """

    def __init__(
        self,
        parts: Iterable[tuple[Correlation, Part | Shares]],
        complete: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts: Iterator[tuple[Correlation, Part | Shares]] = iter(parts)
        self._complete = complete

    def take(self, wanted: Correlation) -> Shares:
        """This party's share of the next correlation, which must be the wanted one."""
        part = self._next(wanted)
        self._complete()
        return part.arrays() if isinstance(part, Part) else part

    def packed(self, wanted: Correlation) -> Dealt:
        """The same, packed, for kernels that make what they use."""
        part = self._next(wanted)
        if not isinstance(part, Part):
            raise InternalError(f"arrays were supplied for {wanted}, not a part")
        return part.packed

    def _next(self, wanted: Correlation) -> Part | Shares:
        dealt, part = next(self._parts, (None, ()))
        if dealt != wanted:
            raise MaterialError(f"a step asks for {wanted} where its bill has {dealt}")
        return part

    def finish(self) -> None:
        """Refuses to leave correlations of the bill unspent."""
        left = next(self._parts, None)
        if left is not None:
            raise MaterialError(f"a step ended with {left[0]} unspent")
