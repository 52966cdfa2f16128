"""A slow line for benches: one-way delay and a bandwidth cap, under TLS or under nothing.

`options = Options(link=Link(delay=0.020, bandwidth=100e6))` at one end slows both directions. A
thread of the same process carries the bytes: it does not know packets, loss or headers, and while
Python computes without a pause it may be late by some 5 ms.
"""

import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from math import inf

PIECE = 1 << 14
QUEUE = 1 << 18


@dataclass(frozen=True)
class Link:
    """A line: `delay` in seconds one way, `bandwidth` in bits per second each way."""

    delay: float
    bandwidth: float

    def __call__(self, sock: socket.socket) -> socket.socket:
        """The near end of the line whose far end is `sock`."""
        near, inner = socket.socketpair()
        for end in (inner, sock):
            end.setblocking(False)
        lanes = (_Lane(self, inner, sock), _Lane(self, sock, inner))
        threading.Thread(target=_carry, args=(lanes,), daemon=True).start()
        return near


class _Lane:
    """One direction: pieces with the time at which they arrive."""

    def __init__(self, link: Link, source: socket.socket, sink: socket.socket) -> None:
        self._link = link
        self.source = source
        self.sink = sink
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._room = QUEUE + int(link.delay * link.bandwidth / 8)
        self._free = 0.0
        self._ended = False
        self.closed = False

    def hungry(self) -> bool:
        """Whether another piece may be read now."""
        return not self._ended and self._room > 0

    def due(self) -> float:
        """When the next piece, or the end, arrives; infinity when nothing is on its way."""
        if self._pieces:
            return self._pieces[0][0]
        return 0.0 if self._ended and not self.closed else inf

    def take(self) -> None:
        """Reads a piece; it leaves when the line is free and arrives after the delay."""
        piece = b""
        with suppress(OSError):
            piece = self.source.recv(PIECE)
        self._ended = not piece
        if piece:
            self._free = max(self._free, time.monotonic()) + 8 * len(piece) / self._link.bandwidth
            self._pieces.append((self._free + self._link.delay, piece))
            self._room -= len(piece)

    def give(self) -> None:
        """Delivers what has arrived, and the end after it; drops all if nobody takes it."""
        try:
            if self._pieces:
                self._deliver(*self._pieces.popleft())
            else:
                self.closed = True
                self.sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._pieces.clear()
            self._ended = self.closed = True

    def _deliver(self, arrival: float, piece: bytes) -> None:
        sent = self.sink.send(piece)
        self._room += sent
        if sent < len(piece):
            self._pieces.appendleft((arrival, piece[sent:]))


def _carry(lanes: tuple[_Lane, _Lane]) -> None:
    """Moves pieces until both directions have ended."""
    while not all(lane.closed for lane in lanes):
        _carry_once(lanes)
    for lane in lanes:
        lane.source.close()


def _carry_once(lanes: tuple[_Lane, _Lane]) -> None:
    now = time.monotonic()
    hungry = [lane.source for lane in lanes if lane.hungry()]
    ripe = [lane.sink for lane in lanes if lane.due() <= now]
    later = [lane.due() - now for lane in lanes if lane.due() > now]
    readable, writable, _ = select.select(hungry, ripe, [], min([1.0, *later]))
    for lane in lanes:
        if lane.sink in writable:
            lane.give()
        if lane.source in readable:
            lane.take()
