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
        self.frames: deque[tuple[bytes, Payload, bool]] = deque()
        """What is left to send: header, payload, whether it is counted."""
        self._sequence = 0
        self._at = -HEADER.size

    def post(self, kind: Kind, payload: Payload) -> None:
        """Queues a frame; its payload must not change until it has left."""
        if type(payload) is not bytes or len(payload) > PIECE:
            view = memoryview(payload)
            payload = view.cast("B") if view.nbytes else b""
        length = len(payload)
        if length > LONGEST:
            raise InternalError(f"a {kind.name} of {length} bytes does not fit in one frame")
        counted = kind >= FIRST_COUNTED
        header = HEADER.pack(kind, 0, 0, length, self._sequence)
        self.frames.append((header, payload, counted))
        self._sequence += counted

    def advance(self, send: Callable[[bytes, Payload], int]) -> int:
        """Sends one piece of the first frame, then hashes what was taken: the peer reads already.

        Returns how many bytes were taken.
        """
        header, payload, counted = self.frames[0]
        begin = self._at
        if begin < 0:
            taken = send(header[begin:], payload[:PIECE])
        else:
            taken = send(b"", payload[begin : begin + PIECE])
        end = self._at = begin + taken
        if end == len(payload):
            self.frames.popleft()
            self._at = -HEADER.size
        if counted and taken and end >= 0:
            if begin < 0:
                self.tally.add(header, payload[:end])
            else:
                self.tally.extend(payload[begin:end])
        return taken
