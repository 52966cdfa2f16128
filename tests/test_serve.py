"""The enclave's service among strangers: it survives them all, and serves the next job."""

import socket
import time

import pytest

from handshake_kit import hello
from job_kit import INTRODUCTION, company, play, service  # noqa: F401
from moiety.errors import PeerLost
from moiety.message import encode
from moiety.wire.certificates import make_credentials
from moiety.wire.frame import HEADER, Kind
from moiety.wire.tls import Options, connect_until_attested
from moiety.wire.watch import Watch
from party_kit import job, other_job, party, signatures
from process_kit import SOON
from stage_kit import base
from tls_kit import dated

pytestmark = pytest.mark.jobs


def raw():
    host, port = base().address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=SOON)


def called(credentials=None, *, beat=60.0):
    """A caller that completes TLS with this certificate; it sends heartbeats if `beat` is short."""
    return connect_until_attested(
        base().address,
        "enclave",
        credentials=credentials or make_credentials("stranger", 1),
        deadline=4 * SOON,  # another caller's handshake may be under way
        options=Options(watch=Watch(silence=SOON, beat=beat)),
    )


def turned_away(channel):
    """The reason that a caller is told."""
    with channel, pytest.raises(PeerLost) as caught:
        channel.receive(Kind.EVIDENCE, 1 << 20)
    return str(caught.value)


def test_garbage_before_tls(service):
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", bytes(1000), b"\x16\x03\x01\x02\x00" * 50):
        with raw() as stranger:
            stranger.sendall(garbage)
    service.wait_for("start", "noted", "a caller from 127.0.0.1")
    assert service.alive


def test_garbage_after_tls(service):
    for payload in (b"", b"\xff" * 100, encode({"job": b""})):
        channel = called()
        channel.send(Kind.HELLO, payload)
        assert "enclave stopped: the peer sent a control message" in turned_away(channel)


def test_another_message_than_the_first(service):
    channel = called()
    channel.send(Kind.CAPSULE, b"data")
    assert "sent CAPSULE where HELLO is due" in turned_away(channel)


def test_a_first_message_that_claims_to_be_huge(service):
    channel = called()
    channel._transport.send(b"", memoryview(HEADER.pack(Kind.HELLO, 0, 0, 1 << 31, 0)))
    assert "of 2147483648 bytes, not of at most 262144" in turned_away(channel)


def test_a_stranger_with_a_good_job_that_is_not_its_own(service):
    channel = called()
    channel.send(Kind.HELLO, encode(hello()))
    assert "certificate is not the one of lender" in turned_away(channel)


def test_a_party_with_a_job_that_the_other_has_not_signed(service):
    channel = called(party("lender").credentials)
    mine = {"lender": signatures()["lender"]}
    channel.send(Kind.HELLO, encode(hello(signatures=mine)))
    assert turned_away(channel) == "enclave stopped: payco has not signed this job"


def test_a_party_with_an_altered_job(service):
    channel = called(party("lender").credentials)
    altered = other_job(("predictions = 60", "predictions = 600")).source
    channel.send(Kind.HELLO, encode(hello(job=altered)))
    assert "the signature of lender on the job" in turned_away(channel)


def test_an_expired_certificate(service):
    with pytest.raises(PeerLost, match="is refused here"):
        called(dated(-9, -2))


def test_a_caller_that_dies(service):
    called().close()
    channel = called(party("lender").credentials)
    channel.send(Kind.HELLO, encode(hello()))
    channel.close()
    service.wait_for("attestation", "noted", "the job ended: lender closed the connection")


@pytest.mark.parametrize("beat", [60.0, 0.1])
def test_a_caller_that_stays_silent_has_a_deadline(service, beat):
    """Whether it sends heartbeats or nothing at all."""
    channel, began = called(beat=beat), time.monotonic()
    assert f"the caller took longer than {INTRODUCTION:g} s" in turned_away(channel)
    assert INTRODUCTION / 2 < time.monotonic() - began < INTRODUCTION + 3


def test_a_caller_that_says_its_message_byte_by_byte_has_a_deadline(service):
    channel, began = called(), time.monotonic()
    message = encode(hello())
    wire = HEADER.pack(Kind.HELLO, 0, 0, len(message), 0) + message
    try:
        for at in range(len(wire)):
            channel._transport.send(b"", memoryview(wire[at : at + 1]))
            time.sleep(0.02)
    except ConnectionError:
        pass
    assert time.monotonic() - began < INTRODUCTION + 3
    channel.close()


def test_the_service_then_serves_a_job(service, company, play):
    lender, payco = company.run(play, "lender", "payco")
    assert (lender.end(), payco.end()) == (0, 0), lender.story() + payco.story()
    assert service.alive


def test_strangers_do_not_end_a_job_under_way(service, company, play):
    """While the first party is in and the second on its way."""
    lender, payco = company.run(play, "lender", "payco")
    payco.on("attestation", "begun", payco.pause)
    service_waits = "opened lender's capsule"
    before = len(service.told("done"))
    _until(lambda: any(service_waits in text for _, text in service.told("done")[before:]))
    with raw() as stranger:
        stranger.sendall(b"nonsense\r\n\r\n")
    silent = called()
    channel = called(party("payco").credentials)
    other = other_job(("predictions = 60", "predictions = 59"))
    channel.send(
        Kind.HELLO, encode(hello(party="payco", job=other.source, signatures=signatures(other)))
    )
    assert "the caller took longer than" in turned_away(silent)
    assert turned_away(channel) == "enclave stopped: another job is under way here"
    again = called(party("lender").credentials)
    again.send(Kind.HELLO, encode(hello()))
    assert turned_away(again) == "enclave stopped: lender is here already"
    payco.resume()
    assert (lender.end(), payco.end()) == (0, 0), lender.story() + payco.story()


def _until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_job_of_the_kit_is_the_one_served():
    assert job().names == ("lender", "payco")
