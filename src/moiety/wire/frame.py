"""One frame: 16 bytes of header, then the payload.

    kind u8 | flags u8 = 0 | reserved u16 = 0 | length u32 | sequence u64      little-endian

The sequence counts the frames of one direction from 0. WELCOME, HEARTBEAT, ABORT and DONE belong to
the connection and not to the conversation: they carry the next number and do not use it up, and
they are neither counted nor hashed. TLS already keeps frames whole and in order; the checks here
find a faulty peer, and one whose idea of the conversation differs from ours.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, TypeAlias

from moiety.ring import Pieces

Buffer: TypeAlias = bytes | bytearray | memoryview
Payload: TypeAlias = Buffer | Pieces

HEADER = Struct("<BBHIQ")
PIECE = 1 << 20
"""The most bytes of a payload that move at once: they are hashed while the cache holds them."""
LONGEST = (1 << 32) - 1
LONGEST_REASON = 400


class Kind(IntEnum):
    """What a frame is for; below 16 the connection's own, from 16 the conversation's."""

    WELCOME = 1
    HEARTBEAT = 2
    ABORT = 3
    DONE = 4
    HELLO = 16
    EVIDENCE = 19
    RELEASE = 20
    CAPSULE = 21
    MODEL = 22
    MATERIAL = 23
    ALIGN = 24
    TICK = 25
    RECORD = 26
    DEAL = 27
    SHARE = 28
    SHAPE = 29


KINDS = {int(kind): kind for kind in Kind}
FIRST_COUNTED: Final = int(Kind.HELLO)

Wanted: TypeAlias = tuple[Kind, int, int]
"""The frame that is due: its kind, and the least and the most bytes that its payload may have."""


def readable(reason: bytes | bytearray) -> str:
    """A peer's words made safe to show: printable, on one line."""
    text = reason.decode(errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
