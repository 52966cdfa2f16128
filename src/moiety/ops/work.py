"""The work of kernels that several operators use."""

from moiety.lang.cost import Work
from moiety.protocols import dpf

DEALT = 4
"""Hashes that make a level of a key: both children of both parties' nodes."""


def keys(count: int, domain: int, points: int = 1) -> Work:
    """Keys of `count` distributed point functions over `domain` bits, each used at some points."""
    return Work(hash=count * (dpf.levels(domain) + 1) * (DEALT + points))


def waves(count: int, terms: int) -> Work:
    """Sums of so many sines."""
    return Work(wave=count * terms)
