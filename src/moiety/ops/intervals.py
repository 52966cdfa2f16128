"""Where a secret lies among public cuts, and what a public function of the interval makes of it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from moiety.errors import UsageError
from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import DEALER, Array, Correlated, Operand, all_shared, example, primitive
from moiety.lang.types import BIT, SHARED, WORD_BITS, Fixed, Type, bits, signed_bits, words
from moiety.ops import rules
from moiety.ops.local import unchanged
from moiety.ops.rules import signed_words
from moiety.ops.work import keys
from moiety.protocols import comparison, dpf, piecewise
from moiety.protocols.base import Context, Protocol
from moiety.protocols.comparison import SignMask
from moiety.protocols.dpf import PrefixMask
from moiety.protocols.piecewise import BitsScale, Lines
from moiety.protocols.truncation import WrapProduct


def width(x: Type, at: tuple[int, ...]) -> int:
    """The bits of x less any of the cuts."""
    return signed_bits(x.lo - max(at), x.hi - min(at))


def _located(x: Type, *, at: tuple[int, ...]) -> Type:
    rules.all_words(x)
    if not at or list(at) != sorted(set(at)):
        raise UsageError(f"cuts at {at}", hint="name at least one, and let them rise")
    if width(x, at) > x.ring:
        raise UsageError(f"{x} less a cut at {at[0]} or {at[-1]} does not fit")
    return rules.result((x,), (*x.shape, len(at)), BIT, (0, 1), error=min(1, x.error))


@primitive(
    rule=_located,
    shapes=("n",),
    examples=(
        example(signed_words(62, 256), at=(-(2**61), -3, 0, 2**60)),
        example(signed_words(20, 512), at=(0, 5)),
        example(words((2, 3), SHARED, (0, 90), ring=9), at=(1, 2, 4)),
        example(words((3,), SHARED, (0, 1)), at=(1,)),
    ),
)
def less_than_each(x: Array, *, at: tuple[int, ...]) -> Array:
    """Along a new last axis the bits [x < cut] for rising public cuts; one opening for all."""
    cuts = np.array(at, np.int64).view(np.uint64)
    return ((x[..., np.newaxis] - cuts).view(np.int64) < 0).astype(np.uint8)


less_than_each.needs = width


def _digits_cost(x: Type, *, at: tuple[int, ...]) -> Cost:
    tree = comparison.opened_bits(x.size, width(x, at) - 1)
    rounds = (both_ways(*[opened] * len(at)) for opened in tree)
    return Cost((both_ways(x.size * width(x, at)), *rounds))


def _digits_bill(x: Type, *, at: tuple[int, ...]) -> tuple[Correlated, ...]:
    n = width(x, at)
    tree = comparison.tree_triples(x.size, n - 1)
    return SignMask(x.size, n), *(triples for triples in tree for _ in at)


def _shifts(at: tuple[int, ...]) -> Array:
    return np.array(at, np.int64).view(np.uint64)


@less_than_each.way(
    DEALER,
    name="dealt digit tables, read at each cut",
    cost=_digits_cost,
    bill=_digits_bill,
    source="as less_than; a table is read in a public place, so one serves every cut",
)
def _(ctx: Context, x: Operand, *, at: tuple[int, ...]) -> Protocol[Array]:
    flat, n = x.words.reshape(-1), width(x.type, at)
    return _last((yield from piecewise.signs(ctx, flat, _shifts(at), n)), x.type)


def _last(sign: Array, x: Type) -> Array:
    """Bits (cuts, n) as bits of the shape of x and a last axis of cuts."""
    return np.ascontiguousarray(sign.T).reshape(*x.shape, len(sign))


@less_than_each.way(
    DEALER,
    name="DPF prefix parity at each cut",
    accepts=lambda x: all_shared(x) and x.width > dpf.LEAF,
    cost=lambda x, at: Cost((both_ways(x.size * width(x, at)),)),
    bill=lambda x, at: (PrefixMask(x.size, width(x, at)),),
    work=lambda x, at: keys(x.size, width(x, at) - 1, len(at)),
    source="Storrier et al. (Grotto, CCS 2023): one key, as many points as there are cuts",
)
def _(ctx: Context, x: Operand, *, at: tuple[int, ...]) -> Protocol[Array]:
    flat, n = x.words.reshape(-1), width(x.type, at)
    return _last((yield from dpf.negative(ctx, flat, n, shifts=_shifts(at))), x.type)


def _lined(
    below: Type,
    x: Type,
    *,
    lines: Lines,
    bounds: tuple[int, int],
    fraction: int,
    by: str,
) -> Type:
    rules.all_bits(below)
    rules.all_words(x)
    if below.shape != (*x.shape, lines.cuts):
        raise UsageError(f"lines for {lines.cuts} cuts, bits {below.shape} of {x.shape}")
    error = x.error * max(map(abs, lines.slopes))
    result = rules.result((below, x), x.shape, Fixed(fraction), bounds, error=error)
    return replace(result, ring=x.ring)


@primitive(
    rule=_lined,
    shapes=("n 3", "n"),
    examples=(
        example(
            bits((512, 3), SHARED),
            signed_words(20, 512),
            lines=Lines((0, 5, -1, 1 << 40), (7, 0, -(1 << 61), 0)),
            bounds=(-(1 << 62), 1 << 62),
            fraction=3,
            by="the example",
        ),
        example(
            bits((2, 3, 1), SHARED),
            words((2, 3), SHARED, (-9, 9), ring=20),
            lines=Lines((1, -1), (0, 3)),
            bounds=(-12, 12),
            fraction=0,
            by="the example",
        ),
    ),
)
def piecewise_linear(
    below: Array,
    x: Array,
    *,
    lines: Lines,
    bounds: tuple[int, int],
    fraction: int,
    by: str,
) -> Array:
    """The word slope·x + offset of the line for x's interval, the number of 0s of `below` at x.

    `by` promises the bounds of the result, for the x that can lie in each interval. The stated
    error takes the interval as given: x near a cut may by its own error lie on the other side.
    """
    (slopes, offsets), bits = lines.words(), below.astype(np.uint64)
    result: Array = slopes[-1] * x + offsets[-1]
    result += (bits @ -np.diff(slopes)) * x + bits @ -np.diff(offsets)
    return result


def _steepest(
    below: Type, x: Type, *, errors: Sequence[float], lines: Lines, fraction: int, **_: object
) -> float:
    """The argument's error times the steepest slope."""
    return math.ldexp(errors[1] * max(map(abs, lines.slopes)), x.fraction - fraction)


piecewise_linear.accuracy = _steepest


def _scale(below: Type, x: Type) -> BitsScale:
    return BitsScale(x.size, below.shape[-1], x.ring)


@piecewise_linear.way(
    DEALER,
    name="dealt bit products",
    cost=lambda below, x, **_: Cost((both_ways(below.size, x.ring * x.size),)),
    bill=lambda below, x, **_: (_scale(below, x),),
    source="Beaver (CRYPTO 1991), for bits that are masked by dealt bits; x is opened once",
)
def _(
    ctx: Context,
    below: Operand,
    x: Operand,
    *,
    lines: Lines,
    **_: object,
) -> Protocol[Array]:
    flags = np.ascontiguousarray(below.words.reshape(x.type.size, -1).T)
    flat = yield from piecewise.piecewise(ctx, flags, x.words.reshape(-1), lines, ring=x.type.ring)
    return flat.reshape(x.type.shape)


def _widened(x: Type, *, shift: int = 0) -> Type:
    rules.all_words(x)
    if not 0 <= shift <= x.fraction or signed_bits(x.lo, x.hi) >= x.ring:
        raise UsageError(f"widen of {x} by {shift} bits needs |x| < 2^{x.ring - 2}")
    if x.ring == WORD_BITS and not shift:
        raise UsageError(f"widen of {x}, which is as wide as can be")
    bounds = (x.lo >> shift, (x.hi >> shift) + bool(shift))
    error = -(-x.error >> shift) + bool(shift)
    return Type(x.shape, Fixed(x.fraction - shift), x.owner, *bounds, error=error)


@primitive(
    rule=_widened,
    shapes=("n",),
    examples=(
        example(words((512,), SHARED, (-(2**30), 2**30 - 1), ring=32)),
        example(words((512,), SHARED, (-(2**33), 2**33 - 1), 32, ring=35), shift=14),
        example(words((2, 3), SHARED, (-1, 1), 1, ring=3), shift=1),
    ),
)
def widen(x: Array, *, shift: int = 0) -> Array:
    """The same x, with shares mod 2^64; with a shift as `truncate`, its rounding coin included."""
    return (x.view(np.int64) >> np.int64(shift)).view(np.uint64)


@widen.way(
    DEALER,
    name="wrap of top bits",
    cost=lambda x, shift=0: Cost((both_ways(x.size),)),
    bill=lambda x, shift=0: (WrapProduct(x.size, WORD_BITS - x.ring + shift),),
    source="Guo et al. (USENIX Security 2025, ePrint 2025/200), with a dealt product",
)
def _(ctx: Context, x: Operand, *, shift: int = 0) -> Protocol[Array]:
    flat = yield from piecewise.widen(ctx, x.words.reshape(-1), x.type.ring, shift)
    return flat.reshape(x.words.shape)


def _cut_once(x: Type, *, errors: Sequence[float], shift: int = 0) -> float:
    """A unit of the last place for what is cut off."""
    return errors[0] + (math.ldexp(1.0, shift - x.fraction) if shift else 0.0)


widen.accuracy = _cut_once


def _read_as(x: Type, *, fraction: int) -> Type:
    rules.all_words(x)
    return replace(x, kind=Fixed(fraction))


@unchanged
@primitive(
    rule=_read_as, shapes=("n",), examples=(example(signed_words(64, 3, fraction=9), fraction=8),)
)
def read_as(x: Array, *, fraction: int) -> Array:
    """The same words with other fraction bits: x times a power of two, for nothing."""
    return x


def _scaled(x: Type, *, errors: Sequence[float], fraction: int) -> float:
    """The argument's error, scaled as the argument is."""
    return math.ldexp(errors[0], x.fraction - fraction)


read_as.accuracy = _scaled


def _proven(x: Type, *, lo: int, hi: int, by: str) -> Type:
    rules.all_words(x)
    return replace(x, lo=max(x.lo, lo), hi=min(x.hi, hi))


@unchanged
@primitive(
    rule=_proven,
    shapes=("n",),
    examples=(example(signed_words(9, 5), lo=-256, hi=255, by="the example"),),
)
def proven(x: Array, *, lo: int, hi: int, by: str) -> Array:
    """The same x, of which `by` proves bounds, whichever way truncations before it round.

    Unlike `within` no user promises it: for functions of this package.
    """
    return x


def _as_before(x: Type, *, errors: Sequence[float], **_: object) -> float:
    """Bounds change no value."""
    return errors[0]


proven.accuracy = _as_before
