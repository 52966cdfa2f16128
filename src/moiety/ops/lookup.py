"""Equality, one-hot vectors, and tables looked up at a secret place."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from moiety.errors import UsageError
from moiety.lang.cost import Cost, Work, both_ways
from moiety.lang.primitive import DEALER, Array, Correlated, Operand, all_shared, example, primitive
from moiety.lang.types import BIT, SHARED, WORD_BITS, Fixed, Type, signed_bits, words
from moiety.ops import rules
from moiety.ops.multiply import size_of
from moiety.ops.rules import signed_words
from moiety.ops.work import keys
from moiety.protocols import dpf, equality
from moiety.protocols import lookup as tables
from moiety.protocols.base import Context, Protocol
from moiety.protocols.equality import PointMask, UnitMask
from moiety.protocols.lookup import RotatedTable, UnitVector

LARGEST = 12
"""Bits of the largest place that a dealt table covers: 2^12 entries for each element."""


def _equated(x: Type, y: Type) -> Type:
    difference = rules.subtracted(x, y)
    return rules.result((x, y), difference.shape, BIT, (0, 1), error=min(1, difference.error))


@primitive(
    rule=_equated,
    shapes=("n", "n"),
    examples=(
        example(signed_words(63, 512), signed_words(63, 512)),
        example(signed_words(23, 3, 1), signed_words(23, 5)),
        example(words((512,), SHARED, (0, 15)), words((512,), SHARED, (0, 15))),
        example(words((8,), SHARED, (0, 1), ring=9), words((8,), SHARED, (0, 200), ring=11)),
        example(words((3,), SHARED, (0, 0)), words((3,), SHARED, (0, 0))),
    ),
)
def equal(x: Array, y: Array) -> Array:
    """The bit 1 where x = y, else 0; only as many bits are opened as the range of x - y needs."""
    found: Array = (x == y).astype(np.uint8)
    return found


def _width(x: Type, y: Type) -> int:
    return signed_bits(x.lo - y.hi, x.hi - y.lo)


def _tree_cost(x: Type, y: Type) -> Cost:
    count, width = size_of(x, y), _width(x, y)
    return Cost((both_ways(count * width), *map(both_ways, equality.opened_bits(count, width))))


def _tree_bill(x: Type, y: Type) -> tuple[Correlated, ...]:
    count, width = size_of(x, y), _width(x, y)
    return UnitMask(count, width), *equality.tree_triples(count, width)


@equal.way(
    DEALER,
    name="dealt unit tables",
    cost=_tree_cost,
    bill=_tree_bill,
    source="one-time truth tables (Ishai et al., TCC 2013), one for each digit of the mask",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    difference = x.words - y.words
    found = yield from equality.zero(ctx, difference.reshape(-1), _width(x.type, y.type))
    return found.reshape(difference.shape)


def _fills_a_leaf(x: Type, y: Type) -> bool:
    return all_shared(x, y) and _width(x, y) >= dpf.LEAF


@equal.way(
    DEALER,
    name="DPF point",
    accepts=_fills_a_leaf,
    cost=lambda x, y: Cost((both_ways(size_of(x, y) * _width(x, y)),)),
    bill=lambda x, y: (PointMask(size_of(x, y), _width(x, y)),),
    work=lambda x, y: keys(size_of(x, y), _width(x, y)),
    source="Boyle, Gilboa, Ishai (CCS 2016)",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    difference = x.words - y.words
    found = yield from equality.zero_at_once(ctx, difference.reshape(-1), _width(x.type, y.type))
    return found.reshape(difference.shape)


def _places(x: Type, size: int) -> int:
    """The bits of a place below `size`."""
    rules.all_words(x)
    bits = (size - 1).bit_length()
    if x.fraction or x.lo < 0 or x.hi >= size or not 1 <= bits <= LARGEST:
        raise UsageError(
            f"a table of {size} entries is looked up at {x}",
            hint=f"places are integers in [0, {size}), of 2 to {1 << LARGEST} entries",
        )
    return bits


def _unit(x: Type, *, size: int) -> Type:
    _places(x, size)
    return rules.result((x,), (*x.shape, size), BIT, (0, 1), error=min(1, x.error))


@primitive(
    rule=_unit,
    shapes=("n",),
    examples=(
        example(words((512,), SHARED, (0, 7)), size=8),
        example(words((2, 3), SHARED, (0, 4), ring=9), size=6),
        example(words((3,), SHARED, (0, 1)), size=2),
    ),
)
def one_hot(x: Array, *, size: int) -> Array:
    """Along a new last axis the bits [x = 0], [x = 1], … [x = size - 1]."""
    found: Array = x[..., np.newaxis] == np.arange(size, dtype=np.uint64)
    return found.astype(np.uint8)


@one_hot.way(
    DEALER,
    name="dealt unit vector",
    cost=lambda x, size: Cost((both_ways(x.size * _places(x, size)),)),
    bill=lambda x, size: (UnitVector(x.size, _places(x, size)),),
    work=lambda x, size: Work(entry=x.size << _places(x, size)),
    source="one-time truth tables (Ishai et al., TCC 2013)",
)
def _(ctx: Context, x: Operand, *, size: int) -> Protocol[Array]:
    bits = _places(x.type, size)
    found = yield from tables.one_hot(ctx, x.words.reshape(-1), bits)
    return found[:, :size].reshape(*x.words.shape, size)


@lru_cache(maxsize=1024)
def _spread(table: tuple[int, ...], error: int) -> int:
    """How far entries lie apart whose places differ by at most `error`."""
    most = max(table) - min(table)
    if error >= len(table) - 1 or most >> 62:
        return most if error else 0
    entries = np.array(table, np.int64)
    steps = (np.abs(entries[step:] - entries[:-step]).max() for step in range(1, error + 1))
    return int(max(steps, default=0))


def _entry(x: Type, *, table: tuple[int, ...], fraction: int = 0, ring: int = WORD_BITS) -> Type:
    _places(x, len(table))
    bounds, error = (min(table), max(table)), _spread(table, x.error)
    return Type(x.shape, Fixed(fraction), x.owner, *bounds, error=error, ring=ring)


def _mask(x: Type, table: tuple[int, ...], ring: int) -> RotatedTable:
    return RotatedTable(x.size, _places(x, len(table)), ring, table)


@primitive(
    rule=_entry,
    shapes=("n",),
    examples=(
        example(words((512,), SHARED, (0, 7)), table=(3, -1, 4, 1, -5, 9, 2, 6), fraction=2),
        example(words((512,), SHARED, (0, 5)), table=(3, 1, 4, 1, 5, 9), ring=8),
        example(words((2, 3), SHARED, (0, 1), ring=5), table=(-(2**63), 2**63 - 1)),
    ),
)
def lookup(x: Array, *, table: tuple[int, ...], fraction: int = 0, ring: int = WORD_BITS) -> Array:
    """The word table[x], which has `fraction` fraction bits and shares mod 2^ring."""
    return np.array(table, np.int64).view(np.uint64)[x]


def _spread_error(
    x: Type, *, errors: Sequence[float], table: tuple[int, ...], **given: int
) -> float:
    """How far entries lie apart whose places may be mistaken for each other."""
    return math.ldexp(_spread(table, math.ceil(errors[0])), -given.get("fraction", 0))


lookup.accuracy = _spread_error


@lookup.way(
    DEALER,
    name="dealt rotated table",
    cost=lambda x, table, **_: Cost((both_ways(x.size * _places(x, len(table))),)),
    bill=lambda x, table, ring=WORD_BITS, **_: (_mask(x, table, ring),),
    work=lambda x, table, **_: Work(entry=x.size << _places(x, len(table))),
    source="one-time truth tables (Ishai et al., TCC 2013)",
)
def _(
    ctx: Context,
    x: Operand,
    *,
    table: tuple[int, ...],
    fraction: int = 0,
    ring: int = WORD_BITS,
) -> Protocol[Array]:
    flat = yield from tables.entry(ctx, x.words.reshape(-1), _mask(x.type, table, ring))
    return flat.reshape(x.words.shape)
