"""Where in the user's function a step comes from."""

import sys
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parent.parent) + "/"


def line() -> str:
    """`file.py:12` of the innermost caller outside moiety; empty if there is none."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
