"""Attacks on what a party really receives in a run: each a number beside its guess line.

    Finding View Recorder                              what is found; what was received, on file
    Knowledge reconstruct link infer_attribute         from representations and other numbers
    People membership extract                          from models and their scores
    uniform distinguish                                from messages, and from a mechanism's draws

An attack that succeeds shows a leak. One that fails shows only that this attack failed.
"""

from moiety.lazy import names

_HOMES = {
    "Finding": "finding",
    "Knowledge": "knowledge",
    "People": "lira",
    "Recorder": "view",
    "View": "view",
    "distinguish": "epsilon",
    "extract": "extraction",
    "infer_attribute": "attribute",
    "link": "linkage",
    "membership": "lira",
    "reconstruct": "reconstruction",
    "uniform": "uniformity",
}
__all__ = sorted(_HOMES)
__getattr__ = names(__name__, _HOMES)
