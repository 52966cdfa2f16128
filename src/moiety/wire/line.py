"""Moving frames over a transport, both ways at once and without ever blocking in one of them."""

import math
import select
import threading
import time
from contextlib import suppress

from moiety.errors import InternalError, PeerLost
from moiety.wire.frame import PIECE, Kind, Payload, Wanted
from moiety.wire.peer import Peer
from moiety.wire.reader import Reader
from moiety.wire.transport import Transport
from moiety.wire.watch import Lookout, Watch
from moiety.wire.writer import Writer

TURN = 64
"""Pieces that move before a line looks at the time, and at who else is there."""
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
        self._lookout = Lookout(watch, transport.fileno())
        self._lock = threading.Lock()
        self._closed = False
        self.until = math.inf
        """When all waiting ends, by the monotonic clock, whatever the peer sends."""

    def fileno(self) -> int:
        """The descriptor to poll; -1 when closed."""
        return -1 if self._closed else self._transport.fileno()

    def post(self, kind: Kind, payload: Payload) -> None:
        """Queues a frame, which `complete` sends."""
        with self._lock:
            self.writer.post(kind, payload)

    def complete(self, wanted: Wanted | None) -> bytes:
        """Moves bytes both ways until nothing is left to send and the wanted payload is here."""
        payload = b"" if wanted is None else None
        frames, began = self.writer.frames, math.inf
        while True:
            got = self._move(wanted if payload is None else None)
            payload = payload if got is None else got
            if payload is not None and not frames:
                return payload
            began = min(began, time.monotonic())
            self._wait(began)

    def interject(self, kind: Kind, payload: bytes) -> bool:
        """Sends a frame of the connection's own; False while another frame is half sent."""
        with self._lock:
            if self._closed:
                return True
            free = self._flush()
            if free:
                self.writer.post(kind, payload)
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
        poller, unread = select.poll(), memoryview(bytearray(PIECE))
        with self._lock:
            if self._closed:
                return
            self._transport.end()
            poller.register(self._transport.fileno(), select.POLLIN)
            while (patience := until - time.monotonic()) > 0:
                count = self._transport.receive(unread)
                if count == 0:
                    return
                if count is None:
                    poller.poll(1000 * patience)

    def close(self) -> None:
        """Closes the transport; may be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._transport.close()

    def _move(self, wanted: Wanted | None) -> bytes | None:
        """Sends and reads without waiting; the wanted payload if it is here.

        Reads first when nothing was heard for a while: a write to a closed connection fails, and
        OpenSSL then no longer gives out what was received, such as the reason for closing.
        """
        with self._lock:
            if self._closed:
                raise InternalError(f"the channel to {self._peer.name} is used after its end")
            try:
                if self.writer.frames and time.monotonic() - self._heard > STALE:
                    for _ in range(TURN):
                        if not self._receive():
                            break
                        self.reader.next(None)
                return self._alternate(wanted)
            except ConnectionError as error:
                midway = " in the middle of a frame" if wanted and self.reader.midway else ""
                loss = self._loss(f"{error}{midway}")
                raise self._watch.with_others(loss, self._transport.fileno()) from None

    def _alternate(self, wanted: Wanted | None) -> bytes | None:
        """Sends a piece and reads a piece in turn, as long as either goes on, or for a while.

        A peer that sends without end must not keep this side from noticing anything else.
        """
        frames, payload = self.writer.frames, None
        for _ in range(TURN):
            moving = bool(frames and self._send() and frames)
            if payload is None and (wanted or frames):
                payload = self.reader.next(wanted)
                if payload is None and self._receive():
                    continue
            if not moving:
                break
        return payload

    def _flush(self) -> bool:
        """Sends what the system takes; whether that is all."""
        while self.writer.frames and self._send():
            pass
        return not self.writer.frames

    def _send(self) -> int:
        """Sends a piece; how many bytes of it the system has taken."""
        taken = self.writer.advance(self._transport.send)
        if taken:
            self.spoke = time.monotonic()
        return taken

    def _receive(self) -> bool:
        """Reads a piece; False when there is none, or too much that nobody has asked for."""
        if self.reader.sated:
            return False
        count = self._transport.receive(self.reader.room())
        if count is None:
            return False
        if count == 0:
            raise ConnectionError("closed the connection")
        self.reader.filled(count)
        self._heard = time.monotonic()
        return True

    def _wait(self, began: float) -> None:
        """Sleeps until bytes can move; a peer that is not read cannot be called silent."""
        now, listening = time.monotonic(), not self.reader.sated
        silence = self._watch.silence
        patience = max(self._heard, began) + silence - now if listening else silence
        if patience <= 0:
            raise self._peer.lost(f"has been silent for {silence:g} s")
        if self.until <= now:
            raise self._peer.lost("took too long")
        events = (select.POLLIN if listening else 0) | (select.POLLOUT if self.writer.frames else 0)
        self._lookout.wait(events, min(patience, self.until - now))

    def _loss(self, what: str) -> PeerLost:
        with suppress(ConnectionError):
            while self._receive():
                pass
        reason = self.reader.farewell()
        return self._peer.stopped(reason) if isinstance(reason, str) else self._peer.lost(what)
