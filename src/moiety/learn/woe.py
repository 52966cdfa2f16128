"""Weight of evidence: what each bin of a column says about the event, on a log-odds scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moiety.errors import DataError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WoeTable:
    """One column, a number a bin: rows, events among them, and the weight of evidence.

    The counts are facts about the joined rows: whoever gets this table learns them.
    """

    column: str
    rows: Counts
    events: Counts
    woe: Floats
    information: float
    """Information value: below 0.02 useless, above 0.3 strong, by custom (Siddiqi 2006)."""

    @property
    def rates(self) -> Floats:
        """The share of events in each bin; NaN where it has no row."""
        empty = np.full(len(self.rows), np.nan)
        return np.asarray(np.divide(self.events, self.rows, out=empty, where=self.rows > 0))


def woe_table(column: str, codes: Codes, count: int, y: Codes, *, smoothing: float) -> WoeTable:
    """The weight of evidence ln(share of all events / share of all others) of each of `count` bins.

    `smoothing` is added to the events and to the others of each bin that has a row, so that no
    logarithm is infinite. A bin without a row has weight 0 and no influence.
    """
    if smoothing <= 0:
        raise DataError(f"smoothing is {smoothing}", hint="0.5 is usual; 0 gives infinite weights")
    rows = np.bincount(codes, minlength=count)
    events = np.bincount(codes, weights=y, minlength=count).astype(np.int64)
    used = rows > 0
    bad = np.where(used, events + smoothing, 0.0)
    good = np.where(used, rows - events + smoothing, 0.0)
    bad, good = bad / bad.sum(), good / good.sum()
    woe = np.log(np.where(used, bad, 1.0) / np.where(used, good, 1.0))
    return WoeTable(column, rows, events, woe, float(((bad - good) * woe).sum()))


def check_codes(codes: Mapping[str, Codes], counts: Mapping[str, int]) -> int:
    """The number of rows that all columns have; every code is below its column's count.

    Raises:
        DataError: no column, unlike columns, unequal lengths, or a code out of range.
    """
    if not codes or set(codes) != set(counts):
        raise DataError(f"codes of {sorted(codes)} do not fit counts of {sorted(counts)}")
    rows = len(next(iter(codes.values())))
    for name, column in codes.items():
        if column.dtype != np.uint8 or column.shape != (rows,):
            raise DataError(f"codes of '{name}': {column.dtype}{column.shape}, not uint8({rows},)")
        if (column >= counts[name]).any():
            raise DataError(f"a code of '{name}' is not below its bin count {counts[name]}")
    return rows


def check_labels(y: Codes, rows: int) -> None:
    """Refuses labels that are not one 0 or 1 for each row, with both present.

    Raises:
        DataError: they are not.
    """
    if y.shape != (rows,) or ((y != 0) & (y != 1)).any():
        raise DataError(f"labels are not {rows} values 0 or 1")
    if not 0 < y.sum() < rows:
        raise DataError(
            "all labels are alike", hint="a model needs rows with and without the event"
        )
