"""From an Arrow column to numbers within their declared bounds, or an error without values."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from moiety.data.schema import MISSING_TEXTS, ColumnSpec
from moiety.errors import DataError

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]

_NUMBER = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_BOOLS = ("0", "1", "false", "true")
_NUMERIC = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_null,
)
_SHOWN = 5


def to_numbers(column: pa.Array, spec: ColumnSpec, where: str) -> Numbers:
    """The column as int64, or as float64 if it is of kind float or may be missing (NaN).

    Raises:
        DataError: cells of another type, missing, not whole, or out of bounds: how many and in
            which rows (counted from 1), never with which value.
    """
    here = f"{where}, column '{spec.name}'"
    values = _floats(column, spec, here)
    gaps = np.isnan(values)
    if not spec.missing:
        refuse(gaps, f"{here}: no value", hint="if it may be missing: missing = true")
    if spec.whole:
        fraction = ~gaps & (values != np.floor(values))
        refuse(fraction, f"{here}: not whole", hint="declare kind = float, or correct the rows")
    hint = "correct the rows, or declare a bound that holds for every row to come"
    refuse(values < spec.lower, f"{here}: below the declared {spec.lower:.15g}", hint=hint)
    refuse(values > spec.upper, f"{here}: above the declared {spec.upper:.15g}", hint=hint)
    return values.astype(np.int64) if spec.whole and not spec.missing else values


def to_texts(column: pa.Array, where: str) -> list[str]:
    """The cells of an id column as texts; whole numbers are written in decimal.

    Raises:
        DataError: an id is missing, or the column holds neither texts nor whole numbers.
    """
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    column = cells(column)
    if not pa.types.is_string(column.type):
        raise DataError(f"{where}: ids are texts or whole numbers, not {column.type}")
    refuse(_where(column.is_null()), f"{where}: no id")
    texts: list[str] = column.to_pylist()
    return texts


def cells(column: pa.Array) -> pa.Array:
    """The column without Arrow's encodings; texts trimmed, and null where written as missing."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.is_in(texts, value_set=pa.array(MISSING_TEXTS)), None, texts)


def refuse(wrong: npt.NDArray[np.bool_], what: str, *, hint: str = "") -> None:
    """Raises DataError if any row is wrong: how many of how many, and the first ones from 1."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        first = ", ".join(str(row + 1) for row in rows[:_SHOWN])
        more = ", …" if len(rows) > _SHOWN else ""
        raise DataError(f"{what}: {len(rows)} of {len(wrong)} rows ({first}{more})", hint=hint)


def _floats(column: pa.Array, spec: ColumnSpec, here: str) -> Floats:
    column = cells(column)
    if pa.types.is_string(column.type):
        return _from_texts(column, spec, here)
    if spec.levels or not any(test(column.type) for test in _NUMERIC):
        raise DataError(f"{here}: holds {column.type}, which is not of kind {spec.kind}")
    return _to_numpy(column.cast(pa.float64(), safe=False))


def _from_texts(texts: pa.Array, spec: ColumnSpec, here: str) -> Floats:
    words = _BOOLS if spec.kind == "bool" else spec.levels
    if not words:
        known = pc.match_substring_regex(texts, _NUMBER)
        refuse(_where(pc.invert(known)), f"{here}: not a number")
        return _to_numpy(texts.cast(pa.float64()))
    if spec.kind == "bool":
        texts = pc.utf8_lower(texts)
    positions = pc.index_in(texts, value_set=pa.array(words))
    unknown = pc.and_(texts.is_valid(), positions.is_null())
    refuse(_where(unknown), f"{here}: none of its {len(words)} declared texts")
    codes = _to_numpy(positions.cast(pa.float64()))
    return codes % 2 if spec.kind == "bool" else codes


def _to_numpy(column: pa.Array) -> Floats:
    values: Floats = column.to_numpy(zero_copy_only=False)
    return values


def _where(column: pa.Array) -> npt.NDArray[np.bool_]:
    """The rows that are true; a null is not."""
    rows: npt.NDArray[np.bool_] = pc.fill_null(column, False).to_numpy(zero_copy_only=False)
    return rows
