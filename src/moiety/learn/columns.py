"""Which bins make up which column, and a row's bins as numbers that programs take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.errors import DataError

Plain = npt.NDArray[Any]

MOST = 255
"""A column has at most so many bins."""


@dataclass(frozen=True)
class Columns:
    """The public number of bins of each column, in the order of the table."""

    counts: tuple[int, ...]

    @classmethod
    def of(cls, bins: int | Sequence[int], columns: int) -> "Columns":
        """As many bins for each of so many columns, or as listed.

        Raises:
            DataError: another number of columns, or of bins.
        """
        counts = (bins,) * columns if isinstance(bins, int) else tuple(bins)
        if len(counts) != columns or not all(1 <= count <= MOST for count in counts):
            raise DataError(
                f"{len(counts)} columns of bins, and {columns} columns",
                hint=f"bins= one number for all columns, or one for each: 1 to {MOST}",
            )
        return cls(counts)

    @property
    def bins(self) -> int:
        """The bins of all columns."""
        return sum(self.counts)

    @property
    def starts(self) -> Plain:
        """The place of each column's first bin among all bins."""
        return np.cumsum([0, *self.counts[:-1]])

    @property
    def membership(self) -> Plain:
        """(columns × bins) 1 where a bin is of a column."""
        column = np.repeat(np.arange(len(self.counts)), self.counts)
        return np.asarray(np.arange(len(self.counts))[:, None] == column, np.int64)

    def part(self, first: int, columns: int) -> "Columns":
        """Some columns in a row."""
        return Columns(self.counts[first : first + columns])

    def checked(self, codes: Plain) -> Plain:
        """The codes of rows as whole numbers.

        Raises:
            DataError: a code is no whole number below its column's count; it is not shown.
        """
        whole = np.asarray(codes)
        if whole.dtype.kind not in "iufb" or not np.isin(whole, np.arange(MOST)).all():
            raise DataError("bin codes are not whole numbers from 0", hint="bin the columns first")
        if (whole >= np.array(self.counts)).any():
            raise DataError(
                f"a code is not below its column's count of bins, of {self.counts}",
                hint="declare the bins= that the columns were cut into",
            )
        return whole.astype(np.int64)

    def one_hot(self, codes: Plain) -> Plain:
        """(rows × bins) 1 at each row's bin of each column; see `checked`."""
        hot = np.zeros((len(codes), self.bins), np.int64)
        np.put_along_axis(hot, self.checked(codes) + self.starts, 1, axis=1)
        return hot

    def flagged(self, codes: Plain, missing: Sequence[bool]) -> Plain:
        """(rows × 2 columns) codes, 0 where there is no value, then flags that are 1 there.

        The last bin of the columns that may be missing means that there is none.
        """
        whole = self.checked(codes)
        flags = (whole == np.array(self.counts) - 1) & np.array(missing)
        return np.concatenate([np.where(flags, 0, whole), flags], axis=1)
