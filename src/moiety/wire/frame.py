"""One frame: 16 bytes of header, then the payload.

    kind u8 | flags u8 = 0 | reserved u16 = 0 | length u32 | sequence u64      little-endian

The sequence counts the frames of one direction from 0. WELCOME, HEARTBEAT, ABORT and DONE belong to
the connection and not to the conversation: they carry the next number and do not use it up, and
they are neither counted nor hashed. TLS already keeps frames whole and in order; the checks here
find a faulty peer, and one whose idea of the conversation differs from ours.
"""

from enum import IntEnum
from io import BytesIO
from struct import Struct
from typing import NamedTuple

from moiety.errors import InternalError
from moiety.wire.peer import Peer
from moiety.wire.totals import Tally

HEADER = Struct("<BBHIQ")
CHUNK = 1 << 16
READ_AHEAD = 1 << 20
LONGEST = (1 << 32) - 1
LONGEST_REASON = 400


class Kind(IntEnum):
    """What a frame is for; below 16 the connection's own, from 16 the conversation's."""

    WELCOME = 1
    HEARTBEAT = 2
    ABORT = 3
    DONE = 4
    HELLO = 16
    EVIDENCE = 19
    RELEASE = 20
    CAPSULE = 21
    MODEL = 22
    MATERIAL = 23
    ALIGN = 24
    TICK = 25
    RECORD = 26
    DEAL = 27
    SHARE = 28


KINDS = {int(kind): kind for kind in Kind}
FIRST_COUNTED = Kind.HELLO


class Wanted(NamedTuple):
    """The frame that is due: its kind, and bounds on the length of its payload in bytes."""

    kind: Kind
    least: int
    most: int


class _Header(NamedTuple):
    kind: Kind
    length: int
    packed: bytes


class Writer:
    """Numbers the frames of the sending direction; its tally is the caller's to add to."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._sequence = 0

    def header(self, kind: Kind, length: int) -> bytes:
        """The 16 bytes that go before a payload of `length` bytes."""
        if length > LONGEST:
            raise InternalError(f"a {kind.name} of {length} bytes does not fit in one frame")
        packed = HEADER.pack(kind, 0, 0, length, self._sequence)
        self._sequence += kind >= FIRST_COUNTED
        return packed


class Reader:
    """Bytes in, frames out: strict, and bounded in memory by what is wanted plus READ_AHEAD."""

    def __init__(self, peer: Peer) -> None:
        self.tally = Tally()
        self._peer = peer
        self._raw = bytearray()
        self._header: _Header | None = None
        self._body = BytesIO()
        self._missing = 0

    @property
    def appetite(self) -> int:
        """How many bytes may be fed now; 0 when enough is held that nobody has asked for."""
        if self._missing:
            return min(CHUNK, self._missing)
        return CHUNK if len(self._raw) < READ_AHEAD else 0

    @property
    def midway(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._raw or self._header)

    def feed(self, data: bytes) -> None:
        """Takes at most `appetite` bytes from the connection."""
        if self._missing:
            self._missing -= self._body.write(data)
        else:
            self._raw += data

    def next(self, wanted: Wanted | None) -> bytes | None:
        """The payload of the wanted frame, or None while it is incomplete.

        Raises PeerLost with the reason when an ABORT comes first, PeerMisbehaved for any frame that
        is not the wanted one; its payload is not even read. With None: only looks for ABORT.
        """
        if self._missing:
            return None
        header = self._next_header()
        if header is None or wanted is None:
            return None
        self._check_wanted(header, wanted)
        payload = self._take(header.length)
        if payload is not None:
            self._header = None
            if header.kind >= FIRST_COUNTED:
                self.tally.add(header.packed, payload)
        return payload

    def farewell(self) -> str | bool:
        """What a peer that is gone had left to say: the reason of an ABORT, or whether a DONE."""
        at = self._header.length if self._header else 0
        while len(self._raw) >= at + HEADER.size:
            kind, _, _, length, _ = HEADER.unpack_from(self._raw, at)
            at += HEADER.size + length
            if kind == Kind.ABORT and at <= len(self._raw):
                return readable(self._raw[at - length : at][:LONGEST_REASON])
            if kind == Kind.DONE:
                return True
        return self._header is not None and self._header.kind is Kind.DONE

    def _next_header(self) -> _Header | None:
        """The header of the frame whose payload is next, past all heartbeats."""
        while self._header is None and len(self._raw) >= HEADER.size:
            header = self._parse()
            if header.kind is Kind.ABORT:
                if len(self._raw) < HEADER.size + header.length:
                    return None
                raise self._peer.stopped(readable(self._raw[HEADER.size :][: header.length]))
            if header.kind is not Kind.HEARTBEAT:
                self._header = header
            del self._raw[: HEADER.size]
        return self._header

    def _parse(self) -> _Header:
        packed = bytes(self._raw[: HEADER.size])
        number, flags, reserved, length, sequence = HEADER.unpack(packed)
        kind = KINDS.get(number)
        if kind is None or flags or reserved:
            raise self._peer.misbehaved("sent bytes that are not a frame")
        if sequence != self.tally.messages:
            raise self._peer.misbehaved(
                f"sent frame {sequence} where {self.tally.messages} is due (replayed or reordered)"
            )
        if length > {Kind.HEARTBEAT: 0, Kind.ABORT: LONGEST_REASON}.get(kind, LONGEST):
            raise self._peer.misbehaved(f"sent {kind.name} with {length} bytes")
        return _Header(kind, length, packed)

    def _check_wanted(self, header: _Header, wanted: Wanted) -> None:
        if header.kind is not wanted.kind:
            raise self._peer.misbehaved(f"sent {header.kind.name} where {wanted.kind.name} is due")
        if not wanted.least <= header.length <= wanted.most:
            bound = "exactly" if wanted.least == wanted.most else "at most"
            raise self._peer.misbehaved(
                f"sent {header.kind.name} of {header.length} bytes, not of {bound} {wanted.most},"
            )

    def _take(self, length: int) -> bytes | None:
        """The payload when all of it is held; else its start goes to where the rest will."""
        if self._body.tell():
            body, self._body = self._body, BytesIO()
            return body.getvalue()
        start = bytes(self._raw[:length])
        del self._raw[:length]
        self._missing = length - len(start)
        if self._missing:
            self._body.write(start)
            return None
        return start


def readable(reason: bytes | bytearray) -> str:
    """A peer's words made safe to show: printable, on one line."""
    text = reason.decode(errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
