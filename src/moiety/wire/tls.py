"""Connections between institutions: TCP, TLS 1.3, and certificates pinned on both sides.

The handshake proves that the peer holds its certificate's key. Then each side checks the other's
certificate and only then says WELCOME; a side that refuses says why, so both ends report the
same cause.
"""

import os
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

from OpenSSL import SSL

from moiety.errors import ConfigError, PeerLost, PolicyRefused
from moiety.wire.certificates import Credentials, check_dates, fingerprint, holder, short
from moiety.wire.channel import Channel, Heard
from moiety.wire.peer import Peer
from moiety.wire.secure import TlsTransport, context, secure
from moiety.wire.watch import Watch

Pins: TypeAlias = Mapping[str, bytes]

DEADLINE = 30.0
RETRY = 0.2
ATTEMPT = 2.0
PATIENCE = 10.0


@dataclass(frozen=True)
class Options:
    """What all connections of a process share.

    The watch takes every new channel. `link` may put a slow line under TLS (see emulator).
    `progress` gets a sentence about a peer who is not there yet, or a stranger turned away.
    `heard` gets every message that came on any of them (see `Channel.heard`).
    """

    watch: Watch = field(default_factory=Watch)
    link: Callable[[socket.socket], socket.socket] = lambda sock: sock
    progress: Callable[[str], None] = lambda _: None
    heard: Heard | None = None


def connect(
    address: str,
    name: str,
    *,
    credentials: Credentials,
    pinned: bytes,
    deadline: float = DEADLINE,
    options: Options | None = None,
) -> Channel:
    """A channel to `name` at "host:port", whose certificate has the SHA-256 `pinned`.

    Tries for `deadline` seconds, for peers start in any order; then PeerLost. PolicyRefused if the
    certificate is another, or not valid now.
    """
    return _call(_End(credentials, options), address, name, {name: pinned}, deadline)


def connect_until_attested(
    address: str,
    name: str,
    *,
    credentials: Credentials,
    deadline: float = DEADLINE,
    options: Options | None = None,
) -> Channel:
    """A channel to whoever answers at "host:port": UNVERIFIED until evidence bound to it is.

    Only for an enclave, whose key is proven by evidence over `export` and `peer_certificate`.
    Until then nothing secret may be sent and nothing received believed.
    """
    return _call(_End(credentials, options), address, name, None, deadline)


def listen(address: str, *, credentials: Credentials, options: Options | None = None) -> "Listener":
    """A listener on "host:port"; port 0 lets the system choose (see Listener.address)."""
    return Listener(address, _End(credentials, options))


class Listener:
    """Waits for callers, one after the other. Close it, or use it as a context."""

    def __init__(self, address: str, end: "_End") -> None:
        host, port = _split(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {address} ({os.strerror(error.errno or 0)})",
                hint="choose a free port of this machine in party.toml",
            ) from None
        self._socket.setblocking(False)
        self._end = end

    @property
    def address(self) -> str:
        """The "host:port" listened on."""
        return _join(self._socket.getsockname())

    def accept(self, pins: Pins, deadline: float = DEADLINE) -> Channel:
        """A channel to the first caller; `pins` gives the fingerprint of everyone who may call.

        Callers who do not complete TLS 1.3 with a certificate are strangers: told to `progress`
        and forgotten. PolicyRefused if a caller's certificate is not pinned, or not valid now;
        PeerLost after `deadline` seconds.
        """
        return self._accept(pins, " or ".join(pins), deadline)

    def accept_until_attested(self, name: str, deadline: float = DEADLINE) -> Channel:
        """A channel to the first caller, taken for `name`: UNVERIFIED until its evidence is."""
        return self._accept(None, name, deadline)

    def close(self) -> None:
        """Stops listening; channels stay open."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self, pins: Pins | None, awaited: str, deadline: float) -> Channel:
        end, until = self._end, time.monotonic() + deadline
        stranger = ""
        while (left := until - time.monotonic()) > 0:
            end.options.watch.wait(self._socket.fileno(), select.POLLIN, left)
            try:
                sock, origin = self._socket.accept()
            except OSError:
                continue
            who = f"a caller from {_join(origin)}"
            try:
                transport = end.secure(sock, time.monotonic() + min(left, PATIENCE), server=True)
            except ConnectionError as error:
                stranger = f"{who} {error}"
                end.options.progress(stranger)
                continue
            return end.admit(transport, awaited if pins is None else who, pins)
        raise PeerLost(
            f"{awaited} did not connect to {self.address} within {deadline:g} s",
            hint=stranger or "check that it is started, its address for us, and the firewall",
        )


class _End:
    """This side of any connection: its certificate, and what its connections share."""

    def __init__(self, credentials: Credentials, options: Options | None) -> None:
        self.options = options or Options()
        self._context = context(credentials)

    def secure(self, sock: socket.socket, until: float, *, server: bool) -> TlsTransport:
        """TLS over a connected socket; ConnectionError if the peer does not do TLS 1.3."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = self.options.link(sock)
        session = SSL.Connection(self._context, line)
        if server:
            session.set_accept_state()
        else:
            session.set_connect_state()
        return secure(session, line, self.options.watch, until)

    def admit(self, transport: TlsTransport, name: str, pins: Pins | None) -> Channel:
        """The channel after both sides have accepted the other's certificate."""
        certificate = transport.peer_certificate
        channel = Channel(transport, name, watch=self.options.watch)
        channel.heard = self.options.heard
        try:
            if pins is not None:
                channel.rename(holder(certificate, pins, name))
            check_dates(certificate, channel.peer)
            channel.greet()
        except PolicyRefused:
            channel.abort(f"the certificate {short(fingerprint(certificate))} is refused here")
            raise
        except BaseException:
            channel.close()
            raise
        self.options.watch.add(channel)
        return channel


def _call(end: _End, address: str, name: str, pins: Pins | None, deadline: float) -> Channel:
    until = time.monotonic() + deadline
    sock = _dial(end.options, address, name, deadline)
    try:
        transport = end.secure(sock, until, server=False)
    except ConnectionError as error:
        raise Peer(name, "the TLS handshake").lost(str(error)) from None
    return end.admit(transport, name, pins)


def _dial(options: Options, address: str, name: str, deadline: float) -> socket.socket:
    """A TCP connection, tried again and again until the deadline."""
    until = time.monotonic() + deadline
    why, told = "no time left", ""
    while (left := until - time.monotonic()) > 0:
        try:
            return socket.create_connection(_split(address), timeout=min(left, ATTEMPT))
        except OSError as error:
            why = error.strerror or "no answer"
        if why != told:
            options.progress(f"waiting for {name} at {address} ({why})")
        told = why
        options.watch.wait(None, 0, RETRY)
    raise PeerLost(
        f"{name} did not answer at {address} within {deadline:g} s ({why})",
        hint="check that it is started, its address in party.toml, and the firewall",
    )


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{address!r} is not an address", hint='write it as "host:port"')
    return host.strip("[]"), int(port)


def _join(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
