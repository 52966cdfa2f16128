"""The attested channel: what a hostile party, enclave or relay may try at each message."""

import struct
import time
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety import __version__
from moiety.agreement.signing import SigningKey
from moiety.enclave.attester.documents import Scenario
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.binding import bind, fresh_nonce
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
from moiety.enclave.policy import EnclavePolicy
from moiety.enclave.release import release
from moiety.enclave.verify import IntelVerifier
from moiety.errors import (
    AttestationFailed,
    ConfigError,
    MoietyError,
    PeerLost,
    PeerMisbehaved,
    PolicyRefused,
)
from moiety.message import decode, encode
from moiety.wire.frame import Kind
from party_kit import attester, demands, job, keys, line, other_job, outcomes, party, signatures

EVIDENCE = {"nonce": bytes, "hpke_key": bytes, "signing_key": bytes, "evidence": bytes}
LIMIT = 1 << 20
STRANGER = SigningKey.create()


# ── what the enclave makes of a party's first message ───────────────────────────────────────


def hello(**changes):
    """What an honest lender says first, changed; `...` leaves a field out."""
    said = {
        "version": __version__,
        "party": "lender",
        "job": job().source,
        "signatures": signatures(),
        "nonce": fresh_nonce(),
    }
    return {name: value for name, value in {**said, **changes}.items() if value is not ...}


def received(message, near="lender", kind=Kind.HELLO):
    payload = message if isinstance(message, bytes) else encode(message)

    def come(guest):
        with guest:
            guest.send(kind, payload)

    def judge(enclave):
        with enclave:
            return receive_proposal(enclave)

    with line(near) as (guest, enclave):
        _, found = outcomes(lambda: come(guest), lambda: judge(enclave))
    if isinstance(found, Exception):
        raise found
    return found


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


# ── what a party makes of the enclave ───────────────────────────────────────────────────────


class Tap:
    """A channel that keeps what is sent instead of sending it."""

    def __init__(self, channel):
        self._channel, self.sent = channel, []

    def __getattr__(self, name):
        return getattr(self._channel, name)

    def send(self, kind, payload):
        self.sent.append(payload)


def evidence(channel, proposal, **scenario):
    """What an enclave would send as its evidence about this channel, in fields."""
    tap = Tap(channel)
    present(tap, proposal, attester(**scenario), keys())
    return decode(tap.sent[0], EVIDENCE, LIMIT)


def shake_hands(answer=lambda said, channel: said, *, rules=None, of=None, **scenario):
    """What the lender makes of an enclave whose evidence is changed by `answer`."""
    of = of or job()

    def enclave_side(channel):
        said = evidence(channel, receive_proposal(channel), **scenario)
        channel.send(Kind.EVIDENCE, encode(answer(said, channel)))
        return channel.receive(Kind.RELEASE, LIMIT)

    def party_side(channel):
        with channel:
            signed, demanded = signatures(of), rules or demands()
            return attest(channel, of, signatures=signed, party="lender", rules=demanded)

    with line() as (guest, enclave):
        mine, theirs = outcomes(lambda: party_side(guest), lambda: enclave_side(enclave))
        assert isinstance(theirs, PeerLost), theirs
        assert enclave.totals.received_messages == 1
        return mine


def assert_refused(found, text, *, secret=()):
    assert isinstance(found, AttestationFailed), found
    assert text in str(found)
    assert found.exit_code == 5 and found.hint
    assert not any(part in str(found) for part in secret)


def test_an_honest_enclave_is_accepted():
    accepted = shake_hands()
    assert not accepted.production
    assert accepted.authentic.binding.claim.job_hash == job().hash


@pytest.mark.parametrize("behind", [-86_400, -10, 0, 10, 200])
def test_clocks_need_not_agree_to_the_second(behind):
    """Evidence is judged when it is there, and by a clock that may be somewhat behind."""
    rules = replace(demands(), clock=lambda: time.time() - behind)
    assert not isinstance(shake_hands(rules=rules), Exception)


def test_a_clock_that_is_far_off_is_told():
    rules = replace(demands(), clock=lambda: time.time() - 86_400)
    assert_refused(shake_hands(rules=rules), "issue date is in the future")


def test_another_measurement_is_refused():
    rules = demands(measurements=frozenset({bytes(32)}))
    assert_refused(shake_hands(rules=rules), f"measurement {attester().measurement.hex()}")


def test_a_policy_that_names_no_measurement_refuses_all():
    assert_refused(shake_hands(rules=demands(measurements=frozenset())), "measurement")


def test_a_debug_enclave_is_refused():
    assert_refused(shake_hands(scenario=Scenario(debug=True)), "Debug mode is enabled")


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        (Scenario(tcb_status="OutOfDate"), "TCB status OutOfDate"),
        (Scenario(advisories=("INTEL-SA-00001",)), "INTEL-SA-00001"),
        (Scenario(revoked=frozenset({"platform"})), "not authentic"),
        (Scenario(issued=1_000_000_000), "not authentic"),
    ],
)
def test_a_platform_in_a_bad_state_is_refused(scenario, text):
    assert_refused(shake_hands(scenario=scenario), text)


def test_a_production_policy_refuses_a_simulation():
    """Under Intel's root a simulated chain is not even authentic, whatever the policy says."""
    rules = demands()
    strict = EnclavePolicy(
        measurements=rules.policy.measurements,
        tcb_statuses=rules.policy.tcb_statuses,
        max_age=rules.policy.max_age,
    )
    for policy in (strict, rules.policy):
        found = shake_hands(rules=replace(rules, verifier=IntelVerifier(), policy=policy))
        assert_refused(found, "not authentic")
        assert found.hint.startswith("it is a SIMULATION's evidence")
    assert_refused(shake_hands(rules=replace(rules, policy=strict)), "it is a simulation")


def test_another_simulations_root_is_refused():
    mine = SimulationAttester(SimulationPlatform.make())

    def other(said, channel):
        quote = mine.quote(bytes(64))
        return {**said, "evidence": quote}

    assert_refused(shake_hands(other), "not authentic")


def test_replayed_evidence_is_refused():
    kept = []

    def keep(said, channel):
        kept.append(said)
        return said

    shake_hands(keep)
    replayed = shake_hands(lambda said, channel: kept[0])
    assert_refused(replayed, "not about this channel and job")
    mixed = shake_hands(lambda said, channel: {**said, "evidence": kept[0]["evidence"]})
    assert_refused(mixed, "not about this channel and job")


def test_evidence_relayed_from_another_channel_is_refused():
    """A host in the middle asks a good enclave about its own connection and hands that on."""

    def relay(said, channel):
        with line("payco") as (inner, good):
            inner.send(Kind.HELLO, encode(hello(party="payco")))
            return evidence(good, receive_proposal(good))

    assert_refused(shake_hands(relay), "not about this channel and job")


@pytest.mark.parametrize("field", ["nonce", "hpke_key", "signing_key"])
def test_a_swapped_key_or_nonce_is_refused(field):
    found = shake_hands(lambda said, channel: {**said, field: bytes([9] * 32)})
    assert_refused(found, "not about this channel and job")
    short = shake_hands(lambda said, channel: {**said, field: bytes(31)})
    assert isinstance(short, AttestationFailed) and "31 bytes" in str(short)


def test_evidence_about_another_job_is_refused():
    """The enclave was shown a job that all signed; the party runs another that all signed too."""
    other = other_job(("predictions = 60", "predictions = 59"))

    def swapped(channel):
        receive_proposal(channel)
        proposal = received(hello(job=other.source, signatures=signatures(other)))
        said = evidence(channel, proposal)
        channel.send(Kind.EVIDENCE, encode(said))

    with line() as (guest, enclave):
        found, _ = outcomes(lambda: judge(guest), lambda: swapped(enclave))
    assert_refused(found, "not about this channel and job")


@settings(max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(0, 7))
def test_evidence_with_a_bit_of_the_quote_altered_is_refused_or_says_the_same(at, bit):
    def altered(said, channel):
        data = bytearray(said["evidence"])
        (quote,) = struct.unpack_from("<I", data)
        data[8 + at % quote] ^= 1 << bit
        return {**said, "evidence": bytes(data)}

    found = shake_hands(altered)
    if not isinstance(found, AttestationFailed):
        mine = attester().measurement
        assert found.authentic.evidence.report.mr_enclave == mine, "PEM may be spaced otherwise"


@given(st.binary(max_size=300))
def test_any_bytes_as_evidence_are_refused(data):
    found = shake_hands(lambda said, channel: {**said, "evidence": data})
    assert_refused(found, "malformed")


def judge(guest):
    with guest:
        return attest(guest, job(), signatures=signatures(), party="lender", rules=demands())


def test_an_enclave_that_answers_out_of_order_or_not_in_form():
    for kind, payload, text in (
        (Kind.MODEL, b"", "sent MODEL where EVIDENCE is due"),
        (Kind.EVIDENCE, b"", "not plain CBOR"),
        (Kind.EVIDENCE, encode({"nonce": bytes(32)}), "no `"),
        (Kind.EVIDENCE, bytes((1 << 19) + 1), "at most 524288"),
    ):
        with line() as (guest, enclave):
            say = partial(enclave.send, kind, payload)
            found, _ = outcomes(partial(judge, guest), say)
            assert isinstance(found, PeerMisbehaved) and text in str(found)


# ── the key, released and received ──────────────────────────────────────────────────────────


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
