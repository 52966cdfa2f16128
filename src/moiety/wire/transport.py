"""What carries the bytes of a channel; and the one without protection, for tests and benches."""

import hashlib
import hmac
import socket
from contextlib import suppress
from typing import Protocol

from moiety.wire.frame import Buffer

JOINED = 1 << 12
"""The most bytes of a payload that are copied behind its header, rather than gathered."""


class Transport(Protocol):
    """A non-blocking stream of bytes to one peer. ConnectionError when it breaks."""

    own_certificate: bytes
    peer_certificate: bytes

    def fileno(self) -> int:
        """The descriptor to poll."""
        ...

    def send(self, header: bytes, payload: Buffer) -> int:
        """How many bytes of both, one after the other, were taken; 0 when it must wait.

        Must then be called with the same bytes again.
        """
        ...

    def receive(self, room: memoryview) -> int | None:
        """How many bytes are in `room` now; None when it must wait, 0 when the peer has closed."""
        ...

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """Bytes that both ends of this connection derive, and nobody else."""
        ...

    def end(self) -> None:
        """Says that nothing more will be sent; receiving goes on."""
        ...

    def close(self) -> None:
        """Closes the socket; may be called twice."""
        ...


def broken(error: OSError) -> ConnectionError:
    """The error of a transport for a failed socket call; its text completes "payco …"."""
    if isinstance(error, ConnectionError):
        return ConnectionError("closed the connection")
    return ConnectionError(f"cannot be reached ({error.strerror})")


class InsecureTransport:
    """A socket as it is: no encryption, no authentication.

    `export` gives both ends the same bytes, but to a stranger as well unless `secret` is secret.
    The certificates are names only.
    """

    def __init__(self, sock: socket.socket, *, own: str, peer: str, secret: bytes = b"") -> None:
        sock.setblocking(False)
        self._socket = sock
        self._secret = secret
        self.own_certificate = own.encode()
        self.peer_certificate = peer.encode()

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    def send(self, header: bytes, payload: Buffer) -> int:
        """How many bytes of both, one after the other, were taken; 0 when it must wait."""
        try:
            if len(payload) <= JOINED:
                return self._socket.send(header + payload)
            return self._socket.sendmsg((header, payload))
        except BlockingIOError:
            return 0
        except OSError as error:
            raise broken(error) from None

    def receive(self, room: memoryview) -> int | None:
        """How many bytes are in `room` now; None when it must wait, 0 when the peer has closed."""
        try:
            return self._socket.recv_into(room)
        except BlockingIOError:
            return None
        except OSError as error:
            raise broken(error) from None

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """Bytes that both ends derive; not secret when the socket's secret is not."""
        name = hashlib.sha256(label.encode()).digest() + hashlib.sha256(context).digest()
        blocks = range(-(-length // 32))
        stream = b"".join(
            hmac.digest(self._secret, name + block.to_bytes(4, "little"), "sha256")
            for block in blocks
        )
        return stream[:length]

    def end(self) -> None:
        """Says that nothing more will be sent; receiving goes on."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes the socket; may be called twice."""
        self.end()
        self._socket.close()
