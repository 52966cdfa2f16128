"""Channels for tests: over a socket pair, over TCP, and with a bare socket at the far end."""

import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from moiety._core import Tally
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind
from moiety.wire.plain import insecure_channel
from moiety.wire.transport import InsecureTransport
from moiety.wire.watch import Watch


def both(left, right):
    """The results of two calls that need each other."""
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(left), pool.submit(right)]
        return [future.result(timeout=60) for future in futures]


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return insecure_channel(near, "lender", "payco"), insecure_channel(far, "payco", "lender")


def blake3(data):
    tally = Tally()
    tally.add(b"", data)
    return tally.hash


def frame(kind=Kind.TICK, payload=b"", sequence=0, *, flags=0, reserved=0, length=None):
    length = len(payload) if length is None else length
    return struct.pack("<BBHIQ", kind, flags, reserved, length, sequence) + payload


@pytest.fixture
def hostile():
    """A channel to payco, and the bare socket by which the test plays payco."""
    near, far = socket.socketpair()
    transport = InsecureTransport(near, own="lender", peer="payco")
    channel = Channel(transport, "payco", watch=Watch(silence=5))
    channel.step = "training"
    with far, channel:
        yield channel, far
