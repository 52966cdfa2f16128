"""Frames in, bytes out."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

from moiety._core import Tally
from moiety.errors import InternalError
from moiety.ring import Pieces
from moiety.wire.frame import FIRST_COUNTED, HEADER, LONGEST, PIECE, Buffer, Kind, Payload


class Writer:
    """The frames on their way to the peer: numbered, and hashed as they leave."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.frames: deque[tuple[bytes, Buffer, bool, Iterator[Buffer] | None]] = deque()
        """What is left to send: header, a piece of the payload, whether it is counted, the rest."""
        self._sequence = 0
        self._at = -HEADER.size

    def post(self, kind: Kind, payload: Payload) -> None:
        """Queues a frame; its payload must not change until it has left."""
        piece: Buffer
        if type(payload) is bytes and len(payload) <= PIECE:
            length, piece, rest = len(payload), payload, None
        else:
            length, rest = _divided(payload)
            piece = next(rest, b"")
        if length > LONGEST:
            raise InternalError(f"a {kind.name} of {length} bytes does not fit in one frame")
        counted = kind >= FIRST_COUNTED
        header = HEADER.pack(kind, 0, 0, length, self._sequence)
        self.frames.append((header, piece, counted, rest))
        self._sequence += counted

    def advance(self, send: Callable[[bytes, Buffer], int]) -> int:
        """Sends one piece of the first frame, then hashes what was taken: the peer reads already.

        Returns how many bytes were taken.
        """
        header, piece, counted, rest = self.frames[0]
        begin = self._at
        taken = send(header[begin:], piece) if begin < 0 else send(b"", piece[begin:])
        end = self._at = begin + taken
        if counted and taken and end >= 0:
            if begin < 0:
                self.tally.add(header, piece[:end])
            else:
                self.tally.extend(piece[begin:end])
        if end == len(piece):
            self._next(counted, rest)
        return taken

    def _next(self, counted: bool, rest: Iterator[Buffer] | None) -> None:
        """Goes on to the next piece of the first frame, or to the next frame."""
        self.frames.popleft()
        piece = None if rest is None else next(rest, None)
        self._at = -HEADER.size if piece is None else 0
        if piece is not None:
            self.frames.appendleft((b"", piece, counted, rest))


def _divided(payload: Payload) -> tuple[int, Iterator[Buffer]]:
    """The length of a payload, and its pieces."""
    if isinstance(payload, Pieces):
        return len(payload), chain.from_iterable(map(_small, payload))
    view = memoryview(payload)
    return view.nbytes, _small(payload)


def _small(payload: Buffer) -> Iterator[Buffer]:
    view = memoryview(payload)
    view = view.cast("B") if view.nbytes else memoryview(b"")
    return (view[begin : begin + PIECE] for begin in range(0, len(view), PIECE))
