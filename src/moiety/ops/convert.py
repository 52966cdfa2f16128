"""Into shares, between kinds, to fewer fraction bits, and out: `reveal`."""

from dataclasses import replace

import numpy as np

from moiety.errors import UsageError
from moiety.lang.cost import Cost, both_ways, octets
from moiety.lang.primitive import (
    DEALER,
    Array,
    Correlated,
    Operand,
    all_shared,
    any_owner,
    example,
    primitive,
)
from moiety.lang.types import (
    BIT,
    INT,
    PUBLIC,
    SHARED,
    Fixed,
    Private,
    Type,
    bits,
    signed_bits,
    words,
)
from moiety.ops import rules
from moiety.ops.rules import shared_bits, signed_words
from moiety.protocols import additive, boolean, comparison, truncation
from moiety.protocols.base import Context, Protocol
from moiety.protocols.boolean import BitWord
from moiety.protocols.truncation import FloorMask, WrapProduct
from moiety.ring import pack_bits, pack_words


def _shared(x: Type) -> Type:
    if x.owner == SHARED:
        raise UsageError("share of a value that is shared")
    return replace(x, owner=SHARED)


@primitive(
    rule=_shared,
    shapes=("n",),
    examples=(
        example(signed_words(64, 5, owner=Private(0))),
        example(signed_words(64, 5, owner=Private(1))),
        example(bits((5,), Private(1))),
        example(signed_words(64, 5, owner=PUBLIC)),
    ),
)
def share(x: Array) -> Array:
    """The same x, as shares."""
    return x


@share.way(
    DEALER,
    name="owner's share is the value",
    accepts=any_owner,
    source="no message: whatever is opened later is masked by dealt randomness",
)
def _(ctx: Context, x: Operand) -> Array:
    holder = x.type.owner.party if isinstance(x.type.owner, Private) else 0
    element = np.uint8 if x.type.kind == BIT else np.uint64
    return x.words if ctx.party == holder else np.zeros(x.type.shape, element)


def _word(x: Type) -> Type:
    rules.all_bits(x)
    return rules.result((x,), x.shape, INT, (0, 1), error=x.error)


@primitive(
    rule=_word, shapes=("n",), examples=(example(shared_bits(512)), example(shared_bits(3, 3)))
)
def bit_to_word(x: Array) -> Array:
    """The bit as an integer word."""
    return x.astype(np.uint64)


@bit_to_word.way(
    DEALER,
    name="dealt bit",
    cost=lambda x: Cost((both_ways(x.size),)),
    bill=lambda x: (BitWord(x.size),),
    source="daBits (Rotaru, Wood, INDOCRYPT 2019), dealt",
)
def _(ctx: Context, x: Operand) -> Protocol[Array]:
    return (yield from boolean.to_words(ctx, x.words))


def _scaled_down(x: Type, shift: int) -> Fixed:
    rules.all_words(x)
    if not 1 <= shift <= x.fraction:
        raise UsageError(f"{shift} bits cannot be truncated from {x.kind}, which has {x.fraction}")
    return Fixed(x.fraction - shift)


def _rounded_error(x: Type, shift: int) -> int:
    """⌈error / 2^shift⌉."""
    return -(-x.error >> shift)


def _truncated(x: Type, *, shift: int) -> Type:
    kind = _scaled_down(x, shift)
    if shift > 62:
        raise UsageError(f"{shift} bits cannot be truncated at once", hint="at most 62")
    if x.ring < 64 or signed_bits(x.lo, x.hi) > 63:
        raise UsageError(
            f"truncate needs |x| < 2^62 and shares mod 2^64; {x} has not",
            hint="declare narrower bounds, or use truncate_exact",
        )
    bounds = (x.lo >> shift, (x.hi >> shift) + 1)
    return Type(x.shape, kind, x.owner, *bounds, error=_rounded_error(x, shift) + 1)


@primitive(
    rule=_truncated,
    shapes=("n",),
    examples=(
        example(signed_words(63, 512, fraction=62), shift=24),
        example(signed_words(63, 8, fraction=62), shift=62),
        example(signed_words(40, 2, 4, fraction=30), shift=1),
    ),
)
def truncate(x: Array, *, shift: int) -> Array:
    """⌊x / 2^shift⌋, or 1 more by a rounding coin, which must not reach a reveal."""
    return (x.view(np.int64) >> np.int64(shift)).view(np.uint64)


@truncate.way(
    DEALER,
    name="wrap of top bits",
    cost=lambda x, shift: Cost((both_ways(x.size),)),
    bill=lambda x, shift: (WrapProduct(x.size, shift),),
    source="Guo et al. (USENIX Security 2025, ePrint 2025/200), with a dealt product",
)
def _(ctx: Context, x: Operand, *, shift: int) -> Protocol[Array]:
    flat = yield from truncation.approximate(ctx, x.words.reshape(-1), shift)
    return flat.reshape(x.words.shape)


def _shortened(x: Type, *, shift: int) -> Type:
    kind, bounds = _scaled_down(x, shift), (x.lo >> shift, (x.hi >> shift) + 1)
    if shift >= x.ring or signed_bits(*bounds) > x.ring - shift:
        raise UsageError(f"{x} does not fit in {x.ring - shift} bits once {shift} are cut off")
    error = _rounded_error(x, shift) + 1
    return Type(x.shape, kind, x.owner, *bounds, error=error, ring=x.ring - shift)


@primitive(
    rule=_shortened,
    shapes=("n",),
    examples=(
        example(signed_words(63, 512, fraction=62), shift=24),
        example(words((8,), SHARED, (-9, 9), 3, ring=7), shift=3),
        example(words((2, 3), SHARED, (1 - 2**62, 2**62 - 1), 1), shift=1),
    ),
)
def shorten(x: Array, *, shift: int) -> Array:
    """As `truncate`, with shares mod 2^(ring - shift), which no message takes: see `widen`."""
    return (x.view(np.int64) >> np.int64(shift)).view(np.uint64)


@shorten.way(
    DEALER,
    name="shares shifted",
    source="linear mod 2^(ring - shift), but for the carry of the bits that are cut off",
)
def _(ctx: Context, x: Operand, *, shift: int) -> Array:
    return truncation.shorten(x.words, x.type.ring, shift, ctx.first)


def _floor_ring(x: Type, shift: int) -> int:
    """The least ring in which |x| < 2^(ring-2), with room for the low bits."""
    return max(signed_bits(x.lo, x.hi) + 1, shift + 2)


def _floored(x: Type, *, shift: int) -> Type:
    kind, ring = _scaled_down(x, shift), _floor_ring(x, shift)
    if ring > x.ring:
        raise UsageError(
            f"truncate_exact of {x} needs shares mod 2^{ring}, which has 2^{x.ring}",
            hint="declare narrower bounds, or narrow to a wider ring before",
        )
    error = _rounded_error(x, shift)
    return Type(x.shape, kind, x.owner, x.lo >> shift, x.hi >> shift, error=error)


@primitive(
    rule=_floored,
    shapes=("n",),
    examples=(
        example(signed_words(63, 512, fraction=40), shift=14),
        example(signed_words(63, 8, fraction=62), shift=62),
        example(words((8,), SHARED, (1 - 2**62, 2**62 - 1), 1), shift=1),
        example(words((2, 4), SHARED, (-5, 5), 24), shift=14),
        example(words((512,), SHARED, (-(2**34), 2**34), 24, ring=38), shift=14),
        example(words((1,), SHARED, (-9, 9), 3), shift=3),
    ),
)
def truncate_exact(x: Array, *, shift: int) -> Array:
    """⌊x / 2^shift⌋, exactly."""
    return (x.view(np.int64) >> np.int64(shift)).view(np.uint64)


def _digit_tables(digit: int) -> None:
    """Declares the exact floor by tables of so many bits: wider ones deal more and open less."""

    def cost(x: Type, shift: int) -> Cost:
        tree = map(both_ways, comparison.opened_bits(x.size, shift, digit))
        return Cost((both_ways(x.size * _floor_ring(x, shift)), *tree, both_ways(x.size)))

    def bill(x: Type, shift: int) -> tuple[Correlated, ...]:
        mask = FloorMask(x.size, _floor_ring(x, shift), shift, digit)
        return mask, *comparison.tree_triples(x.size, shift, digit), BitWord(x.size)

    @truncate_exact.way(
        DEALER,
        name=f"dealt digit tables of {digit} bits",
        cost=cost,
        bill=bill,
        source="Catrina, de Hoogh (SCN 2010) in a ring, the borrow by dealt digit tables",
    )
    def _(ctx: Context, x: Operand, *, shift: int) -> Protocol[Array]:
        ring = _floor_ring(x.type, shift)
        flat = yield from truncation.floor(ctx, x.words.reshape(-1), ring, shift, digit)
        return flat.reshape(x.words.shape)


_digit_tables(4)
_digit_tables(6)


def _revealed(x: Type, *, to: int, coins_too: bool = False) -> Type:
    if x.owner != SHARED or to not in (0, 1):
        raise UsageError(f"reveal of {x} to party {to}: only shared values, to party 0 or 1")
    if x.error and not coins_too:
        raise UsageError(
            f"reveal of {x} would tell the rounding coins of a truncation before it",
            hint="use truncate_exact there, or say reveal(x, to=..., coins_too=True)",
        )
    return Type(x.shape, x.kind, Private(to), x.lo, x.hi, error=x.error)


@primitive(
    rule=_revealed,
    shapes=("n",),
    examples=(
        example(signed_words(64, 5), to=0),
        example(signed_words(64, 5), to=1),
        example(words((8,), SHARED, (-9, 9), ring=7), to=0),
        example(shared_bits(11), to=1),
    ),
)
def reveal(x: Array, *, to: int, coins_too: bool = False) -> Array:
    """The same x, in the clear at party `to`: the only primitive whose result somebody sees.

    `coins_too` accepts that the receiver also learns the rounding coins of truncations upstream.
    """
    return x


def _reveal_cost(x: Type, *, to: int, coins_too: bool = False) -> Cost:
    return Cost(({(1 - to, to): octets(x.size * x.width)},))


def _difference(x: Type, result: Array, own: Array) -> bytes:
    """The message that brings `result` to a receiver whose share is `own`: the simulator."""
    if x.kind == BIT:
        bits: Array = result ^ own
        return pack_bits(bits)
    return pack_words(result - own, x.width)


@reveal.way(
    DEALER,
    name="send the share",
    accepts=all_shared,
    cost=_reveal_cost,
    reveals="the value, to one party",
    simulator=_difference,
    source="opening to one party",
)
def _(ctx: Context, x: Operand, *, to: int, coins_too: bool = False) -> Protocol[Array | None]:
    if x.type.kind == BIT:
        return (yield from boolean.reveal(ctx, x.words, to=to))
    return (yield from additive.reveal(ctx, x.words, to=to, ring=x.type.width))
