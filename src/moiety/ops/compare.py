"""Comparison, logic on bits, and choice by a secret bit."""

import numpy as np

from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import DEALER, Array, Correlated, Operand, all_shared, example, primitive
from moiety.lang.types import BIT, SHARED, Type, broadcast, signed_bits, words
from moiety.ops import rules
from moiety.ops.multiply import ring_of, size_of
from moiety.ops.rules import shared_bits, signed_words
from moiety.ops.work import keys
from moiety.protocols import boolean, comparison, dpf
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitScale, BitTriples
from moiety.protocols.comparison import SignMask
from moiety.protocols.dpf import PrefixMask


def _compared(x: Type, y: Type) -> Type:
    difference = rules.subtracted(x, y)
    return rules.result((x, y), difference.shape, BIT, (0, 1), error=min(1, difference.error))


@primitive(
    rule=_compared,
    shapes=("n", "n"),
    examples=(
        example(signed_words(63, 512), signed_words(63, 512)),
        example(signed_words(23, 5), signed_words(23, 5)),
        example(signed_words(8, 3, 8), words((8,), SHARED, (0, 127))),
        example(words((512,), SHARED, (0, 256), ring=10), words((512,), SHARED, (1, 256))),
        example(words((8,), SHARED, (0, 1)), words((8,), SHARED, (0, 1))),
        example(words((3, 3), SHARED, (0, 0)), words((3, 3), SHARED, (0, 1))),
    ),
)
def less_than(x: Array, y: Array) -> Array:
    """The bit 1 where x < y, else 0, for signed words.

    Only as many bits are opened as the proven range of x - y needs; a difference that does not fit
    in 64 bits is refused.
    """
    return ((x - y).view(np.int64) < 0).astype(np.uint8)


def _width(x: Type, y: Type) -> int:
    return signed_bits(x.lo - y.hi, x.hi - y.lo)


def _difference(x: Operand, y: Operand) -> Array:
    """Shares of x - y; x itself if y is known to be 0: there may be many of them."""
    alike = x.type.shape == y.type.shape or not y.type.shape
    return x.words if alike and y.type.lo == y.type.hi == 0 else x.words - y.words


def _digit_tables(digit: int) -> None:
    """Declares comparison by tables of so many bits: wider ones deal more and open less."""

    def cost(x: Type, y: Type) -> Cost:
        count, width = size_of(x, y), _width(x, y)
        tree = comparison.opened_bits(count, width - 1, digit)
        return Cost((both_ways(count * width), *map(both_ways, tree)))

    def bill(x: Type, y: Type) -> tuple[Correlated, ...]:
        count, width = size_of(x, y), _width(x, y)
        return SignMask(count, width, digit), *comparison.tree_triples(count, width - 1, digit)

    @less_than.way(
        DEALER,
        name=f"dealt digit tables of {digit} bits",
        cost=cost,
        bill=bill,
        source="one-time truth tables (Ishai et al., TCC 2013), one for each digit of the mask",
    )
    def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
        difference, width = _difference(x, y), _width(x.type, y.type)
        sign = yield from comparison.negative(ctx, difference.reshape(-1), width, digit)
        return sign.reshape(difference.shape)


_digit_tables(4)
_digit_tables(3)
_digit_tables(6)


def _wide(x: Type, y: Type) -> bool:
    """True for shared operands whose difference has more bits than one block of a tree."""
    return all_shared(x, y) and _width(x, y) > dpf.LEAF


@less_than.way(
    DEALER,
    name="DPF prefix parity",
    accepts=_wide,
    cost=lambda x, y: Cost((both_ways(size_of(x, y) * _width(x, y)),)),
    bill=lambda x, y: (PrefixMask(size_of(x, y), _width(x, y)),),
    work=lambda x, y: keys(size_of(x, y), _width(x, y) - 1),
    source="Storrier et al. (Grotto, CCS 2023), Gupta et al. (SIGMA, PETS 2024), §4",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    difference = _difference(x, y)
    sign = yield from dpf.negative(ctx, difference.reshape(-1), _width(x.type, y.type))
    return sign.reshape(difference.shape)


@primitive(
    rule=rules.bitwise,
    shapes=("n 1", "n 3"),
    examples=(
        example(shared_bits(512, 1), shared_bits(512, 3)),
        example(shared_bits(3, 5, 1), shared_bits(3, 5, 1)),
        example(shared_bits(512), shared_bits(512)),
        example(shared_bits(5, 2), shared_bits(2)),
    ),
)
def logical_and(x: Array, y: Array) -> Array:
    """The bits x & y."""
    return x & y


def _common_factor(x: Type, y: Type) -> bool:
    """True where x has one bit for each row of y."""
    return all_shared(x, y) and len(x.shape) > 1 and x.shape == (*y.shape[:-1], 1)


@logical_and.way(
    DEALER,
    name="bit triples with a common factor",
    accepts=_common_factor,
    cost=lambda x, y: Cost((both_ways(x.size + y.size),)),
    bill=lambda x, y: (BitTriples((x.size,) * y.shape[-1]),),
    source="GMW (STOC 1987), Beaver (CRYPTO 1991); the common factor is opened once",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    columns = [column.reshape(-1) for column in np.moveaxis(y.words, -1, 0)]
    found = yield from boolean.products(ctx, x.words.reshape(-1), columns)
    return np.stack(found, axis=-1).reshape(y.words.shape)


@logical_and.way(
    DEALER,
    name="bit triples",
    cost=lambda x, y: Cost((both_ways(2 * size_of(x, y)),)),
    bill=lambda x, y: (BitTriples((size_of(x, y),)),),
    source="GMW (STOC 1987), Beaver (CRYPTO 1991)",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    left, right = np.broadcast_arrays(x.words, y.words)
    (found,) = yield from boolean.products(ctx, left.reshape(-1), [right.reshape(-1)])
    return found.reshape(left.shape)


def _selected(condition: Type, x: Type, y: Type) -> Type:
    rules.all_bits(condition)
    difference = rules.subtracted(x, y)
    shape = broadcast(condition.shape, difference.shape)
    bounds = (min(x.lo, y.lo), max(x.hi, y.hi))
    error = max(x.error, y.error, condition.error * difference.magnitude)
    return rules.result((condition, x, y), shape, difference.kind, bounds, error=error)


def _selection(condition: Type, x: Type, y: Type) -> BitScale:
    difference = broadcast(x.shape, y.shape)
    shape = broadcast(condition.shape, difference)
    return BitScale(condition.shape, difference, shape, ring_of(x, y))


def _selection_cost(condition: Type, x: Type, y: Type) -> Cost:
    return Cost((both_ways(condition.size, ring_of(x, y) * size_of(x, y)),))


@primitive(
    rule=_selected,
    shapes=("n", "n", "n"),
    examples=(
        example(shared_bits(512), signed_words(60, 512), signed_words(60, 512)),
        example(shared_bits(4, 1), signed_words(9, 3), signed_words(9, 4, 1)),
        example(
            shared_bits(8), words((8,), SHARED, (0, 9), ring=6), words((8,), SHARED, (0, 9), ring=7)
        ),
    ),
)
def select(condition: Array, x: Array, y: Array) -> Array:
    """The words of x where the condition is 1, else those of y."""
    return np.where(condition, x, y)


@select.way(
    DEALER,
    name="dealt bit products",
    cost=_selection_cost,
    bill=lambda condition, x, y: (_selection(condition, x, y),),
    source="Beaver (CRYPTO 1991), for a bit that is masked by a dealt bit",
)
def _(ctx: Context, condition: Operand, x: Operand, y: Operand) -> Protocol[Array]:
    ring = ring_of(x.type, y.type)
    chosen = yield from boolean.scale(ctx, condition.words, x.words - y.words, ring=ring)
    return chosen + y.words
