"""What went over a connection, counted."""

from typing import NamedTuple


class Totals(NamedTuple):
    """Messages and payload bytes, both ways; without headers, TLS, greetings and heartbeats."""

    sent_messages: int = 0
    sent_bytes: int = 0
    received_messages: int = 0
    received_bytes: int = 0
