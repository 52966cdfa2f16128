"""moiety: joint machine learning on data that stays apart."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "secure": "moiety.function.function",
    **dict.fromkeys(("From", "Kept", "Results", "Shared", "To"), "moiety.function.signature"),
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """The public names, each loaded when it is first used: a command need not load a compiler."""
    if name not in _HOMES:
        raise AttributeError(f"module 'moiety' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
