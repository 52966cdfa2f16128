"""Peers that stop, fall silent, finish, and lines that are slow."""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from moiety.enclave.guard import Guard
from moiety.errors import PeerLost, PeerMisbehaved
from moiety.wire.channel import Channel
from moiety.wire.emulator import Link
from moiety.wire.frame import Kind
from moiety.wire.plain import insecure_channel, pair
from moiety.wire.totals import Totals
from moiety.wire.transport import InsecureTransport
from moiety.wire.watch import Watch
from wire_kit import (
    both,
    frame,
    hostile,  # noqa: F401 - fixtures
    tcp_pair,
)

# ── a peer that stops ───────────────────────────────────────────────────────────────────────


def test_an_abort_tells_why():
    left, right = pair()
    right.step = "alignment"
    with right:
        left.abort("payco has been silent for 20 s during training")
        for call in (lambda: right.receive(Kind.TICK, 4), lambda: right.send(Kind.TICK, b"")):
            with pytest.raises(PeerLost, match="lender stopped: payco has been silent for 20 s"):
                call()
        assert right.totals == Totals()


def test_the_reason_is_read_though_the_sender_left_bytes_unread():
    left, right = tcp_pair()
    with right:
        right.send(Kind.TICK, bytes(100_000))
        left.abort("no key")
        time.sleep(0.1)
        with pytest.raises(PeerLost, match="lender stopped: no key"):
            right.send(Kind.TICK, bytes(1 << 20))
            right.receive(Kind.TICK, 4)


def test_a_reason_is_safe_to_show(hostile):
    channel, far = hostile
    far.sendall(frame(Kind.ABORT, b"\x1b[2Jgone\r\n\xff" + "é".encode()))
    with pytest.raises(PeerLost) as loss:
        channel.receive(Kind.TICK, 4)
    assert str(loss.value) == "payco stopped: ?[2Jgone??\ufffdé"


def test_abort_does_not_wait_for_a_peer_that_does_not_read(hostile):
    channel, _ = hostile
    channel._line.post(Kind.TICK, bytes(8 << 20))
    began = time.monotonic()
    channel.abort("no memory")
    assert time.monotonic() - began < 2


def test_silence_is_noticed():
    left, right = pair(left_watch=Watch(silence=0.4, beat=60))
    with left, right:
        left.step = "training"
        began = time.monotonic()
        with pytest.raises(PeerLost, match=r"^payco has been silent for 0\.4 s during training$"):
            left.receive(Kind.TICK, 4)
        assert 0.3 < time.monotonic() - began < 2


def test_heartbeats_keep_a_busy_peer_and_are_not_counted():
    with Watch(silence=0.4, beat=0.1) as lefts, Watch(silence=0.4, beat=0.1) as rights:
        left, right = pair(left_watch=lefts, right_watch=rights)

        def busy():
            time.sleep(1.2)
            right.send(Kind.TICK, b"done")

        assert both(lambda: left.receive(Kind.TICK, 4), busy) == [b"done", None]
        time.sleep(0.3)
        left.send(Kind.TICK, b"more")
        assert right.receive(Kind.TICK, 4) == b"more"
        assert left.totals == right.totals == Totals(1, 4, 1, 4)
        assert (left.sent_hash, left.received_hash) == (right.received_hash, right.sent_hash)


def test_heartbeats_do_not_stretch_a_callers_time():
    with Guard(beat=0.05) as lefts, Watch(beat=0.05) as rights:
        left, right = pair(left_watch=lefts, right_watch=rights)
        began = time.monotonic()
        with pytest.raises(PeerLost, match=r"longer than 0\.3 s"), lefts.within(0.3):
            left.receive(Kind.HELLO, 4)
        assert 0.2 < time.monotonic() - began < 2
        right.send(Kind.HELLO, b"late")
        assert left.receive(Kind.HELLO, 4) == b"late"


def test_a_flood_of_heartbeats_does_not_stop_the_clock():
    near, far = socket.socketpair()
    channel = Channel(InsecureTransport(near, own="lender", peer="payco"), "payco", watch=Guard())
    flood, stop = frame(Kind.HEARTBEAT) * 8192, threading.Event()

    def flooding():
        with suppress(OSError):
            while not stop.is_set():
                far.sendall(flood)

    thread = threading.Thread(target=flooding)
    thread.start()
    began = time.monotonic()
    with channel, pytest.raises(PeerLost, match="longer than"), channel._watch.within(0.5):
        channel.receive(Kind.HELLO, 4)
    assert time.monotonic() - began < 5
    stop.set()
    far.close()
    thread.join()


def test_time_spent_elsewhere_is_not_the_peers_silence():
    left, right = pair(left_watch=Watch(silence=0.2, beat=60))
    with left, right:
        right.send(Kind.TICK, b"1234")
        time.sleep(0.4)
        assert left.receive(Kind.TICK, 4) == b"1234"


def test_a_dead_peer_is_noticed_while_waiting_for_another():
    with Watch() as watch:
        _, right = pair(left_watch=watch)
        quiet, enclave = pair("lender", "enclave", left_watch=watch)
        watch.enter("training")
        threading.Timer(0.2, right.close).start()
        began = time.monotonic()
        with enclave, pytest.raises(PeerLost, match="payco closed the connection during training"):
            quiet.receive(Kind.TICK, 4)
        assert time.monotonic() - began < 2


def test_a_dead_peers_reason_is_told_while_waiting_for_another():
    with Watch() as watch:
        _, right = pair(left_watch=watch)
        quiet, enclave = pair("lender", "enclave", left_watch=watch)
        right.send(Kind.TICK, b"unread")
        threading.Timer(0.1, right.abort, ["income.csv is gone"]).start()
        with enclave, pytest.raises(PeerLost, match=r"payco stopped: income\.csv is gone"):
            quiet.receive(Kind.TICK, 4)


def test_an_error_inside_the_watch_tells_the_others_its_class_only():
    left, right = pair()
    with right:
        with pytest.raises(ValueError, match="4711"), Watch() as watch:
            watch.add(left)
            raise ValueError("income of row 12 is 4711")
        with pytest.raises(PeerLost, match=r"^lender stopped: ValueError$"):
            right.receive(Kind.TICK, 4)


# ── a peer that is done ─────────────────────────────────────────────────────────────────────


def test_three_parties_finish_in_any_order():
    watches = {name: Watch() for name in ("lender", "payco", "enclave")}
    for left, right in (("lender", "payco"), ("payco", "enclave"), ("enclave", "lender")):
        pair(left, right, left_watch=watches[left], right_watch=watches[right])
    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(watch.finish) for watch in watches.values()]:
            future.result(timeout=10)
    for watch in watches.values():
        watch.close()


def test_a_peer_that_is_done_and_gone_is_no_loss():
    """Payco has our DONE and closes, before we have read its own; we still wait for the enclave."""
    with Watch() as watch:
        left, right = pair(left_watch=watch)
        quiet, enclave = pair("lender", "enclave", left_watch=watch)
        left.say_done()
        right.finish()
        threading.Timer(0.5, enclave.send, [Kind.TICK, b"late"]).start()
        worked = time.thread_time()
        assert quiet.receive(Kind.TICK, 4) == b"late"
        assert time.thread_time() - worked < 0.1
        left.await_done()
        both(quiet.finish, enclave.finish)


def test_finish_finds_a_conversation_that_differs(hostile):
    channel, far = hostile
    channel.send(Kind.TICK, b"1234")
    far.sendall(frame(Kind.DONE, bytes(64)))
    with pytest.raises(PeerMisbehaved, match="payco counts another conversation than ours"):
        channel.finish()


def test_a_watch_leaves_no_thread_behind():
    before = set(threading.enumerate())
    with Watch(beat=0.1) as watch:
        left, right = pair(left_watch=watch)
        assert len(set(threading.enumerate()) - before) == 1
        left.close()
        right.close()
        time.sleep(0.2)
        assert not set(threading.enumerate()) - before
        with pair(left_watch=watch)[1]:
            assert len(set(threading.enumerate()) - before) == 1
    assert not set(threading.enumerate()) - before


# ── a slow line ─────────────────────────────────────────────────────────────────────────────


def test_a_link_delays_and_caps_and_keeps_the_bytes():
    near, far = socket.socketpair()
    link = Link(delay=0.05, bandwidth=80e6)
    left = insecure_channel(link(near), "lender", "payco")
    right = insecure_channel(far, "payco", "lender")
    data = os.urandom(2_000_000)
    with left, right:
        began = time.monotonic()
        both(lambda: left.exchange(b"", 0), lambda: right.exchange(b"", 0))
        assert 0.05 <= time.monotonic() - began < 0.5
        began = time.monotonic()
        got = both(
            lambda: left.exchange(data, len(data)), lambda: right.exchange(data[::-1], len(data))
        )
        assert got == [data[::-1], data]
        assert 0.25 <= time.monotonic() - began < 1.5
        left.abort("enough")
        with pytest.raises(PeerLost, match="lender stopped: enough"):
            right.receive(Kind.TICK, 4)
