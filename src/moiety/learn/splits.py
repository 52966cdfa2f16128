"""The splits that a node may take, as public matrices: what is chosen is linear in a one-hot."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moiety.learn.columns import Columns
from moiety.learn.partition import Plain
from moiety.learn.trees_program import CODES


@dataclass(frozen=True)
class Splits:
    """All splits of bins in two; the first sends every row to the left: the node is not split.

    A row goes left at a split if its code is below the threshold. Missing values, the last bin of
    a column in `missing`, go right, or in a further split of the same threshold to the left.
    """

    columns: Columns
    missing: tuple[bool, ...]

    @cached_property
    def every(self) -> list[tuple[int, int, bool]]:
        """Column, threshold, and whether missing values go left, for each split."""
        found = [(0, CODES, True)]
        for column, (count, gaps) in enumerate(zip(self.columns.counts, self.missing, strict=True)):
            found += [(column, code, False) for code in range(1, count)]
            if gaps:
                found += [(column, code, True) for code in range(1, count - 1)]
        return found

    @cached_property
    def left(self) -> Plain:
        """(splits × bins) 1 where a bin goes left."""
        goes = np.zeros((len(self.every), self.columns.bins), np.int64)
        for at, (column, threshold, missing_left) in enumerate(self.every):
            first, count = self.columns.starts[column], self.columns.counts[column]
            goes[at, first : first + min(threshold, count)] = 1
            if self.missing[column]:
                goes[at, first + count - 1] = missing_left
        return goes

    @cached_property
    def chosen(self) -> Plain:
        """(columns × splits) 1 at the column that a split tests."""
        tested = np.array([column for column, _, _ in self.every])
        return np.asarray(np.arange(len(self.columns.counts))[:, None] == tested, np.int64)

    @cached_property
    def away(self) -> Plain:
        """(columns × splits) what a missing value adds to its code: CODES if it goes right."""
        right = np.array([0 if missing_left else CODES for _, _, missing_left in self.every])
        return np.asarray(self.chosen * right)

    @cached_property
    def thresholds(self) -> Plain:
        """(1 × splits) the threshold of each."""
        return np.array([[threshold for _, threshold, _ in self.every]])
