"""A secure function from FILE.py:function, and what it is compiled for, from the command line."""

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moiety.errors import MoietyError, UsageError
from moiety.function.function import FRACTION, Compiled, Function
from moiety.lang.source import of_the_file
from moiety.message import decode, encode
from moiety.plan.calibration import LARGEST, Calibration
from moiety.plan.pipeline import Target

FIELDS = {
    "arguments": list[str],
    "calibration": str,
    "error": float | None,
    "force": list[str],
    "fraction": int,
    "network": str,
    "place": str,
    "shapes": list[str],
    "skip": list[str],
}


@dataclass(frozen=True)
class Wanted:
    """A secure function, its shapes or arguments, and the target of its plan.

    `calibration` is a text; without a `network` its own is taken, and without both the lan.
    """

    place: str
    shapes: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    fraction: int = FRACTION
    network: str = ""
    calibration: str = ""
    error: float | None = None
    force: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def target(self, clock: Callable[[], float] = float) -> Target:
        """What its plan is made for."""
        made = Target(
            network=self.network or "lan",
            skip=self.skip,
            clock=clock,
            error=self.error,
            force=self.force,
        )
        if not self.calibration:
            return made
        found = Calibration.read(self.calibration)
        network = made.network if self.network else found.network
        return replace(made, network=network, machine=found.machine)

    def given(self) -> dict[str, Any]:
        """Shapes and arguments by name."""
        return {**shapes(self.shapes), **arguments(self.arguments)}

    def compiled(self, clock: Callable[[], float] = float) -> Compiled:
        """The function with its plan.

        Raises:
            UsageError: it cannot be compiled, or its file is at fault: at which line.
        """
        target = self.target(clock)
        try:
            found = function(self.place)
            return found.compile(self.given(), target=target, fraction=self.fraction)
        except MoietyError:
            raise
        except Exception as error:
            if mistake := of_the_file(error):
                raise mistake from error
            raise

    def for_a_party(self, compiled: Compiled) -> "Wanted":
        """The same for a process that brings its inputs otherwise: their shapes suffice."""
        inputs = compiled.arguments
        public = (one for one in self.arguments if _pair(one)[0] not in inputs)
        known = (f"{name}={','.join(map(str, type.shape))}" for name, type in inputs.items())
        return replace(self, shapes=tuple(known), arguments=tuple(public))

    def encode(self) -> bytes:
        """Its bytes, for another process."""
        lists = {
            name: list(getattr(self, name)) for name in ("arguments", "force", "shapes", "skip")
        }
        return encode({**vars(self), **lists})

    @classmethod
    def decode(cls, data: bytes) -> "Wanted":
        """Its inverse."""
        found: dict[str, Any] = decode(data, FIELDS, 16 * LARGEST, sender="the dealer")
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
        }
        return cls(**fields)


def calibration(path: Path | None) -> str:
    """The text of a calibration file; empty for none."""
    if path is None:
        return ""
    if not path.is_file():
        raise UsageError(f"no calibration file {path}", hint="moiety calibrate writes one")
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is too large for a calibration")
    return path.read_text(encoding="utf-8")


def function(place: str) -> Function:
    """The secure function at FILE.py:name; the file is run, and may import its neighbours."""
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not file:
        raise UsageError(f"which function of {place}?", hint=f"say {place}:function")
    if not path.is_file():
        raise UsageError(f"there is no file {file}", hint="say FILE.py:function")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is not a Python file")
    if str(path.parent.resolve()) not in sys.path:
        sys.path.insert(0, str(path.parent.resolve()))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not isinstance(found, Function):
        raise UsageError(f"{file} has no secure function {name!r}", hint="mark it @moiety.secure")
    return found


def shapes(given: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of arguments given as x=1000,10; a number has the shape x= ."""
    found = {}
    for name, text in map(_pair, given):
        try:
            found[name] = tuple(int(size) for size in text.split(",") if size)
        except ValueError:
            raise UsageError(f"the shape {name}={text}", hint="say x=1000,10") from None
        if any(size < 0 for size in found[name]):
            raise UsageError(f"the shape {name}={text} has a size below 0", hint="say x=1000,10")
    return found


def arguments(given: Iterable[str]) -> dict[str, Any]:
    """Arguments given as x=FILE.npy, or as y=LITERAL."""
    return {name: _value(name, text) for name, text in map(_pair, given)}


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError(f"{text!r} is not name=value")
    return name, value


def _value(name: str, text: str) -> Any:
    if text.endswith(".npy"):
        path = Path(text)
        if not path.is_file():
            raise UsageError(f"the argument {name}: no file {text}")
        return np.load(path, allow_pickle=False)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise UsageError(f"the argument {name}={text}", hint="say a number or FILE.npy") from None
