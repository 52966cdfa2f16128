"""TLS 1.3 with certificates on both sides, by OpenSSL; nothing older, nothing weaker."""

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from moiety.errors import ConfigError
from moiety.wire.certificates import Credentials
from moiety.wire.frame import Buffer
from moiety.wire.transport import broken
from moiety.wire.watch import Watch

RECORD = 1 << 14
"""The most bytes of one TLS record."""
PARTIAL_WRITE = 1
"""SSL_MODE_ENABLE_PARTIAL_WRITE: to return after each record."""


def context(credentials: Credentials) -> SSL.Context:
    """The settings of one side. Any certificate passes whose key the peer proves to hold.

    OpenSSL checks possession only: the certificates are self-signed, so the caller compares the pin
    (or verifies evidence) before the connection carries anything. No session is resumed.
    """
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.set_max_proto_version(SSL.TLS1_3_VERSION)
    made.set_options(SSL.OP_NO_TICKET)
    made.clear_mode(PARTIAL_WRITE)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    try:
        made.use_certificate(x509.load_der_x509_certificate(credentials.certificate))
        made.use_privatekey(credentials.key)
        made.check_privatekey()
    except SSL.Error:
        raise ConfigError(
            "the private key does not belong to the certificate", hint="make new credentials"
        ) from None
    return made


class TlsTransport:
    """One TLS 1.3 connection over a non-blocking socket. Not for two threads at once."""

    def __init__(self, session: SSL.Connection, sock: socket.socket) -> None:
        self._session = session
        self._socket = sock
        self.own_certificate = _certificate(session.get_certificate)
        self.peer_certificate = _certificate(session.get_peer_certificate)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    def send(self, header: bytes, payload: Buffer) -> int:
        """How many bytes of both, one after the other, were taken; 0 when it must wait.

        A header shares its record with the start of the payload.
        """
        data = header + payload[: RECORD - len(header)] if header else payload
        try:
            return self._session.send(data)
        except (SSL.WantWriteError, SSL.WantReadError):
            return 0
        except SSL.Error as error:
            raise failed(error) from None

    def receive(self, room: memoryview) -> int | None:
        """How many bytes are in `room` now; None when it must wait, 0 when the peer has closed."""
        count = 0
        try:
            while count < len(room):
                came = self._session.recv_into(room[count : count + RECORD])
                count += came
                if came < RECORD:
                    break
        except (SSL.WantReadError, SSL.WantWriteError):
            return count or None
        except SSL.ZeroReturnError:
            return count
        except SSL.Error as error:
            raise failed(error) from None
        return count

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """Bytes that both ends of this session derive, and nobody else can (RFC 8446 §7.5)."""
        return self._session.export_keying_material(label.encode(), length, context)

    def end(self) -> None:
        """Says that nothing more will be sent; receiving goes on."""
        with suppress(SSL.Error, OSError):
            self._session.shutdown()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes the socket; may be called twice."""
        self.end()
        self._socket.close()


def secure(
    session: SSL.Connection, sock: socket.socket, watch: Watch, until: float
) -> TlsTransport:
    """The transport after the handshake; ConnectionError and a closed socket if it fails.

    `until` is a time of the monotonic clock.
    """
    sock.setblocking(False)
    try:
        _shake_hands(session, sock, watch, until)
        return TlsTransport(session, sock)
    except BaseException:
        sock.close()
        raise


def _shake_hands(session: SSL.Connection, sock: socket.socket, watch: Watch, until: float) -> None:
    while True:
        try:
            return session.do_handshake()
        except SSL.WantReadError:
            events = select.POLLIN
        except SSL.WantWriteError:
            events = select.POLLOUT
        except SSL.Error as error:
            raise failed(error) from None
        patience = until - time.monotonic()
        if patience <= 0:
            raise ConnectionError("did not answer")
        watch.wait(sock.fileno(), events, patience)


def failed(error: SSL.Error) -> ConnectionError:
    """The error of a transport for one of OpenSSL; its text completes "payco …"."""
    if isinstance(error, SSL.SysCallError):
        number = error.args[0]
        return broken(OSError(*error.args) if number > 0 else ConnectionError())
    reasons = [entry[2] for entry in error.args[0]] if error.args else []
    return ConnectionError(f"broke off TLS 1.3 ({', '.join(reasons) or 'no reason given'})")


def _der(certificate: x509.Certificate | None) -> bytes:
    if certificate is None:
        raise ConnectionError("presented no certificate")
    return certificate.public_bytes(Encoding.DER)


def _certificate(read: Callable[..., x509.Certificate | None]) -> bytes:
    """DER; what OpenSSL can read and `cryptography` cannot is no certificate here."""
    try:
        return _der(read(as_cryptography=True))
    except (ValueError, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise ConnectionError("presented a certificate that cannot be read") from error
