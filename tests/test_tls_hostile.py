"""Strangers, altered bytes, killed and frozen processes: over real TLS."""

import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from moiety.errors import ConfigError, PeerLost
from moiety.wire.certificates import Credentials, make_credentials
from moiety.wire.frame import Kind
from moiety.wire.tls import Options, connect, listen
from moiety.wire.watch import Watch
from tls_kit import LENDER, PAYCO, PEER, STRANGER, meeting, pin


def visit(address, talk):
    """Talks to a listener as a stranger would; what the stranger is told."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        try:
            return talk(sock)
        except OSError as error:
            return str(error)


def bare_tls(sock, **versions):
    """A client of Python's own ssl module, without a certificate."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    for name, version in versions.items():
        setattr(settings, name, version)
    with settings.wrap_socket(sock) as session:
        return session.recv(1)


def old_tls(sock):
    return bare_tls(sock, maximum_version=ssl.TLSVersion.TLSv1_2)


def noise(sock):
    sock.sendall(secrets.token_bytes(4000))
    return sock.recv(1000)


@pytest.mark.parametrize(
    ("talk", "told", "noted"),
    [
        (bare_tls, "certificate required", "peer did not return a certificate"),
        (old_tls, "protocol version", "unsupported protocol"),
        (noise, "", "broke off TLS 1.3"),
        (lambda sock: sock.sendall(b"GET / HTTP/1.1\r\n\r\n"), "", "http request"),
        (lambda sock: None, "", "closed the connection"),
    ],
)
def test_strangers_are_turned_away_and_the_peer_still_comes(talk, told, noted):
    strangers = []
    with (
        listen(
            "127.0.0.1:0", credentials=LENDER, options=Options(progress=strangers.append)
        ) as door,
        ThreadPoolExecutor(1) as pool,
    ):
        accepting = pool.submit(door.accept, {"payco": pin(PAYCO)}, 10)
        heard = visit(door.address, talk)
        assert told in str(heard).lower().replace("_", " ")
        with (
            connect(door.address, "lender", credentials=PAYCO, pinned=pin(LENDER)) as payco,
            accepting.result(10) as lender,
        ):
            assert (lender.peer, payco.peer) == ("payco", "lender")
    assert len(strangers) == 1
    assert strangers[0].startswith("a caller from 127.0.0.1:")
    assert noted in strangers[0]


def test_a_stranger_alone_is_named_when_time_is_up():
    with (
        listen("127.0.0.1:0", credentials=LENDER) as door,
        ThreadPoolExecutor(1) as pool,
    ):
        accepting = pool.submit(door.accept, {"payco": pin(PAYCO)}, 1)
        visit(door.address, bare_tls)
        with pytest.raises(PeerLost, match=r"payco did not connect to .* within 1 s") as loss:
            accepting.result(10)
        assert "peer did not return a certificate" in loss.value.hint


def test_an_old_listener_is_refused(tmp_path):
    (tmp_path / "pem").write_bytes(LENDER.certificate_pem + LENDER.key_pem)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(tmp_path / "pem")
    settings.maximum_version = ssl.TLSVersion.TLSv1_2

    def answer(server):
        sock, _ = server.accept()
        with sock, pytest.raises(ssl.SSLError):
            settings.wrap_socket(sock, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        answering = pool.submit(answer, server)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(PeerLost, match=r"lender broke off TLS 1\.3 .*during the TLS handshake"):
            connect(address, "lender", credentials=PAYCO, pinned=pin(LENDER))
        answering.result(10)


def test_a_listener_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(PeerLost, match="lender did not answer during the TLS handshake"):
            connect(address, "lender", credentials=PAYCO, pinned=pin(LENDER), deadline=0.5)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(PeerLost, match=r"did not answer at .* within 0\.5 s \(Connection refused"):
        connect(address, "lender", credentials=PAYCO, pinned=pin(LENDER), deadline=0.5)


def test_bytes_changed_on_the_way_end_the_connection():
    ends = []

    def tapped(sock):
        near, middle = socket.socketpair()
        ends.extend((middle, sock))
        threading.Thread(target=carry, args=(sock, middle, 0), daemon=True).start()
        threading.Thread(target=carry, args=(middle, sock, 100_000), daemon=True).start()
        return near

    def carry(source, sink, spoiled):
        with suppress(OSError):
            relay(source, sink, spoiled)

    def relay(source, sink, spoiled):
        carried = 0
        while data := bytearray(source.recv(4096)):
            if carried <= spoiled < carried + len(data) and spoiled:
                data[spoiled - carried] ^= 1
            carried += len(data)
            sink.sendall(data)

    with meeting(options=(None, Options(link=tapped))) as (lender, payco):
        payco.step = lender.step = "training"
        payco.send(Kind.TICK, bytes(200_000))
        with pytest.raises(PeerLost, match=r"payco broke off TLS 1\.3 .*during training"):
            lender.receive(Kind.TICK, 200_000)
    for end in ends:
        end.close()


def test_the_reason_reaches_a_peer_that_is_sending():
    with meeting() as (lender, payco):
        threading.Timer(0.2, lender.abort, ["no memory"]).start()
        with pytest.raises(PeerLost, match="lender stopped: no memory"):
            payco.send(Kind.MODEL, bytes(16 << 20))
            payco.receive(Kind.TICK, 4)


def test_the_reason_waits_for_a_peer_that_is_computing():
    beating = Options(watch=Watch(beat=0.1))
    with meeting(options=(None, beating)) as (lender, payco):
        payco.send(Kind.TICK, b"unread")
        lender.abort("no key")
        time.sleep(0.5)
        with pytest.raises(PeerLost, match="lender stopped: no key"):
            payco.send(Kind.MODEL, bytes(1 << 20))


# ── own mistakes ────────────────────────────────────────────────────────────────────────────


def test_credentials():
    parsed = x509.load_der_x509_certificate(LENDER.certificate)
    lifetime = parsed.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < lifetime < timedelta(days=2)
    assert parsed.not_valid_before_utc < datetime.now(UTC)
    assert parsed.subject.rfc4514_string() == "CN=lender"
    parsed.verify_directly_issued_by(parsed)
    assert pin(LENDER) == parsed.fingerprint(hashes.SHA256())
    assert pin(PAYCO) != pin(STRANGER)
    assert "PRIVATE" not in repr(LENDER) and "key_pem" not in repr(LENDER)
    with pytest.raises(ConfigError, match="1 to 64"):
        make_credentials("x" * 65, 2)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (Credentials(b"nothing", PAYCO.key_pem), "is not a PEM certificate"),
        (Credentials(PAYCO.certificate_pem, b"nothing"), "is not an unencrypted elliptic-curve"),
        (Credentials(PAYCO.certificate_pem, LENDER.key_pem), "does not belong"),
    ],
)
def test_wrong_credentials(wrong, fault):
    with pytest.raises(ConfigError, match=fault):
        listen("127.0.0.1:0", credentials=wrong)


@pytest.mark.parametrize("address", ["", "payco", "payco:", ":1", "payco:x", "payco:65536"])
def test_wrong_addresses(address):
    with pytest.raises(ConfigError, match="is not an address"):
        connect(address, "payco", credentials=PAYCO, pinned=pin(PAYCO))


def test_a_port_in_use():
    with (
        listen("127.0.0.1:0", credentials=LENDER) as door,
        pytest.raises(ConfigError, match=r"cannot listen on .* \(Address already in use\)"),
    ):
        listen(door.address, credentials=LENDER)


# ── a peer that dies ────────────────────────────────────────────────────────────────────────


@contextmanager
def process(address):
    """Another process that connects as payco and then computes for ever."""
    arguments = [address, PAYCO.certificate_pem.decode(), PAYCO.key_pem.decode(), pin(LENDER).hex()]
    with subprocess.Popen([sys.executable, "-c", PEER, *arguments]) as peer:
        try:
            yield peer
        finally:
            peer.kill()


@pytest.mark.parametrize("waiting_for", ["payco", "enclave", "a new caller", "nobody listening"])
def test_a_killed_process_is_noticed_within_five_seconds(waiting_for):
    with (
        Watch() as watch,
        listen("127.0.0.1:0", credentials=LENDER, options=Options(watch=watch)) as door,
        process(door.address) as peer,
    ):
        payco = door.accept({"payco": pin(PAYCO)})
        with ThreadPoolExecutor(1) as pool:
            calling = pool.submit(
                connect, door.address, "lender", credentials=STRANGER, pinned=pin(LENDER)
            )
            enclave = door.accept({"enclave": pin(STRANGER)})
            other = calling.result(10)
        watch.enter("training")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            nowhere = f"127.0.0.1:{probe.getsockname()[1]}"
        waits = {
            "payco": lambda: payco.receive(Kind.TICK, 4),
            "enclave": lambda: enclave.exchange(b"", 4),
            "a new caller": lambda: door.accept({"enclave": pin(STRANGER)}),
            "nobody listening": lambda: connect(
                nowhere,
                "enclave",
                credentials=LENDER,
                pinned=pin(STRANGER),
                options=Options(watch=watch),
            ),
        }
        threading.Timer(0.5, peer.kill).start()
        began = time.monotonic()
        with (
            other,
            pytest.raises(PeerLost, match=r"^payco closed the connection during training$"),
        ):
            waits[waiting_for]()
        assert time.monotonic() - began < 5


def test_a_frozen_process_is_silent():
    with (
        Watch(silence=1.5) as watch,
        listen("127.0.0.1:0", credentials=LENDER, options=Options(watch=watch)) as door,
        process(door.address) as peer,
    ):
        payco = door.accept({"payco": pin(PAYCO)})
        payco.step = "training"
        threading.Timer(2, peer.send_signal, [signal.SIGSTOP]).start()
        began = time.monotonic()
        with pytest.raises(PeerLost, match=r"payco has been silent for 1\.5 s during training"):
            payco.receive(Kind.TICK, 4)
        assert 3 < time.monotonic() - began < 8
