"""How long an enclave waits for whom, so that no caller or worker can stop it by silence."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moiety.errors import PeerLost
from moiety.wire.watch import Watch


@dataclass(frozen=True)
class Patience:
    """How long the service waits, in seconds."""

    first: float = 24 * 3600.0
    """For the first party of a job."""
    second: float = 600.0
    """For the other party, once one is here."""
    introduction: float = 15.0
    """For a caller to say who it is and which job it brings."""
    release: float = 120.0
    """For a party to judge the evidence and release its key."""


USUAL = Patience()


class Guard(Watch):
    """A watch under which a step with a peer takes a limited time, whatever it sends."""

    _until = _allowed = math.inf
    _who = ""

    @contextmanager
    def within(self, seconds: float, who: str = "the caller") -> Iterator[None]:
        """Every wait of the block ends with PeerLost after so many seconds in all."""
        self._until, self._allowed = time.monotonic() + seconds, seconds
        self._who = who
        try:
            yield
        finally:
            self._until = math.inf

    def allowed(self, timeout: float) -> float:
        """No longer than the block has left; PeerLost when its time is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise PeerLost(f"{self._who} took longer than {self._allowed:g} s", hint="try again")
        return min(timeout, left)
