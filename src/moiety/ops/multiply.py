"""Products: of shared words, of a matrix in the clear at its owner, of bits and words."""

import math

import numpy as np

from moiety.lang.cost import Cost, both_ways, octets
from moiety.lang.primitive import DEALER, Array, Operand, example, owned, primitive
from moiety.lang.types import BIT, PUBLIC, SHARED, Private, Type, broadcast, words
from moiety.ops import rules
from moiety.ops.rules import shared_bits, signed_words
from moiety.protocols import additive, boolean
from moiety.protocols.additive import MatrixTriple, OwnedProduct, Triple
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitScale
from moiety.ring import matmul as product

BEAVER = "Beaver (CRYPTO 1991)"


def ring_of(*types: Type) -> int:
    """The bits of each word that messages carry."""
    return min(type.ring for type in types)


def size_of(*types: Type) -> int:
    """The number of elements of an element-wise result."""
    return math.prod(broadcast(*(type.shape for type in types)))


@primitive(
    rule=rules.multiplied,
    shapes=("n", "n"),
    examples=(
        example(signed_words(32, 512), signed_words(32, 512)),
        example(signed_words(20, 3, 1), signed_words(40, 5)),
        example(words((512,), SHARED, (-9, 9), ring=10), words((512,), SHARED, (-9, 9), ring=12)),
        example(words((8,), PUBLIC, (-9, 8)), signed_words(50, 8)),
        example(signed_words(50, 3, 4), words((4,), PUBLIC, (3, 8))),
    ),
)
def multiply(x: Array, y: Array) -> Array:
    """The product x · y, element by element; fraction bits add."""
    return x * y


def _public_factor(x: Type, y: Type) -> bool:
    return {x.owner, y.owner} == {PUBLIC, SHARED}


@multiply.way(DEALER, name="public factor", accepts=_public_factor, source="linear in the shares")
def _(ctx: Context, x: Operand, y: Operand) -> Array:
    return x.words * y.words


@multiply.way(
    DEALER,
    name="Beaver triple",
    cost=lambda x, y: Cost((both_ways(2 * ring_of(x, y) * size_of(x, y)),)),
    bill=lambda x, y: (Triple(size_of(x, y), ring_of(x, y)),),
    source=BEAVER,
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    ring = ring_of(x.type, y.type)
    left, right = np.broadcast_arrays(x.words, y.words)
    return (yield from additive.multiply(ctx, left, right, ring=ring))


@primitive(
    rule=rules.matrix_multiplied,
    shapes=("m k", "k n"),
    examples=(
        example(words((5, 8), Private(0), (0, 1)), signed_words(59, 8, 3, fraction=24)),
        example(words((6, 4), Private(1), (-9, 9)), signed_words(20, 4, 1)),
        example(words((64, 8), Private(0), (0, 1)), words((8, 64), SHARED, (-9, 9), ring=11)),
        example(words((64, 8), Private(1), (0, 1)), words((8, 64), SHARED, (-9, 9))),
        example(signed_words(30, 16, 16), signed_words(29, 16, 8)),
        example(words((3, 8), SHARED, (0, 9), ring=13), words((8, 1), SHARED, (-9, 9), ring=13)),
        example(shared_bits(8, 5), signed_words(60, 5, 1)),
        example(shared_bits(64, 8), words((8, 4), SHARED, (-9, 9), ring=9)),
        example(words((4, 4), PUBLIC, (-9, 9)), signed_words(50, 4, 2)),
    ),
)
def matmul(x: Array, y: Array) -> Array:
    """The matrix product x · y; x may hold bits. Fraction bits add; nothing is truncated."""
    return product(x.astype(np.uint64), y)


def _public_matrix(x: Type, y: Type) -> bool:
    return (x.owner, y.owner) == (PUBLIC, SHARED)


@matmul.way(DEALER, name="public factor", accepts=_public_matrix, source="linear in the shares")
def _(ctx: Context, x: Operand, y: Operand) -> Array:
    return matmul.meaning(x.words, y.words)


def _owned_words(x: Type, y: Type) -> bool:
    return owned(x, y) and x.kind != BIT


def _owned_product(x: Type, y: Type) -> OwnedProduct:
    owner = x.owner.party if isinstance(x.owner, Private) else 0
    (m, k), n = x.shape, y.shape[1]
    return OwnedProduct(owner, m, k, n, ring_of(x, y))


def _owned_cost(x: Type, y: Type) -> Cost:
    (m, k), n, ring = x.shape, y.shape[1], ring_of(x, y)
    owner = _owned_product(x, y).owner
    return Cost(
        ({(owner, 1 - owner): octets(m * k * ring), (1 - owner, owner): octets(k * n * ring)},)
    )


@matmul.way(
    DEALER,
    name="owned matrix",
    accepts=_owned_words,
    cost=_owned_cost,
    bill=lambda x, y: (_owned_product(x, y),),
    work=lambda x, y: 2 * x.size * y.shape[1],
    source=f"{BEAVER}, with a matrix that its owner masks once and does not share",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    return (
        yield from additive.owned_multiply(ctx, _owned_product(x.type, y.type), x.data, y.words)
    )


def _shared_words(x: Type, y: Type) -> bool:
    return x.owner == y.owner == SHARED and x.kind != BIT


def _matrix_triple(x: Type, y: Type) -> MatrixTriple:
    (m, k), n = x.shape, y.shape[1]
    return MatrixTriple(m, k, n, ring_of(x, y))


@matmul.way(
    DEALER,
    name="Beaver matrix triple",
    accepts=_shared_words,
    cost=lambda x, y: Cost((both_ways(ring_of(x, y) * (x.size + y.size)),)),
    bill=lambda x, y: (_matrix_triple(x, y),),
    work=lambda x, y: 3 * x.size * y.shape[1],
    source=BEAVER,
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    ring = ring_of(x.type, y.type)
    return (yield from additive.matrix_multiply(ctx, x.words, y.words, ring=ring))


def _bits_and_words(x: Type, y: Type) -> bool:
    return x.owner == y.owner == SHARED and x.kind == BIT


def _bit_scale(x: Type, y: Type) -> BitScale:
    (m, k), n = x.shape, y.shape[1]
    return BitScale((m, k, 1), (k, n), (m, k, n), ring_of(y))


@matmul.way(
    DEALER,
    name="dealt bit products",
    accepts=_bits_and_words,
    cost=lambda x, y: Cost((both_ways(x.size, ring_of(y) * y.size),)),
    bill=lambda x, y: (_bit_scale(x, y),),
    source=f"{BEAVER}, for a bit that is masked by a dealt bit",
)
def _(ctx: Context, x: Operand, y: Operand) -> Protocol[Array]:
    bits = x.words[:, :, np.newaxis]
    products = yield from boolean.scale(ctx, bits, y.words, ring=y.type.ring)
    result: Array = products.sum(axis=1, dtype=np.uint64)
    return result
