"""A link between two parties, measured from both ends: what it adds to a message, and its width."""

import socket
import struct
import time
from statistics import median

from moiety.errors import PeerLost, PeerMisbehaved, UsageError
from moiety.plan.calibration import LARGEST, Calibration, rounded
from moiety.plan.network import Network
from moiety.wire.channel import Channel

PINGS = 30
FIRST, LAST = 1 << 18, 1 << 26
ENOUGH = 0.5
"""Seconds of a transfer that tell the bandwidth well enough."""
PATIENCE = 60.0


def listened(address: str) -> socket.socket:
    """The socket of the first caller at HOST:PORT, within a minute."""
    host, port = split(address)
    with socket.create_server((host, port)) as server:
        server.settimeout(PATIENCE)
        try:
            caller, _ = server.accept()
        except TimeoutError:
            raise PeerLost(
                f"nobody called at {address} within {PATIENCE:g} s",
                hint="start moiety calibrate --peer at the other party",
            ) from None
    caller.settimeout(None)
    return caller


def called(address: str) -> socket.socket:
    """A socket to the party that listens at HOST:PORT, which may start within a minute."""
    host, port = split(address)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((host, port), timeout=PATIENCE)
        except OSError as error:
            if time.monotonic() > until:
                raise PeerLost(
                    f"nobody listens at {address} ({error.strerror or error})",
                    hint="start moiety calibrate --listen at the other party",
                ) from None
            time.sleep(0.2)


def split(address: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{address!r} is not an address", hint='write it as "host:port"')
    return host.strip("[]"), int(port)


def agreed(channel: Channel, own: Calibration, loopback: float) -> Calibration:
    """What both parties plan with: the link between them, and of each kind the slower machine.

    `loopback` is what one exchange takes without a network. Both ends get the same.
    """
    latency, bandwidth = _measured(channel, loopback)
    mine = Calibration.measured(Network("peer", latency, bandwidth), own.machine)
    theirs = _swapped(channel, mine)
    link = Network(
        "peer",
        max(mine.network.latency, theirs.network.latency),
        min(mine.network.bandwidth, theirs.network.bandwidth),
    )
    return Calibration(link, mine.slower(theirs).machine)


def _measured(channel: Channel, loopback: float) -> tuple[float, float]:
    """Seconds one way, and bytes per second each way."""
    exchange = median(_timed(channel, 1) for _ in range(PINGS))
    size, seconds = FIRST, _timed(channel, FIRST)
    while _both_want(channel, size < LAST and seconds < ENOUGH):
        size *= 2
        seconds = _timed(channel, size)
    moving = max(seconds - exchange, 1e-9)
    return rounded(max(exchange - loopback, 0.0)), rounded(size / moving)


def _timed(channel: Channel, size: int) -> float:
    """Seconds in which each end sends the other so many bytes."""
    data = bytes(size)
    channel.exchange(b"", 0)
    began = time.perf_counter()
    channel.exchange(data, size)
    return time.perf_counter() - began


def _both_want(channel: Channel, more: bool) -> bool:
    return channel.exchange(bytes([more]), 1) == b"\1" and more


def _swapped(channel: Channel, mine: Calibration) -> Calibration:
    """The other party's calibration."""
    text = mine.text.encode()
    (length,) = struct.unpack("<Q", channel.exchange(struct.pack("<Q", len(text)), 8))
    if length > LARGEST:
        raise PeerMisbehaved(f"{channel.peer} sends a calibration of {length} bytes")
    return Calibration.read(channel.exchange(text, length).decode(errors="replace"))
