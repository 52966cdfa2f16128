"""A column as numbers: in units of its deviation, or as 0 and 1 for each level of a category."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from moiety.data.bins import Bins
from moiety.data.convert import Numbers
from moiety.data.schema import ColumnSpec
from moiety.errors import DataError

Floats = npt.NDArray[np.float64]

MOST = 250
"""A category has at most so many levels."""
NOTHING = 2.0**-400
"""A smaller deviation has squares that a float does not hold."""
ALIKE = 2.0**-40
"""A column whose deviation is a smaller part of its values than this holds one value."""


@dataclass(frozen=True)
class Scale:
    """A number as (value - centre) / unit; no value is 0, and 1 in a second number if there is one.

    There is one where the schema allows missing values. Centre and unit are facts about the
    column's distribution and stay with its owner; `count` and `missing` are public.
    """

    centre: float
    unit: float
    missing: bool = False

    @classmethod
    def fit(cls, column: Numbers, spec: ColumnSpec) -> Self:
        """The scale in which the values that are there have mean 0 and deviation 1.

        Where they are all alike, or there are none, the unit is the column's own.
        """
        present = column[~np.isnan(column)].astype(np.float64)
        if not len(present):
            return cls(0.0, 1.0, spec.missing)
        spread = float(present.std())
        alike = spread <= max(ALIKE * float(np.abs(present).max()), NOTHING)
        return cls(float(present.mean()), 1.0 if alike else spread, spec.missing)

    @classmethod
    def agreed(cls, centre: float, unit: float, spec: ColumnSpec) -> Self:
        """A scale that several owners of such a column agreed on.

        Raises:
            DataError: the column is a category, or may have missing values.
        """
        if spec.kind == "category" or spec.missing:
            what = "is a category" if spec.kind == "category" else "may have missing values"
            raise DataError(
                f"{spec.name} {what}, and an agreed scale is for numbers that are always there",
                hint="agree on edges between its levels instead, or fill in what is missing before",
            )
        return cls(centre, unit)

    @property
    def count(self) -> int:
        """How many numbers the column becomes."""
        return 1 + self.missing

    def codes(self, column: Numbers) -> Floats:
        """(rows × count) the numbers of each value; not yet cut to anything.

        Raises:
            DataError: a value is missing, and there is no number for that.
        """
        gaps = np.isnan(column)
        if gaps.any() and not self.missing:
            raise DataError(
                f"{int(gaps.sum())} values are missing in a column that was scaled without any",
                hint="declare missing = true in its schema and train again",
            )
        scaled = np.where(gaps, 0.0, (column - self.centre) / self.unit)
        return np.column_stack([scaled, gaps] if self.missing else [scaled])

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON holds; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The scale that `to_dict` wrote.

        Raises:
            DataError: it did not.
        """
        try:
            scale = cls(**fields)
            finite = math.isfinite(scale.centre) and math.isfinite(scale.unit) and scale.unit > 0
        except (TypeError, OverflowError) as error:
            raise DataError("this is no scale", hint="fit it again") from error
        if not finite or not isinstance(scale.missing, bool):
            raise DataError("this is no scale", hint="fit it again")
        return scale


@dataclass(frozen=True)
class Levels:
    """A category as a number for each of its levels: 1 for a row's own, 0 for all others.

    Missing, if it may be, is a level like others, the last. `count` and `missing` are public.
    """

    bins: Bins
    """One for each level."""

    @classmethod
    def of(cls, spec: ColumnSpec) -> Self:
        """All declared levels, whether a row has them or not.

        Raises:
            DataError: they are too many.
        """
        first, last = int(spec.lower), int(spec.upper)
        if last - first >= MOST:
            raise DataError(
                f"the category {spec.name} has {last - first + 1:,} declared levels",
                hint=f"at most {MOST}: declare fewer, or train a scorecard or trees, which bin it",
            )
        edges = tuple(map(float, range(first + 1, last + 1)))
        return cls(Bins(edges, spec.missing, True, spec.lower, spec.upper, spec.levels))

    @classmethod
    def agreed(cls, edges: tuple[float, ...], spec: ColumnSpec) -> Self:
        """Levels, or groups of values, between edges that several owners agreed on.

        Raises:
            DataError: the column may have missing values.
        """
        return cls(Bins.agreed(edges, spec))

    @property
    def count(self) -> int:
        """How many numbers the column becomes."""
        return self.bins.count

    @property
    def missing(self) -> bool:
        """Whether the last number means that there is no value."""
        return self.bins.missing

    def codes(self, column: Numbers) -> Floats:
        """(rows × count) 1 at each row's level.

        Raises:
            DataError: a value is missing, and there is no level for that.
        """
        return np.eye(self.count)[self.bins.codes(column)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON holds; `from_dict` reads them back."""
        return self.bins.to_dict()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The levels that `to_dict` wrote.

        Raises:
            DataError: it did not.
        """
        return cls(Bins.from_dict(fields))
