"""moiety: joint machine learning on data that stays apart."""

from moiety.lazy import names

__version__ = "0.1.0"

_HOMES = {
    "secure": "function.function",
    **dict.fromkeys(("From", "Kept", "Results", "Shared", "To"), "function.signature"),
}
__all__ = ["__version__", *sorted(_HOMES)]
__getattr__ = names(__name__, _HOMES)
