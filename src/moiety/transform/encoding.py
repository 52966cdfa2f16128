"""Columns of a table as numbers within [-1, 1]: nothing in it is taken from data.

A number goes by its declared bounds, or by an agreed centre and unit and a cut; a category, or a
number with agreed edges, is 1 at its own level and 0 at the others. Where a value may be missing,
one more number says that it is.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from moiety.data.bins import Bins
from moiety.data.codings import check_levels, from_dict, to_dict
from moiety.data.scales import Levels, Scale
from moiety.data.schema import ColumnSpec, Schema
from moiety.data.table import Table
from moiety.errors import DataError

Floats = npt.NDArray[np.float64]

CUT = 4.0
"""Units of an agreed scale that become 1."""


@dataclass(frozen=True)
class Encoding:
    """How each column, by name and in order, becomes numbers; public."""

    columns: Mapping[str, Scale | Levels]

    @classmethod
    def of(
        cls,
        schema: Schema,
        *,
        scales: Mapping[str, tuple[float, float]] | None = None,
        edges: Mapping[str, Iterable[float]] | None = None,
        cut: float = CUT,
    ) -> Self:
        """That of a schema's columns, by declared bounds where nothing else was agreed.

        `scales` are a column's centre and unit: what is `cut` units away from the centre or more
        becomes 1 or -1. `edges` are the cuts between a column's levels, rising.

        Raises:
            DataError: something was agreed for a column that is not there, or does not fit it.
        """
        scales, edges = scales or {}, edges or {}
        schema.select((*scales, *edges))
        return cls(
            {
                name: _levels(spec, edges[name])
                if name in edges
                else _scaled(spec, scales.get(name), cut)
                for name, spec in schema.columns.items()
            }
        )

    @property
    def width(self) -> int:
        """How many numbers a row becomes."""
        return sum(one.count for one in self.columns.values())

    def rows(self, table: Table) -> Floats:
        """(rows × width) the table's rows, each number within [-1, 1].

        Raises:
            DataError: a column is absent, declared otherwise, or a value is missing where none may.
        """
        specs = table.schema.select(self.columns).columns
        for name, one in self.columns.items():
            check_levels(one, specs[name])
        parts = [one.codes(table[name]) for name, one in self.columns.items()]
        return np.clip(np.column_stack(parts), -1.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON holds; `from_dict` reads them back."""
        return to_dict(self.columns)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The encoding that `to_dict` wrote.

        Raises:
            DataError: it did not.
        """
        numbers = {n: one for n, one in from_dict(fields).items() if not isinstance(one, Bins)}
        if len(numbers) < len(fields) or not numbers:
            raise DataError("this is no encoding of columns as numbers", hint="write it again")
        return cls(numbers)


def _scaled(spec: ColumnSpec, agreed: tuple[float, float] | None, cut: float) -> Scale | Levels:
    """A number by what was agreed, else by its bounds; a category by its levels."""
    if agreed is None and spec.kind == "category":
        return Levels.of(spec)
    centre, unit = agreed or ((spec.lower + spec.upper) / 2, (spec.upper - spec.lower) / 2 or 1.0)
    width = unit * cut if agreed else unit
    if spec.kind == "category" or not (math.isfinite(centre) and 0 < width < math.inf):
        raise DataError(
            f"{spec.name}: a scale of centre {centre:g} and unit {unit:g}, cut at {cut:g}",
            hint="finite numbers, a unit and a cut above 0; for a category, agree on edges",
        )
    return Scale(centre, width, spec.missing)


def _levels(spec: ColumnSpec, edges: Iterable[float]) -> Levels:
    cuts = tuple(map(float, edges))
    if not all(a < b for a, b in pairwise(cuts)) or not all(map(math.isfinite, cuts)):
        raise DataError(f"{spec.name}: edges that do not rise", hint="finite numbers, rising")
    bounds = (spec.whole, spec.lower, spec.upper, spec.levels)
    return Levels(Bins(cuts, spec.missing, *bounds))
