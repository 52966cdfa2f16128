"""A secure function from FILE.py:function, and its arguments from the command line."""

import ast
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.function.function import Function


def function(place: str) -> Function:
    """The secure function at FILE.py:name; the file is run."""
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not file or not path.is_file():
        raise UsageError(f"no such file in {place!r}", hint="say FILE.py:function")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is not a Python file")
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
