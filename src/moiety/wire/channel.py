"""One connection to one peer: frames both ways, counted, hashed, never silently wrong."""

import hmac
import math
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

from moiety.errors import PeerLost
from moiety.wire.frame import LONGEST_REASON, Kind, Payload
from moiety.wire.line import Line
from moiety.wire.peer import Peer
from moiety.wire.totals import Totals
from moiety.wire.transport import Transport
from moiety.wire.watch import Watch

GREETING = b"moiety 2"
Heard: TypeAlias = Callable[[str, str, Kind, bytes], None]
LAST_WORDS = 1.0
GREETING_TIME = 10.0
"""Seconds for the greeting in all: a stranger cannot hold a door open with heartbeats."""


class Channel:
    """One connection to one peer, used by one thread at a time.

    Every wait reads as well as writes, ends with PeerLost when the peer or another watched one is
    gone or silent, and costs no processor time. A payload is read to its end before a call returns.
    """

    heard: Heard | None = None
    """Is told each message of the conversation that came: what step, from whom, kind, payload."""

    def __init__(self, transport: Transport, peer: str, *, watch: Watch | None = None) -> None:
        self._transport = transport
        self._peer = Peer(peer)
        self._watch = watch or Watch()
        self._line = Line(transport, self._peer, self._watch)
        self._said_done = False
        self.parted = False

    @property
    def peer(self) -> str:
        """The peer's name."""
        return self._peer.name

    @property
    def step(self) -> str:
        """What the parties are doing; completes "payco closed the connection during …"."""
        return self._peer.step

    @step.setter
    def step(self, step: str) -> None:
        self._peer.step = step

    @property
    def own_certificate(self) -> bytes:
        """This side's certificate, DER."""
        return self._transport.own_certificate

    @property
    def peer_certificate(self) -> bytes:
        """The peer's certificate, DER; the peer has proven that it holds the key."""
        return self._transport.peer_certificate

    @property
    def totals(self) -> Totals:
        """Messages and payload bytes of the conversation so far."""
        sent, received = self._line.writer.tally, self._line.reader.tally
        return Totals(sent.messages, sent.size, received.messages, received.size)

    @property
    def sent_hash(self) -> bytes:
        """BLAKE3 of all frames sent; equals the peer's `received_hash`."""
        return self._line.writer.tally.hash

    @property
    def received_hash(self) -> bytes:
        """BLAKE3 of all frames received; equals the peer's `sent_hash`."""
        return self._line.reader.tally.hash

    def export(self, label: str, context: bytes, length: int = 32) -> bytes:
        """`length` bytes that both ends of this TLS session derive, and nobody else can.

        Source: RFC 8446 §7.5.
        """
        return self._transport.export(label, context, length)

    def fileno(self) -> int:
        """The descriptor to poll; -1 when closed."""
        return self._line.fileno()

    def send(self, kind: Kind, payload: Payload) -> None:
        """Sends one message; returns when the system has taken all of it.

        Two sides that send to each other more than READ_AHEAD (1 MB) at once wait for ever: that is
        what `exchange` is for.
        """
        self._line.post(kind, payload)
        self._line.complete(None)

    def receive(self, kind: Kind, limit: int) -> bytes:
        """The payload of the next message, which must be of `kind` and at most `limit` bytes."""
        return self._received(kind, 0, limit)

    def exchange(self, payload: Payload, expect: int) -> bytes:
        """Sends one TICK and receives one of exactly `expect` bytes, both at the same time."""
        self._line.post(Kind.TICK, payload)
        return self._received(Kind.TICK, expect, expect)

    def tick(self, payload: Payload, expect: int) -> bytes:
        """As `exchange`, but a side from which nothing is due sends no frame."""
        if payload:
            self._line.post(Kind.TICK, payload)
        elif not expect:
            return b""
        return self._received(Kind.TICK, expect, expect) if expect else self._line.complete(None)

    def _received(self, kind: Kind, least: int, limit: int) -> bytes:
        payload = self._line.complete((kind, least, limit))
        if self.heard is not None:
            self.heard(self.step, self.peer, kind, payload)
        return payload

    def rename(self, name: str) -> None:
        """Calls the peer by the name that its certificate proves."""
        self._peer.name = name

    def greet(self) -> None:
        """The first exchange: both sides accept the other's certificate and speak this version."""
        self.step = "the greeting"
        self._line.until = time.monotonic() + GREETING_TIME
        self._line.post(Kind.WELCOME, GREETING)
        if self._line.complete((Kind.WELCOME, 0, 64)) != GREETING:
            raise self._peer.misbehaved("speaks another version of this protocol")
        self._line.until = math.inf
        self.step = "the job"

    def finish(self) -> None:
        """Ends the job with this peer, which must do the same; both close.

        With several peers use Watch.finish: one by one, three parties may wait in a circle.
        Raises PeerMisbehaved if the two sides' hashes of the conversation differ.
        """
        self.say_done()
        self.await_done()

    def say_done(self) -> None:
        """Tells the peer that this side is done, and what it has sent and received."""
        self._said_done = True
        self._line.post(Kind.DONE, self.sent_hash + self.received_hash)
        self._line.complete(None)

    def await_done(self) -> None:
        """Waits until the peer says so too, compares hashes and closes."""
        theirs = self._line.complete((Kind.DONE, 64, 64))
        self.close()
        if not hmac.compare_digest(theirs, self.received_hash + self.sent_hash):
            raise self._peer.misbehaved("counts another conversation than ours")

    def abort(self, reason: str) -> None:
        """Tells the peer why this side stops, if it takes that within a second, and closes."""
        words = reason.encode(errors="replace")[:LONGEST_REASON]
        until = time.monotonic() + LAST_WORDS
        with suppress(ConnectionError):
            while not self._line.interject(Kind.ABORT, words) and time.monotonic() < until:
                time.sleep(0.01)
            self._line.linger(until)
        self.close()

    def beat(self, idle: float) -> None:
        """Sends a heartbeat if nothing was sent for `idle` seconds; never waits for the peer."""
        quiet = time.monotonic() - self._line.spoke > idle
        if quiet and not self._said_done and not self._line.hung_up():
            with suppress(ConnectionError):
                self._line.interject(Kind.HEARTBEAT, b"")

    def loss(self) -> PeerLost | None:
        """Why the connection is broken; None when the peer had said that it was done."""
        error = self._line.loss()
        self.parted = error is None
        return error

    def close(self) -> None:
        """Ends the connection; may be called twice."""
        self._watch.discard(self)
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Channel({self.peer!r}, {self.totals})"
