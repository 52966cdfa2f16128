"""Products: of shared words, of a matrix in the clear at its owner, of bits and words."""

import math
from dataclasses import replace

import numpy as np

from moiety.errors import UsageError
from moiety.lang.cost import Cost, both_ways, octets
from moiety.lang.primitive import DEALER, Array, Operand, example, primitive
from moiety.lang.types import (
    BIT,
    PUBLIC,
    SHARED,
    WORD_BITS,
    Masked,
    Private,
    Type,
    broadcast,
    words,
)
from moiety.ops import rules
from moiety.ops.rules import shared_bits, signed_words
from moiety.protocols import additive, boolean
from moiety.protocols import masked as protocol
from moiety.protocols.additive import MatrixTriple, Triple
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitScale
from moiety.protocols.masked import Mask, MaskedProduct, Table
from moiety.ring import matmul as matmul_words
from moiety.ring import matmul_transposed

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


@multiply.way(
    DEALER,
    name="public factor",
    accepts=_public_factor,
    linear=True,
    source="linear in the shares",
)
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
        example(signed_words(30, 16, 16), signed_words(29, 16, 8)),
        example(words((3, 8), SHARED, (0, 9), ring=13), words((8, 1), SHARED, (-9, 9), ring=13)),
        example(shared_bits(8, 5), signed_words(60, 5, 1)),
        example(shared_bits(64, 8), words((8, 4), SHARED, (-9, 9), ring=9)),
        example(words((4, 4), PUBLIC, (-9, 9)), signed_words(50, 4, 2)),
    ),
)
def matmul(x: Array, y: Array) -> Array:
    """The matrix product x · y; x may hold bits. Fraction bits add; nothing is truncated."""
    return matmul_words(x.astype(np.uint64), y)


def _public_matrix(x: Type, y: Type) -> bool:
    return (x.owner, y.owner) == (PUBLIC, SHARED)


@matmul.way(
    DEALER,
    name="public factor",
    accepts=_public_matrix,
    linear=True,
    source="linear in the shares",
)
def _(ctx: Context, x: Operand, y: Operand) -> Array:
    return matmul.meaning(x.words, y.words)


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


def _masked_table(x: Type, *, ring: int = WORD_BITS) -> Type:
    rules.all_words(x)
    if not isinstance(x.owner, Private) or len(x.shape) != 2:
        raise UsageError(f"mask of {x}", hint="only a table of one party is masked")
    return replace(x, owner=Masked(x.owner.party), ring=min(x.ring, ring))


def _mask(x: Type, ring: int = WORD_BITS) -> Mask:
    owner = x.owner.party if isinstance(x.owner, Private) else 0
    rows, columns = x.shape
    return Mask(owner, rows, columns, min(x.ring, ring))


def _mask_cost(x: Type, ring: int = WORD_BITS) -> Cost:
    mask = _mask(x, ring)
    return Cost(({(mask.owner, 1 - mask.owner): octets(x.size * mask.ring)},))


@primitive(
    rule=_masked_table,
    shapes=("m k",),
    examples=(
        example(signed_words(64, 64, 8, owner=Private(0))),
        example(words((16, 8), Private(1), (-9, 9)), ring=13),
    ),
)
def mask(x: Array, *, ring: int = WORD_BITS) -> Array:
    """The same table, for products with shared matrices; its owner sends it masked, once."""
    return x


@mask.way(
    DEALER,
    name="send the masked table",
    accepts=lambda x: isinstance(x.owner, Private),
    cost=_mask_cost,
    bill=lambda x, **given: (_mask(x, **given),),
    source="Mohassel, Zhang (SecureML, IEEE S&P 2017), §4.1",
)
def _(ctx: Context, x: Operand, *, ring: int = WORD_BITS) -> Protocol[Table]:
    return (yield from protocol.send_masked(ctx, _mask(x.type, ring), x.data))


def _masked_product(x: Type, y: Type, *, transposed: bool = False) -> Type:
    if not isinstance(x.owner, Masked) or y.owner != SHARED:
        raise UsageError(f"a product of {x}, which is not masked, with {y}")
    left = replace(x, owner=SHARED, shape=x.shape[::-1] if transposed else x.shape)
    return rules.matrix_multiplied(left, y)


def _product(x: Type, y: Type, transposed: bool = False) -> MaskedProduct:
    owner = x.owner.party if isinstance(x.owner, Masked) else 0
    m, k = x.shape
    return MaskedProduct(owner, m, k, y.shape[1], ring_of(x, y), transposed)


def _product_cost(x: Type, y: Type, **given: bool) -> Cost:
    wanted = _product(x, y, **given)
    return Cost(({(1 - wanted.owner, wanted.owner): octets(y.size * wanted.ring)},))


def _masked_and_shared(x: Type, y: Type) -> bool:
    return isinstance(x.owner, Masked) and y.owner == SHARED


@primitive(
    rule=_masked_product,
    shapes=("m k", "k n"),
    examples=(
        example(words((64, 8), Masked(0), (0, 1)), words((8, 64), SHARED, (-9, 9))),
        example(words((64, 8), Masked(1), (0, 1)), words((8, 64), SHARED, (-9, 9), ring=11)),
        example(words((5, 8), Masked(0), (0, 1)), signed_words(59, 8, 3, fraction=24)),
        example(
            words((16, 8), Masked(1), (-9, 9)),
            signed_words(40, 16, 16),
            shapes=("m k", "m n"),
            transposed=True,
        ),
    ),
)
def masked_matmul(x: Array, y: Array, *, transposed: bool = False) -> Array:
    """The matrix product x · y, or xᵀ · y; fraction bits add, nothing is truncated."""
    return matmul_transposed(x, y) if transposed else matmul_words(x, y)


@masked_matmul.way(
    DEALER,
    name="masked table",
    accepts=_masked_and_shared,
    cost=_product_cost,
    bill=lambda x, y, **given: (_product(x, y, **given),),
    work=lambda x, y, **given: 2 * x.size * y.shape[1],
    late=(0,),
    source=f"{BEAVER}, with a table that its owner masks once and does not share",
)
def _(ctx: Context, x: Operand, y: Operand, *, transposed: bool = False) -> Protocol[Array]:
    wanted = _product(x.type, y.type, transposed)
    return (yield from protocol.times(ctx, wanted, lambda: x.words, y.words))
