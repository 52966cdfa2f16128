"""A data set that leaves transformed: its admitted columns, piece by piece, and who is in it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from moiety.data.schema import Schema, load_schema
from moiety.data.table import Table
from moiety.errors import DataError, PolicyRefused, UsageError
from moiety.party.config import DataSet, Party

Progress = Callable[[int], None]
"""Told how many rows were read so far."""


@dataclass(frozen=True)
class Source:
    """The columns of a party's data set that its policy admits, and perhaps its label."""

    data: DataSet
    schema: Schema
    label: str | None

    @classmethod
    def of(
        cls, party: Party, name: str, *, columns: Iterable[str] = (), labelled: bool = False
    ) -> Self:
        """These columns of a data set, or all that the policy admits.

        Raises:
            PolicyRefused: a column is not admitted, or none is.
            UsageError: a label is wanted, and the data set has none.
        """
        data, admitted = party.data_set(name), party.rules.columns.get(name, ())
        wanted = tuple(columns) or admitted
        refused = [column for column in wanted if column not in admitted]
        if refused or not wanted:
            what = f"columns {', '.join(refused)} are not" if refused else "no column is"
            raise PolicyRefused(
                f"{what} among [columns] {name}",
                hint=f"admit what may leave, in {party.home / 'policy.toml'}",
            )
        if labelled and data.label is None:
            raise UsageError(f"{name} has no label", hint="moiety data add --label names it")
        return cls(data, load_schema(data.schema).select(wanted), data.label if labelled else None)

    def pieces(self) -> Iterator[Table]:
        """The rows, some at a time, checked against the schema.

        Raises:
            DataError: a row is not as declared, when it is reached.
        """
        data = self.data
        return Table.pieces(data.path, self.schema, id=data.id, label=self.label)


@dataclass
class People:
    """Who was read so far: how many, and in which order, as a hash."""

    progress: Progress = lambda _: None
    rows: int = 0
    _hash: Any = field(default_factory=hashlib.sha256, repr=False)

    def of(self, pieces: Iterable[Table]) -> Iterator[Table]:
        """The pieces, noted as they pass."""
        for piece in pieces:
            self._hash.update("\0".join([*piece.ids.tolist(), ""]).encode())
            self.rows += piece.rows
            self.progress(self.rows)
            yield piece

    def check(self, charged: "People") -> None:
        """Returns if these are the people who were charged, in the same order.

        Raises:
            DataError: they are others.
        """
        if self._hash.digest() != charged._hash.digest():
            raise DataError(
                "the table changed while it was read: its people were charged, nothing was written",
                hint="leave the file as it is meanwhile",
            )
