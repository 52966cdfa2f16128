"""Bounded reads of evidence, front to back."""

import struct

from moiety.errors import AttestationFailed


class Reader:
    """Bytes that are taken one part after the other; AttestationFailed where they end too early.

    `end` is where these bytes end in the whole, for the words of a refusal; None if they are whole.
    """

    def __init__(self, data: bytes, end: int | None = None) -> None:
        self._data = data
        self._at = 0
        self._start = 0 if end is None else end - len(data)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    @property
    def at(self) -> int:
        """How many bytes of the whole are read."""
        return self._start + self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.left:
            raise malformed(f"byte {self.at}: {size} bytes expected, {self.left} left")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, layout: str) -> int:
        """The next number, in a format of `struct`."""
        value: int = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def end(self) -> None:
        """Refuses bytes that are left over."""
        if self.left:
            raise malformed(f"byte {self.at}: {self.left} bytes too many")


def malformed(what: str) -> AttestationFailed:
    """The refusal of bytes that are no evidence."""
    return AttestationFailed(
        f"evidence is malformed: {what}",
        hint="moiety reads SGX quotes of version 3 and TDX quotes of versions 4 and 5, with a PCK "
        "chain inside, and TPM 2.0 quotes",
    )
