"""What attacks are given: tables of numbers, and flags, refused where they are none; halves."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from moiety.errors import DataError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


def table(name: str, values: npt.ArrayLike, rows: int | None = None) -> Floats:
    """Rows by columns; a flat array is one column.

    Raises:
        DataError: not all are finite numbers (they are not shown), or there are no or other rows.
    """
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} are not all numbers", hint="encode them") from None
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or not found.size or len(found) != (rows or len(found)):
        due = "rows by columns" if rows is None else f"{rows} rows by columns"
        raise DataError(f"{name} have the shape {found.shape}", hint=f"give {due}")
    if not np.isfinite(found).all():
        raise DataError(f"{name} hold values that are not finite", hint="fill what is missing")
    return found


def flags(name: str, values: npt.ArrayLike, rows: int) -> Flags:
    """One 0 or 1 a row, of which both occur.

    Raises:
        DataError: other values or lengths, or all alike.
    """
    found = np.asarray(values)
    if found.shape != (rows,) or not np.isin(found, (0, 1)).all():
        raise DataError(f"{name} of shape {found.shape}", hint=f"give {rows} values 0 or 1")
    if not 0 < int(found.sum()) < rows:
        raise DataError(f"all {rows} {name} are alike", hint="an attack needs rows of both kinds")
    return np.asarray(found, np.bool_)


def enough(what: str, found: int, least: int) -> None:
    """Refuses to judge by fewer than `least`.

    Raises:
        DataError: there are fewer.
    """
    if found < least:
        raise DataError(f"{found} {what} are too few for an interval", hint=f"give {least} or more")


def halves(rows: int, seed: int, share: float = 0.5) -> tuple[Rows, Rows]:
    """Row numbers in two parts at random: a `share` for the attacker, the rest to judge him."""
    random: Any = check_random_state(seed)
    order = random.permutation(rows)
    return order[: round(share * rows)], order[round(share * rows) :]
