"""Other shapes and parts of an array; nothing is sent."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from moiety.array.dispatch import function
from moiety.array.number import Array, Number, aligned, lift, tracing
from moiety.errors import InternalError, UsageError
from moiety.lang.trace import constant
from moiety.ops import local

Axes = int | tuple[int, ...]


def axis_of(array: Array, axis: int) -> int:
    """The axis counted from 0."""
    if not -array.ndim <= axis < array.ndim:
        raise UsageError(f"an array of shape {array.shape} has no axis {axis}")
    return axis % array.ndim


@function()
def reshape(x: Array, shape: int | tuple[int, ...]) -> Array:
    """The same elements in another shape; one size may be -1."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 in sizes:
        rest = math.prod(size for size in sizes if size != -1)
        sizes = tuple(x.size // max(rest, 1) if size == -1 else size for size in sizes)
    return x if sizes == x.shape else Array(local.reshape(x.value, shape=sizes))


@function()
def permute_dims(x: Array, axes: tuple[int, ...]) -> Array:
    """The axes in another order."""
    if sorted(axes) != list(range(x.ndim)):
        raise UsageError(f"the axes {axes} of an array of shape {x.shape}")
    if axes == tuple(range(x.ndim)):
        return x
    if axes == tuple(reversed(range(x.ndim))):
        return Array(local.transpose(x.value))
    return gather(x, np.arange(x.size).reshape(x.shape).transpose(axes))


@function(lambda x: np.swapaxes(x, -1, -2))
def matrix_transpose(x: Array) -> Array:
    """The last two axes exchanged."""
    axes = tuple(range(x.ndim))
    return permute_dims(x, (*axes[:-2], axes[-1], axes[-2]))


@function()
def expand_dims(x: Array, axis: int = 0) -> Array:
    """One more axis of size 1."""
    at = axis % (x.ndim + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


@function()
def squeeze(x: Array, axis: Axes) -> Array:
    """Without these axes of size 1."""
    gone = {axis_of(x, one) for one in ((axis,) if isinstance(axis, int) else axis)}
    if any(x.shape[one] != 1 for one in gone):
        raise UsageError(f"squeeze of axes {sorted(gone)} of an array of shape {x.shape}")
    return reshape(x, tuple(size for at, size in enumerate(x.shape) if at not in gone))


@function()
def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Repeated along new axes and axes of size 1."""
    if x.shape == shape:
        return x
    zeros: np.ndarray[Any, Any] = np.zeros(shape, np.bool_ if x.dtype is bool else np.int64)
    fraction = x.type.fraction
    fixed = constant(zeros, fraction) if x.dtype is not bool else constant(zeros)
    other = x.value.builder.add(fixed)
    return Array(x.value ^ other if x.dtype is bool else x.value + other)


@function()
def concat(parts: Sequence[Number], axis: int = 0) -> Array:
    """The parts one after the other along an axis."""
    builder = tracing(*parts)
    if builder is None:
        raise InternalError("no part belongs to a program")
    arrays = [lift(builder, part) for part in parts]
    if any(array.dtype is not bool for array in arrays):
        arrays = aligned(*arrays)
    at = axis_of(arrays[0], axis)
    return Array(local.concat(*(array.value for array in arrays), axis=at))


@function()
def stack(parts: Sequence[Number], axis: int = 0) -> Array:
    """The parts side by side along a new axis."""
    builder = tracing(*parts)
    if builder is None:
        raise InternalError("no part belongs to a program")
    return concat([expand_dims(lift(builder, part), axis=axis) for part in parts], axis=axis)


@function()
def take(x: Array, indices: Any, axis: int = 0) -> Array:
    """The elements at public indices along an axis."""
    at = axis_of(x, axis)
    return _taken(x, np.asarray(indices), at)


@function()
def flip(x: Array, axis: int = 0) -> Array:
    """The elements along an axis in reverse order."""
    at = axis_of(x, axis)
    return Array(local.take(x.value, indices=range(x.shape[at] - 1, -1, -1), axis=at))


def gather(x: Array, positions: np.ndarray[Any, Any]) -> Array:
    """The elements at positions of the flat array, in the shape of `positions`."""
    flat = reshape(x, (x.size,))
    return reshape(_taken(flat, positions.reshape(-1), 0), positions.shape)


def _taken(x: Array, indices: np.ndarray[Any, Any], axis: int) -> Array:
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise UsageError("indices must be public whole numbers in one dimension")
    size = x.shape[axis]
    chosen = tuple(int(index) + size * (index < 0) for index in indices)
    return Array(local.take(x.value, indices=chosen, axis=axis))


@function(operator.getitem)
def getitem(x: Array, key: Any) -> Array:
    """The part at public indices, slices, `None` and `...`, as NumPy has it."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(isinstance(one, Array) for one in keys):
        raise UsageError(
            "a secret index", hint="compare a public range with it, and use where and sum"
        )
    if not all(isinstance(one, int | slice | type(...)) or one is None for one in keys):
        return gather(x, np.arange(x.size).reshape(x.shape)[key])
    try:
        shape = np.broadcast_to(np.uint8(0), x.shape)[key].shape
    except IndexError as error:
        raise UsageError(f"{error}, for shape {x.shape}") from None
    for axis, one in enumerate(_per_axis(x, keys)):
        chosen = range(x.shape[axis])[one] if isinstance(one, slice) else (one % x.shape[axis],)
        if chosen != range(x.shape[axis]):
            x = Array(local.take(x.value, indices=chosen, axis=axis))
    return reshape(x, shape)


def _per_axis(x: Array, keys: tuple[Any, ...]) -> list[int | slice]:
    """One index or slice for each axis."""
    named = [one for one in keys if one is not None and one is not ...]
    at = next((i for i, one in enumerate(keys) if one is ...), len(keys))
    before = [one for one in keys[:at] if one is not None]
    missing = [slice(None)] * (x.ndim - len(named))
    return [*before, *missing, *named[len(before) :]]
