"""The Rust kernels. All release the interpreter while they compute.

Arrays are C-contiguous and aligned, of exactly the dtype named (TypeError otherwise). Every other
refusal is a ValueError that names the argument, never a secret.
"""

from collections.abc import Sequence
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

_Buffer: TypeAlias = bytes | bytearray | memoryview
_Words: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]
_Bits: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]
_BitRows: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
_Axes: TypeAlias = Sequence[tuple[int, int, int]]
_Waves: TypeAlias = tuple[int, int, int, int]
_Rows: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.uint64]]

def stream(key: bytes, stream_id: int, offset_bytes: int, out: npt.NDArray[np.uint8]) -> None:
    """Writes bytes `offset_bytes` onwards of a keystream to `out`.

    Block j of stream s is AES-128(key, s || j), both as 64-bit little-endian words; a key has 16
    bytes. Streams of one key never overlap; any range may be produced at any time.
    """

def matmul_u64(
    a: npt.NDArray[np.uint64],
    b: npt.NDArray[np.uint64],
    threads: int = 0,
    transposed: bool = False,
) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """The matrix product a (m × k) · b (k × n) mod 2^64, in time that depends on shapes alone.

    With `transposed` a lies as k × m and its transpose is multiplied, without being made. On at
    most so many threads; 0 is what MOIETY_THREADS says, see `cpu_features`.
    """

def pack_words(x: npt.NDArray[np.uint64], bits: int) -> bytes:
    """The low `bits` bits of each word (1 to 64), little-endian, in ⌈n · bits / 8⌉ bytes."""

def unpack_words(data: bytes, n: int, bits: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """The `n` words in `data`; the length must fit and the bits after the last word be zero."""

@final
class Dealt:
    """One party's part of a correlation, packed; kernels make from it what they use.

    `fields` has (bits, sent) of each field; each begins on a byte. A field that was sent is read
    from `corrections`, from byte `begin` on, which must hold it with zero padding; the others are
    drawn from a keystream, see `stream`, from byte `offset` on. Nothing is copied.
    """

    def __new__(
        cls,
        key: bytes,
        stream: int,
        offset: int,
        fields: Sequence[tuple[int, bool]],
        corrections: bytes | None = None,
        begin: int = 0,
    ) -> Dealt: ...
    @property
    def end(self) -> int:
        """The first byte of the keystream that no field is drawn from."""

    def words(self, field: int, count: int, bits: int) -> _Words:
        """A field of `count` words of `bits` bits."""

    def bits(self, field: int, count: int) -> _Bits:
        """A field of `count` bits, as bytes of 0 and 1."""

    def row(self, field: int, count: int) -> _Words:
        """A field of `count` bits as a row: 64 a word, padded with zeros."""

@final
class Layout:
    """Where the parts of all correlations of a run lie: the same in every run.

    Each part is (stream, `begin`, `fields`), as in `Dealt`; its fields are drawn from byte 0 on.
    """

    def __new__(cls, parts: Sequence[tuple[int, int, Sequence[tuple[int, bool]]]]) -> Layout: ...
    def dealt(self, key: bytes) -> Run:
        """The parts of one run, which share the expanded key and the corrections."""

class Run:
    """The parts of one run; what is sent of them cannot be read until it is there."""

    @property
    def parts(self) -> list[Dealt]:
        """In the order of the layout."""

    def complete(self, corrections: bytes) -> None:
        """Gives the parts what was sent; once. ValueError if it does not fit."""

# Ticks. `own` and `theirs` are the two messages of a round; `first` is whether this party adds
# public terms. A message with another length or with set padding is a ValueError.

def mask_words(
    parts: Sequence[npt.NDArray[np.uint64]],
    dealt: Dealt,
    field: int,
    bits: int,
    subtract: bool = False,
    offset: int = 0,
) -> bytes:
    """The message of all parts, each plus or minus its mask: fields from number `field` on."""

def multiply_words(
    own: bytes, theirs: bytes, dealt: Dealt, count: int, bits: int, first: bool
) -> _Words:
    """Shares of products, from the opened x - a and y - b; the part is a, b, a · b."""

def deal_products(first: Dealt, second: Dealt, count: int, bits: int) -> bytes:
    """The corrections of such a part, from what each party draws."""

def deal_masked(
    mask: tuple[Dealt, tuple[int, int, int]],
    drawn: tuple[Dealt, Dealt],
    shape: tuple[int, int, int],
    bits: int,
    transposed: bool,
) -> bytes:
    """The corrections of u · v, or of uᵀ · v if transposed, for u of m rows of k words.

    `mask` is the owner's part, (rows and bits of a word of all of the mask, the first row of u);
    `drawn` are the part in which the other party drew v, and the first party's part.
    """

def mask_tops(
    x: npt.NDArray[np.uint64], dealt: Dealt, field: int, offset: int, ring: int = 64
) -> bytes:
    """The message of the negated top bits of x + offset mod 2^ring, masked with a field of bits."""

def truncate_words(
    x: npt.NDArray[np.uint64],
    own: bytes,
    theirs: bytes,
    dealt: Dealt,
    shift: int,
    first: bool,
    ring: int = 64,
) -> _Words:
    """Shares mod 2^64 of ⌊x / 2^shift⌋ or 1 more, for shares of x mod 2^ring; shift 0 is exact.

    The part is the parties' bits and their products, of 64 - ring + shift bits.
    """

def deal_floor(first: Dealt, second: Dealt, shape: tuple[int, int, int, int]) -> bytes:
    """The corrections of r >> shift, of the top bit of r, and of the tables of its low bits.

    `shape` is (count, bits of r, shift, bits of a digit).
    """

def floor_words(
    own: bytes,
    theirs: bytes,
    dealt: Dealt,
    borrow: npt.NDArray[np.uint64],
    shape: tuple[int, int, int],
    first: bool,
) -> _Words:
    """Shares of ⌊x / 2^shift⌋, from c = x + 2^(ring-2) + r and shares of [c < r] on the low bits.

    `shape` is (count, ring, shift).
    """

def mask_scaled(
    bits: npt.NDArray[np.uint8], x: npt.NDArray[np.uint64], dealt: Dealt, ring: int
) -> bytes:
    """The message of bits, each masked with field 0, and of words less field 1."""

def scale_words(
    own: bytes,
    theirs: bytes,
    dealt: Dealt,
    shape: tuple[int, int],
    ring: int,
    axes: _Axes,
    first: bool,
) -> _Words:
    """Shares of bits · x; the part is r, b, r as words, and r · b. `shape` is (bits, words).

    Each axis of the products has (size, how far its bits lie apart, how far its words).
    """

def deal_scaled(
    first: Dealt, second: Dealt, shape: tuple[int, int], ring: int, axes: _Axes
) -> bytes:
    """The corrections of such a part."""

def draw_lines(
    own: bytes,
    theirs: bytes,
    dealt: Dealt,
    x: npt.NDArray[np.uint64],
    ring: int,
    slopes: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.uint64],
    first: bool,
) -> _Words:
    """Shares of slopes[j] · x + offsets[j] in interval j; the part as for `scale_words`, in rows.

    Bits [x < cut] of rising cuts were opened, in rows, one row fewer than there are lines.
    """

def mask_bits(parts: Sequence[npt.NDArray[np.uint8]], dealt: Dealt, field: int) -> bytes:
    """The message of all parts, bytes of 0 and 1, each masked with a field of bits."""

def multiply_bits(
    own: bytes, theirs: bytes, dealt: Dealt, lengths: Sequence[int], first: bool
) -> list[_Bits]:
    """Shares of the products of one factor with others of these lengths, the first the longest."""

def deal_bit_products(first: Dealt, second: Dealt, lengths: Sequence[int]) -> bytes:
    """The corrections of a part for such products."""

def unmask_bits(own: bytes, theirs: bytes, dealt: Dealt, count: int, first: bool) -> _Words:
    """Shares of opened bits as words; the part is the masks as bits and as words."""

def deal_bit_words(first: Dealt, second: Dealt, count: int) -> bytes:
    """The corrections of such a part."""

def deal_wraps(first: Dealt, second: Dealt, count: int, shift: int) -> bytes:
    """The corrections of a part for `truncate_words`."""

def look_up(
    own: bytes | npt.NDArray[np.uint64],
    theirs: bytes,
    dealt: Dealt,
    field: int,
    shape: tuple[int, int, int, int],
    first: bool,
    shift: int = 0,
) -> _Rows:
    """The state of a comparison of c with r, by the tables from number `field` on.

    c is what was opened less `shift`.

    `shape` is (count, bits of c, low bits to compare, bits of a digit: 1 to 6). Rows: shares of
    [c < r] for each digit, most significant first; of [c = r] for each but the last; the top bits
    of c.
    """

def deal_tables(
    first: Dealt,
    second: Dealt,
    field: int,
    shape: tuple[int, int, int, int],
    top: bool,
    waves: _Waves | None = None,
) -> bytes:
    """The corrections of the tables of r, field 0; with `top` those of its top bits go first.

    With `waves` those of `deal_waves` go last; their field is the one after the tables.
    """

def mask_level(state: npt.NDArray[np.uint64], dealt: Dealt, count: int, all: bool = False) -> bytes:
    """The message of one level of the tree that merges the digits of a state.

    With `all` the state is a row of bits for each digit, and the tree multiplies them.
    """

def merge_level(
    state: npt.NDArray[np.uint64],
    theirs: bytes,
    dealt: Dealt,
    count: int,
    first: bool,
    all: bool = False,
) -> _Rows:
    """The state after that level; what `mask_level` made is made again."""

def deal_digits(first: Dealt, second: Dealt, shape: tuple[int, int, int]) -> bytes:
    """The corrections of the words whose one set bit is a digit of r, field 0, one field a digit.

    `shape` is (count, bits of r, bits of a digit: 1 to 6).
    """

def equal_digits(own: bytes, theirs: bytes, dealt: Dealt, shape: tuple[int, int, int]) -> _Rows:
    """Rows of shares of [c = r] for each digit, by those words."""

def deal_units(first: Dealt, second: Dealt, shape: tuple[int, int]) -> bytes:
    """The corrections of the vectors of 2^bits bits that are 1 at r, field 0.

    `shape` is (count, bits of r).
    """

def one_hot(own: bytes, theirs: bytes, dealt: Dealt, shape: tuple[int, int]) -> _BitRows:
    """Shares of [x = v] for each v, a row for each x, by the vectors and what was opened of x."""

def deal_rotated(
    first: Dealt,
    second: Dealt,
    shape: tuple[int, int],
    ring: int,
    table: npt.NDArray[np.uint64],
) -> bytes:
    """The corrections of table[v - r] for each v below 2^bits, words of `ring` bits; r is field 0.

    `shape` is (count, bits of r); the table has 2^bits entries.
    """

def entries(own: bytes, theirs: bytes, dealt: Dealt, shape: tuple[int, int], ring: int) -> _Words:
    """Shares of table[x], by the rotated tables and what was opened of x."""

def deal_shuffle(first: Dealt, second: Dealt, owner: int, rows: tuple[int, int, int]) -> bytes:
    """The corrections of the other's mask, field 1, in the order of the owner's keys, field 0.

    `rows` is (rows, columns, bits of a word).
    """

def shuffle_order(dealt: Dealt, count: int) -> _Words:
    """The order that sorts the keys of field 0; equal ones keep theirs."""

def mask_rows(
    x: npt.NDArray[np.uint64],
    places: npt.NDArray[np.uint64],
    dealt: Dealt,
    rows: tuple[int, int, int],
) -> bytes:
    """The message of the rows of x at the places, less field 1."""

def place_rows(
    x: npt.NDArray[np.uint64],
    order: npt.NDArray[np.uint64],
    shuffle: npt.NDArray[np.uint64],
    masked: bytes,
    dealt: Dealt,
    rows: tuple[int, int, int],
) -> _Words:
    """The rows of x in that order, plus those of `masked` in the order `shuffle`, plus field 2."""

def deal_point_keys(first: Dealt, second: Dealt, count: int, ring: int, domain: int) -> bytes:
    """The correction words of keys for the lowest `domain` bits of r, words of `ring` bits.

    r is field 0 of both parts; roots are field 1 of the first party's, field 2 of the second's.
    """

def deal_prefixes(
    first: Dealt, second: Dealt, count: int, ring: int, waves: _Waves | None = None
) -> bytes:
    """The corrections of the top bits of r, field 3, maybe of waves, field 4, and such words.

    The keys are for all bits of r but the top one.
    """

def point_shares(
    own: bytes, theirs: bytes, dealt: Dealt, field: int, shape: tuple[int, int], first: bool
) -> _Bits:
    """Shares of [c = r] for the opened c, by the correction words from number `field` on.

    `shape` is (count, bits of c), all of which the keys are for.
    """

def prefix_signs(
    own: bytes,
    theirs: bytes,
    dealt: Dealt,
    field: int,
    shape: tuple[int, int],
    shifts: npt.NDArray[np.uint64],
    first: bool,
) -> _BitRows:
    """Shares of the top bit of c - shift - r for each shift, in rows; field 3 is the top bit of r.

    `shape` is (count, bits of c); the keys are for all but the top one.
    """

def deal_waves(
    first: Dealt, second: Dealt, field: int, shape: tuple[int, int], waves: _Waves
) -> bytes:
    """Corrections of cosines and sines of multiples of r, field 0; `shape` is (count, bits of r).

    `waves` is (period, terms, fraction, bits of a share): row j of the field's cosines, and of its
    sines, is that of (j + 1) · 2πr / 2^period, rounded to so many fraction bits.
    """

def sum_waves(
    own: bytes,
    theirs: bytes,
    dealt: Dealt,
    field: int,
    shape: tuple[int, int],
    waves: _Waves,
    amplitudes: npt.NDArray[np.float64],
    offset: int,
) -> _Words:
    """Shares of offset + the sum of amplitude_j · sin((j + 1) · 2π(c - r) / 2^period), mod 2^64.

    `shape` is (count, bits of c). The public factors are products of the amplitudes, rounded: the
    same at all parties, on every machine.
    """

def spread_bits(row: npt.NDArray[np.uint64], count: int) -> _Bits:
    """The first `count` bits of a row as bytes of 0 and 1."""

def encode_words(values: npt.NDArray[np.float64], fraction: int) -> _Words:
    """round(x · 2^fraction) mod 2^64, to nearest and ties to even; all |x| < 2^(62 - fraction)."""

def inside(words: npt.NDArray[np.int64], low: int, high: int) -> bool:
    """Whether every word is in [low, high]."""

def reals_inside(values: npt.NDArray[np.float64], low: float, high: float) -> bool:
    """Whether every number is in [low, high]; one that is none is not."""

def mask_reals(
    values: npt.NDArray[np.float64],
    fraction: int,
    dealt: Dealt,
    field: int,
    bits: int,
    first: int,
    count: int,
) -> bytes:
    """As `mask_span` of the words of `encode_words`, less the field."""

def mask_span(
    x: npt.NDArray[np.uint64],
    dealt: Dealt,
    field: int,
    bits: int,
    first: int,
    count: int,
    subtract: bool,
) -> bytes:
    """A piece of the message of words plus or minus a field: from number `first` on, by eights.

    There are `count` of them, or as many as are left.
    """

def multiply_packed(
    data: bytes, bits: int, rows: int, b: npt.NDArray[np.uint64], threads: int = 0
) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """The product of so many rows of packed words and b (k × n), as `matmul_u64`."""

def multiply_reals(
    values: npt.NDArray[np.float64],
    fraction: int,
    column: npt.NDArray[np.uint64],
) -> _Words:
    """The product mod 2^64 of the words of `encode_words` (m × k) and a column of k words."""

def keep_memory() -> None:
    """Lets this process keep up to 1 GiB that it frees, where the C library is glibc.

    Large messages are made again and again, and fresh pages cost more than these kernels. For a
    process that serves one job, not for a notebook.
    """

def cpu_features() -> dict[str, str]:
    """The code path of `matmul`, `stream` and `curve` on this processor.

    With MOIETY_PORTABLE=1 in the environment, the first two use no vector code of ours; results are
    the same. The crates `aes`, `blake3` and `curve25519-dalek` choose for themselves either way.
    MOIETY_THREADS says on how many threads a kernel runs where its operands are large, else two, or
    one where there is one core; results do not depend on it.
    """

@final
class Tally:
    """One direction of a conversation: counted, and hashed by BLAKE3, frame by frame.

    The hash is over headers and payloads, so it fixes where each message ends. What is hashed may
    be any contiguous bytes; nobody may write to them meanwhile. Less than 16 KB is hashed without
    releasing the interpreter.
    """

    def __new__(cls) -> Tally: ...
    def add(self, header: bytes, payload: _Buffer) -> None:
        """Counts a message and hashes it, or its beginning."""

    def extend(self, piece: _Buffer) -> None:
        """Hashes more of the last message's payload."""

    @property
    def messages(self) -> int:
        """How many messages."""

    @property
    def size(self) -> int:
        """How many bytes of payload."""

    @property
    def hash(self) -> bytes:
        """BLAKE3 of all frames so far, 32 bytes; more may follow."""

def grow_trees(
    codes: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    columns: tuple[Sequence[int], Sequence[bool]],
    growth: tuple[int, int, float, int],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Nodes (trees × 2^depth - 1 × 3) and leaves (trees × 2^depth) of boosted trees.

    `codes` is columns × rows, `columns` the bins of each and whether the last means missing,
    `growth` trees, depth, rate and the fewest rows of a leaf. A node is the tested column, the
    threshold and whether missing values go left. Memory addresses and branches depend on shapes
    and `columns` alone.
    """

def score_trees(
    codes: npt.NDArray[np.uint8],
    columns: tuple[Sequence[int], Sequence[bool]],
    nodes: npt.NDArray[np.uint8],
    leaves: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """The sum of the leaves that each row reaches; as `grow_trees` in all else."""

def join_rows(
    key: bytes, tables: Sequence[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]
) -> tuple[npt.NDArray[np.uint8], int]:
    """The rows of ids that all tables have, padded to the rows of the smallest; and how many.

    A table is ids (rows × bytes, equally many in all) and rows (rows × bytes). The order is that
    of BLAKE3 under `key`, 32 bytes. Memory addresses and branches depend on shapes alone.
    ValueError if a table has an id twice.
    """

def blank(length: int) -> bytes:
    """New bytes that hold whatever their memory held: for one owner, to overwrite them at once."""

@final
class PsiKey:
    """A secret exponent k of ristretto255 (RFC 9496), wiped when dropped, never shown or exported.

    Time does not depend on k.
    """

    @staticmethod
    def random() -> PsiKey:
        """A fresh key from the operating system's randomness; OSError if there is none."""

    def blind(
        self, items: Sequence[bytes], domain: bytes, threads: int = 1
    ) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Each item's k · H(item), encoded, n × 32, in order.

        H is the hash to group of RFC 9497 (ristretto255-SHA512) with the context string
        "moiety-psi-v1-ristretto255-SHA512-" || domain: results of different domains do not match.
        """

    def evaluate(
        self, points: npt.NDArray[np.uint8], threads: int = 1
    ) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Each point P's k · P, encoded like the points, n × 32, in order.

        ValueError at the first point that is not canonically encoded, or is the identity.
        """
