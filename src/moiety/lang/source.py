"""Where in the user's function a step comes from."""

import sys
from pathlib import Path

from moiety.errors import UsageError

PACKAGE = str(Path(__file__).resolve().parent.parent) + "/"


def line() -> str:
    """`file.py:12` of the innermost caller outside moiety; empty if there is none."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def placed(error: UsageError, at: str) -> UsageError:
    """The same refusal with its place in front, unless it has that."""
    if not at or str(error).startswith(at):
        return error
    return type(error)(f"{at}: {error}", hint=error.hint)
