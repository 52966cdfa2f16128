"""Sums, means, extremes; an extreme is found by a tournament of pairs."""

import math
from typing import Any

import numpy as np

from moiety.array.dispatch import function
from moiety.array.elementwise import less, logical_and, logical_or, maximum, minimum, multiply
from moiety.array.elementwise import where as choose
from moiety.array.number import Array, lift, numbers, rescaled, tracing
from moiety.array.shape import (
    Axes,
    axis_of,
    concat,
    expand_dims,
    getitem,
    permute_dims,
    reshape,
    squeeze,
)
from moiety.errors import InternalError, UsageError
from moiety.ops import local

BLOCK = 64
"""Elements that one product sums up."""


def _axes(x: Array, axis: Axes | None) -> list[int]:
    """The axes from 0, last first; all of them for None."""
    if axis is None:
        return list(reversed(range(x.ndim)))
    return sorted({axis_of(x, one) for one in ((axis,) if isinstance(axis, int) else axis)})[::-1]


def _kept(x: Array, axes: list[int], keepdims: bool) -> Array:
    for axis in sorted(axes) if keepdims else ():
        x = expand_dims(x, axis=axis)
    return x


@function()
def sum(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The sum over axes; of booleans, how many hold."""
    (a,) = numbers(x)
    axes = _axes(a, axis)
    total = a.value
    for one in axes:
        total = local.sum_over(total, axis=one)
    return _kept(Array(total), axes, keepdims)


@function(lambda x, axis=0: np.cumsum(x, axis=axis))
def cumulative_sum(x: Array, axis: int = 0) -> Array:
    """The sums of all elements up to each along an axis; nothing is sent."""
    (a,) = numbers(x)
    at = axis_of(a, axis)
    last = permute_dims(a, (*(one for one in range(a.ndim) if one != at), at))
    flat = reshape(last, (-1, a.shape[at]))
    back = tuple(range(a.ndim - 1))
    return permute_dims(reshape(_running(flat), last.shape), (*back[:at], a.ndim - 1, *back[at:]))


def _running(rows: Array) -> Array:
    """Running sums of each row: in blocks, by a triangle of ones, and of the blocks' sums."""
    count, length = rows.shape
    triangle = np.triu(np.ones((BLOCK, BLOCK), np.int64))
    if length <= BLOCK:
        return matmul(rows, triangle[:length, :length])
    blocks = -(-length // BLOCK)
    padding = np.zeros((count, blocks * BLOCK - length), np.int64)
    padded = concat([rows, padding], axis=1) if padding.size else rows
    inner = matmul(reshape(padded, (count * blocks, BLOCK)), triangle)
    totals = reshape(getitem(inner, (slice(None), -1)), (count, blocks))
    before = _running(totals) - totals
    summed = inner + reshape(before, (count * blocks, 1))
    return getitem(reshape(summed, padded.shape), (slice(None), slice(0, length)))


@function()
def mean(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The mean over axes."""
    count = math.prod(x.shape[one] for one in _axes(x, axis))
    return multiply(sum(x, axis=axis, keepdims=keepdims), 1.0 / count)


@function()
def max(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The largest over axes."""
    return _extreme(maximum, x, axis, keepdims)


@function()
def min(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The smallest over axes."""
    return _extreme(minimum, x, axis, keepdims)


@function()
def any(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """True where one of the booleans over axes holds."""
    return _extreme(logical_or, x, axis, keepdims)


@function()
def all(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """True where all booleans over axes hold."""
    return _extreme(logical_and, x, axis, keepdims)


def _extreme(better: Any, x: Array, axis: Axes | None, keepdims: bool) -> Array:
    axes = _axes(x, axis)
    for one in axes:
        x = squeeze(_tournament(better, x, one), axis=one)
    return _kept(x, axes, keepdims)


def _tournament(better: Any, x: Array, axis: int) -> Array:
    """The best along an axis, which keeps size 1: ⌈log₂⌉ rounds of pairs."""
    while (size := x.shape[axis]) > 1:
        left, right, odd = _pairs(x, axis, size)
        best = better(left, right)
        x = concat([best, odd], axis=axis) if odd is not None else best
    return x


def _pairs(x: Array, axis: int, size: int) -> tuple[Array, Array, Array | None]:
    """Each second element, its neighbour, and the last if it has none."""

    def part(chosen: slice) -> Array:
        return getitem(x, (slice(None),) * axis + (chosen,))

    odd = part(slice(size - 1, size)) if size % 2 else None
    return part(slice(0, size - 1, 2)), part(slice(1, size, 2)), odd


@function()
def argmax(x: Array, axis: int | None = None) -> Array:
    """The position of the largest along an axis, the first of equals, as a secret integer."""
    return _position(x, axis, lambda left, right: less(left, right))


@function()
def argmin(x: Array, axis: int | None = None) -> Array:
    """The position of the smallest along an axis, the first of equals, as a secret integer."""
    return _position(x, axis, lambda left, right: less(right, left))


def _position(x: Array, axis: int | None, right_wins: Any) -> Array:
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    builder, at = tracing(x), axis_of(x, axis)
    if builder is None:
        raise InternalError("an array without a program")
    shape = [1] * x.ndim
    shape[at] = x.shape[at]
    place = lift(builder, np.arange(shape[at]).reshape(shape) + np.zeros(x.shape, np.int64))
    while (size := x.shape[at]) > 1:
        left, right, odd = _pairs(x, at, size)
        first, second, last = _pairs(place, at, size)
        wins = right_wins(left, right)
        x, place = choose(wins, right, left), choose(wins, second, first)
        if odd is not None and last is not None:
            x, place = concat([x, odd], axis=at), concat([place, last], axis=at)
    return squeeze(place, axis=at)


@function()
def matmul(x: Any, y: Any) -> Array:
    """The matrix product; a vector is a row on the left and a column on the right."""
    a, b = numbers(x, y, extra=True)
    if not (1 <= a.ndim <= 2 and 1 <= b.ndim <= 2):
        raise UsageError(
            f"a matrix product of shapes {a.shape} and {b.shape}",
            hint="reshape to two dimensions: stacks of matrices are not supported",
        )
    shape = (a.shape[:-1]) + (b.shape[1:])
    left = a if a.ndim == 2 else reshape(a, (1, a.size))
    right = b if b.ndim == 2 else reshape(b, (b.size, 1))
    return reshape(rescaled(Array(left.value @ right.value)), shape)


@function()
def tensordot(x: Array, y: Array, axes: int = 1) -> Array:
    """The sum of products over the last axes of x and the first of y."""
    a, b = numbers(x, y, extra=True)
    outer, inner = a.shape[: a.ndim - axes], a.shape[a.ndim - axes :]
    if inner != b.shape[:axes]:
        raise UsageError(f"tensordot of shapes {a.shape} and {b.shape} over {axes} axes")
    terms = math.prod(inner)
    left = reshape(a, (math.prod(outer), terms))
    right = reshape(b, (terms, math.prod(b.shape[axes:])))
    return reshape(matmul(left, right), (*outer, *b.shape[axes:]))


@function()
def vecdot(x: Array, y: Array) -> Array:
    """The sum of products over the last axis."""
    a, b = numbers(x, y)
    total = local.sum_over((a.value * b.value), axis=max_rank(a, b) - 1)
    return rescaled(Array(total))


def max_rank(*arrays: Array) -> int:
    """The largest number of axes."""
    return sorted(array.ndim for array in arrays)[-1]
