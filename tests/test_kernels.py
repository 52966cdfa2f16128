"""Fused kernels against the definition of what they fuse, at sizes that cross their chunks."""

import secrets

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety import _core
from moiety.errors import InternalError, PeerMisbehaved
from moiety.protocols import additive, boolean, comparison, truncation
from moiety.protocols.additive import Triple
from moiety.protocols.boolean import BitTriples, BitWord
from moiety.protocols.comparison import SignMask
from moiety.protocols.correlations import Correlation, Rows
from moiety.protocols.masked import Mask, MaskedProduct
from moiety.protocols.truncation import FloorMask, WrapProduct
from moiety.ring import Stream, pack_words, unpack_bits, unpack_words
from protocol_kit import both, integers

KEYS = bytes(range(16)), bytes(range(1, 17))
SIZES = (1, 7, 64, 65, 2049, 16_500, 131_100)
DEALT = [
    *(Triple(n, ring) for n in SIZES for ring in (64, 13)),
    *(BitTriples((n, n, n // 2)) for n in SIZES),
    *(BitWord(n) for n in SIZES),
    *(WrapProduct(n, shift) for n in SIZES for shift in (1, 18, 62)),
    *(SignMask(n, ring, digit) for n in SIZES[:-1] for ring, digit in ((64, 4), (23, 3), (1, 4))),
    *(SignMask(n, 14, digit) for n in (65, 16_500) for digit in (1, 2, 5, 6)),
    *(FloorMask(n, ring, shift) for n in SIZES[:-1] for ring, shift in ((64, 14), (37, 9))),
]


def streams():
    return Stream(KEYS[0], 3), Stream(KEYS[1], 3)


def named(correlation):
    return str(correlation)


@pytest.mark.parametrize("correlation", DEALT, ids=named)
def test_the_fast_way_deals_what_the_definition_deals(correlation, monkeypatch):
    fast = correlation.deal(streams())
    monkeypatch.setattr(type(correlation), "_correct", Correlation._correct)
    assert fast == correlation.deal(streams())
    assert len(fast) == correlation.size()


@pytest.mark.parametrize("correlation", DEALT, ids=named)
def test_both_parts_combine_to_what_the_fields_say(correlation):
    sent = correlation.deal(streams())
    first, second = (
        correlation.take(party, stream, sent).arrays() for party, stream in enumerate(streams())
    )
    fields = correlation._random() + correlation._dependent()
    combined = [f.combine(a, b) for f, a, b in zip(fields, first, second, strict=True)]
    random = combined[: len(correlation._random())]
    expected = zip(correlation._dependent(), correlation._values(*random), strict=True)
    for found, (field, value) in zip(combined[len(random) :], expected, strict=True):
        assert np.array_equal(found, field.reduce(value))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("owner", [0, 1])
@pytest.mark.parametrize(("rows", "m", "row"), [(1, 1, 0), (9, 4, 5), (12_000, 5000, 7000)])
def test_masked_products_are_dealt_from_the_rows_of_their_mask(owner, rows, m, row, transposed):
    mask, product = Mask(owner, rows, 7), MaskedProduct(owner, m, 7, 3, 21, transposed)
    table = mask.dealt(owner, Stream(KEYS[owner], 9))
    u = table.words(0, rows * 7, 64).reshape(rows, 7)[row : row + m]
    sent = product.deal(streams(), Rows(mask, table, row))
    parts = [product.take(party, stream, sent).packed for party, stream in enumerate(streams())]
    v = parts[1 - owner].words(0, (m if transposed else 7) * 3, 21).reshape(-1, 3)
    expected = (u.T if transposed else u) @ v
    shares = [part.words(1, expected.size, 21).reshape(expected.shape) for part in parts]
    assert np.array_equal((shares[0] + shares[1] - expected) % np.uint64(1 << 21), expected * 0)
    assert len(sent) == product.size()


def test_rows_beyond_a_mask_are_refused():
    mask, product = Mask(0, 9, 7), MaskedProduct(0, 4, 7, 3)
    for row in (6, 2**63):
        with pytest.raises(ValueError, match="of a mask of 9"):
            product.deal(streams(), Rows(mask, mask.dealt(0, Stream(KEYS[0], 9)), row))
    with pytest.raises(InternalError, match="without its mask"):
        product.deal(streams())


def test_a_part_reads_its_corrections_from_any_byte():
    correlation = SignMask(100, 20)
    sent = correlation.deal(streams())
    whole = correlation.take(1, streams()[1], sent).arrays()
    shifted = correlation.take(1, streams()[1], b"xyz" + sent + b"!", 3).arrays()
    assert all(np.array_equal(a, b) for a, b in zip(whole, shifted, strict=True))


@pytest.mark.parametrize("count", SIZES)
def test_products_across_chunks(count):
    x, y = integers(-(2**30), 2**30, max(count, 7)), integers(-(2**30), 2**30, max(count, 7))
    for ring in (64, 62):
        first, second = both(
            (Triple(x.size, ring),),
            lambda ctx, a, b, r=ring: additive.multiply(ctx, a, b, ring=r),
            x,
            y,
        ).results
        assert np.array_equal(additive.signed(first + second, ring), x * y)


@pytest.mark.parametrize("digit", [3, 4])
@pytest.mark.parametrize("ring", [64, 24])
def test_signs_across_chunks(ring, digit):
    x = integers(-(2 ** (ring - 1)), 2 ** (ring - 1) - 1, 33_333)
    bill = SignMask(x.size, ring, digit), *comparison.tree_triples(x.size, ring - 1, digit)
    first, second = both(bill, lambda ctx, a: comparison.negative(ctx, a, ring, digit), x).results
    assert np.array_equal(first ^ second, (x.view(np.int64) < 0).astype(np.uint8))


def test_floors_across_chunks():
    x = integers(-(2**40), 2**40, 20_001)
    bill = FloorMask(x.size, 42, 13), *comparison.tree_triples(x.size, 13), BitWord(x.size)
    first, second = both(bill, lambda ctx, a: truncation.floor(ctx, a, 42, 13), x).results
    assert np.array_equal((first + second).view(np.int64), x.view(np.int64) >> 13)


@pytest.mark.parametrize("shift", [1, 18, 62])
def test_cheap_truncations_across_chunks(shift):
    x = integers(-(2**62), 2**62 - 1, 20_001)
    bill = (WrapProduct(x.size, shift),)
    first, second = both(bill, lambda ctx, a: truncation.approximate(ctx, a, shift), x).results
    assert set((first + second).view(np.int64) - (x.view(np.int64) >> shift)) <= {0, 1}


@pytest.mark.parametrize("count", SIZES)
def test_bits_across_chunks(count):
    factor, other = (
        np.frombuffer(secrets.token_bytes(count), np.uint8) & np.uint8(1) for _ in range(2)
    )
    short = other[: count // 2]

    def side(ctx, _):
        mine = [bits if ctx.first else np.zeros_like(bits) for bits in (factor, other, short)]
        whole, part = yield from boolean.products(ctx, mine[0], mine[1:])
        return whole, part, (yield from boolean.to_words(ctx, whole))

    bill = BitTriples((count, count // 2)), BitWord(count)
    first, second = both(bill, side, np.zeros(1, np.uint64)).results
    assert np.array_equal(first[0] ^ second[0], factor & other)
    assert np.array_equal(first[1] ^ second[1], factor[: count // 2] & short)
    assert np.array_equal(first[2] + second[2], (factor & other).astype(np.uint64))


@given(st.integers(0, 600), st.integers(1, 64), st.integers(0, 40))
def test_a_drawn_field_is_its_bytes_of_the_stream_unpacked(count, bits, offset):
    raw = Stream(KEYS[0], 9).bytes(offset + -(-count * bits // 8))[offset:]
    part = _core.Dealt(KEYS[0], 9, offset, [(0, False), (count * bits, False)])
    number = int.from_bytes(raw, "little") & ((1 << count * bits) - 1)
    expected = [number >> i * bits & ((1 << bits) - 1) for i in range(count)]
    assert part.words(1, count, bits).tolist() == expected
    assert part.end == offset + len(raw)
    if bits == 1:
        assert part.bits(1, count).tolist() == expected
        assert part.row(1, count).tobytes()[: len(raw)] == number.to_bytes(len(raw), "little")


def test_a_part_refuses_what_does_not_fit():
    for fields, corrections, begin in (
        ([(9, True)], b"a", 0),
        ([(8, True)], b"a", 1),
        ([(8, True)], None, 0),
        ([(7, True)], b"\x80", 0),
    ):
        with pytest.raises(PeerMisbehaved):
            Stream(KEYS[0], 0).part(fields, corrections, begin)
    part = _core.Dealt(KEYS[0], 0, 0, [(64, False)])
    for field, count, bits in ((1, 1, 64), (0, 2, 64), (0, 65, 1), (0, 2**63, 64)):
        with pytest.raises(ValueError, match="expected length"):
            part.words(field, count, bits)
    with pytest.raises(ValueError, match="end of the stream"):
        _core.Dealt(KEYS[0], 0, 2**64 - 8, [(72, False)])
    assert repr(part) == "Dealt(hidden)"


def test_messages_that_are_not_what_is_due_are_refused():
    def answered(message):
        def run(ctx, x):
            protocol = comparison.negative(ctx, x, 21)
            next(protocol)
            with pytest.raises(PeerMisbehaved):
                protocol.send({1 - ctx.party: message})
            return None
            yield

        return run

    x = np.zeros(11, np.uint64)
    bill = (SignMask(11, 21), *comparison.tree_triples(11, 20))
    for message in (b"", bytes(28), bytes(30), b"\xff" * 29):
        both(bill, answered(message), x)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 63, 64, 65, 1000, 300_001])
@pytest.mark.parametrize("bits", [64, 47])
def test_reals_are_masked_as_their_words(count, bits):
    x = np.frombuffer(secrets.token_bytes(4 * count), np.int32) / 7.0
    part = Stream(KEYS[0], 9).part([(0, False), (count * bits, False)])
    words = _core.encode_words(x, 13)
    expected = _core.mask_words([words], part, 1, bits, subtract=True)
    for size in (8, 512, 65_536):
        if count <= 100 * size:
            places = range(0, count, size)
            pieces = (_core.mask_reals(x, 13, part, 1, bits, first, size) for first in places)
            assert b"".join(pieces) == expected


@pytest.mark.parametrize("shape", [(1, 1), (65, 30), (30_001, 7), (12_000, 100), (9, 0), (0, 3)])
def test_reals_are_multiplied_as_their_words(shape):
    m, k = shape
    x = (np.frombuffer(secrets.token_bytes(4 * m * k), np.int32) / 7.0).reshape(m, k)
    column = np.frombuffer(secrets.token_bytes(8 * k), np.uint64)
    words = _core.encode_words(x.reshape(-1), 13).reshape(m, k)
    expected = _core.matmul_u64(words, column.reshape(k, 1))
    assert np.array_equal(_core.multiply_reals(x, 13, column).reshape(m, 1), expected)


@pytest.mark.parametrize("count", [0, 1, 8, 65, 1000, 70_001])
@pytest.mark.parametrize("bits", [64, 47, 1])
def test_the_pieces_of_a_message_are_the_message(count, bits):
    x = np.frombuffer(secrets.token_bytes(8 * count), np.uint64)
    part = Stream(KEYS[0], 9).part([(0, False), (count * bits, False)])
    whole = _core.mask_words([x], part, 1, bits, subtract=True)
    for size in (8, 512, 65_536):
        if count > 100 * size:
            continue
        places = range(0, count, size)
        pieces = (_core.mask_span(x, part, 1, bits, first, size, True) for first in places)
        assert b"".join(pieces) == whole
    assert _core.mask_span(x, part, 1, bits, count + 8 - count % 8, 8, True) == b""
    with pytest.raises(ValueError, match="groups of eight"):
        _core.mask_span(x, part, 1, bits, 3, 8, True)


@pytest.mark.parametrize("bits", [64, 45, 7])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (65, 30, 1), (30_001, 7, 1), (700, 100, 5), (9, 0, 2)]
)
def test_packed_rows_are_multiplied_as_they_lie(shape, bits):
    m, k, n = shape
    words = np.frombuffer(secrets.token_bytes(8 * m * k), np.uint64) >> np.uint64(64 - bits)
    b = np.frombuffer(secrets.token_bytes(8 * k * n), np.uint64).reshape(k, n)
    packed = pack_words(words, bits)
    expected = _core.matmul_u64(words.reshape(m, k), b)
    for threads in (0, 1, 2):
        assert np.array_equal(_core.multiply_packed(packed, bits, m, b, threads), expected)
    with pytest.raises(ValueError, match="length"):
        _core.multiply_packed(packed + b"\0", bits, m, b)


def test_reals_out_of_bounds_are_refused():
    x = np.zeros(5000)
    part = Stream(KEYS[0], 9).part([(64 * x.size, False)])
    for bad in (np.nan, np.inf, 2.0**49, -(2.0**49)):
        x[4321] = bad
        for work in (
            lambda: _core.encode_words(x, 13),
            lambda: _core.mask_reals(x, 13, part, 0, 64, 0, 5000),
            lambda: _core.multiply_reals(x.reshape(100, 50), 13, np.zeros(50, np.uint64)),
        ):
            with pytest.raises(ValueError, match="not finite or too large"):
                work()
    with pytest.raises(ValueError, match="length"):
        _core.mask_reals(x[:4999], 13, part, 0, 64, 0, 5000)
    with pytest.raises(ValueError, match="groups of eight"):
        _core.mask_reals(x, 13, part, 0, 64, 3, 8)
    with pytest.raises(ValueError, match="length"):
        _core.multiply_reals(x.reshape(100, 50), 13, np.zeros(49, np.uint64))


def test_shapes_of_comparisons_are_refused():
    part = _core.Dealt(KEYS[0], 0, 0, [(8, False)])
    for shape in ((1, 8, 4, 0), (1, 8, 4, 7), (1, 65, 4, 4), (1, 8, 9, 4), (1, 8, 4, 4)):
        with pytest.raises(ValueError, match=r"bits|length"):
            _core.look_up(bytes(1), bytes(1), part, 0, shape, True)
    for rows in (1, 2, 3, 5):
        with pytest.raises(ValueError, match="rows"):
            _core.mask_level(np.zeros((rows, 1), np.uint64), part, 1)
    with pytest.raises(ValueError, match="rows"):
        _core.mask_level(np.zeros((4, 2), np.uint64), part, 1)


def test_whole_words_are_read_where_they_lie():
    words = np.arange(5, dtype=np.uint64)
    message = words.tobytes()
    assert np.shares_memory(unpack_words(message, 5, 64), np.frombuffer(message, np.uint8))
    with pytest.raises(PeerMisbehaved):
        unpack_words(message, 4, 64)
    assert unpack_bits(b"\x05", 3).tolist() == [1, 0, 1]
