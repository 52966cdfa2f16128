"""Arithmetic, comparison, choice and logic, element by element."""

import operator
from typing import Any

import numpy as np

from moiety.array.approximate import quotient
from moiety.array.dispatch import function
from moiety.array.number import (
    Array,
    Number,
    aligned,
    bounded,
    encoded,
    lift,
    numbers,
    rescaled,
    tracing,
)
from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import REGISTRY
from moiety.lang.types import PUBLIC
from moiety.ops.compare import select


@function()
def add(x: Number, y: Number) -> Array:
    """The sum x + y."""
    a, b = aligned(x, y)
    return Array(a.value + b.value)


@function()
def subtract(x: Number, y: Number) -> Array:
    """The difference x - y."""
    a, b = aligned(x, y)
    return Array(a.value - b.value)


@function()
def negative(x: Array) -> Array:
    """The negative -x."""
    (a,) = numbers(x)
    return Array(-a.value)


@function()
def positive(x: Array) -> Array:
    """The same x."""
    return x


@function()
def multiply(x: Number, y: Number) -> Array:
    """The product x · y; of a boolean and a number, a choice."""
    if x is y and isinstance(x, Array):
        return square(x)
    for flag, other in ((x, y), (y, x)):
        if isinstance(flag, Array) and flag.dtype is bool:
            return where(flag, other, 0)
    a, b = numbers(x, y, extra=True)
    return rescaled(Array(a.value * b.value))


@function()
def square(x: Array) -> Array:
    """The square x²."""
    (a,) = numbers(x)
    product = Array(a.value * a.value)
    least = 0 if a.type.lo <= 0 <= a.type.hi else min(a.type.lo**2, a.type.hi**2)
    return rescaled(bounded(product, least, a.type.magnitude**2, "a square"))


@function(operator.truediv)
def divide(x: Number, y: Number) -> Array:
    """The quotient x / y: by a number, or by a secret whose bounds exclude 0."""
    if not isinstance(y, Array):
        return multiply(x, 1.0 / np.asarray(y, np.float64))
    return quotient(x, y)


@function()
def pow(x: Array, exponent: int) -> Array:
    """The power of a public whole exponent ≥ 0."""
    if not isinstance(exponent, int) or exponent < 1:
        raise UsageError(f"the power {exponent!r}", hint="use a whole exponent of at least 1")
    if exponent == 1:
        return x
    half = square(pow(x, exponent // 2))
    return multiply(half, x) if exponent % 2 else half


@function()
def less(x: Number, y: Number) -> Array:
    """The boolean x < y. A real constant is compared exactly, not rounded."""
    a, b = _compared(x, y)
    return Array(a.value < b.value)


@function()
def greater(x: Number, y: Number) -> Array:
    """The boolean x > y."""
    return less(y, x)


@function()
def less_equal(x: Number, y: Number) -> Array:
    """The boolean x ≤ y."""
    return logical_not(less(y, x))


@function()
def greater_equal(x: Number, y: Number) -> Array:
    """The boolean x ≥ y."""
    return logical_not(less(x, y))


@function()
def equal(x: Number, y: Number) -> Array:
    """The boolean x = y."""
    builder = tracing(x, y)
    if builder is not None and all(_boolean(v) for v in (x, y)):
        return logical_not(logical_xor(x, y))
    a, b = aligned(x, y)
    if "equal" in REGISTRY:
        return Array(REGISTRY["equal"](a.value, b.value))
    return logical_not(logical_or(less(a, b), less(b, a)))


@function()
def not_equal(x: Number, y: Number) -> Array:
    """The boolean x ≠ y."""
    return logical_not(equal(x, y))


def _compared(x: Number, y: Number) -> list[Array]:
    """The operands of x < y on one scale; a constant c as ⌈c⌉ on the right, ⌊c⌋ on the left."""
    for left, (constant, secret) in enumerate(((y, x), (x, y))):
        if isinstance(secret, Array) and not isinstance(constant, Array) and secret.type.fraction:
            reals = np.asarray(constant, np.float64)
            if not np.isfinite(reals).all():
                raise UsageError("a comparison with a constant that is not finite")
            builder = tracing(secret)
            if builder is None:
                raise InternalError("an array without a program")
            number = encoded(builder, reals, secret.type.fraction, up=not left)
            return [number, secret] if left else [secret, number]
    return aligned(x, y)


@function()
def where(condition: Any, x: Number, y: Number) -> Array:
    """The elements of x where the condition holds, else those of y."""
    builder = tracing(condition, x, y)
    if builder is None:
        raise InternalError("no operand belongs to a program")
    chosen = lift(builder, condition)
    if chosen.dtype is not bool:
        raise UsageError("the condition of `where` is a number", hint="compare it with something")
    if all(_boolean(v) for v in (x, y)):
        second = lift(builder, y)
        both = logical_and(chosen, logical_xor(x, second))
        return logical_xor(both, second)
    a, b = aligned(lift(builder, x), lift(builder, y))
    if chosen.type.owner == PUBLIC:
        (one,) = numbers(chosen)
        either = Array(one.value * a.value + (1 - one.value) * b.value)
        least, most = min(a.type.lo, b.type.lo), max(a.type.hi, b.type.hi)
        return bounded(either, least, most, "one of two")
    return Array(select(chosen.value, a.value, b.value))


@function()
def minimum(x: Number, y: Number) -> Array:
    """The smaller of x and y."""
    a, b = aligned(x, y)
    chosen = Array(select(a.value < b.value, a.value, b.value))
    return bounded(chosen, None, min(a.type.hi, b.type.hi), "the smaller of two")


@function()
def maximum(x: Number, y: Number) -> Array:
    """The larger of x and y."""
    a, b = aligned(x, y)
    chosen = Array(select(a.value < b.value, b.value, a.value))
    return bounded(chosen, max(a.type.lo, b.type.lo), None, "the larger of two")


@function()
def clip(x: Array, min: Number, max: Number) -> Array:
    """The elements cut to public bounds; comparisons run side by side, and so do choices."""
    a, low, high = aligned(x, min, max)
    if (low.type.hi, high.type.lo) != (low.type.lo, high.type.hi) or low.type.hi > high.type.lo:
        raise UsageError("clip needs public bounds with min ≤ max", hint="use minimum and maximum")
    up = select(a.value < low.value, low.value - a.value, 0 * low.value)
    down = select(high.value < a.value, high.value - a.value, 0 * high.value)
    return bounded(Array(a.value + up + down), low.type.lo, high.type.hi, "a clip")


@function()
def abs(x: Array) -> Array:
    """The absolute value."""
    (a,) = numbers(x)
    chosen = Array(select(less(a, 0).value, -a.value, a.value))
    return bounded(chosen, 0, a.type.magnitude, "an absolute value")


@function()
def sign(x: Array) -> Array:
    """The integer -1, 0 or 1."""
    (positive_,) = numbers(less(0, x))
    (negative_,) = numbers(less(x, 0))
    return Array(positive_.value - negative_.value)


@function()
def logical_not(x: Array) -> Array:
    """The boolean not x."""
    return Array(~_bits(x)[0].value)


@function()
def logical_and(x: Number, y: Number) -> Array:
    """The boolean x and y."""
    a, b = _bits(x, y)
    return Array(a.value & b.value)


@function()
def logical_or(x: Number, y: Number) -> Array:
    """The boolean x or y."""
    a, b = _bits(x, y)
    return Array(a.value | b.value)


@function()
def logical_xor(x: Number, y: Number) -> Array:
    """The boolean either x or y."""
    a, b = _bits(x, y)
    return Array(a.value ^ b.value)


def _bits(*operands: Number) -> list[Array]:
    builder = tracing(*operands)
    if builder is None:
        raise InternalError("no operand belongs to a program")
    arrays = [lift(builder, operand) for operand in operands]
    if any(array.dtype is not bool for array in arrays):
        raise UsageError("&, |, ^, ~ of a number", hint="compare it first: they take booleans")
    return arrays


def _boolean(operand: Number) -> bool:
    if isinstance(operand, Array):
        return operand.dtype is bool
    return bool(np.asarray(operand).dtype == np.bool_)
