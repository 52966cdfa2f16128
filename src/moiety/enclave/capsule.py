"""A sealed data set: AES-256-GCM in chunks, with a flag on the last one.

    header    magic, format, chunk size, data-set id and version, policy hash, nonce prefix
    chunk i   AES-256-GCM of at most `chunk_size` bytes, 16 bytes of tag

Nonce of chunk i: 7 random bytes of this capsule, i (u32, big endian), 1 for the last chunk or 0.
The associated data are the header, which holds data-set id, version and policy hash, and i. Only
the last chunk may be short, and it is empty for empty data only: data divide in one way.
Source: STREAM, of Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015.

Given: whoever lacks the key can alter, drop, repeat, move, cut or append nothing unnoticed, nor
pass one data set, version or policy as another. Not given: the size is plain; chunks are handed out
one by one, so a missing tail is noticed only when the last is asked for: act on nothing before.
"""

import hmac
import secrets
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moiety.errors import DataError, InternalError, PolicyRefused

CHUNK_SIZE = 1 << 20
CHUNK_LIMIT = 1 << 26
KEY_SIZE = 32
TAG_SIZE = 16

_MAGIC = b"moiety capsule\0\1"
_FIXED = struct.Struct("<16sIQ32s7sH")
_CHUNKS = 1 << 32
_ID_LIMIT = 255


class Reader(Protocol):
    """Anything that is read from front to back: a file, a socket's file, BytesIO."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class DataKey:
    """The 32-byte key of one capsule. Sealing spends it; `zeroize` overwrites this copy.

    Best effort: the cipher's own copy lives until the cipher is collected.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise InternalError(f"a data key has {KEY_SIZE} bytes, not {len(key)}")
        self._key = bytearray(key)
        self._spent = False

    @classmethod
    def random(cls) -> Self:
        """A new key from the system's randomness."""
        return cls(secrets.token_bytes(KEY_SIZE))

    def __repr__(self) -> str:
        return f"DataKey({KEY_SIZE} bytes)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataKey) and hmac.compare_digest(self._key, other._key)

    __hash__ = None  # type: ignore[assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.zeroize()

    def __reduce__(self) -> str:
        raise InternalError("a data key is not serialised; moiety.enclave.release wraps it")

    def reveal(self) -> bytes:
        """The key itself, for `release` to wrap."""
        if not any(self._key):
            raise InternalError("this data key was zeroized")
        return bytes(self._key)

    def spend(self) -> AESGCM:
        """The cipher that seals the one capsule of this key: a second one could repeat a nonce."""
        if self._spent:
            raise InternalError("a data key seals one capsule only", hint="use DataKey.random()")
        self._spent = True
        return self.cipher()

    def cipher(self) -> AESGCM:
        """The cipher that opens."""
        return AESGCM(self.reveal())

    def zeroize(self) -> None:
        """Overwrite the key; every later use raises InternalError."""
        self._key[:] = bytes(KEY_SIZE)


@dataclass(frozen=True, slots=True)
class CapsuleHeader:
    """What a capsule says it is, and what its opener expects. `policy_hash` is the job's hash."""

    data_set: str
    version: int
    policy_hash: bytes
    chunk_size: int = CHUNK_SIZE

    def __post_init__(self) -> None:
        if not 1 <= len(self.data_set.encode()) <= _ID_LIMIT or not 0 <= self.version < 1 << 64:
            raise DataError(f"data set {self.data_set!r} version {self.version} cannot be named")
        if len(self.policy_hash) != 32 or not 1 <= self.chunk_size <= CHUNK_LIMIT:
            raise DataError(
                f"policy hash of {len(self.policy_hash)} bytes, chunks of {self.chunk_size} bytes"
            )

    def encode(self, prefix: bytes) -> bytes:
        """The header's bytes with a nonce prefix of 7 bytes."""
        name = self.data_set.encode()
        fixed = _FIXED.pack(
            _MAGIC, self.chunk_size, self.version, self.policy_hash, prefix, len(name)
        )
        return fixed + name


def seal(
    data: bytes | Iterable[bytes | bytearray | memoryview], key: DataKey, header: CapsuleHeader
) -> Iterator[bytes]:
    """The capsule of `data`: the header, then one piece for each chunk. Spends the key."""
    return _sealed(data, key.spend(), header)


def _sealed(
    data: bytes | Iterable[bytes | bytearray | memoryview], cipher: AESGCM, header: CapsuleHeader
) -> Iterator[bytes]:
    prefix = secrets.token_bytes(7)
    plain = header.encode(prefix)
    yield plain
    for number, (chunk, last) in enumerate(_chunks(data, header.chunk_size)):
        yield cipher.encrypt(_nonce(prefix, number, last), chunk, _associated(plain, number))


def open_capsule(reader: Reader, key: DataKey, expected: CapsuleHeader) -> Iterator[bytes]:
    """The plaintext chunks of a capsule that is exactly the expected one.

    Raises PolicyRefused for another data set, version, policy or chunk size, DataError for one that
    was altered, cut or extended; both before the chunk concerned is handed out. Read to the end.
    """
    found, prefix = expect(reader, expected)
    cipher = key.cipher()
    current = _read(reader, expected.chunk_size + TAG_SIZE)
    for number in range(_CHUNKS):
        after = _read(reader, expected.chunk_size + TAG_SIZE)
        yield open_chunk(cipher, current, (prefix, number, not after), found)
        if not after:
            return
        current = after
    raise DataError(f"chunk {_CHUNKS}: a capsule has at most {_CHUNKS} chunks")


def expect(reader: Reader, expected: CapsuleHeader) -> tuple[bytes, bytes]:
    """The header's bytes and its nonce prefix; PolicyRefused if it is not the expected one."""
    found = _read_header(reader)
    prefix = found[_FIXED.size - 9 : _FIXED.size - 2]
    if not hmac.compare_digest(found, expected.encode(prefix)):
        raise PolicyRefused(
            f"this capsule is not {expected.data_set!r} version {expected.version} for this job",
            hint="seal the data set again for this job",
        )
    return found, prefix


def open_chunk(
    cipher: AESGCM, sealed: bytes, place: tuple[bytes, int, bool], plain: bytes
) -> bytes:
    """The plaintext of a chunk; DataError unless it was sealed at `place`: prefix, number, last."""
    prefix, number, last = place
    if last and number and len(sealed) == TAG_SIZE:
        raise _altered(number)
    try:
        return cipher.decrypt(_nonce(prefix, number, last), sealed, _associated(plain, number))
    except InvalidTag as error:
        raise _altered(number) from error


def _altered(number: int) -> DataError:
    return DataError(
        f"chunk {number} of the capsule is not as sealed: altered, moved, cut off or extended",
        hint="send the capsule again; if it fails again, somebody on the way changes it",
    )


def _read_header(reader: Reader) -> bytes:
    fixed = _read(reader, _FIXED.size)
    if len(fixed) < _FIXED.size or not fixed.startswith(_MAGIC):
        raise DataError("this is no capsule of format 1", hint="moiety seals and opens format 1")
    length = _FIXED.unpack(fixed)[-1]
    return fixed + _read(reader, min(length, _ID_LIMIT))


def _read(reader: Reader, size: int) -> bytes:
    """`size` bytes, or fewer at the end."""
    parts = [reader.read(size)]
    missing = size - len(parts[0])
    while missing > 0 and parts[-1]:
        parts.append(reader.read(missing))
        missing -= len(parts[-1])
    return b"".join(parts)


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    if number >= _CHUNKS:
        raise DataError(f"a capsule has at most {_CHUNKS} chunks", hint="use larger chunks")
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _associated(plain: bytes, number: int) -> bytes:
    return plain + number.to_bytes(4, "big")


def _chunks(
    data: bytes | Iterable[bytes | bytearray | memoryview], size: int
) -> Iterator[tuple[bytes | memoryview, bool]]:
    """The data in pieces of `size` bytes, and whether each is the last."""
    held: bytes | memoryview = b""
    for piece in _pieces([data] if isinstance(data, bytes) else data, size):
        if held:
            yield held, False
        held = piece
    yield held, True


def _pieces(
    data: Iterable[bytes | bytearray | memoryview], size: int
) -> Iterator[bytes | memoryview]:
    """Non-empty pieces, each but the last of `size` bytes; read-only data are not copied."""
    rest = bytearray()
    for whole in data:
        view = memoryview(whole).cast("B")
        start = min(size - len(rest), len(view)) if rest else 0
        rest += view[:start]
        if len(rest) == size:
            yield bytes(rest)
            rest.clear()
        stop = len(view) - (len(view) - start) % size
        for at in range(start, stop, size):
            piece = view[at : at + size]
            yield piece if view.readonly else bytes(piece)
        rest += view[stop:]
    if rest:
        yield bytes(rest)
