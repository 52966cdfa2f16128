"""Channels without TLS: two ends in one process for tests, a bare socket for benches."""

import secrets
import socket

from moiety.wire.channel import Channel
from moiety.wire.transport import InsecureTransport
from moiety.wire.watch import Watch


def pair(
    left: str = "lender",
    right: str = "payco",
    *,
    left_watch: Watch | None = None,
    right_watch: Watch | None = None,
) -> tuple[Channel, Channel]:
    """The ends of `left` and of `right` of one connection inside this process.

    Each end is for a thread of its own: a message beyond the socket's buffer (some 200 KB) waits
    until the other end reads.
    """
    near, far = socket.socketpair()
    secret = secrets.token_bytes(32)
    lefts = InsecureTransport(near, own=left, peer=right, secret=secret)
    rights = InsecureTransport(far, own=right, peer=left, secret=secret)
    return (
        _watched(Channel(lefts, right, watch=left_watch), left_watch),
        _watched(Channel(rights, left, watch=right_watch), right_watch),
    )


def insecure_channel(
    sock: socket.socket, own: str, peer: str, *, watch: Watch | None = None
) -> Channel:
    """A channel over a connected socket that anybody on the way can read and change."""
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _watched(Channel(InsecureTransport(sock, own=own, peer=peer), peer, watch=watch), watch)


def _watched(channel: Channel, watch: Watch | None) -> Channel:
    if watch is not None:
        watch.add(channel)
    return channel
