"""Primitives that send nothing: linear, so each party applies the meaning to its own shares."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.lang.primitive import DEALER, Array, Operand, Primitive, example, primitive
from moiety.lang.types import BIT, SHARED, Type, words
from moiety.ops import rules
from moiety.ops.rules import shared_bits, signed_words


def linear(target: Primitive) -> Primitive:
    """Declares that shares of the result are the meaning of the operands' shares."""

    def body(ctx: Any, *operands: Operand, **parameters: Any) -> Array:
        return target.meaning(*(operand.words for operand in operands), **parameters)

    target.way(DEALER, name="linear", linear=True, source="linear in the shares")(body)
    return target


def unchanged(target: Primitive) -> Primitive:
    """Declares, besides, that the result has the words of the first operand."""
    target.unchanged = True
    return linear(target)


@linear
@primitive(
    rule=rules.added,
    shapes=("n", "n"),
    examples=(
        example(signed_words(63, 5), signed_words(63, 5)),
        example(signed_words(40, 3, 1), signed_words(62, 4)),
    ),
)
def add(x: Array, y: Array) -> Array:
    """The sum x + y."""
    return x + y


@linear
@primitive(
    rule=rules.subtracted,
    shapes=("n", "n"),
    examples=(example(signed_words(63, 5), signed_words(63, 5)),),
)
def subtract(x: Array, y: Array) -> Array:
    """The difference x - y."""
    return x - y


def _negated(x: Type) -> Type:
    rules.all_words(x)
    return rules.result((x,), x.shape, x.kind, (-x.hi, -x.lo), error=x.error)


@linear
@primitive(rule=_negated, shapes=("n",), examples=(example(words((5,), SHARED, (-9, 8))),))
def negate(x: Array) -> Array:
    """The negative -x."""
    return np.negative(x)


def without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape with one axis, counted from 0, removed."""
    if not 0 <= axis < len(shape):
        raise UsageError(f"shape {shape} has no axis {axis}; axes count from 0")
    return shape[:axis] + shape[axis + 1 :]


def _summed(x: Type, *, axis: int) -> Type:
    rules.all_words(x)
    shape, terms = without(x.shape, axis), x.shape[axis]
    return rules.result((x,), shape, x.kind, (terms * x.lo, terms * x.hi), error=terms * x.error)


@linear
@primitive(rule=_summed, shapes=("m n",), examples=(example(signed_words(61, 3, 4), axis=1),))
def sum_over(x: Array, *, axis: int) -> Array:
    """The sum over an axis."""
    total: Array = x.sum(axis, dtype=np.uint64)
    return total


def _parity(x: Type, *, axis: int) -> Type:
    rules.all_bits(x)
    return rules.result((x,), without(x.shape, axis), BIT, (0, 1), error=x.error)


@linear
@primitive(rule=_parity, shapes=("m n",), examples=(example(shared_bits(3, 5), axis=1),))
def parity(x: Array, *, axis: int) -> Array:
    """The exclusive or over an axis."""
    total: Array = np.bitwise_xor.reduce(x, axis=axis)
    return total


@linear
@primitive(
    rule=rules.bitwise,
    shapes=("n", "n"),
    examples=(example(shared_bits(9), shared_bits(9)), example(shared_bits(3, 1), shared_bits(4))),
)
def logical_xor(x: Array, y: Array) -> Array:
    """The bits x ^ y."""
    return x ^ y


@primitive(rule=rules.bitwise, shapes=("n",), examples=(example(shared_bits(9)),))
def logical_not(x: Array) -> Array:
    """The bits 1 ^ x."""
    return x ^ np.uint8(1)


@logical_not.way(DEALER, name="first party flips", source="linear in the shares")
def _(ctx: Any, x: Operand) -> Array:
    return x.words ^ np.uint8(ctx.first)


def _reshaped(x: Type, *, shape: tuple[int, ...]) -> Type:
    if replace(x, shape=shape).size != x.size:
        raise UsageError(f"shape {x.shape} does not have as many elements as {shape}")
    return replace(x, shape=shape)


@linear
@primitive(
    rule=_reshaped,
    shapes=("m n",),
    examples=(
        example(signed_words(64, 3, 4), shape=(2, 6)),
        example(shared_bits(3, 4), shape=(12,)),
    ),
)
def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The same elements in another shape."""
    return x.reshape(shape)


def _transposed(x: Type) -> Type:
    return replace(x, shape=x.shape[::-1])


@linear
@primitive(rule=_transposed, shapes=("m n",), examples=(example(signed_words(64, 3, 4)),))
def transpose(x: Array) -> Array:
    """The axes in reverse order."""
    return np.ascontiguousarray(x.T)


def _taken(x: Type, *, indices: Sequence[int], axis: int) -> Type:
    # a range may be long: its ends say it all
    ends = (indices[0], indices[-1]) if isinstance(indices, range) and indices else indices
    if not indices or min(ends) < 0 or max(ends) >= x.shape[axis]:
        raise UsageError(f"shape {x.shape} lacks one of the indices on axis {axis}")
    return replace(x, shape=(*x.shape[:axis], len(indices), *without(x.shape, axis)[axis:]))


@linear
@primitive(
    rule=_taken,
    shapes=("m n",),
    examples=(
        example(signed_words(64, 3, 4), indices=(3, 0, 0), axis=1),
        example(shared_bits(3, 4), indices=(2,), axis=0),
    ),
)
def take(x: Array, *, indices: Sequence[int], axis: int) -> Array:
    """The elements at public indices along an axis."""
    return np.take(x, indices, axis)


def _concatenated(*types: Type, axis: int) -> Type:
    kind = rules.same_scale(*types)
    if len({without(type.shape, axis) for type in types}) > 1:
        raise UsageError(f"shapes {[type.shape for type in types]} do not meet on axis {axis}")
    first = types[0].shape
    shape = (*first[:axis], sum(type.shape[axis] for type in types), *first[axis + 1 :])
    bounds = (min(type.lo for type in types), max(type.hi for type in types))
    return rules.result(types, shape, kind, bounds, error=max(type.error for type in types))


@linear
@primitive(
    rule=_concatenated,
    shapes=("m n", "m n"),
    examples=(
        example(signed_words(64, 3, 4), signed_words(9, 3, 2), axis=1),
        example(shared_bits(3, 4), shared_bits(1, 4), axis=0),
    ),
)
def concat(*parts: Array, axis: int) -> Array:
    """The parts one after the other along an axis."""
    return np.concatenate(parts, axis)


def _within(x: Type, *, lo: int, hi: int, by: str) -> Type:
    rules.all_words(x)
    return replace(x, lo=max(x.lo, lo), hi=min(x.hi, hi))


@unchanged
@primitive(
    rule=_within,
    shapes=("n",),
    examples=(example(signed_words(9, 5), lo=-256, hi=255, by="declared"),),
)
def within(x: Array, *, lo: int, hi: int, by: str) -> Array:
    """The same x, which `by` promises to lie in [lo, hi]; nothing checks it.

    The program's text says who promises. A broken promise makes later results wrong; it does not
    make any message depend on a secret.
    """
    return x


def _stood(x: Type, argument: Type, *, function: str, by: str, error: float, slope: float) -> Type:
    rules.all_words(x, argument)
    if x.shape != argument.shape:
        raise UsageError(f"{function} of shape {argument.shape} has shape {x.shape}")
    return x


@unchanged
@primitive(
    rule=_stood,
    shapes=("n", "n"),
    examples=(
        example(
            signed_words(64, 5),
            signed_words(9, 5),
            function="exp",
            by="the example",
            error=0.5,
            slope=1.0,
        ),
    ),
)
def stands_for(
    x: Array, argument: Array, *, function: str, by: str, error: float, slope: float
) -> Array:
    """The same x, which approximates function(argument) to within `error`, in real units.

    `by` names the expansion; `slope` bounds the function's steepness where the argument lies, so
    that |x - f(a)| ≤ error + slope · |a - real a|. It tells error bounds what the steps before it
    are for.
    """
    return x


def _narrowed(x: Type, *, ring: int) -> Type:
    rules.all_words(x)
    return replace(x, ring=min(x.ring, ring))


@unchanged
@primitive(rule=_narrowed, shapes=("n",), examples=(example(signed_words(40, 5), ring=40),))
def narrow(x: Array, *, ring: int) -> Array:
    """The same x, of whose shares only the low `ring` bits will matter: messages carry no more.

    Refused where a later value does not fit in as many signed bits.
    """
    return x
