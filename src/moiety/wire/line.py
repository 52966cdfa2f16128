"""Moving frames over a transport, both ways at once and without ever blocking in one of them."""

import math
import select
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TypeAlias

from moiety.errors import InternalError, PeerLost
from moiety.wire.frame import CHUNK, FIRST_COUNTED, Kind, Reader, Wanted, Writer
from moiety.wire.peer import Peer
from moiety.wire.transport import Transport
from moiety.wire.watch import Watch

Payload: TypeAlias = bytes | bytearray | memoryview

RECORD = 1 << 14
STALE = 0.5


class Line:
    """The frames to and from one peer. One thread posts and completes; others may interject."""

    def __init__(self, transport: Transport, peer: Peer, watch: Watch) -> None:
        self.writer = Writer()
        self.reader = Reader(peer)
        self.spoke = self._heard = time.monotonic()
        self._transport = transport
        self._peer = peer
        self._watch = watch
        self._lock = threading.Lock()
        self._outbox: deque[memoryview] = deque()
        self._closed = False
        self.until = math.inf
        """When all waiting ends, by the monotonic clock, whatever the peer sends."""

    def fileno(self) -> int:
        """The descriptor to poll; -1 when closed."""
        return -1 if self._closed else self._transport.fileno()

    def post(self, kind: Kind, payload: Payload) -> None:
        """Puts a frame on its way, and hashes it while the peer already reads."""
        view = memoryview(payload)
        view = view.cast("B") if view.nbytes else memoryview(b"")
        with self._lock:
            header = self._enqueue(kind, view)
        self._move(None)
        if kind >= FIRST_COUNTED:
            self.writer.tally.add(header, view)

    def complete(self, wanted: Wanted | None) -> bytes:
        """Moves bytes both ways until nothing is left to send and the wanted payload is here."""
        payload = b"" if wanted is None else None
        began = time.monotonic()
        while True:
            if payload is None:
                flushed, payload = self._move(wanted)
            else:
                flushed, _ = self._move(None)
            if flushed and payload is not None:
                return payload
            self._wait(flushed, began)

    def interject(self, kind: Kind, payload: bytes) -> bool:
        """Sends a frame of the connection's own; False while another frame is half sent."""
        with self._lock:
            if self._closed:
                return True
            free = self._flush()
            if free:
                self._enqueue(kind, memoryview(payload))
                self._flush()
            return free

    def hung_up(self) -> bool:
        """Whether the connection is closed, by the peer or here."""
        descriptor = self.fileno()
        poller = select.poll()
        if descriptor != -1:
            poller.register(descriptor, select.POLLRDHUP)
        return descriptor == -1 or bool(poller.poll(0))

    def loss(self) -> PeerLost | None:
        """The error for a hang-up, with the reason if the peer left one; None after its DONE."""
        with self._lock:
            if self._closed:
                return None
            error = self._loss("closed the connection")
            return None if self.reader.farewell() is True else error

    def linger(self, until: float) -> None:
        """Reads on until the peer closes, lest the system drops our last words with the rest."""
        poller = select.poll()
        with self._lock:
            if self._closed:
                return
            self._transport.end()
            poller.register(self._transport.fileno(), select.POLLIN)
            while (patience := until - time.monotonic()) > 0:
                data = self._transport.receive(CHUNK)
                if data == b"":
                    return
                if data is None:
                    poller.poll(1000 * patience)

    def close(self) -> None:
        """Closes the transport; may be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._transport.close()

    def _enqueue(self, kind: Kind, payload: memoryview) -> bytes:
        """The header's bytes; header and the payload's start share a TLS record."""
        header = self.writer.header(kind, len(payload))
        first = RECORD - len(header)
        self._outbox.append(memoryview(header + payload[:first]))
        if len(payload) > first:
            self._outbox.append(payload[first:])
        return header

    def _move(self, wanted: Wanted | None) -> tuple[bool, bytes | None]:
        """Sends and reads without waiting; whether all is sent, and the wanted payload if here.

        Reads first when nothing was heard for a while: a write to a closed connection fails, and
        OpenSSL then no longer gives out what was received, such as the reason for closing.
        """
        with self._lock:
            if self._closed:
                raise InternalError(f"the channel to {self._peer.name} is used after its end")
            try:
                if self._outbox and time.monotonic() - self._heard > STALE:
                    self._read(None)
                flushed = self._flush()
                return flushed, self._read(wanted) if wanted or not flushed else None
            except ConnectionError as error:
                midway = " in the middle of a frame" if wanted and self.reader.midway else ""
                raise self._loss(f"{error}{midway}") from None

    def _flush(self) -> bool:
        """Sends what the system takes; whether that is all."""
        while self._outbox:
            head = self._outbox[0]
            taken = self._transport.send(head)
            if not taken:
                return False
            self.spoke = time.monotonic()
            if taken == len(head):
                self._outbox.popleft()
            else:
                self._outbox[0] = head[taken:]
        return True

    def _read(self, wanted: Wanted | None) -> bytes | None:
        """The wanted payload, or None when the system has no more bytes of it yet."""
        while (payload := self.reader.next(wanted)) is None:
            appetite = self.reader.appetite
            data = self._transport.receive(appetite) if appetite else None
            if data is None:
                break
            if not data:
                raise ConnectionError("closed the connection")
            self.reader.feed(data)
            self._heard = time.monotonic()
        return payload

    def _wait(self, flushed: bool, began: float) -> None:
        """Sleeps until bytes can move; a peer that is not read cannot be called silent."""
        listening = self.reader.appetite > 0
        silence = self._watch.silence
        patience = max(self._heard, began) + silence - time.monotonic() if listening else silence
        if patience <= 0:
            raise self._peer.lost(f"has been silent for {silence:g} s")
        if (left := self.until - time.monotonic()) <= 0:
            raise self._peer.lost("took too long")
        patience = min(patience, left)
        events = (select.POLLIN if listening else 0) | (0 if flushed else select.POLLOUT)
        self._watch.wait(self._transport.fileno(), events, patience)

    def _loss(self, what: str) -> PeerLost:
        with suppress(ConnectionError):
            while (appetite := self.reader.appetite) and (
                data := self._transport.receive(appetite)
            ):
                self.reader.feed(data)
        reason = self.reader.farewell()
        return self._peer.stopped(reason) if isinstance(reason, str) else self._peer.lost(what)
