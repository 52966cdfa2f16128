"""A file's columns as Arrow holds them: CSV, Parquet or Arrow IPC, chosen by extension."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from moiety.errors import DataError

Result = TypeVar("Result")

PIECE = 1 << 16
"""Rows of a piece, at most."""


def column_names(path: Path) -> tuple[str, ...]:
    """The names of a file's columns, in order.

    Raises:
        DataError: no such file, unknown extension, or the file cannot be read as what it is named.
    """
    return _guarded(path, lambda: tuple(_reader(path).names(path)))


def read_columns(path: Path, names: Iterable[str]) -> dict[str, pa.Array]:
    """These columns of a file; every CSV column comes as text, so that ids keep leading zeros.

    Raises:
        DataError: as `column_names`; a column is absent or there twice; the table has no rows.
    """
    wanted = _present(path, names)
    table = _guarded(path, lambda: _reader(path).read(path, wanted))
    if table.num_rows == 0:
        raise DataError(f"{path.name} has no rows")
    return {name: table[name].combine_chunks() for name in wanted}


def read_pieces(path: Path, names: Iterable[str]) -> Iterator[dict[str, pa.Array]]:
    """These columns of a file, some rows at a time, for tables that are larger than memory.

    Raises:
        DataError: as `read_columns`.
    """
    wanted, rows = _present(path, names), 0
    batches = _guarded(path, lambda: _reader(path).batches(path, wanted))
    while (batch := _guarded(path, lambda: next(batches, None))) is not None:
        rows += batch.num_rows
        for at in range(0, batch.num_rows, PIECE):
            yield {name: batch.column(name).slice(at, PIECE) for name in wanted}
    if not rows:
        raise DataError(f"{path.name} has no rows")


def _present(path: Path, names: Iterable[str]) -> list[str]:
    """The names, each once, if the file has each once."""
    wanted = list(dict.fromkeys(names))
    present = column_names(path)
    for name in wanted:
        if present.count(name) != 1:
            count = "no" if name not in present else "more than one"
            raise DataError(f"{path.name} has {count} column '{name}'", hint=_listed(present))
    return wanted


def _listed(present: tuple[str, ...]) -> str:
    shown = ", ".join(present[:40])
    return f"its columns are {shown}" + (", …" if len(present) > 40 else "")


def _guarded(path: Path, read: Callable[[], Result]) -> Result:
    """The result of reading; Arrow's own messages can quote cells, so they are not passed on."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        return read()
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise DataError(
            f"{path.name} cannot be read as {path.suffix.lower()}",
            hint="is it whole, of that format, in UTF-8, with as many cells in each row?",
        ) from None


class _Csv:
    @staticmethod
    def names(path: Path) -> list[str]:
        with csv.open_csv(path) as file:
            return list(file.schema.names)

    @staticmethod
    def read(path: Path, wanted: list[str]) -> pa.Table:
        return csv.read_csv(path, convert_options=_as_texts(wanted))

    @staticmethod
    def batches(path: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        with csv.open_csv(path, convert_options=_as_texts(wanted)) as file:
            yield from file


def _as_texts(wanted: list[str]) -> csv.ConvertOptions:
    types = dict.fromkeys(wanted, pa.string())
    return csv.ConvertOptions(include_columns=wanted, column_types=types)


class _Parquet:
    @staticmethod
    def names(path: Path) -> list[str]:
        with pq.ParquetFile(path) as file:
            return list(file.schema_arrow.names)

    @staticmethod
    def read(path: Path, wanted: list[str]) -> pa.Table:
        with pq.ParquetFile(path) as file:
            return file.read(columns=wanted)

    @staticmethod
    def batches(path: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(PIECE, row_groups=[group], columns=wanted)


class _Ipc:
    @staticmethod
    def names(path: Path) -> list[str]:
        with pa.memory_map(str(path)) as source, ipc.open_file(source) as file:
            return list(file.schema.names)

    @staticmethod
    def read(path: Path, wanted: list[str]) -> pa.Table:
        with pa.memory_map(str(path)) as source, ipc.open_file(source) as file:
            return file.read_all().select(wanted)

    @staticmethod
    def batches(path: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(path)) as source, ipc.open_file(source) as file:
            for number in range(file.num_record_batches):
                yield file.get_batch(number).select(wanted)


_Format = type[_Csv] | type[_Parquet] | type[_Ipc]
_READERS: dict[str, _Format] = {
    ".csv": _Csv,
    ".parquet": _Parquet,
    ".arrow": _Ipc,
    ".feather": _Ipc,
}


def _reader(path: Path) -> _Format:
    if path.suffix.lower() not in _READERS:
        raise DataError(
            f"cannot tell what {path.name} is", hint=f"known extensions: {', '.join(_READERS)}"
        )
    return _READERS[path.suffix.lower()]
