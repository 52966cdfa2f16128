"""What a table's owner declares of its columns: kinds, units, and bounds that hold for any row."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moiety.errors import DataError

MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")
"""How a text cell without a value may be written, spaces around it aside."""
KINDS = ("int", "float", "category", "bool")
EXACT = 2.0**53
"""Integers beyond this are not exact in a float64."""


@dataclass(frozen=True)
class ColumnSpec:
    """One declared column. Bounds are closed, by meaning and not by what a file happens to hold.

    A category is either whole numbers within bounds, or texts listed in `levels`, which are then
    read as 0, 1, … in the listed order. A bool is 0 or 1 (also written false, true).
    """

    name: str
    kind: str
    lower: float
    upper: float
    unit: str = ""
    missing: bool = False
    levels: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are allowed."""
        return self.kind != "float"


@dataclass(frozen=True)
class Schema:
    """The declared columns of a table, in order."""

    columns: dict[str, ColumnSpec]

    @classmethod
    def of(cls, specs: Iterable[ColumnSpec]) -> "Schema":
        """The schema of these columns."""
        return cls({spec.name: spec for spec in specs})

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(self.columns)

    def select(self, names: Iterable[str]) -> "Schema":
        """The schema of these columns only, in the order given.

        Raises:
            DataError: one of them is not declared.
        """
        wanted = tuple(names)
        unknown = [name for name in wanted if name not in self.columns]
        if unknown:
            raise DataError(
                f"columns not declared: {', '.join(unknown)}",
                hint=f"the schema declares {', '.join(self.columns)}",
            )
        return Schema.of(self.columns[name] for name in wanted)

    def to_toml(self) -> str:
        """The `[columns.NAME]` tables that `load_schema` reads back."""
        return "\n".join(_to_toml(spec) for spec in self.columns.values())


def load_schema(path: Path | str) -> Schema:
    """The schema in a TOML file of `[columns.NAME]` tables.

    Raises:
        DataError: no such file, not TOML, or a column that is not declared whole.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}", hint="a schema is a TOML text in UTF-8") from error
    return parse_schema(text, str(path))


def parse_schema(text: str, where: str = "schema") -> Schema:
    """The schema in a TOML text; `where` names it in errors.

    Raises:
        DataError: not TOML, or a column that is not declared whole.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{where} is not TOML: {error}") from error
    columns = content.get("columns")
    if not isinstance(columns, dict) or not columns or len(content) > 1:
        raise DataError(f"{where} declares no columns", hint="use tables [columns.NAME], only")
    return Schema.of(_parse(name, table, where) for name, table in columns.items())


def _parse(name: str, table: Any, where: str) -> ColumnSpec:
    here = f"{where}, column '{name}'"
    if not isinstance(table, dict):
        raise DataError(f"{here}: not a table", hint=f'write [columns.{name}] and kind = "int"')
    known = {"kind", "lower", "upper", "unit", "missing", "levels"}
    if extra := set(table) - known:
        raise DataError(
            f"{here}: unknown {', '.join(sorted(extra))}", hint=f"known: {', '.join(sorted(known))}"
        )
    kind, unit, missing = table.get("kind"), table.get("unit", ""), table.get("missing", False)
    if kind not in KINDS:
        raise DataError(f"{here}: kind is {kind!r}", hint=f"one of {', '.join(KINDS)}")
    if not isinstance(unit, str) or not isinstance(missing, bool):
        raise DataError(f"{here}: unit is a text, missing is true or false")
    levels = _levels(table, kind, here)
    lower, upper = _bounds(table, kind, levels, here)
    return ColumnSpec(name, kind, lower, upper, unit, missing, levels)


def _levels(table: Mapping[str, Any], kind: str, here: str) -> tuple[str, ...]:
    levels = table.get("levels", [])
    texts = isinstance(levels, list) and all(isinstance(level, str) for level in levels)
    if not texts or len(set(levels)) < len(levels):
        raise DataError(f"{here}: levels is a list of different texts")
    if any(level in MISSING_TEXTS or level != level.strip() for level in levels):
        raise DataError(f"{here}: a level reads as missing, or has spaces around it")
    if levels and kind != "category":
        raise DataError(f"{here}: only a category has levels")
    return tuple(levels)


def _bounds(
    table: Mapping[str, Any], kind: str, levels: tuple[str, ...], here: str
) -> tuple[float, float]:
    if levels and ("lower" in table or "upper" in table):
        raise DataError(f"{here}: levels take the place of lower and upper")
    fixed = (0, 1) if kind == "bool" else (0, len(levels) - 1) if levels else (None, None)
    lower, upper = table.get("lower", fixed[0]), table.get("upper", fixed[1])
    if not (_is_number(lower) and _is_number(upper) and lower <= upper):
        raise DataError(
            f"{here}: needs lower ≤ upper, both finite numbers of at most 2^53",
            hint="declare what the column may hold, not what it holds today",
        )
    if kind == "bool" and (lower, upper) != (0, 1):
        raise DataError(f"{here}: the bounds of a bool are 0 and 1")
    if kind != "float" and not (float(lower).is_integer() and float(upper).is_integer()):
        raise DataError(f"{here}: the bounds of kind {kind} are whole numbers")
    return float(lower), float(upper)


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= EXACT


def _to_toml(spec: ColumnSpec) -> str:
    bare = re.fullmatch("[A-Za-z0-9_-]+", spec.name)
    key = spec.name if bare else quoted(spec.name)
    lines = [f"[columns.{key}]", f"kind = {quoted(spec.kind)}"]
    if spec.levels:
        lines.append(f"levels = [{', '.join(map(quoted, spec.levels))}]")
    else:
        lines += [f"lower = {_number(spec.lower)}", f"upper = {_number(spec.upper)}"]
    if spec.unit:
        lines.append(f"unit = {quoted(spec.unit)}")
    if spec.missing:
        lines.append("missing = true")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """The text as a TOML string on one line."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
