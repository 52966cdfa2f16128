"""Files of devices, which are not as other files: each call on them is an event.

Attesters touch devices by these four calls only. Tests give an object that counts, refuses and
races as a kernel does: no ordinary directory could, and a pipe cannot tell one write from two.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from moiety.errors import AttestationFailed

LIMIT = 256 << 10
"""Bytes that a device may hand out: a report has 32 KiB at most, a log of events more."""


class Files(Protocol):
    """What attesters do with a device's files; OSError is what the kernel says."""

    def read(self, path: Path) -> bytes:
        """All that the file holds, `LIMIT` bytes at most."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Writes all of `data` by one call."""
        ...

    def make(self, path: Path) -> None:
        """Makes a directory."""
        ...

    def remove(self, path: Path) -> None:
        """Removes a directory; the kernel's own files in it go with it."""
        ...


class DeviceFiles:
    """The system's files."""

    def read(self, path: Path) -> bytes:
        """All that the file holds; OSError above `LIMIT` bytes."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        pieces, left = [], LIMIT
        try:
            while piece := os.read(descriptor, left + 1):
                left -= len(piece)
                if left < 0:
                    raise OSError(errno.EFBIG, f"more than {LIMIT} bytes", str(path))
                pieces.append(piece)
        finally:
            os.close(descriptor)
        return b"".join(pieces)

    def write(self, path: Path, data: bytes) -> None:
        """Writes all of `data` by one call; OSError if the device took less."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            taken = os.write(descriptor, data)
        finally:
            os.close(descriptor)
        if taken != len(data):
            raise OSError(errno.EIO, f"took {taken} of {len(data)} bytes", str(path))

    def make(self, path: Path) -> None:
        """Makes a directory."""
        path.mkdir()

    def remove(self, path: Path) -> None:
        """Removes a directory."""
        path.rmdir()


DEVICES = DeviceFiles()


def read_text(files: Files, path: Path) -> str:
    """A short text of a device, without its line end."""
    return files.read(path).decode("ascii", "replace").strip()


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns what the kernel says inside into a refusal to attest.

    Raises:
        AttestationFailed: with the file and the kernel's words; `moiety tee doctor` says more.
    """
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise AttestationFailed(
            f"{what} does not attest: {where}{error.strerror}",
            hint="`moiety tee doctor` says what is missing",
        ) from error
