"""Numbers to words and back, with every bound checked: nothing wrong gets in unnoticed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.errors import DataError
from moiety.function.signature import From
from moiety.lang.types import BIT, Type
from moiety.protocols.masked import whole
from moiety.ring import Reals
from moiety.ring import decode as to_reals

Plain = np.ndarray[Any, Any]


def encode(name: str, declared: From, type: Type, data: npt.ArrayLike) -> Plain:
    """The argument as words or bits of the program; see `bring`."""
    return whole(bring(name, declared, type, data))


def bring(name: str, declared: From, type: Type, data: npt.ArrayLike) -> Plain | Reals:
    """The argument as its owner brings it to a run: reals as they are, once they are checked.

    Raises:
        DataError: the shape, an element that is not finite, not whole where whole numbers are
            due, not 0 or 1 where booleans are due, or outside the declared bounds.
    """
    array = np.asarray(data)
    if array.shape != type.shape:
        raise DataError(f"the argument {name} has shape {array.shape}, not {type.shape}")
    if array.dtype.kind not in "fiub":
        raise DataError(f"the argument {name} has elements of type {array.dtype}, not numbers")
    reals = array.astype(np.float64, copy=False)
    if declared.dtype is not float:
        _check_finite(name, reals)
        _check_whole(name, declared, reals)
        if type.kind == BIT:
            return reals.astype(np.uint8)
        _check_bounds(name, declared, array)
        return array.astype(np.int64).view(np.uint64)
    try:
        return Reals(reals, type.fraction, *_bounds(declared))
    except DataError:
        _check_finite(name, reals)
        _check_bounds(name, declared, array)
        raise


def _check_finite(name: str, reals: npt.NDArray[np.float64]) -> None:
    if not np.isfinite(reals).all():
        raise DataError(
            f"the argument {name} has values that are not finite",
            hint="fill in or leave out rows with missing values before the call",
        )


def _check_whole(name: str, declared: From, reals: npt.NDArray[np.float64]) -> None:
    if declared.dtype is bool and not np.isin(reals, (0.0, 1.0)).all():
        raise DataError(
            f"the argument {name} is declared as booleans and has values other than 0 and 1",
            hint="map the labels to 0 and 1 before the call",
        )
    if (reals != np.rint(reals)).any():
        raise DataError(
            f"the argument {name} is declared as integers and has values that are not whole",
            hint="declare dtype=float, or round before the call",
        )


def _check_bounds(name: str, declared: From, data: np.ndarray[Any, Any]) -> None:
    low, high = _bounds(declared)
    if data.size and (data.min() < low or data.max() > high):
        raise DataError(
            f"the argument {name} leaves its declared bounds [{low:g}, {high:g}]",
            hint="declare the column's true bounds, or clip the column",
        )


def _bounds(declared: From) -> tuple[float, float]:
    return float(declared.low or 0.0), float(declared.high or 0.0)


def decode(type: Type, data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Words or bits as float64, int64 or bool."""
    if type.kind == BIT:
        return data.astype(np.bool_)
    if type.fraction:
        return to_reals(data, type.fraction)
    return data.view(np.int64)
