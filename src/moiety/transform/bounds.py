"""Tables without a schema: their numbers brought to [-1, 1] by bounds that somebody declares."""

import numpy as np
import numpy.typing as npt

from moiety.errors import UsageError
from moiety.transform.mechanism import Floats

Bounds = tuple[npt.ArrayLike, npt.ArrayLike]


class Misfit(UsageError, ValueError):
    """A table or setting that does not fit: a ValueError too, as scikit-learn has it."""


def standardised(rows: Floats, bounds: Bounds | None, outside: str) -> Floats:
    """Rows with each column's declared bounds moved to -1 and 1.

    Raises:
        UsageError: bounds that are none, or values beyond them that are not to be cut.
    """
    lower, upper = _limits(bounds, rows.shape[1])
    beyond = (rows < lower) | (rows > upper)
    if outside not in ("refuse", "cut"):
        raise Misfit(f"outside = {outside!r}", hint='"refuse" or "cut"')
    if beyond.any() and outside == "refuse":
        columns = ", ".join(map(str, np.flatnonzero(beyond.any(axis=0))[:5]))
        raise Misfit(
            f"{int(beyond.any(axis=1).sum())} of {len(rows)} rows are out of bounds, in columns "
            f"{columns}",
            hint='declare bounds=(lower, upper) that hold for every row, or outside="cut"',
        )
    half = np.where(upper > lower, (upper - lower) / 2, 1.0)
    moved: Floats = np.clip((rows - (lower + upper) / 2) / half, -1.0, 1.0)
    return moved


def _limits(bounds: Bounds | None, columns: int) -> tuple[Floats, Floats]:
    given = (-1.0, 1.0) if bounds is None else bounds
    try:
        lower, upper = (np.broadcast_to(np.asarray(each, np.float64), columns) for each in given)
        if (lower <= upper).all() and np.isfinite(upper - lower).all():
            return lower, upper
    except (TypeError, ValueError):
        pass
    raise Misfit("bounds are no bounds of the table", hint="(lower, upper), one a column each")
