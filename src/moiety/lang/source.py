"""Where in the user's function a step comes from."""

import sys
import sysconfig
import traceback
from pathlib import Path

from moiety.errors import UsageError

PACKAGE = str(Path(__file__).resolve().parent.parent) + "/"
LIBRARIES = (PACKAGE, *{path for name, path in sysconfig.get_paths().items() if "lib" in name})
"""Where files lie that are nobody's own: this package, Python's and those installed beside it."""


def line() -> str:
    """`file.py:12` of the innermost caller outside moiety; empty if there is none."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def of_the_file(error: Exception) -> UsageError | None:
    """An error that a user's own lines raised, with its place; None if it came about in moiety."""
    if isinstance(error, SyntaxError) and error.filename:
        return UsageError(f"{Path(error.filename).name}:{error.lineno}: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*LIBRARIES, "<frozen"))]
    if not own or any(
        frame.filename.startswith(PACKAGE) for frame in frames[frames.index(own[-1]) :]
    ):
        return None
    last = own[-1]
    return UsageError(
        f"{Path(last.filename).name}:{last.lineno}: {type(error).__name__}: {error}",
        hint="in a secure function: Python's operators, and functions of moiety.array",
    )


def placed(error: UsageError, at: str) -> UsageError:
    """The same refusal with its place in front, unless it has that."""
    if not at or str(error).startswith(at):
        return error
    return type(error)(f"{at}: {error}", hint=error.hint)
