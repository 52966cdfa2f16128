"""Attesters: who can have a quote made about the code that runs here."""

from typing import Protocol


class Attester(Protocol):
    """A platform that vouches for this process."""

    production: bool
    """False for a simulation, for ever."""
    measurement: bytes
    """What its quotes say of the code that runs here (MRENCLAVE)."""

    def quote(self, report_data: bytes) -> bytes:
        """Evidence (`moiety.enclave.evidence.pack`) over exactly these 64 bytes."""
        ...
