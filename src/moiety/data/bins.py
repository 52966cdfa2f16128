"""Bins of one column: edges chosen without the label, one uint8 code a row, missing apart."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from moiety.data.convert import Numbers
from moiety.data.schema import ColumnSpec
from moiety.data.table import Table
from moiety.errors import DataError

Codes = npt.NDArray[np.uint8]

KEPT = 12
"""Up to so many different values, each gets its own bin."""
MOST = 255


@dataclass(frozen=True)
class Bins:
    """Bin i holds edges[i-1] ≤ value < edges[i]; the end bins are open; missing, if any, is last.

    The edges are facts about the column's distribution and stay with its owner; `count` is public.
    """

    edges: tuple[float, ...]
    missing: bool = False
    lower: float | None = None
    upper: float | None = None
    """Declared bounds: they name the end bins, and do not change a code."""
    levels: tuple[str, ...] = ()

    @classmethod
    def fit(cls, column: Numbers, max_bins: int, spec: ColumnSpec | None = None) -> Self:
        """Bins of about equally many rows, or one a value where there are at most 12 values.

        Deterministic, and never sees the label. At most max(max_bins, 12) bins and the one for
        missing values, which is there if the schema allows them (without a schema: if there are
        any). Edges between whole numbers are whole numbers.

        Raises:
            DataError: max_bins is not within 2..254, or a value is infinite.
        """
        if not 2 <= max_bins < MOST:
            raise DataError(f"max_bins is {max_bins}", hint=f"choose 2 to {MOST - 1}")
        gaps = np.isnan(column)
        present = column[~gaps].astype(np.float64)
        if np.isinf(present).any():
            raise DataError("an infinite value cannot be binned", hint="read it through a schema")
        edges = tuple(float(edge) for edge in _edges(present, max_bins))
        if spec is None:
            return cls(edges, bool(gaps.any()))
        return cls(edges, spec.missing or bool(gaps.any()), spec.lower, spec.upper, spec.levels)

    @property
    def count(self) -> int:
        """How many bins there are, that of missing values included."""
        return len(self.edges) + 1 + self.missing

    def codes(self, column: Numbers) -> Codes:
        """The bin of each row; a value outside the fitted range falls in an end bin.

        Raises:
            DataError: a value is missing, and there is no bin for that.
        """
        gaps = np.isnan(column)
        if gaps.any() and not self.missing:
            raise DataError(
                f"{int(gaps.sum())} values are missing in a column that was binned without any",
                hint="declare missing = true in its schema and fit again",
            )
        codes = np.searchsorted(self.edges, column, side="right")
        return np.where(gaps, len(self.edges) + 1, codes).astype(np.uint8)

    def labels(self) -> tuple[str, ...]:
        """What each bin holds, for people: '20–29', '≥ 1,000', 'missing'."""
        whole = all(edge.is_integer() for edge in self.edges)
        limits = [self.lower, *self.edges, self.upper]
        pairs = itertools.pairwise(limits)
        names = [self._label(low, high, whole) for low, high in pairs]
        return (*names, "missing") if self.missing else tuple(names)
