"""A party's own table in the clear: typed columns within declared bounds, ids, perhaps a label."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from moiety.data.convert import Numbers, refuse, to_numbers, to_texts
from moiety.data.ids import normalise_id
from moiety.data.propose import propose_schema
from moiety.data.read import read_columns, read_pieces
from moiety.data.schema import ColumnSpec, Schema, load_schema
from moiety.errors import DataError

__all__ = ["Schema", "Table", "load_schema", "propose_schema"]

Ids = npt.NDArray[np.str_]
Labels = npt.NDArray[np.uint8]

_LABEL = ColumnSpec("label", "bool", 0, 1)


@dataclass(frozen=True, repr=False, eq=False)
class Table:
    """Rows of one party: `columns` by name (int64, or float64 with NaN where missing).

    Every value lies within its bound in `schema`; ids are normalised and differ from each other.
    """

    name: str
    schema: Schema
    ids: Ids
    columns: dict[str, Numbers]
    label: Labels | None

    @classmethod
    def load(
        cls,
        path: Path | str,
        schema: Schema,
        *,
        id: str,
        label: str | None = None,
        rule: str = "default",
    ) -> Self:
        """The table in a CSV, Parquet or Arrow IPC file, checked whole against its schema.

        Only the declared columns, `id` and `label` are read. `rule` is how ids are normalised.

        Raises:
            DataError: the file, a column, a type, a bound, an id or a label is not as declared.
        """
        layout = _Layout(Path(path), schema, id, label, rule)
        return cls(**layout.read(read_columns(layout.path, layout.wanted)))

    @classmethod
    def pieces(
        cls,
        path: Path | str,
        schema: Schema,
        *,
        id: str,
        label: str | None = None,
        rule: str = "default",
    ) -> Iterator[Self]:
        """As `load`, some rows at a time: only within a piece do ids differ for certain.

        Raises:
            DataError: as `load`, when the piece is reached.
        """
        layout, rows = _Layout(Path(path), schema, id, label, rule), 0
        for raw in read_pieces(layout.path, layout.wanted):
            yield (piece := cls(**layout.read(raw, rows)))
            rows += piece.rows

    def __repr__(self) -> str:
        label = ", label" if self.label is not None else ""
        return f"Table({self.name}: {self.rows} rows, {len(self.columns)} columns{label})"

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Numbers:
        self.schema.select([name])
        return self.columns[name]

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return len(self.ids)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order; id and label are not among them."""
        return self.schema.names

    def select(self, names: Iterable[str]) -> Self:
        """The table with these columns only, in the order given.

        Raises:
            DataError: one of them is not in the table.
        """
        schema = self.schema.select(names)
        return replace(
            self, schema=schema, columns={name: self.columns[name] for name in schema.names}
        )

    def take(self, rows: npt.NDArray[np.integer]) -> Self:
        """The table with these rows only (positions from 0), in the order given."""
        return replace(
            self,
            ids=self.ids[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
            label=self.label[rows] if self.label is not None else None,
        )


@dataclass(frozen=True)
class _Layout:
    """Which columns of a file make a table."""

    path: Path
    schema: Schema
    id: str
    label: str | None
    rule: str

    @property
    def declared(self) -> Schema:
        names = (name for name in self.schema.names if name not in (self.id, self.label))
        return self.schema.select(names)

    @property
    def wanted(self) -> list[str]:
        return [self.id, *self.declared.names] + ([self.label] if self.label else [])

    def read(self, raw: dict[str, pa.Array], before: int = 0) -> dict[str, Any]:
        """A table's parts, from columns that begin after so many rows of the file."""
        where = self.path.name + (f" after row {before:,}" if before else "")
        return {
            "name": self.path.stem,
            "schema": self.declared,
            "ids": _ids(raw[self.id], f"{where}, id '{self.id}'", self.rule),
            "columns": {
                spec.name: to_numbers(raw[spec.name], spec, where)
                for spec in self.declared.columns.values()
            },
            "label": _labels(raw[self.label], self.label, where) if self.label else None,
        }


def _ids(column: pa.Array, where: str, rule: str) -> Ids:
    ids = np.array([normalise_id(text, rule) for text in to_texts(column, where)], dtype=np.str_)
    refuse(ids == "", f"{where}: nothing left of the id after normalisation")
    counts = Counter(ids.tolist())
    repeated = np.array([counts[text] > 1 for text in ids.tolist()])
    hint = "a table has one row for each id; merge the rows, or choose another id column"
    refuse(repeated, f"{where}: the same id twice, after normalisation", hint=hint)
    return ids


def _labels(column: pa.Array, name: str, where: str) -> Labels:
    try:
        return to_numbers(column, replace(_LABEL, name=name), where).astype(np.uint8)
    except DataError as error:
        hint = "a label is 1 where the predicted event happened and 0 where not, in every row"
        raise DataError(str(error), hint=hint) from error
