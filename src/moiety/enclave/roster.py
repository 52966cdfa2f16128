"""Who works on one job together: the enclaves of a cluster, in the order of their ranks."""

import hashlib
from dataclasses import dataclass

from moiety.errors import ConfigError
from moiety.message import encode

LARGEST = 256
_LABEL = b"moiety roster v1\0"


@dataclass(frozen=True)
class Worker:
    """One enclave: its name, where it is reached, the SHA-256 of the certificate it made inside."""

    name: str
    address: str
    certificate: bytes


@dataclass(frozen=True)
class Roster:
    """The workers of one job; a worker's rank is its place here, from 0.

    Raises:
        ConfigError: no worker or more than 256, a name or certificate twice, a hash not of 32
            bytes.
    """

    job_hash: bytes
    workers: tuple[Worker, ...]

    def __post_init__(self) -> None:
        certificates = {worker.certificate for worker in self.workers}
        count = len(self.workers)
        faults = [
            not 1 <= count <= LARGEST and f"it has {count} workers, not 1 to {LARGEST}",
            len(set(self.names)) < count and "two workers have one name",
            len(certificates) < count and "two workers have one certificate",
            any(len(each) != 32 for each in (self.job_hash, *certificates))
            and "a hash or fingerprint has not 32 bytes",
        ]
        if any(faults):
            raise ConfigError(f"roster: {'; '.join(fault for fault in faults if fault)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names, by rank."""
        return tuple(worker.name for worker in self.workers)

    @property
    def digest(self) -> bytes:
        """SHA-256 over job, names and certificates by rank; addresses are ways, not identities."""
        workers = [[worker.name, worker.certificate] for worker in self.workers]
        return hashlib.sha256(_LABEL + encode({"job": self.job_hash, "workers": workers})).digest()

    def rank(self, name: str) -> int:
        """The rank of a worker; ConfigError if it is none of these."""
        if name not in self.names:
            raise ConfigError(f"{name!r} is not in the roster, which has {', '.join(self.names)}")
        return self.names.index(name)
