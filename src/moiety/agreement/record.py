"""A party's own record of one job: append-only, hash-chained, signed, checked offline.

The first line names the party, its key and the job; a finished record ends with `closed`.

Given: whoever holds the party's public key finds any altered, inserted, moved or missing line.
Not given: the party itself can leave an event out, or sign a second history of the same job, and
a tail that was cut off shows only as a record that is `open`. A counterparty that keeps a `head`
can tell all three for the lines up to it.
"""

import fcntl
import io
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from moiety.agreement.record_line import Body, Entry, line_hash, parse_line
from moiety.agreement.signing import public_key as read_public_key
from moiety.agreement.signing import public_text
from moiety.errors import ConfigError, InternalError, PolicyRefused, UsageError

FORMAT = "moiety record 1"
OPENED = "opened"
CLOSED = "closed"

_NO_LINE = "0" * 64


@dataclass(frozen=True)
class RecordSummary:
    """What a verified record says; `head` is the SHA-256 of its last line, hex."""

    party: str
    public_key: str
    job_hash: str
    head: str
    entries: tuple[Entry, ...]

    @property
    def complete(self) -> bool:
        """Whether the last event is `closed`."""
        return self.entries[-1].event == CLOSED

    @property
    def state(self) -> str:
        """`complete`, or `open`: the job still runs, stopped midway, or the tail was cut off."""
        return "complete" if self.complete else "open"

    def __str__(self) -> str:
        last = self.entries[-1]
        return (
            f"the record of {self.party!a} on job {self.job_hash} is whole and {self.state}: "
            f"{len(self.entries)} lines from {self.entries[0].time} to {last.time}\n"
            f"signed by {self.public_key}\nhead {self.head}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The summary and every event, ready for JSON."""
        return {**asdict(self), "state": self.state}


class Record:
    """A record open for appending, in a `with` block: one process, one thread at a time."""

    def __init__(self, path: Path, file: io.FileIO, key: Ed25519PrivateKey) -> None:
        self._path = path
        self._file = file
        self._key = key
        self._sequence = 0
        self._head = _NO_LINE

    def __repr__(self) -> str:
        return f"Record({self._path.name}, {self._sequence} lines)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def path(self) -> Path:
        """Its file."""
        return self._path

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self._sequence

    @property
    def head(self) -> str:
        """SHA-256 of the last line, hex: told to the other parties, it pins this history."""
        return self._head

    @classmethod
    def create(
        cls, path: Path, name: str, key: Ed25519PrivateKey, job_hash: bytes, now: datetime
    ) -> Self:
        """A new record whose first line names the party, its key and the job; never overwrites."""
        record = cls(path, _open_locked(path, os.O_RDWR | os.O_CREAT | os.O_EXCL), key)
        text = public_text(key.public_key())
        opening = {"format": FORMAT, "party": name, "key": text, "job": job_hash.hex()}
        record.append(OPENED, opening, now)
        _sync_folder(path.parent)
        return record

    @classmethod
    def resume(cls, path: Path, key: Ed25519PrivateKey) -> Self:
        """The record as it stands, every line verified against this key, ready for the next."""
        record = cls(path, _open_locked(path, os.O_RDWR), key)
        try:
            summary = verify_record(path, key.public_key())
        except BaseException:
            record._file.close()
            raise
        record._sequence, record._head = len(summary.entries), summary.head
        if summary.complete:
            record._file.close()
        return record

    def append(self, event: str, body: Body, now: datetime) -> None:
        """One more signed line, on the disk when this returns; `closed` ends the record.

        `now` carries a time zone. `body` is flat: text, numbers, truth values, None.
        """
        if self._file.closed:
            raise UsageError(
                f"{self._path} takes no more events: it is closed",
                hint="start a new record for a new job",
            )
        if now.tzinfo is None:
            raise InternalError("the time of an event must carry a time zone")
        time = now.astimezone(UTC).isoformat(timespec="milliseconds")
        line = Entry(self._sequence, self._head, time, event, dict(body)).line(self._key)
        _write_through(self._path, self._file, line + b"\n")
        self._sequence += 1
        self._head = line_hash(line)
        if event == CLOSED:
            self._file.close()


def verify_record(path: Path, public_key: Ed25519PublicKey | str | None = None) -> RecordSummary:
    """The record's content, once every line's form, signature and place in the chain are checked.

    With `public_key` the record must be that party's. Without it the key that the first line names
    is taken: this shows that the record is whole, not whose it is.

    Raises:
        PolicyRefused: the sentence names the first line that is wrong.
        UsageError: the file cannot be read, or `public_key` is not a key.
    """
    wanted = read_public_key(public_key) if isinstance(public_key, str) else public_key
    entries: list[Entry] = []
    key, head = None, _NO_LINE
    for number, line in enumerate(_read_lines(path), 1):
        parsed = parse_line(line)
        if parsed is None:
            raise _refused(path, number, "is not a line of a record: it was altered or inserted")
        entry, signature = parsed
        key = key or _opening_key(path, entry, wanted)
        if not entry.signed_by(key, signature):
            raise _refused(path, number, "was altered, or signed with another key")
        _check_place(path, entry, entries, head)
        entries.append(entry)
        head = line_hash(line)
    party, job, text = (str(entries[0].body.get(name)) for name in ("party", "job", "key"))
    if not re.fullmatch("[0-9a-f]{64}", job):
        raise _refused(path, 1, "names no job")
    return RecordSummary(party, text, job, head, tuple(entries))


def _read_lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the record {path}: {error.strerror}") from error
    if not data:
        raise _refused(path, 1, "is missing: the record is empty")
    *lines, tail = data.split(b"\n")
    if tail:
        raise PolicyRefused(
            f"{path} line {len(lines) + 1} is cut off: it has no line end",
            hint="after a crash, cut the line that nobody relied on yet: "
            f"truncate -s {len(data) - len(tail)} {path}",
        )
    return lines


def _opening_key(path: Path, first: Entry, wanted: Ed25519PublicKey | None) -> Ed25519PublicKey:
    if first.event != OPENED or first.body.get("format") != FORMAT:
        raise _refused(path, 1, "does not open a record: the true first line is gone or altered")
    try:
        key = read_public_key(str(first.body.get("key")))
    except ConfigError:
        raise _refused(path, 1, "names no key: it was altered") from None
    if wanted is not None and key != wanted:
        raise PolicyRefused(
            f"{path} line 1 names the key {public_text(key)}, not {public_text(wanted)}",
            hint="it is another party's record, or was altered, or written anew",
        )
    return key


def _check_place(path: Path, entry: Entry, before: list[Entry], head: str) -> None:
    number = len(before) + 1
    if before and before[-1].event == CLOSED:
        raise _refused(path, number, "comes after the record was closed")
    if entry.sequence != len(before):
        what = f"was signed as line {entry.sequence + 1}: lines were removed, inserted or moved"
        raise _refused(path, number, what)
    if entry.previous != head:
        raise _refused(path, number, "does not follow the line before: it is of another history")


def _refused(path: Path, number: int, what: str) -> PolicyRefused:
    return PolicyRefused(
        f"{path} line {number} {what}",
        hint="rely on no line of it; ask the party for its original record",
    )


def _open_locked(path: Path, flags: int) -> io.FileIO:
    try:
        file = io.FileIO(os.open(path, flags | os.O_APPEND, 0o600), "ab")
    except OSError as error:
        hint = "a record is never overwritten: resume it, or choose another folder"
        raise UsageError(f"cannot open the record {path}: {error.strerror}", hint=hint) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UsageError(f"another process is writing the record {path}") from error
    return file


def _write_through(path: Path, file: io.FileIO, data: bytes) -> None:
    """Writes and syncs; a failure closes the file, so that nothing follows a torn line."""
    try:
        if file.write(data) != len(data):
            raise OSError(0, "the disk took a part of the line only")
        os.fsync(file.fileno())
    except OSError as error:
        file.close()
        hint = "make room on the disk, then verify and resume the record"
        raise UsageError(f"cannot write the record {path}: {error.strerror}", hint=hint) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
