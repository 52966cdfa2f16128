"""One worker's rows: a sealed Parquet file that is read a group of rows at a time.

LightGBM takes rows as a `Sequence`: first a sample, from which workers find bins together, then
all rows in order, of whose cells it keeps bin codes. So a table needs memory for its codes and one
group. Numbers and booleans only; a missing value is NaN.
"""

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from moiety.enclave.capsule import CapsuleHeader, DataKey
from moiety.enclave.sealed_file import SealedFile
from moiety.errors import DataError

GROUP_LIMIT = 1 << 28
"""The most bytes that one group of rows may need as float64."""

_NUMBERS = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)

Floats = npt.NDArray[np.float64]


class Shard(lightgbm.Sequence):
    """The rows of one worker, in `columns`, and their outcomes in `label`.

    `most` is the number of rows that the job allows.

    Raises:
        DataError: no Parquet file, other columns, types or row counts than allowed.
        PolicyRefused: the capsule is not the expected one.
    """

    batch_size = 1 << 14

    def __init__(
        self,
        file: BinaryIO,
        key: DataKey,
        header: CapsuleHeader,
        *,
        columns: Sequence[str],
        label: str,
        most: int,
    ) -> None:
        self._columns, self._label, self._what = list(columns), label, header.data_set
        sealed = io.BufferedReader(SealedFile(file, key, header), 1 << 20)
        try:
            self._table = pq.ParquetFile(sealed, memory_map=False, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self._what} holds no Parquet file") from error
        facts = self._table.metadata
        counts = [facts.row_group(n).num_rows for n in range(facts.num_row_groups)]
        self._begins = np.cumsum([0, *counts])
        self._check(counts, most)
        self._group, self._rows = -1, np.empty((0, len(self._columns)))

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __getitem__(self, idx: int | slice | list[int]) -> Floats:
        """A row, or rows of consecutive places."""
        if isinstance(idx, list):
            return np.stack([self[place] for place in idx])
        if isinstance(idx, slice):
            begin, end, _ = idx.indices(len(self))
            return self._between(begin, end)
        rows, first = self._loaded(int(idx))
        row: Floats = rows[int(idx) - first]
        return row

    def outcomes(self) -> npt.NDArray[np.float32]:
        """All outcomes."""
        return np.concatenate([self._read(n, [self._label])[:, 0] for n in self._groups()]).astype(
            np.float32
        )

    def batches(self) -> Iterator[tuple[Floats, Floats]]:
        """Rows and outcomes, group by group."""
        for number in self._groups():
            whole = self._read(number, [*self._columns, self._label])
            yield whole[:, :-1], whole[:, -1]

    def dataset(self, parameters: dict[str, object]) -> lightgbm.Dataset:
        """LightGBM's data set of all rows."""
        return lightgbm.Dataset(self, self.outcomes(), params=parameters)

    def __repr__(self) -> str:
        return f"Shard({self._what!r}, {len(self):,} rows, {len(self._columns)} columns)"

    def _groups(self) -> range:
        return range(len(self._begins) - 1)

    def _between(self, begin: int, end: int) -> Floats:
        parts = [np.empty((0, len(self._columns)))]
        while begin < end:
            rows, first = self._loaded(begin)
            parts.append(rows[begin - first : end - first])
            begin += len(parts[-1])
        return np.concatenate(parts)

    def _loaded(self, row: int) -> tuple[Floats, int]:
        """The group that holds a row, and the place of its first row."""
        number = int(np.searchsorted(self._begins, row, side="right")) - 1
        if number != self._group:
            self._rows, self._group = self._read(number, self._columns), number
        return self._rows, int(self._begins[number])

    def _read(self, number: int, names: list[str]) -> Floats:
        try:
            table = self._table.read_row_group(number, columns=names, use_threads=False)
            found = np.empty((table.num_rows, len(names)))
            for place, name in enumerate(names):
                found[:, place] = table.column(name).cast(pa.float64(), safe=False).to_numpy()
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self._what} holds a damaged Parquet file") from error
        if len(found) != self._begins[number + 1] - self._begins[number]:
            raise DataError(f"{self._what}: group {number} has other rows than it says")
        return found

    def _check(self, counts: list[int], most: int) -> None:
        schema = self._table.schema_arrow
        for name in [*self._columns, self._label]:
            if len(schema.get_all_field_indices(name)) != 1:
                raise DataError(f"{self._what} has not exactly one column {name!r}")
            kind = schema.field(name).type
            if not any(
                of(kind) for of in (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)
            ):
                raise DataError(f"{self._what}: {name!r} is {kind}, not a number")
        if not 0 < len(self) <= most:
            raise DataError(f"{self._what} has {len(self):,} rows, not 1 to {most:,}")
        width = 8 * (len(self._columns) + 1)
        if max(counts) * width > GROUP_LIMIT:
            raise DataError(
                f"{self._what} has a group of {max(counts):,} rows",
                hint=f"write groups of at most {GROUP_LIMIT // width:,} rows",
            )
