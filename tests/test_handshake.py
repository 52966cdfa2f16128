"""What the enclave makes of a party's first message: nothing hostile gets an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handshake_kit import hello, received
from moiety.agreement.signing import SigningKey
from moiety.enclave.handshake import (
    receive_proposal,
)
from moiety.errors import (
    ConfigError,
    PeerLost,
    PeerMisbehaved,
    PolicyRefused,
)
from moiety.message import encode
from moiety.wire.frame import Kind
from party_kit import job, line, party, signatures

STRANGER = SigningKey.create()


def test_an_honest_party_is_known_by_name_and_job():
    proposal = received(hello())
    assert (proposal.party, proposal.job.hash) == ("lender", job().hash)


def altered_job():
    return job().source.replace(b"predictions = 60", b"predictions = 61")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"version": "0.0.0"}, PolicyRefused, "runs moiety 0.0.0"),
        ({"version": 1}, PeerMisbehaved, "`version`"),
        ({"party": "nobody"}, ConfigError, "no party 'nobody'"),
        ({"party": "payco"}, PolicyRefused, "certificate is not the one of payco"),
        ({"job": b""}, ConfigError, "version is missing"),
        ({"job": b"\xff"}, ConfigError, "not TOML"),
        ({"job": b"a = " + b"[" * 50_000}, ConfigError, "not TOML"),
        ({"job": b"a = " + b"9" * 50_000}, ConfigError, "not TOML"),
        ({"job": ...}, PeerMisbehaved, "no `job`"),
        ({"signatures": {}}, PolicyRefused, "lender has not signed"),
        ({"signatures": []}, PeerMisbehaved, "`signatures`"),
        ({"nonce": "text"}, PeerMisbehaved, "`nonce`"),
        ({"more": 1}, PeerMisbehaved, "does not belong"),
    ],
)
def test_a_broken_first_message_is_refused(change, error, text):
    with pytest.raises(error, match=text):
        received(hello(**change))


def test_a_job_altered_in_one_byte_was_not_signed():
    with pytest.raises(PolicyRefused, match="signature of lender on the job"):
        received(hello(job=altered_job()))


@settings(max_examples=60)
@given(st.integers(0, 4000), st.integers(1, 255))
def test_a_job_altered_in_any_byte_is_refused(at, change):
    source = bytearray(job().source)
    source[at % len(source)] ^= change
    with pytest.raises((PolicyRefused, ConfigError)):
        received(hello(job=bytes(source)))


@pytest.mark.parametrize("owner", ["lender", "payco"])
@pytest.mark.parametrize(
    "signature",
    [b"", bytes(64), bytes(63), STRANGER.sign_job(bytes(32)), "another's", "of another job"],
    ids=["none", "zeros", "short", "a stranger's", "another's", "of another job"],
)
def test_every_owner_must_have_signed_this_job(owner, signature):
    known = {
        "another's": lambda: STRANGER.sign_job(job().hash),
        "of another job": lambda: party(owner).signing_key.sign_job(bytes(32)),
    }
    given_as = known[signature]() if isinstance(signature, str) else signature
    with pytest.raises(PolicyRefused, match=f"signature of {owner} on the job"):
        received(hello(signatures={**signatures(), owner: given_as}))
    others = {name: value for name, value in signatures().items() if name != owner}
    with pytest.raises(PolicyRefused, match=f"{owner} has not signed"):
        received(hello(signatures=others))


def test_a_signature_made_for_another_purpose_does_not_sign_a_job():
    forged = party("payco").signing_key.sign(job().hash, b"moiety attached channel v1\0")
    with pytest.raises(PolicyRefused, match="signature of payco"):
        received(hello(signatures={**signatures(), "payco": forged}))


def test_an_enclave_may_serve_some_jobs_only():
    with line() as (guest, enclave):
        guest.send(Kind.HELLO, encode(hello()))
        assert receive_proposal(enclave, frozenset({job().hash})).party == "lender"
    with line() as (guest, enclave):
        guest.send(Kind.HELLO, encode(hello()))
        with pytest.raises(PolicyRefused, match="does not serve that job"):
            receive_proposal(enclave, frozenset({bytes(32)}))


def test_one_party_cannot_come_as_the_other():
    with pytest.raises(PolicyRefused, match="certificate is not the one of lender"):
        received(hello(), near="payco")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    with pytest.raises(PeerMisbehaved):
        received(data)


def test_messages_too_long_cut_off_or_out_of_order():
    with pytest.raises(PeerMisbehaved, match="at most 262144"):
        received(bytes((1 << 18) + 1))
    with pytest.raises(PeerMisbehaved):
        received(encode(hello())[:-1])
    with pytest.raises(PeerMisbehaved, match="sent RELEASE where HELLO is due"):
        received(b"", kind=Kind.RELEASE)
    with line() as (guest, enclave):
        guest.close()
        with pytest.raises(PeerLost, match="lender closed the connection"):
            receive_proposal(enclave)
