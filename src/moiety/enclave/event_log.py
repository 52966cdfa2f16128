"""What a machine measured while it booted: the firmware's log, and the PCRs that it leads to.

The form is the crypto-agile log of the TCG PC Client Platform Firmware Profile, §10, which Linux
shows in `/sys/kernel/security/tpm0/binary_bios_measurements`. A log proves nothing by itself: who
has it may have made it up. It explains PCRs that a TPM has quoted, or it is refused.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from moiety.enclave.reader import Reader, malformed

LOG_LIMIT = 256 << 10
PCRS = 24
SIZE = 32
"""Bytes of a PCR of the SHA-256 bank."""
SHA256 = 0x000B

_NO_ACTION = 3
_SPECIFICATION = b"Spec ID Event03\0"
_LOCALITY = b"StartupLocality\0"
_ALGORITHMS = 16


@dataclass(frozen=True, slots=True)
class Event:
    """One event: the PCR that it was measured into, its type, its SHA-256, and its data."""

    pcr: int
    kind: int
    digest: bytes
    data: bytes


def parse_log(log: bytes) -> tuple[Event, ...]:
    """The events of a log; AttestationFailed if it is none, or has no SHA-256 of them."""
    if len(log) > LOG_LIMIT:
        raise malformed(f"an event log of {len(log)} bytes, above {LOG_LIMIT}")
    reader = Reader(log)
    sizes = _parse_first(reader)
    events = []
    while reader.left:
        events.append(_parse_event(reader, sizes))
    return tuple(events)


def replay(events: Iterable[Event]) -> dict[int, bytes]:
    """The PCRs that these events lead to, those alone that they touch."""
    pcrs: dict[int, bytes] = {}
    for event in events:
        if event.kind == _NO_ACTION:
            if event.pcr == 0 and event.data[:-1] == _LOCALITY:
                pcrs[0] = event.data[-1:].rjust(SIZE, b"\0")
            continue
        before = pcrs.get(event.pcr, bytes(SIZE))
        pcrs[event.pcr] = hashlib.sha256(before + event.digest).digest()
    return pcrs


def _parse_first(reader: Reader) -> dict[int, int]:
    """The first event, in the older form, says how long the digests of all others are."""
    reader.take(4 + 4 + 20)
    body = Reader(reader.take(reader.number("<I")), reader.at)
    if body.take(len(_SPECIFICATION)) != _SPECIFICATION:
        raise malformed("an event log of another form than the crypto-agile one")
    body.take(4 + 4)
    count = body.number("<I")
    if count > _ALGORITHMS:
        raise malformed(f"an event log of {count} algorithms")
    sizes = {body.number("<H"): body.number("<H") for _ in range(count)}
    body.take(body.number("<B"))
    body.end()
    if sizes.get(SHA256) != SIZE:
        raise malformed("an event log without SHA-256")
    return sizes


def _parse_event(reader: Reader, sizes: dict[int, int]) -> Event:
    pcr, kind, count = (reader.number("<I") for _ in range(3))
    if pcr >= PCRS or count != len(sizes):
        raise malformed(f"byte {reader.at}: an event of PCR {pcr}, {count} digests")
    digests = {}
    for _ in range(count):
        algorithm = reader.number("<H")
        if algorithm not in sizes:
            raise malformed(f"byte {reader.at}: a digest of algorithm {algorithm:#x}")
        digests[algorithm] = reader.take(sizes[algorithm])
    if SHA256 not in digests:
        raise malformed(f"byte {reader.at}: an event without SHA-256")
    return Event(pcr, kind, digests[SHA256], reader.take(reader.number("<I")))
