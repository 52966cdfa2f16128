"""What a party makes of the enclave: evidence replayed, relayed, altered, or not accepted."""

import struct
import time
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handshake_kit import LIMIT, evidence, hello, received
from moiety.agreement.signing import SigningKey
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.handshake import (
    attest,
    receive_proposal,
)
from moiety.enclave.policy import EnclavePolicy
from moiety.enclave.verify import IntelVerifier
from moiety.errors import (
    AttestationFailed,
    PeerLost,
    PeerMisbehaved,
)
from moiety.message import encode
from moiety.wire.frame import Kind
from party_kit import attester, demands, job, line, other_job, outcomes, signatures

STRANGER = SigningKey.create()


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
@example(657144167, 1)
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
