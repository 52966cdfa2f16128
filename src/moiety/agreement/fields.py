"""Strict reading of TOML: every key is known, has its type, and every fault names its place."""

import math
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from moiety.errors import ConfigError

LARGEST = 1 << 16
LARGEST_NUMBER = 2.0**53
DOTS = 64
"""Dotted keys cost quadratic time and memory to read, and a stranger may send a job."""

_REQUIRED = object()


def read_file(path: Path) -> bytes:
    """The bytes of a configuration file.

    Raises:
        ConfigError: the file is absent or unreadable.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist", hint="check the path") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def parse_toml(source: bytes, where: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ConfigError: it is not TOML; the sentence names line and column.
    """
    if len(source) > LARGEST or any(line.count(b".") > DOTS for line in source.splitlines()):
        raise ConfigError(
            f"{where} has more than {LARGEST} bytes, or a line with more than {DOTS} dots",
            hint="a job, a policy or a schema is a short text",
        )
    try:
        return tomllib.loads(source.decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        text = not isinstance(error, UnicodeDecodeError)
        fault = "a value is nested or long beyond use" if text else "it is not UTF-8"
        raise ConfigError(f"{where} is not TOML: {fault}") from error


def read_toml(path: Path) -> "Fields":
    """The top table of a TOML file."""
    return Fields(parse_toml(read_file(path), str(path)), str(path))


class Fields:
    """One table of a TOML file, read key by key; `done()` refuses what nobody asked for."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._table = dict(table)
        self.where = where

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        """The string at `key`."""
        return str(self._take(key, str, default))

    def whole(self, key: str, default: Any = _REQUIRED, *, low: int = 0, high: int = 2**31) -> int:
        """The integer at `key`, within [low, high]."""
        value = int(self._take(key, int, default))
        if not low <= value <= high:
            shown = value if abs(value) < 10**18 else "a number of many digits"
            raise ConfigError(f"{self.where}: {key} = {shown} is outside {low}..{high}")
        return value

    def real(self, key: str, default: Any = _REQUIRED) -> float:
        """The number at `key`: a whole one of at least 0, or any but NaN; it may be infinite."""
        if type(self._table.get(key)) is int:
            return float(self.whole(key))
        number = float(self._take(key, float, default))
        if math.isnan(number):
            raise ConfigError(f"{self.where}: {key} is not a number")
        return number

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """The boolean at `key`."""
        return bool(self._take(key, bool, default))

    def names(self, key: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        """The list of distinct strings at `key`."""
        values = self._take(key, list, default)
        if not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
            raise ConfigError(f"{self.where}: {key} must be a list of distinct strings")
        return tuple(values)

    def rising(self, key: str) -> tuple[float, ...]:
        """The list of rising numbers at `key`; see `numbers`."""
        values = self.numbers(key)
        if not values or any(b <= a for a, b in pairwise(values)):
            raise ConfigError(f"{self.where}: {key} must be a list of rising numbers")
        return values

    def numbers(self, key: str) -> tuple[float, ...]:
        """The list of numbers at `key`, none beyond ±LARGEST_NUMBER."""
        values = self._take(key, list, _REQUIRED)
        plain = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if not plain or not all(abs(v) <= LARGEST_NUMBER for v in values):
            raise ConfigError(f"{self.where}: {key} must be a list of numbers of at most 2^53")
        return tuple(map(float, values))

    def table(self, key: str, default: Any = _REQUIRED) -> "Fields":
        """The sub-table at `key`."""
        return Fields(self._take(key, dict, default), f"{self.where} [{key}]")

    def tables(self, key: str) -> dict[str, "Fields"]:
        """The sub-tables of the table at `key`, by name; none where `key` is absent."""
        inner = self._take(key, dict, {})
        for name, value in inner.items():
            if not isinstance(value, dict):
                raise ConfigError(f"{self.where} [{key}]: {name} must be a table")
        where = f"{self.where} [{key}."
        return {name: Fields(value, f"{where}{name}]") for name, value in inner.items()}

    def unread(self) -> tuple[str, ...]:
        """The keys that were not read yet."""
        return tuple(self._table)

    def done(self) -> None:
        """Refuses keys that were not read: a misspelt key must not be a silent default."""
        if self._table:
            raise ConfigError(
                f"{self.where}: unknown {', '.join(sorted(self._table))}",
                hint="remove it, or check its spelling",
            )

    def _take(self, key: str, kind: type, default: Any) -> Any:
        value = self._table.pop(key, default)
        if value is _REQUIRED:
            raise ConfigError(f"{self.where}: {key} is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            seen = type(value).__name__
            raise ConfigError(f"{self.where}: {key} must be of type {kind.__name__}, not {seen}")
        return value
