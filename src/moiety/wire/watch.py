"""Who is still alive: every wait looks at all peers, and a thread keeps idle connections warm.

A peer whose process ends is noticed at once by whoever waits, on whichever connection: the kernel
closes its sockets. A peer that is frozen, or a network that drops everything, is noticed by its
silence, after `silence` seconds and only by who waits for that very peer.
"""

import select
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

from moiety.errors import PeerError, PeerLost

SILENCE = 20.0
BEAT = 2.0
LONGEST_POLL = 3600.0
SPIN = 100e-6
"""Seconds to look again and again before sleeping: waking up takes tens of microseconds."""
LONGEST_REST = 63


class Watched(Protocol):
    """What the watch needs of a channel."""

    step: str
    parted: bool

    def fileno(self) -> int:
        """The descriptor to poll; -1 when closed."""
        ...

    def loss(self) -> PeerLost | None:
        """Why the connection is broken; None when the peer had said that it was done."""
        ...

    def beat(self, idle: float) -> None:
        """Sends a heartbeat if nothing was sent for `idle` seconds; never waits for the peer."""
        ...

    def say_done(self) -> None:
        """Tells the peer that this side is done."""
        ...

    def await_done(self) -> None:
        """Waits until the peer says so too, compares hashes and closes."""
        ...

    def abort(self, reason: str) -> None:
        """Tells the peer why this side stops, as well as it can, and closes."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


class Watch:
    """All channels of one process. As a context it closes them, with a reason after an error."""

    def __init__(self, *, silence: float = SILENCE, beat: float = BEAT) -> None:
        self.silence = silence
        self._beat = beat
        self.channels: tuple[Watched, ...] = ()
        """The watched channels: another tuple after each change."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, channel: Watched) -> None:
        """Watches this channel from now on and sends heartbeats on it."""
        with self._lock:
            self.channels += (channel,)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_beating, daemon=True)
                self._thread.start()

    def discard(self, channel: Watched) -> None:
        """Forgets this channel."""
        with self._lock:
            self.channels = tuple(other for other in self.channels if other is not channel)

    def enter(self, step: str) -> None:
        """Names the step that errors speak of, on every channel."""
        for channel in self.channels:
            channel.step = step

    def wait(self, descriptor: int | None, events: int, timeout: float) -> int:
        """The events that `descriptor` is ready for; 0 after `timeout` seconds, or sooner.

        Raises PeerLost if another watched channel has hung up meanwhile.
        """
        return Lookout(self, descriptor).wait(events, timeout)

    def allowed(self, timeout: float) -> float:
        """How long a wait of at most `timeout` seconds may take; every wait asks."""
        return timeout

    def with_others(self, loss: PeerLost, descriptor: int) -> PeerLost:
        """The loss of the peer at this descriptor, and of all others that hung up by now."""
        others = {channel.fileno(): channel for channel in self.channels if not channel.parted}
        poller = select.poll()
        for other in others.keys() - {-1, descriptor}:
            poller.register(other, select.POLLRDHUP)
        gone = _losses(others[other] for other, _ in poller.poll(0))
        return _together([loss, *gone])

    def finish(self) -> None:
        """Ends the job with every peer: all must call it (or Channel.finish), in any order."""
        for channel in self.channels:
            channel.say_done()
        for channel in self.channels:
            channel.await_done()

    def abort(self, reason: str) -> None:
        """Tells every peer why this process stops, and closes all channels."""
        for channel in self.channels:
            channel.abort(reason)

    def close(self) -> None:
        """Closes all channels and ends the heartbeats."""
        for channel in self.channels:
            channel.close()
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """After an error the peers learn its class; its text only if it is about a peer."""
        if error is not None:
            self.abort(str(error) if isinstance(error, PeerError) else type(error).__name__)
        self.close()

    def _keep_beating(self) -> None:
        while not self._stop.wait(self._beat / 4):
            with self._lock:
                if not self.channels:
                    self._thread = None
                    return
            for channel in self.channels:
                channel.beat(self._beat)


class Lookout:
    """One thread's wait for a descriptor; it ends with PeerLost if another channel hangs up.

    The descriptor comes first: who was lost is told before those who stop because of that.
    Before it sleeps it looks again and again for SPIN seconds. When that was in vain it sleeps at
    once the next time, after a second failure the next three times, and so on: a peer that is
    slow, or needs this very processor, costs nothing.
    """

    def __init__(self, watch: Watch, descriptor: int | None) -> None:
        self._watch = watch
        self._descriptor = descriptor
        self._channels: tuple[Watched, ...] | None = None
        self._others: dict[int, Watched] = {}
        self._poller = select.poll()
        self._events = 0
        self._rest = self._sleeps = 0

    def wait(self, events: int, timeout: float) -> int:
        """The events that the descriptor is ready for; 0 after `timeout` seconds, or sooner."""
        timeout = self._watch.allowed(timeout)
        if self._channels is not self._watch.channels:
            self._register()
        if events != self._events and self._descriptor is not None:
            self._poller.register(self._descriptor, events)
            self._events = events
        if timeout > SPIN and (found := self._spin()):
            return found
        return self._poll(1000 * min(max(timeout, 0.0), LONGEST_POLL))

    def _register(self) -> None:
        self._channels, self._others = self._watch.channels, {}
        self._poller, self._events = select.poll(), 0
        for channel in self._channels:
            other = channel.fileno()
            if not channel.parted and other not in (-1, self._descriptor):
                self._others[other] = channel
                self._poller.register(other, select.POLLRDHUP)

    def _spin(self) -> int:
        if self._rest:
            self._rest -= 1
            return 0
        until = time.monotonic() + SPIN
        while time.monotonic() < until:
            if found := self._poll(0):
                self._sleeps = 0
                return found
        self._rest = self._sleeps = min(2 * self._sleeps + 1, LONGEST_REST)
        return 0

    def _poll(self, milliseconds: float) -> int:
        found = dict(self._poller.poll(milliseconds))
        if self._descriptor in found:
            return found[self._descriptor]
        if found:
            self._channels = None
            if losses := _losses(self._others[ready] for ready in found):
                raise _together(losses)
        return 0


def _losses(channels: Iterable[Watched]) -> list[PeerLost]:
    return [loss for channel in channels if (loss := channel.loss())]


def _together(losses: Sequence[PeerLost]) -> PeerLost:
    """One error for all who are gone: who is killed takes along who needs it."""
    if len(losses) == 1:
        return losses[0]
    return PeerLost("; ".join(map(str, losses)), hint=losses[0].hint)
