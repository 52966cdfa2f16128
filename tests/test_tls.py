"""TLS 1.3 with pinned certificates: who is let in, who is not, and what both sides are told."""

import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from moiety.errors import PeerLost, PolicyRefused
from moiety.wire.emulator import Link
from moiety.wire.tls import Options, connect, connect_until_attested, listen
from moiety.wire.totals import Totals
from tls_kit import LENDER, PAYCO, STRANGER, both, dated, meeting, pin, seen


@pytest.mark.parametrize("size", [0, 1, 16368, 16369, 1 << 20, 64 << 20])
def test_exchange_of_any_size(size):
    with meeting() as (lender, payco):
        data = secrets.token_bytes(size)
        got = both(lambda: lender.exchange(data, size), lambda: payco.exchange(data[::-1], size))
        assert got == [data[::-1], data]
        assert lender.totals == payco.totals == Totals(1, size, 1, size)
        assert lender.sent_hash == payco.received_hash
        assert lender.received_hash == payco.sent_hash
        both(lender.finish, payco.finish)


def test_the_caller_is_known_by_its_certificate():
    pins = {"enclave": pin(STRANGER), "payco": pin(PAYCO)}
    with meeting(pins=pins) as (lender, payco):
        assert (lender.peer, payco.peer) == ("payco", "lender")
        assert lender.own_certificate == payco.peer_certificate == LENDER.certificate
        assert payco.own_certificate == lender.peer_certificate == PAYCO.certificate


def test_the_exporter_binds_session_label_and_context():
    with meeting() as (lender, payco), meeting() as (other, _):
        assert lender.export("moiety", b"x", 48) == payco.export("moiety", b"x", 48)
        cases = [(lender, "moiety", b"x"), (lender, "moiety", b""), (lender, "m", b"x")]
        keys = {channel.export(label, context) for channel, label, context in cases}
        assert len(keys | {other.export("moiety", b"x")}) == 4


def test_the_session_is_tls_1_3():
    with meeting() as (lender, _):
        assert lender._transport._session.get_protocol_version_name() == "TLSv1.3"


def test_the_caller_may_be_first():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    told = []

    def call():
        options = Options(progress=told.append)
        return connect(
            address, "lender", credentials=PAYCO, pinned=pin(LENDER), deadline=10, options=options
        )

    def answer():
        time.sleep(0.5)
        with listen(address, credentials=LENDER) as door:
            return door.accept({"payco": pin(PAYCO)})

    payco, lender = both(call, answer)
    with payco, lender:
        assert told[0] == f"waiting for lender at {address} (Connection refused)"


def test_a_slow_line_goes_under_tls():
    slow = Options(link=Link(delay=0.03, bandwidth=100e6))
    with meeting(options=(None, slow)) as (lender, payco):
        began = time.monotonic()
        both(lambda: lender.exchange(b"1234", 4), lambda: payco.exchange(b"5678", 4))
        assert time.monotonic() - began >= 0.03
        both(lender.finish, payco.finish)


def test_an_enclave_is_reached_unverified():
    with (
        listen("127.0.0.1:0", credentials=STRANGER) as door,
        ThreadPoolExecutor(1) as pool,
    ):
        accepting = pool.submit(door.accept_until_attested, "caller")
        with (
            connect_until_attested(door.address, "enclave", credentials=PAYCO) as channel,
            accepting.result(10) as enclave,
        ):
            assert channel.peer_certificate == STRANGER.certificate
            assert enclave.peer_certificate == PAYCO.certificate
            assert channel.export("moiety", b"") == enclave.export("moiety", b"")


# ── who is not let in ───────────────────────────────────────────────────────────────────────


def test_a_caller_with_another_certificate():
    with meeting(caller=STRANGER) as (listener, caller):
        assert isinstance(listener, PolicyRefused)
        assert f"presented the certificate {seen(STRANGER)}; pinned is payco {seen(PAYCO)}" in str(
            listener
        )
        assert "correct the pin" in listener.hint
        assert isinstance(caller, PeerLost)
        assert str(caller) == f"lender stopped: the certificate {seen(STRANGER)} is refused here"


def test_a_listener_with_another_certificate():
    with meeting(pinned=pin(STRANGER)) as (listener, caller):
        assert isinstance(caller, PolicyRefused)
        assert str(caller) == (
            f"lender presented the certificate {seen(LENDER)}; pinned is lender {seen(STRANGER)}"
        )
        assert isinstance(listener, PeerLost)
        assert str(listener) == f"payco stopped: the certificate {seen(LENDER)} is refused here"


@pytest.mark.parametrize(("first", "last"), [(-9, -2), (2, 9)])
def test_a_certificate_out_of_its_dates(first, last):
    bad = dated(first, last)
    now = datetime.now(UTC)
    dates = [f"{now + timedelta(days=days):%Y-%m-%d}" for days in (first, last)]
    with meeting(caller=bad, pins={"payco": pin(bad)}) as (listener, caller):
        assert isinstance(listener, PolicyRefused)
        assert str(listener).startswith(f"the certificate of payco is valid from {dates[0]} ")
        assert f" to {dates[1]} " in str(listener)
        assert str(caller) == f"lender stopped: the certificate {seen(bad)} is refused here"
    with meeting(listener=bad, caller=PAYCO) as (listener, caller):
        assert isinstance(caller, PolicyRefused)
        assert "the certificate of lender is valid from" in str(caller)
        assert str(listener) == f"payco stopped: the certificate {seen(bad)} is refused here"
