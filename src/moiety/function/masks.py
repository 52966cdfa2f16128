"""Whose data enter each element of a value, and what becomes of that in sums and choices.

A mask has one bit for each owner and three marks. Arrays of masks have size 1 along an axis on
which all elements are alike.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

Masks = npt.NDArray[np.int64]
Values = npt.NDArray[Any]
OPAQUE = 1 << 62
"""No sum: nobody but an only owner can solve it for anything by linear algebra."""
VARIOUS = 1 << 61
"""Data of further owners may enter; the bits are those that certainly do."""
FREE = 1 << 60
"""May be zero altogether: the factor is one that the receiver knows, or chooses."""
OWNERS = FREE - 1
ANYONE = 1 << 59
"""An owner of which nothing is known, of what is no sum."""


def uniform(mask: int, rank: int) -> Masks:
    """The same mask for every element."""
    return np.full((1,) * rank, mask, np.int64)


def ranked(values: Values, rank: int) -> Values:
    """With as many axes as a result has."""
    return values.reshape((1,) * (rank - values.ndim) + values.shape)


def every(masks: Masks) -> int:
    """The bits of any element."""
    return int(np.bitwise_or.reduce(masks, axis=None))


def unknown(masks: Masks, own: int) -> npt.NDArray[np.bool_]:
    """Where a receiver, who holds what `own` says, does not know the value."""
    found: npt.NDArray[np.bool_] = (masks & ~np.int64(own | FREE)) != 0
    return found


def joined(first: Masks, second: Masks, own: int) -> Masks:
    """The masks of a sum of two, of as many axes."""
    if first.size == second.size == 1:
        return uniform(_sum(int(first.item()), int(second.item()), own), first.ndim)
    pair = np.stack(np.broadcast_arrays(first, second))
    kinds, which = np.unique(pair.reshape(2, -1), axis=1, return_inverse=True)
    found = [_sum(a, b, own) for a, b in kinds.T.tolist()]
    return np.array(found, np.int64)[which.reshape(-1)].reshape(pair.shape[1:])


def _sum(a: int, b: int, own: int) -> int:
    """The mask of a sum of two; terms that may be several things may cancel what they may hold."""
    theirs = [one for one in (a, b) if one & ~(own | FREE)]
    doubtful = [one for one in theirs if one & (FREE | VARIOUS)]
    if len(theirs) < 2 or not doubtful:
        return a | b
    opaque = any(one & OPAQUE and not one & FREE for one in theirs)
    if opaque or (len(doubtful) == 2 and a & b & OPAQUE):
        return OPAQUE | ((a | b) & OWNERS) | (a & b & FREE)
    if len(doubtful) == 2:
        return VARIOUS | (a & b & FREE)
    (doubted,), firm = doubtful, b if a in doubtful else a
    if not doubted & FREE:
        return doubted & (OWNERS | VARIOUS)
    # what is no sum cancels nothing of a sum
    cancelled = 0 if doubted & OPAQUE else doubted
    return (0 if doubted & VARIOUS else firm & OWNERS & ~cancelled) | VARIOUS


def summed(masks: Masks, axis: int, own: int) -> Masks:
    """The masks of sums along an axis, of elements that are different data.

    Where a receiver's factors may leave any one of them, only what is common to all is certain.
    """
    if masks.shape[axis] == 1:
        return masks.squeeze(axis)
    theirs = unknown(masks, own)
    free = theirs & ((masks & FREE) != 0)
    doubt = (theirs & ((masks & (FREE | VARIOUS)) != 0)).any(axis)
    opaque = (theirs & ~free & ((masks & OPAQUE) != 0)).any(axis)
    left = _one_of(masks, free, axis) | FREE | (_any(np.where(theirs, 0, masks), axis))
    hidden = OPAQUE | _any(masks & OWNERS, axis)
    mixed = np.where((free == theirs).all(axis), left, np.where(opaque, hidden, VARIOUS))
    return np.asarray(np.where(doubt, mixed, _any(masks, axis)), np.int64)


def any_of(values: Sequence[Masks], own: int) -> int:
    """The mask of any element of any of these values, whichever is taken."""
    flat = np.concatenate([one.reshape(-1) for one in values])
    theirs = unknown(flat, own)
    free = FREE if (flat & FREE).any() or not theirs.all() else 0
    if not theirs.any():
        return every(flat) & ~FREE
    return int(_one_of(flat, theirs, 0)) | free


def _any(masks: Masks, axis: int) -> Masks:
    return np.asarray(np.bitwise_or.reduce(masks, axis=axis))


def _one_of(masks: Masks, among: npt.NDArray[np.bool_], axis: int) -> Masks:
    """What is certain of one of these elements, of which any may be meant."""
    telling = among & ((masks & OPAQUE) == 0)
    bits = masks & ~np.int64(FREE)
    least = np.bitwise_and.reduce(np.where(telling, bits, -1), axis=axis)
    differ = _any(np.where(among, bits, 0), axis) != least
    found = np.where(differ, least | VARIOUS, least)
    common = np.bitwise_and.reduce(np.where(among, bits, -1), axis=axis) & OWNERS
    entering = _any(np.where(among, bits, 0), axis) & OWNERS
    hidden = OPAQUE | np.where(common, common, entering)
    return np.asarray(np.where(telling.any(axis), found, np.where(among.any(axis), hidden, 0)))


def entering(nonzero: npt.NDArray[np.bool_], masks: Masks, own: int) -> Masks:
    """The masks of factor · y, for a constant factor that is not 0 in these places."""
    if len(masks) == 1:
        rows = nonzero.any(axis=1, keepdims=True)
        return masks if rows.all() else np.where(rows, masks, 0)
    if every(masks) & (FREE | VARIOUS):
        return uniform(any_of([masks], own) | FREE, 2)
    bits = (1 << at for at in range(63) if every(masks) >> at & 1)
    parts = (_weighed(nonzero, (masks & bit) != 0) * bit for bit in bits)
    return reduce(np.bitwise_or, parts, np.zeros((1, 1), np.int64))


def _weighed(nonzero: npt.NDArray[np.bool_], entering: npt.NDArray[np.bool_]) -> Masks:
    """1 where one of the terms enters."""
    counts = nonzero.astype(np.float32) @ entering.astype(np.float32)
    return (counts > 0).astype(np.int64)
