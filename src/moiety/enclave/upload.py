"""A capsule on its way: pieces over an attested channel, an empty one at the end."""

from collections.abc import Iterable

from moiety.errors import PeerMisbehaved
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

PIECE = 1 << 27
LARGEST = 1 << 34


def send_capsule(channel: Channel, pieces: Iterable[bytes]) -> int:
    """Sends a capsule; returns its size in bytes."""
    size = 0
    for piece in pieces:
        channel.send(Kind.CAPSULE, piece)
        size += len(piece)
    channel.send(Kind.CAPSULE, b"")
    return size


class CapsuleReader:
    """A capsule being received, read as a file."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._held = b""
        self._at = 0
        self._total = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        if self._at == len(self._held) and not self._ended:
            self._held, self._at = self._channel.receive(Kind.CAPSULE, PIECE), 0
            self._ended = not self._held
            self._total += len(self._held)
            if self._total > LARGEST:
                raise PeerMisbehaved(f"{self._channel.peer} sends a capsule above {LARGEST} bytes")
        data = self._held[self._at : self._at + size]
        self._at += len(data)
        return data
