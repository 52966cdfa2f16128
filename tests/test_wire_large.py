"""Large payloads: in pieces, in place, hashed on the way, and never more memory than is wanted."""

import secrets
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from moiety.errors import PeerLost, PeerMisbehaved
from moiety.wire.frame import PIECE, Kind
from moiety.wire.plain import insecure_channel, pair
from moiety.wire.reader import CHUNK, READ_AHEAD
from moiety.wire.tls import Options
from moiety.wire.watch import Watch
from tls_kit import meeting
from wire_kit import (
    blake3,
    both,
    frame,
    hostile,  # noqa: F401 - fixtures
)

SLACK = 3 * READ_AHEAD


@contextmanager
def peak():
    """The most memory that Python held within, beside what it had before."""
    tracemalloc.start()
    try:
        told = []
        yield told
        told.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096


# ── in pieces ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 1000, CHUNK, PIECE + 16, READ_AHEAD + 3])
def test_a_payload_may_be_cut_anywhere(hostile, cut):
    channel, far = hostile
    payload = secrets.token_bytes(READ_AHEAD + 2 * PIECE)
    sent = frame(payload=payload) + frame(payload=b"next", sequence=1)

    def feed():
        far.sendall(sent[:cut])
        time.sleep(0.05)
        far.sendall(sent[cut:])

    def read():
        return [channel.receive(Kind.TICK, len(payload)), channel.receive(Kind.TICK, 4)]

    assert both(read, feed)[0] == [payload, b"next"]
    assert channel.received_hash == blake3(sent)


@pytest.mark.parametrize("size", [4, PIECE // 8, PIECE, 2 * PIECE + 6])
def test_what_is_sent_may_be_any_memory(size):
    left, right = pair()
    with left, right:
        data = secrets.token_bytes(8 * size)
        for held in (bytearray(data), memoryview(data), memoryview(data).cast("Q", (2, size // 2))):
            got = both(
                lambda held=held: left.send(Kind.ALIGN, held),
                lambda: right.receive(Kind.ALIGN, len(data)),
            )[1]
            assert type(got) is bytes and got == data
        assert left.sent_hash == right.received_hash


def test_heartbeats_never_split_a_frame():
    options = [Options(watch=Watch(beat=0.004)) for _ in range(2)]
    with meeting(options=options) as ends:
        sizes = [secrets.randbelow(1 << 21) for _ in range(60)]

        def talk(channel):
            for size in sizes:
                assert len(channel.exchange(bytes(size), size)) == size
            channel.finish()

        both(*[lambda end=end: talk(end) for end in ends])
        assert ends[0].totals.received_bytes == sum(sizes)


# ── hashed on the way ───────────────────────────────────────────────────────────────────────


@contextmanager
def altered(at):
    """Two channels whose line changes one bit of what the left one sends."""
    (near, left_end), (right_end, far) = socket.socketpair(), socket.socketpair()

    def carry(source, sink, spoiled):
        carried = 0
        with suppress(OSError):
            while data := bytearray(source.recv(50_000)):
                if spoiled is not None and carried <= spoiled < carried + len(data):
                    data[spoiled - carried] ^= 1
                carried += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    with ThreadPoolExecutor(2) as pool, left_end, right_end:
        pool.submit(carry, left_end, right_end, at)
        pool.submit(carry, right_end, left_end, None)
        left = insecure_channel(near, "lender", "payco")
        right = insecure_channel(far, "payco", "lender")
        with left, right:
            yield left, right


@pytest.mark.parametrize("at", [16, 16 + PIECE, 15 + 5 * PIECE])
def test_a_changed_bit_is_found_by_both_at_the_end(at):
    data = secrets.token_bytes(5 * PIECE)
    with altered(at) as (left, right):
        got = both(lambda: left.exchange(data, len(data)), lambda: right.exchange(data, len(data)))
        assert got[0] == data != got[1]

        def end(channel):
            with pytest.raises(PeerMisbehaved, match="counts another conversation than ours"):
                channel.finish()

        both(lambda: end(left), lambda: end(right))


# ── never more memory than is wanted ────────────────────────────────────────────────────────


@pytest.mark.parametrize("announced", [(Kind.TICK, 5), (Kind.TICK, 2**32 - 1), (Kind.MODEL, 4)])
def test_what_is_not_wanted_is_refused_before_memory_is_taken(hostile, announced):
    kind, length = announced
    channel, far = hostile
    far.sendall(frame(kind, length=length) + bytes(1 << 14))
    with peak() as told, pytest.raises(PeerMisbehaved, match="payco sent"):
        channel.exchange(b"", 4)
    assert told[0] < READ_AHEAD


def test_what_is_wanted_and_never_comes_takes_no_memory(hostile):
    channel, far = hostile
    before = resident()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(channel.receive, Kind.MODEL, 1 << 30)
        far.sendall(frame(Kind.MODEL, length=1 << 30) + bytes(5 * PIECE))
        time.sleep(0.5)
        assert resident() - before < 100 << 20
        far.close()
        with pytest.raises(PeerLost, match="in the middle of a frame"):
            reading.result(10)


@contextmanager
def bare():
    left, right = pair()
    with left, right:
        yield left, right


@pytest.mark.parametrize("ends", [bare, meeting])
def test_a_payload_is_held_once_at_either_end(ends):
    size = 24 << 20
    data = secrets.token_bytes(size)
    with ends() as (sending, receiving), peak() as told:
        got = both(
            lambda: sending.send(Kind.MODEL, data), lambda: receiving.receive(Kind.MODEL, size)
        )[1]
        assert got == data
    assert size <= told[0] < size + SLACK


# ── a slow peer, and one that leaves ────────────────────────────────────────────────────────


def test_waiting_for_a_slow_peer_costs_no_processor():
    left, right = pair()
    with left, right:

        def fast():
            began, worked = time.monotonic(), time.thread_time()
            for _ in range(200):
                left.exchange(b"1234", 4)
            return (time.thread_time() - worked) / (time.monotonic() - began)

        def slow():
            for _ in range(200):
                time.sleep(0.003)
                right.exchange(b"5678", 4)

        assert both(fast, slow)[0] < 0.25


def test_a_reason_behind_a_large_payload_is_told(hostile):
    channel, far = hostile
    sent = frame(payload=bytes(2 * READ_AHEAD)) + frame(Kind.ABORT, b"no memory", sequence=1)

    def leave():
        far.sendall(sent[:READ_AHEAD])
        time.sleep(0.2)
        far.sendall(sent[READ_AHEAD:])
        far.close()

    threading.Thread(target=leave).start()
    with pytest.raises(PeerLost, match="payco stopped: no memory"):
        channel.exchange(bytes(16 << 20), 2 * READ_AHEAD)
