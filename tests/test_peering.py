"""Two enclaves attest to each other: relayed, replayed, reflected or lesser evidence is refused."""

import secrets
from dataclasses import replace
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cluster_kit import PLATFORM, demands, line, roster, side
from moiety.enclave.attester.documents import Scenario
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.evidence import Evidence
from moiety.enclave.peering import attest_both_ways
from moiety.enclave.policy import Accepted, EnclavePolicy
from moiety.enclave.verify import IntelVerifier
from moiety.errors import AttestationFailed, PeerError, PeerLost, PolicyRefused
from moiety.message import decode, encode
from moiety.wire.frame import Kind
from party_kit import outcomes

ROSTER = roster(2)
LIMIT = 1 << 20
HELLO = {"version": str, "name": str, "roster": bytes, "nonce": bytes}
HELLO |= {"hpke_key": bytes, "signing_key": bytes}


class Changed:
    """A channel whose messages are changed on their way out, or in."""

    def __init__(self, channel, out=lambda kind, payload: payload):
        self._channel, self._out = channel, out

    def __getattr__(self, name):
        return getattr(self._channel, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._channel.close()

    def send(self, kind, payload):
        self._channel.send(kind, self._out(kind, payload))


def attested(channel, name, digest=ROSTER.digest, **policy):
    with channel:
        return attest_both_ways(channel, side(name, **policy), digest)


def met(out=lambda kind, payload: payload, *, mine=None, theirs=None, digests=None):
    """What w0 and w1 make of each other when w1's messages are changed by `out`."""
    digests = digests or (ROSTER.digest, ROSTER.digest)

    def one(channel, own, digest):
        with channel:
            return attest_both_ways(channel, own, digest)

    with line() as (near, far):
        return outcomes(
            lambda: one(near, mine or side("w0"), digests[0]),
            lambda: one(Changed(far, out), theirs or side("w1"), digests[1]),
        )


def refused(found, text, error=AttestationFailed):
    assert isinstance(found, error), found
    assert text in str(found)


def test_both_are_accepted():
    found = met()
    assert all(isinstance(one, Accepted) for one in found), found
    claims = [one.authentic.binding.claim for one in found]
    assert [(claim.verifier, claim.enclave) for claim in claims] == [("w0", "w1"), ("w1", "w0")]
    assert claims[0].verifier_nonce == claims[1].enclave_nonce
    assert not any(one.production for one in found)


def test_both_see_the_keys_that_the_other_has():
    sides = side("w0"), side("w1")
    found = met(mine=sides[0], theirs=sides[1])
    for one, other in zip(found, reversed(sides), strict=True):
        own = other.keys.hpke.public_key().public_bytes_raw()
        assert one.authentic.binding.claim.hpke_key == own


# ── relay, replay, reflection, reuse ────────────────────────────────────────────────────────


def altered(payload, **changes):
    return encode({**decode(payload, HELLO, LIMIT), **changes})


def test_evidence_relayed_with_a_leaked_tls_key_is_refused():
    """A host holds w1's certificate *and key*, ends w0's TLS itself and relays to the true w1."""
    digest = ROSTER.digest

    def host(to_w0, to_w1):
        for kind in (Kind.HELLO, Kind.EVIDENCE):
            first = to_w0.receive(kind, LIMIT)
            to_w1.send(kind, first)
            to_w0.send(kind, to_w1.receive(kind, LIMIT))

    with line() as (w0, to_w0), line() as (to_w1, w1):
        found = outcomes(
            lambda: attested(w0, "w0", digest),
            lambda: attested(w1, "w1", digest),
            lambda: host(to_w0, to_w1),
        )
    refused(found[0], "not about this channel")
    assert isinstance(found[1], (AttestationFailed, PeerError)), found[1]


def test_the_relay_of_this_test_is_good_but_for_the_exporter():
    """The same relay between sessions with one exporter would pass: it is what refuses it."""
    secret = secrets.token_bytes(32)

    def relay(to_w0, to_w1):
        for kind in (Kind.HELLO, Kind.EVIDENCE):
            to_w1.send(kind, to_w0.receive(kind, LIMIT))
            to_w0.send(kind, to_w1.receive(kind, LIMIT))

    with line() as (w0, to_w0), line() as (to_w1, w1):
        for channel in (w0, w1):
            channel._transport._secret = secret
        found = outcomes(
            lambda: attested(w0, "w0"), lambda: attested(w1, "w1"), lambda: relay(to_w0, to_w1)
        )
    assert all(isinstance(one, Accepted) for one in found[:2]), found


def test_replayed_messages_are_refused():
    kept = {}

    def keep(kind, payload):
        kept[kind] = payload
        return payload

    met(keep)
    refused(met(lambda kind, payload: kept[kind])[0], "not about this channel")
    mixed = met(lambda kind, payload: kept[kind] if kind is Kind.EVIDENCE else payload)
    refused(mixed[0], "not about this channel")


def test_a_nonce_that_is_used_again_makes_no_old_evidence_good():
    kept = {}

    def keep(kind, payload):
        kept[kind] = payload
        return payload

    met(keep)
    nonce = decode(kept[Kind.HELLO], HELLO, LIMIT)["nonce"]

    def reuse(kind, payload):
        return altered(payload, nonce=nonce) if kind is Kind.HELLO else kept[kind]

    refused(met(reuse)[0], "not about this channel")


def test_evidence_sent_back_to_its_maker_is_refused():
    """A host without any enclave answers w0 with w0's own words, under the name of w1."""

    def mirror(channel, changes):
        with channel:
            hello = channel.receive(Kind.HELLO, LIMIT)
            channel.send(Kind.HELLO, altered(hello, name="w1", **changes))
            channel.send(Kind.EVIDENCE, channel.receive(Kind.EVIDENCE, LIMIT))

    for changes, text in (
        ({}, "verifier and enclave are the same"),
        ({"nonce": bytes(32)}, "not about this channel"),
    ):
        with line() as (near, far):
            found = outcomes(partial(attested, near, "w0"), partial(mirror, far, changes))
        refused(found[0], text)


@pytest.mark.parametrize("field", ["hpke_key", "signing_key", "nonce"])
def test_a_field_changed_on_the_way_is_refused_by_both(field):
    key = X25519PrivateKey.generate().public_key().public_bytes_raw()

    def change(kind, payload):
        return altered(payload, **{field: key}) if kind is Kind.HELLO else payload

    refused(met(change)[0], "not about this channel")


# ── downgrades, and who is not meant ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"version": "0.0.0"}, "runs moiety 0.0.0"),
        ({"name": "w2"}, "uses another name"),
        ({"roster": bytes(32)}, "another roster"),
    ],
)
def test_another_version_name_or_roster_is_refused(changes, text):
    def change(kind, payload):
        return altered(payload, **changes) if kind is Kind.HELLO else payload

    refused(met(change)[0], text, PolicyRefused)


def test_both_must_have_the_same_roster():
    other = replace(ROSTER, job_hash=bytes(32))
    for found in met(digests=(ROSTER.digest, other.digest)):
        assert isinstance(found, (PolicyRefused, PeerLost))
    turned = replace(ROSTER, workers=ROSTER.workers[::-1])
    moved = replace(ROSTER, workers=(replace(ROSTER.workers[0], address="b:1"), ROSTER.workers[1]))
    assert len({ROSTER.digest, other.digest, turned.digest}) == 3
    assert moved.digest == ROSTER.digest


def test_no_evidence_is_no_way_in():
    def empty(kind, payload):
        return payload if kind is Kind.HELLO else encode({"evidence": b""})

    refused(met(empty)[0], "evidence is malformed")


def test_one_that_attests_to_itself_only_gets_no_further():
    """Attestation in one direction, as between a party and an enclave, is not spoken here."""

    def skip(channel):
        channel.receive(Kind.HELLO, LIMIT)
        channel.send(Kind.TICK, b"data, please")
        channel.receive(Kind.HELLO, LIMIT)

    with line() as (near, far):
        found = outcomes(lambda: attested(near, "w0"), lambda: skip(far))
        refused(found[0], "sent TICK where HELLO is due", PeerError)
        assert near.totals.sent_messages == 1


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        (Scenario(tcb_status="OutOfDate"), "TCB status OutOfDate"),
        (Scenario(debug=True), "Debug mode"),
        (Scenario(revoked=frozenset({"platform"})), "not authentic"),
    ],
)
def test_a_worker_on_a_bad_platform_is_refused(scenario, text):
    bad = replace(side("w1"), attester=SimulationAttester(PLATFORM, scenario=scenario))
    refused(met(theirs=bad)[0], text)


def test_a_worker_that_runs_other_code_is_refused():
    refused(met(mine=side("w0", measurements=frozenset({bytes(32)})))[0], "measurement")


def test_a_simulation_is_never_taken_for_hardware():
    rules, other = demands(), SimulationPlatform.make()
    strict = EnclavePolicy(
        measurements=rules.policy.measurements, tcb_statuses=rules.policy.tcb_statuses, max_age=9
    )
    production = replace(side("w0"), demands=replace(rules, verifier=IntelVerifier()))
    refused(met(mine=production)[0], "not authentic")
    refused(met(mine=replace(side("w0"), demands=replace(rules, policy=strict)))[0], "simulation")
    stranger = replace(side("w1"), attester=SimulationAttester(other))
    refused(met(theirs=stranger)[0], "not authentic")


def test_evidence_says_nothing_of_the_keys_themselves():
    """Private keys stay where they are: neither message nor repr holds one."""
    sent, own = [], side("w1")

    def keep(kind, payload):
        sent.append(payload)
        return payload

    met(keep, theirs=own)
    private = own.keys.hpke.private_bytes_raw()
    assert not any(private in payload for payload in sent)
    assert private.hex() not in repr(own)
    assert Evidence.parse(decode(sent[1], {"evidence": bytes}, LIMIT)["evidence"])
