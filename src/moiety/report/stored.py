"""A report as JSON, for machines and to be shown again later."""

import json
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from moiety.errors import DataError
from moiety.report.content import PartyReport


def to_json(report: PartyReport) -> str:
    """The whole report as one line of JSON; what is not a finite number is null."""
    return json.dumps(_plain(report), allow_nan=False)


def from_json(text: str) -> PartyReport:
    """The report that `to_json` wrote, which makes the same page.

    Raises:
        DataError: it did not write this.
    """
    try:
        report: PartyReport = _built(PartyReport, json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("this is not a stored report", hint="run the job again") from error
    return report


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _built(kind: Any, value: Any) -> Any:
    """The value as the annotation `kind` of a field of a report has it."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: _built(hint, value[name]) for name, hint in hints.items()})
    make: dict[Any, Callable[[], Any]] = {
        tuple: lambda: _tuple(get_args(kind), value),
        UnionType: lambda: None if value is None else _built(get_args(kind)[0], value),
        np.ndarray: lambda: np.array(value, dtype=np.float64),
        datetime: lambda: datetime.fromisoformat(value),
        float: lambda: math.nan if value is None else float(value),
    }
    return make.get(get_origin(kind) or kind, lambda: kind(value))()


def _tuple(kinds: tuple[Any, ...], values: list[Any]) -> tuple[Any, ...]:
    if kinds[-1] is ...:
        return tuple(_built(kinds[0], each) for each in values)
    return tuple(_built(kind, each) for kind, each in zip(kinds, values, strict=True))
