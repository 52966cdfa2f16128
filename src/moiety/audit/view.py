"""A recorded view: every message that a party received in a run, in order, in a file.

    magic | for each message: size of header u32 | header | payload        little-endian

The header is canonical CBOR: step, sender, kind and the payload's size. A message is appended
while the run goes on, whole, so a file that was cut short ends in one broken message at most.

A view holds everything that the party could study for ever: shares, masked words, representations,
scores. Together with the other party's view it holds the inputs. It is readable by its owner only;
keep it as the tables themselves are kept, and delete it when it has been audited.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any, Self, TypeAlias

from moiety.errors import DataError, PeerMisbehaved, UsageError
from moiety.message import decode, encode

Buffer: TypeAlias = bytes | bytearray | memoryview

MAGIC = b"moiety view 1\n"
SIZE = Struct("<I")
LONGEST = 1 << 12
"""No header is longer."""
HEADER = {"step": str, "sender": str, "kind": str, "size": int}


@dataclass(frozen=True)
class Received:
    """One message: what the parties were doing, who sent it, what it was for, and its bytes."""

    step: str
    sender: str
    kind: str
    payload: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.payload)

    def fits(self, *wanted: str) -> bool:
        """Whether it has this step, sender and kind; an empty one fits all."""
        own = (self.step, self.sender, self.kind)
        return all(one in ("", mine) for one, mine in zip(wanted, own, strict=True))


@dataclass(frozen=True, repr=False)
class View:
    """What one party received in one run, in order."""

    messages: tuple[Received, ...]

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Received]:
        return iter(self.messages)

    def __repr__(self) -> str:
        return f"View({len(self)} messages, {sum(one.size for one in self)} bytes)"

    def only(self, step: str = "", sender: str = "", kind: str = "") -> Self:
        """The messages of that step, that sender and that kind, of those that are given."""
        return type(self)(tuple(one for one in self if one.fits(step, sender, kind)))

    @property
    def payloads(self) -> list[bytes]:
        """The bytes of each message."""
        return [one.payload for one in self]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The view in a file.

        Raises:
            UsageError: the file cannot be read.
            DataError: it holds no view, or its last message was cut off.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the view {path}: {error.strerror}") from error
        if not data.startswith(MAGIC):
            raise DataError(f"{path} holds no view", hint="give a file that a Recorder wrote")
        return cls(tuple(_messages(path, data)))


class Recorder:
    """A view open for appending, in a `with` block: one process, one thread at a time.

    A message survives the end of the process once `note` returned, not the loss of power.
    """

    def __init__(self, path: Path) -> None:
        """Makes the file, readable by its owner only; never overwrites one.

        Raises:
            UsageError: it is there already, or cannot be made.
        """
        self._path, self._count = path, 0
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._file = os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)
        except OSError as error:
            hint = "a view is of one run: choose a new file in a folder that is there"
            raise UsageError(f"cannot make the view {path}: {error.strerror}", hint=hint) from error
        self._write(MAGIC)

    def note(self, step: str, sender: str, payload: Buffer, *, kind: str = "message") -> None:
        """Appends one message that was received.

        Raises:
            UsageError: the recorder is closed, a name is too long, or the disk takes no more.
        """
        fields = {"step": step, "sender": sender, "kind": kind, "size": len(payload)}
        header = encode(fields)
        if len(header) > LONGEST:
            raise UsageError(f"step, sender and kind of {len(header)} bytes", hint="shorten them")
        self._write(SIZE.pack(len(header)) + header, payload)
        self._count += 1

    def close(self) -> None:
        """Ends the view; may be called twice."""
        self._file.close()

    def _write(self, *parts: Buffer) -> None:
        if self._file.closed:
            raise UsageError(f"the view {self._path} is closed", hint="record into a new file")
        data = b"".join(parts)
        try:
            if self._file.write(data) != len(data):
                raise OSError(0, "the disk took a part of a message only")
        except OSError as error:
            self.close()
            hint = "make room on the disk and record another run"
            raise UsageError(f"cannot write the view {self._path}: {error}", hint=hint) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Recorder({self._path.name}, {self._count} messages)"


def _messages(path: Path, data: bytes) -> Iterator[Received]:
    at = len(MAGIC)
    while at < len(data):
        begin = at + SIZE.size
        fields = _header(path, data, at)
        after = begin + SIZE.unpack_from(data, at)[0]
        size = fields.pop("size")
        payload = data[after : after + size]
        if not len(payload) == size:
            raise _cut(path, at)
        yield Received(**fields, payload=payload)
        at = after + size


def _header(path: Path, data: bytes, at: int) -> dict[str, Any]:
    """The fields before the payload of the message that begins `at` bytes into the file."""
    begin = at + SIZE.size
    size = SIZE.unpack_from(data, at)[0] if begin <= len(data) else LONGEST
    if begin + size > len(data) and size <= LONGEST:
        raise _cut(path, at)
    try:
        return decode(data[begin : begin + size], HEADER, LONGEST, sender=str(path))
    except PeerMisbehaved:
        raise DataError(
            f"{path} is not a view from byte {at} on", hint="it was altered: record another run"
        ) from None


def _cut(path: Path, at: int) -> DataError:
    return DataError(
        f"the last message of the view {path} is cut off",
        hint=f"to audit what is whole before it: truncate -s {at} {path}",
    )
