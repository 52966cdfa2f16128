"""Frames in, bytes out."""

from collections import deque
from collections.abc import Callable

from moiety._core import Tally
from moiety.errors import InternalError
from moiety.wire.frame import FIRST_COUNTED, HEADER, LONGEST, PIECE, Kind, Payload


class Writer:
    """The frames on their way to the peer: numbered, and hashed as they leave."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._sequence = 0
        self._frames: deque[_Leaving] = deque()

    @property
    def busy(self) -> bool:
        """Whether there is something left to send."""
        return bool(self._frames)

    def post(self, kind: Kind, payload: Payload) -> None:
        """Queues a frame; its payload is read until it has left."""
        if type(payload) is not bytes:
            view = memoryview(payload)
            payload = view.cast("B") if view.nbytes else b""
        if len(payload) > LONGEST:
            raise InternalError(f"a {kind.name} of {len(payload)} bytes does not fit in one frame")
        header = HEADER.pack(kind, 0, 0, len(payload), self._sequence)
        counted = kind >= FIRST_COUNTED
        self._sequence += counted
        self._frames.append(_Leaving(header, payload, self.tally if counted else None))

    def advance(self, send: Callable[[bytes, Payload], int]) -> bool:
        """Sends one piece of the first frame; whether anything was taken."""
        frame = self._frames[0]
        taken = frame.advance(send)
        if frame.left == 0:
            self._frames.popleft()
        return taken > 0


class _Leaving:
    """One frame: how much of it is left to send, and what hashes it."""

    __slots__ = ("_header", "_payload", "_tally", "left")

    def __init__(self, header: bytes, payload: Payload, tally: Tally | None) -> None:
        self._header = header
        self._payload = memoryview(payload) if len(payload) > PIECE else payload
        self._tally = tally
        self.left = len(header) + len(payload)

    def advance(self, send: Callable[[bytes, Payload], int]) -> int:
        """Sends one piece, then hashes what was taken: meanwhile the peer reads it."""
        at = len(self._payload) - self.left
        if at < 0:
            taken = send(self._header[at:], self._payload[:PIECE])
        else:
            taken = send(b"", self._payload[at : at + PIECE])
        self.left -= taken
        if self._tally is not None and at + taken >= 0:
            self._hash(at, at + taken)
        return taken

    def _hash(self, begin: int, end: int) -> None:
        if begin < 0:
            self._tally.add(self._header, self._payload[:end])
        elif begin < end:
            self._tally.extend(self._payload[begin:end])
