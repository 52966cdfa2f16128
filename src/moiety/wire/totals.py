"""What went over a connection: messages, payload bytes, and a rolling SHA-256."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Totals:
    """Messages and payload bytes, both ways; without headers, TLS, greetings and heartbeats."""

    sent_messages: int = 0
    sent_bytes: int = 0
    received_messages: int = 0
    received_bytes: int = 0


class Tally:
    """One direction of a connection, counted and hashed frame by frame.

    The hash is over header and payload, so it fixes where each message ends. What one side has
    sent and what the other has received have equal hashes.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self._sha256 = hashlib.sha256()

    def add(self, header: bytes, payload: bytes | memoryview) -> None:
        """Counts and hashes one frame."""
        self.messages += 1
        self.bytes += len(payload)
        self._sha256.update(header)
        self._sha256.update(payload)

    @property
    def hash(self) -> bytes:
        """SHA-256 of all frames so far."""
        return self._sha256.digest()
