"""What anybody can read of a recorded TLS connection: records, and the first two messages."""

from collections.abc import Iterator
from typing import NamedTuple

CHANGE_CIPHER_SPEC, HANDSHAKE, APPLICATION_DATA = 20, 22, 23
HELLOS = {1: "ClientHello", 2: "ServerHello"}
SUPPORTED_VERSIONS = 43


class Record(NamedTuple):
    """One record: its content type and its body."""

    kind: int
    body: bytes


class Hello(NamedTuple):
    """Which hello it is, and the versions that it offers or selects."""

    name: str
    versions: tuple[int, ...]


def records(data: bytes | bytearray) -> Iterator[Record]:
    """The records of one direction of a connection; fails on bytes that are none."""
    at = 0
    while at < len(data):
        kind, version, size = data[at], data[at + 1 : at + 3], _number(data[at + 3 : at + 5])
        assert version in (b"\3\3", b"\3\1"), f"no TLS record at byte {at}"
        assert size <= (1 << 14) + 256
        body = bytes(data[at + 5 : at + 5 + size])
        assert len(body) == size, "cut off within a record"
        yield Record(kind, body)
        at += 5 + size


def hello(body: bytes) -> Hello:
    """RFC 8446, sections 4.1.2, 4.1.3 and 4.2.1. Without the extension: the legacy version."""
    name = HELLOS[body[0]]
    legacy, at = (_number(body[4:6]),), 4 + 2 + 32
    at += 1 + body[at]
    if name == "ClientHello":
        at += 2 + _number(body[at : at + 2])
        at += 1 + body[at]
    else:
        at += 2 + 1
    at += 2
    while at < len(body):
        kind, size = _number(body[at : at + 2]), _number(body[at + 2 : at + 4])
        content = body[at + 4 : at + 4 + size]
        if kind == SUPPORTED_VERSIONS:
            listed = content[1:] if name == "ClientHello" else content
            return Hello(name, tuple(_number(listed[i : i + 2]) for i in range(0, len(listed), 2)))
        at += 4 + size
    return Hello(name, legacy)


def _number(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "big")
