"""A first schema for a file, for a person to check: its bounds come from the data."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from moiety.data.convert import cells, to_numbers
from moiety.data.read import column_names, read_columns
from moiety.data.schema import EXACT, ColumnSpec, Schema, quoted
from moiety.errors import DataError

MAX_LEVELS = 20
_HEAD = """\
# Proposed from the data of {name}: a person must check every line before it is used.
# A bound must hold for every row to come, by the column's meaning: what is proved of a run rests on
# it. The proposed ones are the data's extremes, rounded outwards to one significant digit.
"""


def propose_schema(path: Path | str) -> str:
    """A schema's TOML text with kinds and bounds as the file suggests, and what was left out.

    Left out, as a comment: columns that are neither numbers nor texts of at most 20 levels.

    Raises:
        DataError: the file cannot be read.
    """
    path = Path(path)
    names = column_names(path)
    raw = read_columns(path, names)
    specs = {name: _propose(name, raw[name]) for name in names}
    text = _HEAD.format(name=path.name)
    left_out = [quoted(name) for name, spec in specs.items() if spec is None]
    if left_out:
        text += f"# Left out (an id, or free text): {', '.join(left_out)}\n"
    return text + "\n" + Schema.of(spec for spec in specs.values() if spec).to_toml()


def _propose(name: str, column: pa.Array) -> ColumnSpec | None:
    anything = ColumnSpec(name, "float", -math.inf, math.inf, missing=True)
    try:
        values = to_numbers(column, anything, name)
    except DataError:
        return _category(name, column)
    present = values[~np.isnan(values)]
    if not len(present) or np.abs(present).max() > EXACT:
        return None
    missing = len(present) < len(values)
    if np.isin(present, (0, 1)).all():
        return ColumnSpec(name, "bool", 0, 1, missing=missing)
    lower = _outwards(float(present.min()), ROUND_FLOOR)
    upper = _outwards(float(present.max()), ROUND_CEILING)
    kind = "int" if (present == np.floor(present)).all() else "float"
    return ColumnSpec(name, kind, lower, upper, missing=missing)


def _category(name: str, column: pa.Array) -> ColumnSpec | None:
    texts = cells(column)
    if not pa.types.is_string(texts.type):
        return None
    levels = sorted(pc.unique(texts).drop_null().to_pylist())
    missing = texts.null_count > 0
    if {level.lower() for level in levels} == {"false", "true"}:
        return ColumnSpec(name, "bool", 0, 1, missing=missing)
    if len(levels) > min(MAX_LEVELS, len(column) // 2):
        return None
    return ColumnSpec(name, "category", 0, len(levels) - 1, missing=missing, levels=tuple(levels))


def _outwards(value: float, rounding: str) -> float:
    """The nearest number of one significant digit that is not inside."""
    exact = Decimal(repr(value))
    return float(exact.quantize(Decimal((0, (1,), exact.adjusted())), rounding)) if value else 0.0
