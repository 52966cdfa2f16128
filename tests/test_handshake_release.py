"""The key, released and received: for this channel, job, data set and enclave only."""

import pytest

from handshake_kit import Tap, hello
from moiety.agreement.signing import SigningKey
from moiety.enclave.binding import bind
from moiety.enclave.capsule import CapsuleHeader, DataKey
from moiety.enclave.handshake import (
    EnclaveKeys,
    attest,
    consent_only,
    data_set,
    present,
    receive_key,
    receive_proposal,
    release_key,
)
from moiety.enclave.release import release
from moiety.errors import (
    MoietyError,
    PolicyRefused,
)
from moiety.message import encode
from moiety.wire.frame import Kind
from party_kit import attester, demands, job, keys, line, outcomes, party, signatures

STRANGER = SigningKey.create()


def member():
    return job().member("lender")


def header(**changes):
    named = {"data_set": data_set(member()), "version": 1, "policy_hash": job().hash}
    return CapsuleHeader(**{**named, **changes})


def released(play, *, own=None):
    """What the enclave makes of `play(channel, accepted, key)` after a good attestation."""

    def enclave_side(channel):
        held = own or keys()
        proposal = receive_proposal(channel)
        claim = present(channel, proposal, attester(), held)
        return receive_key(channel, proposal, claim, held)

    key = DataKey.random()

    def party_side(channel):
        accepted = attest(channel, job(), signatures=signatures(), party="lender", rules=demands())
        play(channel, accepted, key)

    with line() as (guest, enclave):
        mine, theirs = outcomes(lambda: party_side(guest), lambda: enclave_side(enclave))
    assert mine is None, mine
    return key, theirs


def honest(channel, accepted, key):
    release_key(channel, accepted, key, header(), party("lender").signing_key)


def message(accepted, key, **changes):
    consent = party("lender").signing_key.sign(
        accepted.authentic.binding.report_data, b"moiety attested channel v1\0"
    )
    wrapped = release(accepted, key, data_set(member())).wrapped
    said = {
        "consent": consent,
        "wrapped": wrapped,
        "data_set": data_set(member()),
        "version": 1,
    }
    return encode({**said, **changes})


def test_the_released_key_arrives():
    key, (found, named) = released(honest)
    assert found == key and named == header()
    same, (found, _) = released(lambda c, a, k: c.send(Kind.RELEASE, message(a, k)))
    assert found == same


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"consent": bytes(64)}, "lender on this attested channel"),
        ({"consent": b""}, "lender on this attested channel"),
        ({"data_set": "payco/clients"}, "not the job's"),
        ({"data_set": "lender/applicants"}, "not the job's"),
        ({"wrapped": b"short"}, "a wrapped key has"),
        ({"wrapped": bytes(80)}, "was not released to this enclave"),
        ({"version": -1}, "cannot be named"),
    ],
)
def test_a_changed_release_is_refused(change, text):
    _, found = released(lambda c, a, k: c.send(Kind.RELEASE, message(a, k, **change)))
    assert isinstance(found, MoietyError) and text in str(found)


def test_consent_by_another_key_or_for_another_channel_is_refused():
    def forged(channel, accepted, key):
        release_key(channel, accepted, key, header(), STRANGER)

    kept = []

    def keep(channel, accepted, key):
        kept.append(message(accepted, key))
        channel.send(Kind.RELEASE, kept[0])

    same = EnclaveKeys.create()
    assert "lender on this attested channel" in str(released(forged)[1])
    assert isinstance(released(keep, own=same)[1], tuple)
    replayed = released(lambda c, a, k: c.send(Kind.RELEASE, kept[0]), own=same)[1]
    assert isinstance(replayed, PolicyRefused) and "attested channel" in str(replayed)


def test_a_party_may_consent_and_release_nothing():
    def forged(channel, accepted, key):
        consent_only(channel, accepted, STRANGER)

    signer = party("lender").signing_key
    assert released(lambda c, a, k: consent_only(c, a, signer))[1] is None
    assert "lender on this attested channel" in str(released(forged)[1])


def test_a_key_for_another_enclave_or_data_set_does_not_open():
    elsewhere = []
    released(lambda c, a, k: (elsewhere.append(a), honest(c, a, k)), own=EnclaveKeys.create())

    def wrapped_for(accepted, name):
        return lambda c, a, k: c.send(
            Kind.RELEASE, message(a, k, wrapped=release(accepted or a, k, name).wrapped)
        )

    for play in (
        wrapped_for(elsewhere[0], data_set(member())),
        wrapped_for(None, "payco/clients"),
    ):
        found = released(play)[1]
        assert isinstance(found, PolicyRefused) and "was not released to this enclave" in str(found)


def test_both_ends_bind_the_same_and_a_reflected_claim_is_another():
    with line() as (guest, enclave):
        guest.send(Kind.HELLO, encode(hello()))
        proposal = receive_proposal(enclave)
        claim = present(Tap(enclave), proposal, attester(), keys())
        assert bind(claim, guest, attesting=False) == bind(claim, enclave, attesting=True)
        assert bind(claim, guest, attesting=True) != bind(claim, enclave, attesting=True)
