"""Capsules: what is sealed comes out; anything altered, moved, cut or extended is refused."""

import copy
import io
import pickle
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.enclave.capsule import CHUNK_SIZE, CapsuleHeader, DataKey, open_capsule, seal
from moiety.errors import DataError, InternalError, MoietyError, PolicyRefused

HEADER = CapsuleHeader("clients", 3, bytes(range(32)), chunk_size=16)
PLAIN = bytes(range(40))
KEY = DataKey.random()
FRONT = 69 + len("clients")
PIECES = list(seal(PLAIN, KEY, HEADER))
SEALED = b"".join(PIECES)


def opened(sealed: bytes, key: DataKey = KEY, header: CapsuleHeader = HEADER) -> bytes:
    return b"".join(open_capsule(io.BytesIO(sealed), key, header))


class Trickle:
    """A reader that gives a few bytes at a time, as sockets do."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file, self._step = io.BytesIO(data), step

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._step))


@given(st.lists(st.binary(max_size=70)), st.integers(1, 40), st.integers(1, 50))
def test_what_is_sealed_comes_out(pieces: list[bytes], size: int, step: int) -> None:
    key, header = DataKey.random(), replace(HEADER, chunk_size=size)
    sealed = list(seal(pieces, key, header))
    whole = b"".join(pieces)
    assert opened(b"".join(sealed), key, header) == whole
    assert b"".join(open_capsule(Trickle(b"".join(sealed), step), key, header)) == whole
    assert len(sealed) == 1 + max(1, -(-len(whole) // size))
    assert all(len(piece) == size + 16 for piece in sealed[1:-1])


@given(st.binary(max_size=100), st.integers(1, 40), st.data())
def test_the_division_into_pieces_does_not_matter(
    whole: bytes, size: int, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    header = replace(HEADER, chunk_size=size)
    for given_as in (whole, pieces, [memoryview(each) for each in pieces], map(bytearray, pieces)):
        key = DataKey.random()
        sealed = b"".join(seal(given_as, key, header))
        assert opened(sealed, key, header) == whole
        assert len(sealed) == FRONT + len(whole) + 16 * max(1, -(-len(whole) // size))


def test_a_buffer_may_be_reused_between_pieces() -> None:
    def refilled() -> Iterator[bytearray]:
        buffer = bytearray(16)
        for fill in range(5):
            buffer[:] = bytes([fill]) * 16
            yield buffer

    key = DataKey.random()
    sealed = b"".join(seal(refilled(), key, HEADER))
    assert opened(sealed, key) == b"".join(bytes([fill]) * 16 for fill in range(5))


def test_the_format_is_the_documented_one() -> None:
    """Opened here with AES-GCM alone, from the description in the module's docstring."""
    front, prefix = SEALED[:FRONT], SEALED[60:67]
    assert front[:16] == b"moiety capsule\0\1"
    assert front[16:28] == (16).to_bytes(4, "little") + (3).to_bytes(8, "little")
    assert front[28:60] == bytes(range(32))
    assert front[67:] == (7).to_bytes(2, "little") + b"clients"
    cipher, plain = AESGCM(KEY.reveal()), b""
    for number, start in enumerate(range(FRONT, len(SEALED), 32)):
        nonce = prefix + number.to_bytes(4, "big") + bytes([number == 2])
        associated = front + number.to_bytes(4, "big")
        plain += cipher.decrypt(nonce, SEALED[start : start + 32], associated)
    assert plain == PLAIN


def test_no_two_chunks_share_a_nonce() -> None:
    prefixes = {next(seal(b"", DataKey.random(), HEADER))[60:67] for _ in range(200)}
    assert len(prefixes) == 200


@settings(max_examples=1000)
@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_any_altered_byte_is_refused(at: int, change: int) -> None:
    altered = SEALED[:at] + bytes([SEALED[at] ^ change]) + SEALED[at + 1 :]
    where = f"chunk {(at - FRONT) // 32} " if at >= FRONT else "capsule"
    with pytest.raises((DataError, PolicyRefused), match=where):
        opened(altered)


def test_every_bit_of_every_byte_is_authenticated() -> None:
    for at in range(len(SEALED)):
        for bit in range(8):
            altered = bytearray(SEALED)
            altered[at] ^= 1 << bit
            with pytest.raises((DataError, PolicyRefused)):
                opened(bytes(altered))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_cut_capsule_is_refused(length: int) -> None:
    with pytest.raises((DataError, PolicyRefused)):
        opened(SEALED[:length])


@given(st.binary(min_size=1, max_size=80))
def test_bytes_after_the_end_are_refused(tail: bytes) -> None:
    with pytest.raises(DataError, match=r"chunk [23] "):
        opened(SEALED + tail)


@given(st.lists(st.sampled_from(PIECES[1:]), max_size=6))
def test_chunks_in_another_order_are_refused(chunks: list[bytes]) -> None:
    if chunks == PIECES[1:]:
        return
    with pytest.raises(DataError, match="chunk"):
        opened(PIECES[0] + b"".join(chunks))


def test_a_missing_tail_names_its_chunk() -> None:
    with pytest.raises(DataError, match="chunk 1 of the capsule is not as sealed"):
        opened(b"".join(PIECES[:-1]))
    with pytest.raises(DataError, match="chunk 0"):
        opened(PIECES[0])


def test_a_full_last_chunk_has_no_other_ending() -> None:
    key = DataKey.random()
    sealed = b"".join(seal(bytes(32), key, HEADER))
    assert opened(sealed, key) == bytes(32)
    for tail in (b"\0", bytes(16), sealed[-16:], sealed[-32:]):
        with pytest.raises(DataError):
            opened(sealed + tail, key)


def test_an_empty_chunk_after_others_is_refused_even_if_sealed_so() -> None:
    key = DataKey.random()
    front = HEADER.encode(bytes(7))
    cipher, whole = key.cipher(), front
    for number, (chunk, last) in enumerate([(bytes(16), 0), (b"", 1)]):
        nonce = bytes(7) + number.to_bytes(4, "big") + bytes([last])
        whole += cipher.encrypt(nonce, chunk, front + number.to_bytes(4, "big"))
    with pytest.raises(DataError, match="chunk 1"):
        opened(whole, key)


def test_chunks_of_another_capsule_are_refused() -> None:
    other = list(seal(PLAIN, DataKey(KEY.reveal()), HEADER))
    with pytest.raises(DataError, match="chunk 1"):
        opened(PIECES[0] + PIECES[1] + other[2] + PIECES[3])
    with pytest.raises(DataError, match="chunk 0"):
        opened(other[0] + b"".join(PIECES[1:]))


@pytest.mark.parametrize(
    "change",
    [
        {"data_set": "applicants"},
        {"data_set": "client"},
        {"version": 4},
        {"policy_hash": bytes(32)},
        {"chunk_size": 32},
    ],
)
def test_another_capsule_than_expected_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(PolicyRefused, match="is not"):
        opened(SEALED, header=replace(HEADER, **change))


def test_another_key_is_refused() -> None:
    with pytest.raises(DataError, match="chunk 0"):
        opened(SEALED, key=DataKey.random())


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    for each in (data, PIECES[0] + data, b"moiety capsule\0\1" + data):
        with pytest.raises((DataError, PolicyRefused)):
            opened(each)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_set": ""},
        {"data_set": "x" * 256},
        {"version": -1},
        {"version": 1 << 64},
        {"policy_hash": b""},
        {"chunk_size": 0},
        {"chunk_size": 1 << 27},
    ],
)
def test_a_header_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError):
        replace(HEADER, **wrong)


def test_large_data_in_the_usual_chunks() -> None:
    header, key = replace(HEADER, chunk_size=CHUNK_SIZE), DataKey.random()
    plain = bytes(range(251)) * (3 * CHUNK_SIZE // 251)
    sealed = list(seal([plain[:1000], plain[1000:]], key, header))
    assert [len(piece) for piece in sealed[1:3]] == [CHUNK_SIZE + 16] * 2
    assert opened(b"".join(sealed), key, header) == plain


def test_a_data_key_seals_once() -> None:
    key = DataKey.random()
    first = seal(PLAIN, key, HEADER)
    with pytest.raises(InternalError, match="one capsule only"):
        seal(PLAIN, key, HEADER)
    assert opened(b"".join(first), key) == PLAIN


def test_a_data_key_hides_and_forgets() -> None:
    key = DataKey(bytes(range(1, 33)))
    assert repr(key) == str(key) == f"{key}" == "DataKey(32 bytes)"
    assert key == DataKey(bytes(range(1, 33))) and key != KEY and key != bytes(range(1, 33))
    for careless in (hash, pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises((TypeError, MoietyError)):
            careless(key)
    with key:
        assert key.reveal() == bytes(range(1, 33))
    assert bytes(key._key) == bytes(32)
    for use in (key.reveal, key.cipher, key.spend):
        with pytest.raises(InternalError, match="zeroized"):
            use()
    with pytest.raises(InternalError, match="32 bytes, not 16"):
        DataKey(bytes(16))
