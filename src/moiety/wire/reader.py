"""Bytes in, frames out."""

from io import BytesIO
from struct import Struct
from typing import TypeAlias

from moiety._core import Tally, blank
from moiety.errors import PeerMisbehaved
from moiety.wire.frame import (
    FIRST_COUNTED,
    HEADER,
    KINDS,
    LONGEST,
    LONGEST_REASON,
    PIECE,
    Kind,
    Wanted,
    readable,
)
from moiety.wire.peer import Peer

CHUNK = 1 << 16
READ_AHEAD = 1 << 20
PACKED = Struct(f"{HEADER.size}s")


_Header: TypeAlias = tuple[Kind, int, bytes]
"""Kind, length of the payload, and the 16 bytes themselves."""


class Reader:
    """Strict, and bounded in memory by what is wanted plus READ_AHEAD.

    Bytes are staged until the header of a frame is known and the frame is wanted; what is missing
    of its payload then, is received where it will stay.
    """

    def __init__(self, peer: Peer) -> None:
        self.tally = Tally()
        self._peer = peer
        self._stage = memoryview(bytearray(READ_AHEAD + CHUNK))
        self._first = self._stage[:CHUNK]
        self._begin = self._end = 0
        self._header: _Header | None = None
        self._body: _Body | None = None

    @property
    def held(self) -> int:
        """How many bytes are staged."""
        return self._end - self._begin

    @property
    def sated(self) -> bool:
        """Whether so much is staged that nobody has asked for that no more may be read."""
        return self._end - self._begin >= READ_AHEAD

    @property
    def midway(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._end > self._begin or self._header is not None

    def room(self) -> memoryview:
        """Where the next bytes from the connection go, unless the reader is sated."""
        if self._body is not None and self._body.missing:
            return self._body.room()
        if self._begin == self._end:
            self._begin = self._end = 0
            return self._first
        if self._end > READ_AHEAD:
            held = self.held
            self._stage[:held] = self._stage[self._begin : self._end]
            self._begin, self._end = 0, held
        return self._stage[self._end : self._end + CHUNK]

    def filled(self, count: int) -> None:
        """Takes the first `count` bytes of the room."""
        if self._body is not None and self._body.missing:
            self._body.filled(count)
        else:
            self._end += count

    def next(self, wanted: Wanted | None) -> bytes | None:
        """The payload of the wanted frame, or None while it is incomplete.

        Raises PeerLost with the reason when an ABORT comes first, PeerMisbehaved for any frame that
        is not the wanted one; its payload is not even read. With None: only looks for ABORT.
        """
        header = self._header
        if header is None and self._end - self._begin >= HEADER.size:
            header = self._next_header()
        if header is None or wanted is None:
            return None
        kind, least, most = wanted
        if header[0] is not kind or not least <= header[1] <= most:
            raise self._unwanted(header, wanted)
        return self._take(header) if self._body is None else self._finish(self._body)

    def farewell(self) -> str | bool:
        """What a peer that is gone had left to say: the reason of an ABORT, or whether a DONE."""
        at, end = self._begin, self._end
        if self._header and not self._body:
            at += self._header[1]
        while end >= at + HEADER.size:
            kind, _, _, length, _ = HEADER.unpack_from(self._stage, at)
            at += HEADER.size + length
            if kind == Kind.ABORT and at <= end:
                return readable(bytes(self._stage[at - length : at][:LONGEST_REASON]))
            if kind == Kind.DONE:
                return True
        return self._header is not None and self._header[0] is Kind.DONE

    def _next_header(self) -> _Header | None:
        """The header of the frame whose payload is next, past all heartbeats."""
        while self._end - self._begin >= HEADER.size:
            kind, length, _ = header = self._parse()
            begin = self._begin + HEADER.size
            if kind is Kind.ABORT:
                if self._end < begin + length:
                    return None
                raise self._peer.stopped(readable(bytes(self._stage[begin : begin + length])))
            self._begin = begin
            if kind is not Kind.HEARTBEAT:
                self._header = header
                return header
        return None

    def _parse(self) -> _Header:
        (packed,) = PACKED.unpack_from(self._stage, self._begin)
        number, flags, reserved, length, sequence = HEADER.unpack(packed)
        kind = KINDS.get(number)
        if kind is None or flags or reserved:
            raise self._peer.misbehaved("sent bytes that are not a frame")
        due = self.tally.messages
        if sequence != due:
            raise self._peer.misbehaved(
                f"sent frame {sequence} where {due} is due (replayed or reordered)"
            )
        if number < FIRST_COUNTED and length > _longest(kind):
            raise self._peer.misbehaved(f"sent {kind.name} with {length} bytes")
        return kind, length, packed

    def _take(self, header: _Header) -> bytes | None:
        """The payload when all of it is staged; else its start goes to where the rest will."""
        kind, length, packed = header
        begin, end = self._begin, self._begin + length
        tally = self.tally if kind >= FIRST_COUNTED else None
        if end > self._end:
            self._body = _Body(header, self._stage[begin : self._end], tally)
            self._begin = self._end
            return None
        payload = bytes(self._stage[begin:end])
        self._begin, self._header = end, None
        if tally is not None:
            tally.add(packed, payload)
        return payload

    def _finish(self, body: "_Body") -> bytes | None:
        if body.missing:
            return None
        self._body = self._header = None
        return body.payload()

    def _unwanted(self, header: _Header, wanted: Wanted) -> PeerMisbehaved:
        (kind, length, _), (due, least, most) = header, wanted
        if kind is not due:
            return self._peer.misbehaved(f"sent {kind.name} where {due.name} is due")
        bound = "exactly" if least == most else "at most"
        return self._peer.misbehaved(f"sent {kind.name} of {length} bytes, not of {bound} {most},")


class _Body:
    """A payload that is received in place, and hashed as it comes."""

    def __init__(self, header: _Header, start: memoryview, tally: Tally | None) -> None:
        self._bytes = BytesIO(blank(header[1]))
        self._view = self._bytes.getbuffer()
        self._tally = tally
        self._view[: len(start)] = start
        self.missing = header[1] - len(start)
        if tally is not None:
            tally.add(header[2], start)

    def room(self) -> memoryview:
        """Where the next bytes go."""
        at = len(self._view) - self.missing
        return self._view[at : at + PIECE]

    def filled(self, count: int) -> None:
        """Takes the first `count` bytes of the room."""
        at = len(self._view) - self.missing
        self.missing -= count
        if self._tally is not None:
            self._tally.extend(self._view[at : at + count])

    def payload(self) -> bytes:
        """The whole payload, without a copy: nothing can write to it any more."""
        self._view.release()
        return self._bytes.getvalue()


def _longest(kind: Kind) -> int:
    """The most bytes that a frame of the connection's own may have."""
    if kind is Kind.HEARTBEAT:
        return 0
    return LONGEST_REASON if kind is Kind.ABORT else LONGEST
