"""A capsule as a file that is read at any place, for formats that are not read front to back.

Chunk i of a capsule stands where its number tells, and opens by itself (`capsule`, STREAM). So a
Parquet file inside is read column by column, while no more than one chunk is open.

Given: as for a capsule; and since the last chunk is opened first, one that was cut or extended is
refused before any of it is used. Not given: whoever stores it sees which chunks are read, and when.
"""

import io
from typing import BinaryIO

from moiety.enclave.capsule import TAG_SIZE, CapsuleHeader, DataKey, expect, open_chunk
from moiety.errors import DataError


class SealedFile(io.RawIOBase):
    """The plaintext of the capsule in `file`, which must be exactly the expected one.

    Raises:
        PolicyRefused: another data set, version, policy or chunk size.
        DataError: the capsule was altered, cut or extended; also from any read.
    """

    def __init__(self, file: BinaryIO, key: DataKey, expected: CapsuleHeader) -> None:
        super().__init__()
        file.seek(0)
        self._plain, self._prefix = expect(file, expected)
        self._file, self._cipher, self._size = file, key.cipher(), expected.chunk_size
        sealed = file.seek(0, io.SEEK_END) - len(self._plain)
        self._chunks = max(1, -(-sealed // (self._size + TAG_SIZE)))
        self._length = sealed - TAG_SIZE * self._chunks
        self._number, self._chunk, self._at = -1, b"", 0
        self._open(self._chunks - 1)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes to a place in the plaintext, and returns it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise DataError(f"place {base + offset} is before the start of a sealed file")
        self._at = base + offset
        return self._at

    def readinto(self, room: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Fills the room from where the file is, at most to the end of a chunk; the bytes read."""
        if self._at >= self._length:
            return 0
        number, begin = divmod(self._at, self._size)
        if number != self._number:
            self._open(number)
        piece = self._chunk[begin : begin + len(room)]
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _open(self, number: int) -> None:
        self._file.seek(len(self._plain) + number * (self._size + TAG_SIZE))
        sealed = self._file.read(self._size + TAG_SIZE)
        if len(sealed) < TAG_SIZE:
            raise DataError(f"chunk {number} of the capsule is cut off", hint="send it again")
        place = self._prefix, number, number == self._chunks - 1
        self._chunk = open_chunk(self._cipher, sealed, place, self._plain)
        self._number = number
