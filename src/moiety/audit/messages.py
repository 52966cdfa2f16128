"""The same messages of many runs, as bytes by run; and what two messages of a run make together."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from moiety.audit.tables import enough
from moiety.errors import DataError

Bytes = npt.NDArray[np.uint8]
Runs = Sequence[Sequence[bytes]]
LEAST = 20
"""Runs: fewer cannot show that a bit never changes among thousands that do."""


def checked(runs: Runs, *, padded: bool) -> list[list[bytes]]:
    """The runs' messages that have a byte, with `padded` without the last byte of each.

    Raises:
        DataError: fewer than 20 runs, or a run without a byte.
    """
    enough("runs", len(runs), LEAST)
    cut = [[part[: len(part) - padded] for part in run] for run in runs]
    if not all(any(run) for run in cut):
        raise DataError("a run without a byte", hint="record runs in which something was received")
    return [[part for part in run if part] for run in cut]


def parts(runs: Runs, apart: int) -> Iterator[tuple[str, Bytes]]:
    """By name (runs × bytes): each message; sum, difference and exclusive or of two that are near.

    Messages are numbered from 0, and cut to their least length over the runs; numbers are
    little-endian. A mask that two messages share drops out of one of the three.
    """
    columns = aligned(runs)
    yield from ((f"message {at}", column) for at, column in enumerate(columns))
    near = (pair for pair in combinations(range(len(columns)), 2) if pair[1] - pair[0] <= apart)
    for i, j in near:
        size = min(columns[i].shape[1], columns[j].shape[1])
        a, b = columns[i][:, :size], columns[j][:, :size]
        yield f"messages {i} ⊕ {j}", a ^ b
        yield f"messages {i} + {j}", _sum(a, b, 1)
        yield f"messages {i} - {j}", _sum(a, b, -1)


def aligned(runs: Runs) -> list[Bytes]:
    """(runs × bytes) of each message that all runs have, cut to its least length."""
    count = min(map(len, runs))
    return [_joined([run[at] for run in runs]) for at in range(count)]


def _joined(messages: Sequence[bytes]) -> Bytes:
    size = min(map(len, messages))
    return np.stack([np.frombuffer(one, np.uint8, size) for one in messages])


def _sum(first: Bytes, second: Bytes, sign: int) -> Bytes:
    """The number first + sign · second of each run, modulo the size."""
    size = first.shape[1]
    whole = 1 << 8 * size
    sums = (
        int.from_bytes(a.tobytes(), "little") + sign * int.from_bytes(b.tobytes(), "little")
        for a, b in zip(first, second, strict=True)
    )
    return _joined([(value % whole).to_bytes(size, "little") for value in sums])
