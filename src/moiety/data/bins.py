"""Bins of one column: edges chosen without the label, one uint8 code a row, missing apart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from moiety.data.convert import Numbers
from moiety.data.schema import ColumnSpec
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
    whole: bool = False
    """Whether the column holds whole numbers only."""
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
        whole = spec.whole if spec else bool((present == np.floor(present)).all())
        edges, missing = _edges(present, max_bins, whole), bool(gaps.any())
        if spec is None:
            return cls(edges, missing, whole)
        return cls(edges, spec.missing or missing, whole, spec.lower, spec.upper, spec.levels)

    @classmethod
    def agreed(cls, edges: Sequence[float], spec: ColumnSpec) -> Self:
        """Bins with edges that several owners of such a column agreed on; none for missing values.

        Raises:
            DataError: the column may have missing values.
        """
        if spec.missing:
            raise DataError(
                f"{spec.name} may have missing values, and agreed bins hold none",
                hint="fill them in before, with a level of its own",
            )
        return cls(tuple(edges), False, spec.whole, spec.lower, spec.upper, spec.levels)

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
        starts = [self.lower, *self.edges]
        ends = [*self.edges, self.upper]
        if self.whole:
            ends = [*(edge - 1 for edge in self.edges), self.upper]
        names = [self._label(start, end) for start, end in zip(starts, ends, strict=True)]
        return (*names, "missing") if self.missing else tuple(names)

    def _label(self, start: float | None, end: float | None) -> str:
        if self.levels and start is not None and end is not None:
            return ", ".join(self.levels[int(start) : int(end) + 1])
        if start is None:
            sign = "≤" if self.whole else "<"
            return "all" if end is None else f"{sign} {_number(end)}"
        if end is None:
            return f"≥ {_number(start)}"
        between = " to " if start < 0 else "–"
        return _number(start) if start == end else f"{_number(start)}{between}{_number(end)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON holds; `from_dict` reads them back."""
        return asdict(self) | {"edges": list(self.edges), "levels": list(self.levels)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The bins that `to_dict` wrote.

        Raises:
            DataError: it did not.
        """
        try:
            bins = cls(**{**fields, "edges": tuple(fields["edges"])})
            bins = replace(bins, levels=tuple(bins.levels))
            bins._check()
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("these are not bins", hint="fit them again") from error
        return bins

    def _check(self) -> None:
        edges = np.array(self.edges, dtype=np.float64)
        ascending = edges.ndim == 1 and np.isfinite(edges).all() and (np.diff(edges) > 0).all()
        flags = isinstance(self.missing, bool) and isinstance(self.whole, bool)
        if not (ascending and flags and self.count <= MOST and self.labels()):
            raise ValueError


def _edges(present: npt.NDArray[np.float64], max_bins: int, whole: bool) -> tuple[float, ...]:
    values = np.unique(present)
    if len(values) <= KEPT:
        return tuple(values[1:].tolist())
    cuts = np.quantile(present, np.linspace(0, 1, max_bins + 1)[1:-1])
    cuts = np.ceil(cuts) if whole else cuts
    return tuple(np.unique(cuts[cuts > values[0]]).tolist())


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.6g}"
