"""Type rules that several primitives share: scale, bounds, error and ring of a result."""

from moiety.errors import UsageError
from moiety.lang.types import (
    BIT,
    SHARED,
    WORD_BITS,
    Fixed,
    Kind,
    Owner,
    Shape,
    Type,
    bits,
    broadcast,
    joined,
    words,
)

Bounds = tuple[int, int]


def result(
    types: tuple[Type, ...], shape: Shape, kind: Kind, bounds: Bounds, *, error: int = 0
) -> Type:
    """The type of a result that is linear in shares, or opened mod the narrowest operand's ring."""
    owner = joined(type.owner for type in types)
    ring = WORD_BITS if kind == BIT else min(type.ring for type in types)
    return Type(shape, kind, owner, *bounds, error=error, ring=ring)


def all_words(*types: Type) -> None:
    """Refuses bits."""
    if any(type.kind == BIT for type in types):
        raise UsageError("a bit where a word is due", hint="convert it with bit_to_word")


def all_bits(*types: Type) -> None:
    """Refuses words."""
    if any(type.kind != BIT for type in types):
        raise UsageError("a word where a bit is due", hint="compare it with less_than")


def same_scale(*types: Type) -> Kind:
    """The operands' common kind."""
    kinds = {type.kind for type in types}
    if len(kinds) > 1:
        raise UsageError(
            f"operands of kinds {', '.join(sorted(map(str, kinds)))}",
            hint="bring them to one scale: multiply by a power of two, or truncate",
        )
    return kinds.pop()


def corners(x: Type, y: Type) -> Bounds:
    """The bounds of a product of two words."""
    products = [a * b for a in (x.lo, x.hi) for b in (y.lo, y.hi)]
    return min(products), max(products)


def product_error(x: Type, y: Type) -> int:
    """The error of a product of two words, in its own last place."""
    return x.magnitude * y.error + y.magnitude * x.error + x.error * y.error


def added(x: Type, y: Type) -> Type:
    """The type of a sum."""
    all_words(x, y)
    bounds = (x.lo + y.lo, x.hi + y.hi)
    shape = broadcast(x.shape, y.shape)
    return result((x, y), shape, same_scale(x, y), bounds, error=x.error + y.error)


def subtracted(x: Type, y: Type) -> Type:
    """The type of a difference."""
    all_words(x, y)
    bounds = (x.lo - y.hi, x.hi - y.lo)
    shape = broadcast(x.shape, y.shape)
    return result((x, y), shape, same_scale(x, y), bounds, error=x.error + y.error)


def multiplied(x: Type, y: Type) -> Type:
    """The type of an element-wise product; fraction bits add."""
    all_words(x, y)
    kind, shape = Fixed(x.fraction + y.fraction), broadcast(x.shape, y.shape)
    return result((x, y), shape, kind, corners(x, y), error=product_error(x, y))


def matrix_multiplied(x: Type, y: Type) -> Type:
    """The type of a product of matrices; the left one may hold bits."""
    all_words(y)
    if len(x.shape) != 2 or len(y.shape) != 2 or x.shape[1] != y.shape[0]:
        raise UsageError(f"shapes {x.shape} and {y.shape} are not those of a matrix product")
    terms = x.shape[1]
    lo, hi = corners(x, y)
    kind, error = Fixed(x.fraction + y.fraction), terms * product_error(x, y)
    return result((x, y), (x.shape[0], y.shape[1]), kind, (terms * lo, terms * hi), error=error)


def bitwise(*types: Type) -> Type:
    """The type of bits made from bits."""
    all_bits(*types)
    shape, error = broadcast(*(type.shape for type in types)), max(type.error for type in types)
    return result(types, shape, BIT, (0, 1), error=error)


def signed_words(width: int, *shape: int, owner: Owner = SHARED, fraction: int = 0) -> Type:
    """Words of every value of `width` signed bits: for examples."""
    half = 1 << (width - 1)
    return words(shape, owner, (-half, half - 1), fraction)


def shared_bits(*shape: int) -> Type:
    """Shared bits: for examples."""
    return bits(shape, SHARED)
