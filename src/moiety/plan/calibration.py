"""What `moiety calibrate` measured, as a small text: plans of equal texts are equal.

A plan follows from a network and a machine, so parties that plan by themselves need the same
numbers. They are rounded to three digits and written as decimals, which every reader parses alike.
"""

import json
import math
import tomllib
from dataclasses import asdict, dataclass, fields
from typing import Any

from moiety.errors import ConfigError, UsageError
from moiety.plan.network import Machine, Network

LARGEST = 1 << 16
"""Bytes of a calibration's text."""
_HEAD = """\
# What `moiety calibrate` measured. Parties that plan together use the same file.
"""
_UNITS = """
[network]                 # seconds one way, bytes per second each way
{network}
[machine]                 # seconds for one of each kind of work
{machine}"""


@dataclass(frozen=True)
class Calibration:
    """A network and a machine."""

    network: Network
    machine: Machine

    @classmethod
    def measured(cls, network: Network, machine: Machine) -> "Calibration":
        """The same, rounded to what a measurement can tell."""
        link = Network(network.name, rounded(network.latency), rounded(network.bandwidth))
        return cls(link, Machine(**{k: rounded(v) for k, v in asdict(machine).items()}))

    @classmethod
    def read(cls, text: str) -> "Calibration":
        """The calibration that a text holds.

        Raises:
            ConfigError: it is not the text of a calibration; says which key, and what it needs.
        """
        try:
            body = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"a calibration that is not TOML: {error}", hint=_AGAIN) from None
        _check_keys("", body, ("machine", "network"))
        network = _table(body, "network", ("name", "latency", "bandwidth"))
        machine = _table(body, "machine", [one.name for one in fields(Machine)])
        name = network.pop("name")
        if not isinstance(name, str) or not name.isprintable() or len(name) > 40:
            raise ConfigError("a calibration's network needs a name of up to 40 characters")
        link = {key: _number(key, value) for key, value in network.items()}
        rates = {key: _number(key, value) for key, value in machine.items()}
        try:
            return cls(Network(name, **link), Machine(**rates))
        except UsageError as error:
            raise ConfigError(f"a calibration with {error}", hint=_AGAIN) from None

    @property
    def text(self) -> str:
        """Its text, the same for equal calibrations."""
        network = {"name": self.network.name, **_numbers(self.network)}
        lines = (_lines(network), _lines(_numbers(self.machine)))
        return _HEAD + _UNITS.format(network=lines[0], machine=lines[1])

    def slower(self, other: "Calibration") -> "Calibration":
        """Of each kind of work the slower one: what two parties plan with; this one's network."""
        mine, theirs = asdict(self.machine), asdict(other.machine)
        return Calibration(self.network, Machine(**{k: max(mine[k], theirs[k]) for k in mine}))


_AGAIN = "run moiety calibrate again, and use its file as it is"


def rounded(number: float) -> float:
    """The number with three digits."""
    return float(f"{number:.3g}")


def _numbers(of: Network | Machine) -> dict[str, float]:
    return {key: float(value) for key, value in asdict(of).items() if key != "name"}


def _lines(values: dict[str, Any]) -> str:
    # a string of JSON is one of TOML, and so is a number
    shown = {key: json.dumps(one, ensure_ascii=False) for key, one in values.items()}
    return "".join(f"{key} = {one}\n" for key, one in shown.items())


def _table(body: dict[str, Any], name: str, keys: Any) -> dict[str, Any]:
    table = body[name]
    if not isinstance(table, dict):
        raise ConfigError(f"a calibration whose {name} is not a table", hint=_AGAIN)
    _check_keys(f"{name}.", table, keys)
    return dict(table)


def _check_keys(place: str, table: dict[str, Any], keys: Any) -> None:
    for key in sorted(set(table) ^ set(keys)):
        what = "a strange key" if key in table else "no key"
        raise ConfigError(f"a calibration with {what} {place}{key}", hint=_AGAIN)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"a calibration whose {key} is no number", hint=_AGAIN)
    return float(value)
