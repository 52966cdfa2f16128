"""The Rust kernels through Python, and moiety.ring over them: known answers, slow references."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety import _core, ring
from moiety.errors import DataError, InternalError, PeerMisbehaved

VECTORS = Path(__file__).parent / "vectors" / "core"
MASK = (1 << 64) - 1
words = st.integers(0, MASK)
widths = st.integers(1, 64)


def vectors(name):
    lines = (VECTORS / name).read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def random_words(*shape):
    return np.frombuffer(os.urandom(8 * int(np.prod(shape))), np.uint64).reshape(shape)


def stream(key, stream_id, offset, length):
    out = np.zeros(length, np.uint8)
    _core.stream(key, stream_id, offset, out)
    return out.tobytes()


# Keystreams


@pytest.mark.parametrize(("key", "stream_id", "offset", "expected"), vectors("stream.txt"))
def test_streams_are_frozen(key, stream_id, offset, expected):
    found = stream(bytes.fromhex(key), int(stream_id), int(offset), len(expected) // 2)
    assert found.hex() == expected


@given(st.binary(min_size=16, max_size=16), words, st.integers(0, 1 << 62), st.integers(0, 700))
def test_a_stream_is_aes_of_its_counters(key, stream_id, offset, length):
    blocks = range(offset // 16, (offset + length) // 16 + 1)
    block = [stream_id.to_bytes(8, "little") + j.to_bytes(8, "little") for j in blocks]
    oracle = Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(b"".join(block))
    start = offset % 16
    assert stream(key, stream_id, offset, length) == oracle[start : start + length]


def test_stream_refuses():
    out = np.zeros(32, np.uint8)
    for key in (b"", bytes(15), bytes(17)):
        with pytest.raises(ValueError, match=r"^key: expected 16 bytes, found \d+$"):
            _core.stream(key, 0, 0, out)
    with pytest.raises(ValueError, match="end of the stream"):
        _core.stream(bytes(16), 0, MASK - 30, out)
    with pytest.raises(ValueError, match="C-contiguous"):
        _core.stream(bytes(16), 0, 0, out[::2])
    with pytest.raises(ValueError, match="C-contiguous"):
        _core.stream(bytes(16), 0, 0, np.zeros((4, 8), np.uint8).T)
    frozen = np.zeros(32, np.uint8)
    frozen.flags.writeable = False
    for unfit in (frozen, np.zeros(4, np.uint64), bytearray(16)):
        with pytest.raises(TypeError):
            _core.stream(bytes(16), 0, 0, unfit)
    for number in (-1, 1 << 64):
        with pytest.raises(OverflowError):
            _core.stream(bytes(16), number, 0, out)
    assert not out.any()


def test_reading_a_stream_in_parts_is_reading_it_whole():
    key = os.urandom(16)
    whole, parts = ring.Stream(key, 5), ring.Stream(key, 5)
    joined = parts.bytes(3) + parts.words(4).tobytes() + parts.bytes(0) + parts.bytes(600)
    assert whole.bytes(3 + 32 + 600) == joined == stream(key, 5, 0, 635)
    assert ring.Stream(key, 6).bytes(16) not in joined
    assert repr(parts) == "Stream(5, at 635)"


def test_derived_keys_differ_by_key_and_label():
    key = bytes(range(16))
    # printf 'moiety derive v1\0masks' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…0f
    assert ring.derive(key, b"masks").hex() == "97c92921a6f33a4abd9d571160d4bf9c"
    labels = [b"", b"masks", b"masks\0", b"mask"]
    derived = {ring.derive(k, label) for k in (key, bytes(16)) for label in labels}
    assert len(derived) == 8 and {len(each) for each in derived} == {16}
    for use in (lambda: ring.derive(bytes(15), b""), lambda: ring.Stream(bytes(32), 0)):
        with pytest.raises(InternalError, match="16 bytes"):
            use()


# Packing


@given(st.lists(words, max_size=70), widths)
def test_packing_is_one_long_integer(values, bits):
    low = [value & ((1 << bits) - 1) for value in values]
    joined = sum(value << (i * bits) for i, value in enumerate(low))
    packed = _core.pack_words(np.array(values, np.uint64), bits)
    assert packed == joined.to_bytes(-(-len(values) * bits // 8), "little")
    assert _core.unpack_words(packed, len(values), bits).tolist() == low


@given(st.binary(max_size=40), st.integers(0, 50), widths)
def test_unpacking_takes_only_what_packing_gives(data, count, bits):
    try:
        unpacked = ring.unpack_words(data, count, bits)
    except PeerMisbehaved:
        fits = len(data) == -(-count * bits // 8)
        assert not fits or int.from_bytes(data, "little") >> (count * bits)
    else:
        assert ring.pack_words(unpacked, bits) == data


def test_packing_refuses():
    for bits in (0, 65, 1 << 31):
        with pytest.raises(ValueError, match=r"bits must be in 1\.\.=64"):
            _core.pack_words(np.zeros(1, np.uint64), bits)
        with pytest.raises(ValueError, match=r"bits must be in 1\.\.=64"):
            _core.unpack_words(b"", 0, bits)
    with pytest.raises(ValueError, match="C-contiguous"):
        _core.pack_words(np.zeros(8, np.uint64)[::2], 3)
    with pytest.raises(ValueError, match="aligned"):
        _core.pack_words(np.frombuffer(bytes(17), np.uint64, offset=1, count=2), 3)
    with pytest.raises(ValueError, match="length"):
        _core.unpack_words(b"", MASK, 64)
    with pytest.raises(TypeError):
        _core.pack_words(np.zeros(8, np.int64), 3)


@given(st.lists(st.integers(0, 1), max_size=40))
def test_bits_pack_strictly(values):
    packed = ring.pack_bits(np.array(values, np.uint8))
    assert ring.unpack_bits(packed, len(values)).tolist() == values
    with pytest.raises(PeerMisbehaved):
        ring.unpack_bits(packed + b"\0", len(values))
    if len(values) % 8:
        loud = packed[:-1] + bytes([packed[-1] | 0x80])
        assert ring.unpack_bits(loud, len(values), strict=False).tolist() == values
        with pytest.raises(PeerMisbehaved, match="padding"):
            ring.unpack_bits(loud, len(values))


# Matrix product


@settings(max_examples=60)
@given(*[st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 40])] * 3, st.integers(0, 3))
def test_product_is_the_product(m, k, n, threads):
    a, b = random_words(m, k), random_words(k, n)
    exact = (a.astype(object) @ b.astype(object)) & MASK if k else np.zeros((m, n), object)
    found = _core.matmul_u64(a, b, threads)
    assert found.dtype == np.uint64 and found.shape == (m, n)
    assert (found.astype(object) == exact).all()
    assert (ring.matmul(np.asfortranarray(a), b[::1, ::1]) == found).all()
    turned = np.ascontiguousarray(a.T)
    assert (_core.matmul_u64(turned, b, threads, transposed=True) == found).all()


@pytest.mark.parametrize(("m", "k", "n"), [(301, 517, 130), (1, 3000, 600), (4000, 90, 1)])
def test_product_at_sizes_with_several_blocks(m, k, n):
    a, b, x = random_words(m, k), random_words(k, n), random_words(n, 1)
    product = _core.matmul_u64(a, b, 2)
    column = _core.matmul_u64(product, x)
    assert (column == _core.matmul_u64(a, _core.matmul_u64(b, x))).all()
    row = [int(word) for word in a[m // 2]]
    exact = sum(x * int(y) for x, y in zip(row, b[:, n - 1], strict=True)) & MASK
    assert int(product[m // 2, n - 1]) == exact


def test_words_are_inside_their_bounds_or_not():
    x = np.array([-5, 0, 7, 2**40], np.int64)
    assert _core.inside(x, -5, 2**40) and _core.inside(x[:0], 1, 0)
    assert not _core.inside(x, -4, 2**40) and not _core.inside(x, -5, 2**40 - 1)
    many = np.zeros(300_001, np.int64)
    assert _core.inside(many, 0, 0)
    many[-1] = -1
    assert not _core.inside(many, 0, 9) and _core.inside(many, -1, 0)


@pytest.mark.parametrize("count", [1, 13, 300_001])
def test_reals_are_inside_their_bounds_or_not(count):
    x = np.linspace(-1, 1, count)
    assert _core.reals_inside(x, -1.0, 1.0) and _core.reals_inside(x[:0], 1.0, 0.0)
    assert not _core.reals_inside(x, -0.99, 1.0)
    assert count == 1 or not _core.reals_inside(x, -1.0, 0.99)
    x[count // 2] = np.nan
    assert not _core.reals_inside(x, -np.inf, np.inf)


def test_product_refuses():
    a = np.zeros((2, 3), np.uint64)
    with pytest.raises(ValueError, match=r"shapes \[2, 3\] and \[2, 3\] do not chain"):
        _core.matmul_u64(a, a)
    with pytest.raises(ValueError, match=r"shapes \[3, 2\] and \[3, 2\] do not chain"):
        _core.matmul_u64(a, np.zeros((3, 2), np.uint64), transposed=True)
    with pytest.raises(ValueError, match="b: the array is not C-contiguous"):
        _core.matmul_u64(a, a.T)
    for unfit in (a.astype(np.int64), a.astype(float), a.reshape(-1), a.astype(">u8")):
        with pytest.raises(TypeError):
            _core.matmul_u64(unfit, a)


# Fixed point


@given(
    st.lists(st.floats(-(2.0**37), 2.0**37, allow_nan=False, width=64), max_size=20),
    st.integers(0, 24),
)
def test_fixed_point_rounds_to_nearest(values, fraction):
    encoded = ring.encode(values, fraction)
    exact = [round(value * 2**fraction) & MASK for value in values]
    assert encoded.tolist() == exact
    error = np.abs(ring.decode(encoded, fraction) - np.array(values))
    assert (error <= 2.0 ** -(fraction + 1)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**38, -(2.0**38)])
def test_fixed_point_refuses(value):
    with pytest.raises(DataError, match=r"not below 2\.74878e\+11 with 24 fraction bits"):
        ring.encode([0.0, value], 24)


# Private set intersection

B = bytes.fromhex(vectors("ristretto255.txt")[1][1])
BAD = [bytes.fromhex(v[1]) for v in vectors("ristretto255.txt") if v[0] == "bad"] + [bytes(32)]


def test_keys_commute():
    items = [hashlib.sha256(bytes([i % 256, i // 256])).digest()[: i % 33] for i in range(300)]
    a, b = _core.PsiKey.random(), _core.PsiKey.random()
    blinded = a.blind(items, b"job")
    assert blinded.shape == (300, 32) and blinded.dtype == np.uint8
    both = b.evaluate(blinded)
    assert (both == a.evaluate(b.blind(items, b"job", threads=2), threads=3)).all()
    assert len({row.tobytes() for row in both}) == len(set(items))
    assert not (blinded == b.blind(items, b"job")).all(axis=1).any()
    assert not (blinded == a.blind(items, b"another job")).all(axis=1).any()
    assert a.blind([], b"").shape == (0, 32) == a.evaluate(np.zeros((0, 32), np.uint8)).shape


def test_points_are_decoded_strictly():
    key = _core.PsiKey.random()
    good = np.frombuffer(B, np.uint8)
    for bad in BAD:
        points = np.stack([good, good, np.frombuffer(bad, np.uint8), good])
        with pytest.raises(ValueError, match=r"^point 2 is not a canonical ristretto255 encoding"):
            key.evaluate(points)
    for shape in [(2, 31), (2, 33), (32, 0)]:
        with pytest.raises(ValueError, match="expected width 32"):
            key.evaluate(np.zeros(shape, np.uint8))
    with pytest.raises(TypeError):
        key.evaluate(good)
    for items in ("text", ["text"], [1], b"bytes"):
        with pytest.raises(TypeError):
            key.blind(items, b"")


def test_a_key_stays_hidden():
    key = _core.PsiKey.random()
    assert repr(key) == str(key) == "PsiKey(SecretScalar(hidden))"
    assert {name for name in dir(key) if not name.startswith("_")} == {
        "random",
        "blind",
        "evaluate",
    }
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        _core.PsiKey()
