"""Words modulo 2^64 and bits: fixed point, packing, products, keyed streams; over the Rust core."""

import hmac
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from moiety import _core
from moiety.errors import DataError, InternalError, PeerMisbehaved

Words = npt.NDArray[np.uint64]
Bits = npt.NDArray[np.uint8]
Message = bytes

P = ParamSpec("P")
T = TypeVar("T")

KEY = 16
WORD = 8


def encode(values: npt.ArrayLike, fraction: int) -> Words:
    """round(x · 2^fraction) mod 2^64, to nearest and ties to even.

    Raises:
        DataError: a value is not finite, or |x| ≥ 2^(62 - fraction).
    """
    limit = math.nextafter(2.0 ** (62 - fraction), 0)
    return Reals(values, fraction, -limit, limit).words


class Reals:
    """One party's numbers within bounds; their words, see `encode`, are made when asked for.

    The array is not copied: it must not change while this is in use.
    """

    dtype = np.dtype(np.uint64)
    """Of the words, as is the shape."""

    def __init__(self, values: npt.ArrayLike, fraction: int, low: float, high: float) -> None:
        """The numbers, once all of them are checked.

        Raises:
            DataError: a value is not finite, |x| ≥ 2^(62 - fraction), or x is not in [low, high].
        """
        self.values = np.asarray(values, np.float64, order="C")
        self.fraction, self.shape = fraction, self.values.shape
        self.bounds = round(math.ldexp(low, fraction)), round(math.ldexp(high, fraction))
        limit = 2.0 ** (62 - fraction)
        most = math.nextafter(limit, 0)
        if not _core.reals_inside(self.values.reshape(-1), max(low, -most), min(high, most)):
            raise DataError(
                f"a value is not finite, not in [{low:g}, {high:g}], or not below "
                f"{limit:g} with {fraction} fraction bits",
                hint="clip the column, or use fewer fraction bits",
            )

    @cached_property
    def words(self) -> Words:
        """All words."""
        return _core.encode_words(self.values.reshape(-1), self.fraction).reshape(self.shape)

    def times(self, y: Words) -> Words:
        """The product of the table and a matrix mod 2^64; with a column, no words are kept."""
        if y.shape[1] == 1:
            column = np.ascontiguousarray(y).reshape(-1)
            return _core.multiply_reals(self.values, self.fraction, column).reshape(-1, 1)
        return matmul(self.words, y)

    def __repr__(self) -> str:
        return f"Reals{self.shape}"


def inside(words: Words | Reals, low: int, high: int) -> bool:
    """Whether every word, read as signed, is in [low, high]; of reals, whether their bounds are."""
    if isinstance(words, Reals):
        return low <= words.bounds[0] and words.bounds[1] <= high
    return _core.inside(np.ascontiguousarray(words).reshape(-1).view(np.int64), low, high)


def decode(words: Words, fraction: int) -> npt.NDArray[np.float64]:
    """The real number that each word, read as signed, stands for; exact below 2^53 units."""
    return np.ldexp(words.view(np.int64).astype(np.float64), -fraction)


def matmul(a: Words, b: Words) -> Words:
    """The product of two matrices mod 2^64."""
    return _core.matmul_u64(np.ascontiguousarray(a), np.ascontiguousarray(b))


def matmul_transposed(a: Words, b: Words) -> Words:
    """The product aᵀ · b of two matrices mod 2^64."""
    return _core.matmul_u64(np.ascontiguousarray(a), np.ascontiguousarray(b), transposed=True)


def keep_memory() -> None:
    """Memory that this process frees stays with it: fresh pages cost more than the kernels."""
    _core.keep_memory()


def pack_words(x: Words, bits: int) -> bytes:
    """Each word's low `bits` bits, one after the other, in ⌈n·bits / 8⌉ bytes."""
    return _core.pack_words(np.ascontiguousarray(x).reshape(-1), bits)


def unpack_words(data: bytes, count: int, bits: int) -> Words:
    """The inverse of `pack_words`; PeerMisbehaved for another length or set trailing bits.

    Whole words are not copied: the result is then read-only.
    """
    if bits == 8 * WORD and len(data) == WORD * count:
        return np.frombuffer(data, np.dtype("<u8"))
    return received(_core.unpack_words, data, count, bits)


def received(kernel: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a kernel that reads what another party sent; PeerMisbehaved if it refuses."""
    try:
        return kernel(*args, **kwargs)
    except ValueError as error:
        raise PeerMisbehaved(f"a message of packed words is malformed: {error}") from None


def pack_bits(x: Bits) -> bytes:
    """Bits, each a byte 0 or 1, as ⌈n / 8⌉ bytes, the first lowest."""
    return np.packbits(x.reshape(-1), bitorder="little").tobytes()


def unpack_bits(data: bytes, count: int, *, strict: bool = True) -> Bits:
    """The inverse of `pack_bits`; PeerMisbehaved for another length or, if strict, set padding."""
    if len(data) != math.ceil(count / 8):
        raise PeerMisbehaved(f"{len(data)} bytes where {count} bits are due")
    if strict and count % 8 and data[-1] >> (count % 8):
        raise PeerMisbehaved("the padding of a message of bits is not zero")
    raw = np.frombuffer(data, np.uint8)
    return np.unpackbits(raw, count=count, bitorder="little")


def derive(key: bytes, label: bytes) -> bytes:
    """A 16-byte key: HMAC-SHA256 of a domain and the label under `key`, cut to 16 bytes.

    Keys of different labels are as good as independent; none tells `key` or another.
    """
    _check_key(key)
    return hmac.digest(key, b"moiety derive v1\0" + label, "sha256")[:KEY]


def _check_key(key: bytes) -> None:
    if len(key) != KEY:
        raise InternalError(f"a stream's key has {KEY} bytes, not {len(key)}")


class Pieces:
    """A message that is made while it is sent: its size, and what makes its pieces in order."""

    def __init__(self, size: int, make: Callable[[], Iterator[Message]]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Message]:
        left = self._size
        for piece in self._make():
            left -= len(piece)
            yield piece
        if left:
            raise InternalError(f"the pieces of a message lack {left} of its {self._size} bytes")

    def __bytes__(self) -> bytes:
        return b"".join(self)


class Stream:
    """A keystream, AES-128 in counter mode under (key, stream id), read from the front.

    Two parties with the same key read the same bytes; without it they look uniform.
    """

    def __init__(self, key: bytes, stream: int) -> None:
        _check_key(key)
        self._key, self._stream, self._at = key, stream, 0

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._read(count).tobytes()

    def words(self, count: int) -> Words:
        """The next `count` words."""
        return self._read(WORD * count).view(np.uint64)

    def part(
        self, fields: Sequence[tuple[int, bool]], corrections: Message | None = None, begin: int = 0
    ) -> _core.Dealt:
        """Fields of (bits, sent): what is not sent is drawn next; the rest is in `corrections`.

        Nothing is drawn yet, only passed over.
        """
        dealt = received(_core.Dealt, self._key, self._stream, self._at, fields, corrections, begin)
        self._at = dealt.end
        return dealt

    def _read(self, count: int) -> Bits:
        out = np.empty(count, np.uint8)
        _core.stream(self._key, self._stream, self._at, out)
        self._at += count
        return out

    def __repr__(self) -> str:
        return f"Stream({self._stream}, at {self._at})"
