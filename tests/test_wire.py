"""Frames, channels and the watch, without TLS: the same code that runs over TLS."""

import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.errors import InternalError, PeerError, PeerLost, PeerMisbehaved
from moiety.ring import Pieces
from moiety.wire.channel import Channel
from moiety.wire.frame import PIECE, Kind
from moiety.wire.peer import Peer
from moiety.wire.plain import pair
from moiety.wire.reader import READ_AHEAD, Reader
from moiety.wire.totals import Totals
from moiety.wire.transport import InsecureTransport
from wire_kit import (
    blake3,
    both,
    frame,
    hostile,  # noqa: F401 - fixtures
    tcp_pair,
)

SIZES = [0, 1, 16367, 16368, 16369, 1 << 16, PIECE - 16, PIECE, PIECE + 1, 3 * PIECE + 5, 5 << 20]


# ── what is sent arrives, counted and hashed ────────────────────────────────────────────────


@pytest.mark.parametrize("ends", [pair, tcp_pair])
@pytest.mark.parametrize("size", SIZES)
def test_exchange_of_any_size(ends, size):
    left, right = ends()
    with left, right:
        ours, theirs = secrets.token_bytes(size), secrets.token_bytes(size // 3)
        got = both(
            lambda: left.exchange(ours, len(theirs)),
            lambda: right.exchange(memoryview(theirs), len(ours)),
        )
        assert got == [theirs, ours]
        assert left.totals == Totals(1, len(ours), 1, len(theirs))
        assert right.totals == Totals(1, len(theirs), 1, len(ours))
        assert (left.sent_hash, left.received_hash) == (right.received_hash, right.sent_hash)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [1, 7_000, 300_000])
def test_a_message_is_made_while_it_is_sent(size, step):
    data = secrets.token_bytes(size)
    places = range(0, size, max(step, size // 50))
    made = Pieces(size, lambda: (data[at : at + places.step] for at in places))
    left, right = tcp_pair()
    with left, right:
        got = both(lambda: left.exchange(made, 3), lambda: right.exchange(b"abc", size))
        assert got == [b"abc", data] and bytes(made) == data
        assert left.sent_hash == right.received_hash == blake3(frame(payload=data))
    with pytest.raises(InternalError, match="lack 1 of its"):
        bytes(Pieces(size + 1, lambda: iter([data])))


def test_who_is_silent_in_a_tick_sends_nothing():
    left, right = pair()
    with left, right:
        assert both(lambda: left.tick(b"abc", 0), lambda: right.tick(b"", 3)) == [b"", b"abc"]
        assert both(lambda: left.tick(b"", 0), lambda: right.tick(b"", 0)) == [b"", b""]
        assert both(lambda: left.tick(b"d", 2), lambda: right.tick(b"ef", 1)) == [b"ef", b"d"]
        assert left.totals == Totals(2, 4, 1, 2) and right.totals == Totals(1, 2, 2, 4)
        with pytest.raises(PeerMisbehaved, match="not of exactly 4"):
            both(lambda: left.tick(b"abc", 0), lambda: right.tick(b"", 4))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(list(Kind)[4:]), st.binary())))
@settings(max_examples=50)
def test_totals_and_hashes_agree(messages):
    left, right = pair()
    with left, right:
        for leftwards, kind, payload in messages:
            sender, receiver = (right, left) if leftwards else (left, right)
            sender.send(kind, payload)
            assert receiver.receive(kind, len(payload)) == payload
        rights = [payload for leftwards, _, payload in messages if not leftwards]
        assert left.totals.sent_messages == right.totals.received_messages == len(rights)
        assert left.totals.sent_bytes == right.totals.received_bytes == len(b"".join(rights))
        assert left.sent_hash == right.received_hash
        assert left.received_hash == right.sent_hash


def test_a_frame_on_the_wire_is_known(hostile):
    channel, far = hostile
    channel.send(Kind.HELLO, b"abc")
    channel.send(Kind.TICK, b"")
    sent = far.recv(100)
    assert sent.hex() == "10000000" + "03000000" + "0" * 16 + "616263" + (
        "19000000" + "00000000" + "01" + "0" * 14
    )
    assert channel.sent_hash == blake3(sent)


def test_a_wide_array_is_sent_as_its_bytes():
    left, right = pair()
    with left, right:
        left.send(Kind.TICK, memoryview(bytes(range(48))).cast("Q", (2, 3)))
        left.send(Kind.TICK, memoryview(b"").cast("Q"))
        assert right.receive(Kind.TICK, 48) == bytes(range(48))
        assert right.receive(Kind.TICK, 48) == b""


def test_frames_arrive_in_any_pieces():
    reader = Reader(Peer("payco"))
    stream = b"".join(frame(payload=bytes([n]) * n, sequence=n) for n in range(40))
    got = []
    at = 0
    while at < len(stream):
        piece = stream[at : at + min(7, len(reader.room()))]
        reader.room()[: len(piece)] = piece
        reader.filled(len(piece))
        at += len(piece)
        while (payload := reader.next((Kind.TICK, 0, 40))) is not None:
            got.append(payload)
    assert got == [bytes([n]) * n for n in range(40)]
    assert reader.tally.hash == blake3(stream)


def test_two_senders_need_no_reader_up_to_the_read_ahead():
    left, right = tcp_pair()
    data = secrets.token_bytes(READ_AHEAD // 2)
    with left, right:
        both(lambda: left.send(Kind.ALIGN, data), lambda: right.send(Kind.ALIGN, data))
        assert left.receive(Kind.ALIGN, len(data)) == right.receive(Kind.ALIGN, len(data)) == data


def test_both_ends_export_the_same():
    left, right = pair()
    other, end = pair()
    with left, right, other, end:
        assert left.export("a", b"c", 100) == right.export("a", b"c", 100)
        assert len({channel.export("a", b"c") for channel in (left, right, other)}) == 2
        assert len({left.export(*case) for case in [("a", b"c"), ("ac", b""), ("", b"ac")]}) == 3
        assert left.own_certificate == right.peer_certificate != left.peer_certificate


def test_repr_shows_no_payload():
    left, right = pair()
    with left, right:
        left.send(Kind.TICK, b"secret")
        right.receive(Kind.TICK, 6)
        assert repr(right).startswith("Channel('lender', Totals(")
        assert "secret" not in repr(left) + repr(right)


def test_a_closed_channel_says_so():
    left, right = pair()
    left.close()
    left.close()
    right.close()
    with pytest.raises(InternalError, match="used after its end"):
        left.send(Kind.TICK, b"")


# ── what is not allowed is refused ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (frame(Kind.MODEL), "sent MODEL where TICK is due"),
        (frame(Kind.DONE, bytes(64)), "sent DONE where TICK is due"),
        (frame(sequence=1), r"sent frame 1 where 0 is due \(replayed or reordered\)"),
        (frame(payload=b"12345"), "sent TICK of 5 bytes, not of at most 4,"),
        (frame(length=2**32 - 1), "sent TICK of 4294967295 bytes, not of at most 4,"),
        (frame(kind=0), "sent bytes that are not a frame"),
        (frame(kind=99), "sent bytes that are not a frame"),
        (frame(flags=1), "sent bytes that are not a frame"),
        (frame(reserved=256), "sent bytes that are not a frame"),
        (frame(Kind.HEARTBEAT, b"x"), "sent HEARTBEAT with 1 bytes"),
        (
            frame(Kind.HEARTBEAT, sequence=1),
            r"sent frame 1 where 0 is due \(replayed or reordered\)",
        ),
        (frame(Kind.ABORT, length=401), "sent ABORT with 401 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "sent bytes that are not a frame"),
    ],
)
def test_each_fault_is_refused_from_the_header_alone(hostile, sent, fault):
    channel, far = hostile
    far.sendall(sent)
    with pytest.raises(PeerMisbehaved, match=f"^payco {fault} during training$") as refusal:
        channel.receive(Kind.TICK, 4)
    assert refusal.value.hint


def test_a_replayed_frame_is_refused(hostile):
    channel, far = hostile
    far.sendall(2 * frame(payload=b"1234"))
    assert channel.receive(Kind.TICK, 4) == b"1234"
    with pytest.raises(PeerMisbehaved, match="sent frame 0 where 1 is due"):
        channel.receive(Kind.TICK, 4)


@pytest.mark.parametrize("size", [3, 5])
def test_an_exchange_is_exact(hostile, size):
    channel, far = hostile
    far.sendall(frame(payload=bytes(size)))
    with pytest.raises(PeerMisbehaved, match=f"sent TICK of {size} bytes, not of exactly 4,"):
        channel.exchange(b"", 4)


@pytest.mark.parametrize("kept", [1, 15, 16, 19])
def test_a_truncated_frame_is_a_loss(hostile, kept):
    channel, far = hostile
    far.sendall(frame(payload=b"1234")[:kept])
    far.close()
    with pytest.raises(PeerLost, match=r"closed the connection in the middle of a frame during tr"):
        channel.receive(Kind.TICK, 4)


@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_raise_only_peer_errors(noise, framed):
    near, far = socket.socketpair()
    transport = InsecureTransport(near, own="lender", peer="payco")
    with far, Channel(transport, "payco") as channel:
        far.sendall(frame(payload=noise) + noise if framed else noise)
        far.close()
        with pytest.raises(PeerError):
            for _ in range(1000):
                channel.receive(Kind.TICK, 400)


def test_what_nobody_asked_for_is_not_hoarded(hostile):
    channel, far = hostile

    def flood():
        with pytest.raises(OSError):
            while True:
                far.sendall(frame(Kind.MODEL, length=1 << 30) + bytes(1 << 20))

    def send():
        with pytest.raises(PeerLost, match="closed the connection during training"):
            channel.send(Kind.TICK, bytes(8 << 20))

    def check():
        time.sleep(0.3)
        held = channel._line.reader.held
        far.shutdown(socket.SHUT_RDWR)
        return held

    with ThreadPoolExecutor(3) as pool:
        pool.submit(flood)
        sending = pool.submit(send)
        assert READ_AHEAD <= pool.submit(check).result() < READ_AHEAD + (1 << 16)
        sending.result()
