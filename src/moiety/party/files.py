"""Files of a job: readable by their owner only, and on the disk before anything relies on them."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from moiety.errors import UsageError


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file whole, in place of an older one, or leaves the older one as it is."""
    write_file(path, [content])


def write_file(path: Path, pieces: Iterable[bytes]) -> int:
    """As `replace_file`, from pieces that are made one after the other; returns its size."""
    with whole_file(path) as file:
        return sum(file.write(piece) for piece in pieces)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which takes the place of `path` if nothing fails, and is gone else."""
    fresh = path.with_name(path.name + ".tmp")
    try:
        with open(fresh, "wb", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    fresh.replace(path)
    _sync_folder(path.parent)


def rename_file(path: Path, name: str) -> Path:
    """Gives a file another name in its folder, which is on the disk when this returns."""
    renamed = path.rename(path.with_name(name))
    _sync_folder(path.parent)
    return renamed


def private_folder(path: Path) -> None:
    """Makes a folder for its owner only, if it is not there."""
    path.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(path.parent)


def append(path: Path, content: bytes, *, after: int) -> None:
    """Adds to a file behind its first `after` bytes: what followed them was cut off by a crash."""
    with open(path, "ab", opener=_private) as file:
        file.truncate(after)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if not after:
        _sync_folder(path.parent)


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Holds a job's folder for this process.

    Raises:
        UsageError: another process runs the job from this folder.
    """
    with open(folder / "lock", "ab", opener=_private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another process runs this job in {folder}", hint="wait for its end, or stop it"
            ) from None
        yield


def _sync_folder(folder: Path) -> None:
    """A new name in a folder survives a loss of power only when the folder is written too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
