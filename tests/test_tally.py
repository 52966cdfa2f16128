"""Tallies through Python: known answers of BLAKE3, counts, and what is refused."""

import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety._core import Tally, blank

VECTORS = Path(__file__).parent / "vectors" / "core" / "blake3.txt"
ANSWERS = [line.split() for line in VECTORS.read_text().splitlines() if line[0] != "#"]


def message(length):
    return (bytes(range(251)) * (length // 251 + 1))[:length]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize(("length", "expected"), ANSWERS)
def test_tallies_are_blake3(kind, length, expected):
    data = message(int(length))
    whole, split, held = Tally(), Tally(), kind(data)
    whole.add(b"", held)
    split.add(data[:16], held[16:20])
    split.extend(held[20:])
    assert whole.hash.hex() == split.hash.hex() == expected


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 40_000)), max_size=6))
def test_the_hash_is_of_all_bytes_and_the_size_of_payloads_alone(frames):
    tally, whole = Tally(), Tally()
    for header, length in frames:
        tally.add(header, message(length))
    whole.add(b"", b"".join(header + message(length) for header, length in frames))
    assert tally.hash == whole.hash
    assert (tally.messages, tally.size) == (len(frames), sum(length for _, length in frames))


def test_a_tally_refuses_what_is_not_plain_bytes():
    tally = Tally()
    for payload in ("text", None, 5, memoryview(bytes(8)).cast("Q")):
        with pytest.raises((TypeError, BufferError)):
            tally.extend(payload)
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        tally.extend(memoryview(bytes(8))[::2])
    with pytest.raises(TypeError):
        tally.add(bytearray(16), b"")
    assert tally.size == 0


def test_others_run_while_a_large_payload_is_hashed():
    payload, tally, started, times = bytes(64 << 20), Tally(), threading.Event(), {}

    def hash_it():
        started.set()
        tally.add(b"", payload)
        times["hashed"] = time.monotonic()

    patience = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        thread = threading.Thread(target=hash_it)
        thread.start()
        started.wait()
        times["resumed"] = time.monotonic()
        thread.join()
    finally:
        sys.setswitchinterval(patience)
    assert times["resumed"] < times["hashed"]


def test_blank_bytes_have_their_length():
    for length in (0, 1, 1 << 20, 9_999_999):
        made = blank(length)
        assert type(made) is bytes and len(made) == length
    for length in (-1, 1 << 63, 1 << 64):
        with pytest.raises((OverflowError, ValueError)):
            blank(length)
    with pytest.raises((MemoryError, OverflowError)):
        blank((1 << 63) - 1)
