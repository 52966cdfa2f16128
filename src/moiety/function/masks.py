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
"""No sum: nobody can solve it for anything by linear algebra."""
VARIOUS = 1 << 61
"""Data of further owners may enter; the bits are those that certainly do."""
FREE = 1 << 60
"""May be zero altogether: the factor is one that the receiver knows, or chooses."""
OWNERS = FREE - 1


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


def summed(masks: Masks, axis: int, own: int) -> Masks:
    """The masks of sums along an axis.

    What certainly enters is what enters by terms that cannot vanish. Where all can, any one of them
    may be all that is left.
    """
    if masks.shape[axis] == 1:
        return masks.squeeze(axis)
    theirs = unknown(masks, own)
    free = theirs & ((masks & FREE) != 0)
    firm = theirs & ~free
    certain = _any(np.where(firm, masks, 0), axis)
    more = (_any(np.where(free, masks, 0), axis) & ~certain & ~FREE) != 0
    left = _one_of(masks, free, axis) | np.where(free.any(axis), FREE, 0)
    found = np.where(firm.any(axis), certain | np.where(more, VARIOUS, 0), left)
    return np.asarray(found | (_any(np.where(free, 0, masks), axis) & own), np.int64)


def joined(first: Masks, second: Masks, own: int) -> Masks:
    """The masks of a sum of two, of as many axes."""
    return summed(np.stack(np.broadcast_arrays(first, second)), 0, own)


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
    return np.asarray(np.where(telling.any(axis), found, np.where(among.any(axis), OPAQUE, 0)))


def entering(nonzero: npt.NDArray[np.bool_], masks: Masks, own: int) -> Masks:
    """The masks of factor · y, for a constant factor that is not 0 in these places."""
    if len(masks) == 1:
        rows = nonzero.any(axis=1, keepdims=True)
        return masks if rows.all() else np.where(rows, masks, 0)
    if every(masks) & FREE:
        return uniform(any_of([masks], own) | FREE, 2)
    bits = (1 << at for at in range(63) if every(masks) >> at & 1)
    parts = (_weighed(nonzero, (masks & bit) != 0) * bit for bit in bits)
    return reduce(np.bitwise_or, parts, np.zeros((1, 1), np.int64))


def _weighed(nonzero: npt.NDArray[np.bool_], entering: npt.NDArray[np.bool_]) -> Masks:
    """1 where one of the terms enters."""
    counts = nonzero.astype(np.float32) @ entering.astype(np.float32)
    return (counts > 0).astype(np.int64)
