"""A capsule on its way: pieces over an attested channel, an empty one at the end."""

from collections.abc import Iterable

from moiety.agreement.manifest import Member
from moiety.enclave.capsule import CHUNK_SIZE, TAG_SIZE
from moiety.errors import PeerMisbehaved
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

PIECE = CHUNK_SIZE + TAG_SIZE
SLACK = 1 << 20
"""Bytes that a capsule may have beside its codes: headers, tags, names, padding."""


def send_capsule(channel: Channel, pieces: Iterable[bytes]) -> int:
    """Sends a capsule; returns its size in bytes."""
    size = 0
    for piece in pieces:
        channel.send(Kind.CAPSULE, piece)
        size += len(piece)
    channel.send(Kind.CAPSULE, b"")
    return size


def largest_capsule(member: Member) -> int:
    """The most bytes that a member's capsule may have: one for each cell, a label, and 1 % more."""
    cells = member.max_rows * (len(member.columns) + 1)
    return cells + cells // 100 + SLACK


class CapsuleReader:
    """A capsule being received, of at most `limit` bytes, read as a file."""

    def __init__(self, channel: Channel, limit: int) -> None:
        self._channel = channel
        self._left = limit
        self._held = b""
        self._at = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        if self._at == len(self._held) and not self._ended:
            self._held, self._at = self._channel.receive(Kind.CAPSULE, PIECE), 0
            self._ended = not self._held
            self._left -= len(self._held)
            if self._left < 0:
                raise PeerMisbehaved(
                    f"{self._channel.peer} sends a larger capsule than its columns can have",
                    hint="the job's max_rows and columns bound it",
                )
        data = self._held[self._at : self._at + size]
        self._at += len(data)
        return data
