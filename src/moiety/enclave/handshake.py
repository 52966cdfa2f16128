"""The attested channel: TLS first, then evidence bound to it, then a signature by the party.

    party   → enclave   job, all owners' signatures, nonce
    enclave → party     evidence about this channel, nonce, HPKE key, signing key
    party   → enclave   its Ed25519 signature of the same transcript, and its wrapped data key

The enclave checks every owner's signature before it answers; the party releases nothing before the
evidence is authentic and accepted.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from moiety import __version__
from moiety.agreement.manifest import Job, Member, parse_job, pin
from moiety.agreement.signing import SigningKey, public_key, verify, verify_job
from moiety.enclave.attester import Attester
from moiety.enclave.binding import Claim, bind, fresh_nonce
from moiety.enclave.capsule import CapsuleHeader, DataKey
from moiety.enclave.evidence import Evidence
from moiety.enclave.policy import Accepted, EnclavePolicy
from moiety.enclave.release import ReleasedKey, release, unwrap
from moiety.enclave.verify import Verifier
from moiety.errors import PolicyRefused
from moiety.message import decode, encode
from moiety.wire.certificates import fingerprint
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

ENCLAVE = "enclave"

_CONSENT = b"moiety attested channel v1\0"
_HELLO = {
    "version": str,
    "party": str,
    "job": bytes,
    "signatures": dict[str, bytes],
    "nonce": bytes,
}
_HELLO_LIMIT = 1 << 18
_EVIDENCE = {"nonce": bytes, "hpke_key": bytes, "signing_key": bytes, "evidence": bytes}
_EVIDENCE_LIMIT = 1 << 19
_RELEASE = {"consent": bytes, "wrapped": bytes, "data_set": str, "version": int}
_RELEASE_LIMIT = 4096


@dataclass(frozen=True)
class EnclaveKeys:
    """The keys of one enclave instance for one job: made inside, never written, gone with it."""

    hpke: X25519PrivateKey
    signing: SigningKey

    @classmethod
    def create(cls) -> "EnclaveKeys":
        """Fresh keys."""
        return cls(X25519PrivateKey.generate(), SigningKey.create())

    def __repr__(self) -> str:
        return "EnclaveKeys()"


@dataclass(frozen=True)
class Proposal:
    """What a party said when it came: who it is, and the job that all owners signed."""

    party: str
    job: Job
    nonce: bytes


def attest(
    channel: Channel, job: Job, *, signatures: dict[str, bytes], party: str, rules: "Demands"
) -> Accepted:
    """The enclave at the other end, accepted by this party's policy for this job and channel.

    Raises:
        AttestationFailed: the evidence is not authentic, not about this channel, or refused.
    """
    nonce = propose(channel, job, signatures=signatures, party=party)
    said = decode(channel.receive(Kind.EVIDENCE, _EVIDENCE_LIMIT), _EVIDENCE, _EVIDENCE_LIMIT)
    claim = Claim(
        verifier=party,
        enclave=ENCLAVE,
        verifier_nonce=nonce,
        enclave_nonce=said["nonce"],
        job_hash=job.hash,
        hpke_key=said["hpke_key"],
        signing_key=said["signing_key"],
    )
    evidence = Evidence.parse(said["evidence"])
    binding = bind(claim, channel, attesting=False)
    now = int(rules.clock())
    return rules.policy.accept(rules.verifier.verify(evidence, binding, now=now))


def propose(channel: Channel, job: Job, *, signatures: dict[str, bytes], party: str) -> bytes:
    """The nonce that was sent with the job and its signatures: a party's first words."""
    nonce = fresh_nonce()
    hello = {"version": __version__, "party": party, "job": job.source}
    channel.send(Kind.HELLO, encode({**hello, "signatures": signatures, "nonce": nonce}))
    return nonce


def data_set(member: Member) -> str:
    """What a member's sealed training columns are called in its capsule and its released key."""
    return f"{member.name}/{member.train}"


@dataclass(frozen=True)
class Demands:
    """A party's verifier and policy, and the clock by which it judges (seconds since 1970)."""

    verifier: Verifier
    policy: EnclavePolicy
    clock: Callable[[], float] = time.time


def release_key(
    channel: Channel, accepted: Accepted, key: DataKey, header: CapsuleHeader, signer: SigningKey
) -> ReleasedKey:
    """Sends the data key, wrapped for the accepted enclave, with this party's consent."""
    released = release(accepted, key, header.data_set)
    consent = signer.sign(accepted.authentic.binding.report_data, _CONSENT)
    named = {"data_set": header.data_set, "version": header.version}
    message = {"consent": consent, "wrapped": released.wrapped, **named}
    channel.send(Kind.RELEASE, encode(message))
    return released


def consent_only(channel: Channel, accepted: Accepted, signer: SigningKey) -> None:
    """Signs the transcript and releases nothing: the enclave is to deal for a model of before."""
    consent = signer.sign(accepted.authentic.binding.report_data, _CONSENT)
    message = {"consent": consent, "wrapped": b"", "data_set": "", "version": 0}
    channel.send(Kind.RELEASE, encode(message))


def receive_proposal(channel: Channel, admitted: frozenset[bytes] = frozenset()) -> Proposal:
    """The job that a party brings, once every owner's signature and its certificate are good.

    `admitted` lists the hashes of jobs that are served; empty, any job is.

    Raises:
        PolicyRefused: an owner has not signed these bytes, or the party is not who it says.
    """
    said = decode(channel.receive(Kind.HELLO, _HELLO_LIMIT), _HELLO, _HELLO_LIMIT)
    if said["version"] != __version__:
        raise PolicyRefused(f"the party runs moiety {said['version']}, this is {__version__}")
    if admitted and hashlib.sha256(said["job"]).digest() not in admitted:
        raise PolicyRefused("this enclave does not serve that job", hint="ask its operator")
    job = parse_job(said["job"], "the job")
    for member in job.members:
        signature = said["signatures"].get(member.name)
        if not isinstance(signature, bytes):
            raise PolicyRefused(f"{member.name} has not signed this job")
        verify_job(signature, job.hash, signer=member.name, key=member.signing_key)
    member = job.member(said["party"])
    if fingerprint(channel.peer_certificate) != pin(member.certificate):
        raise PolicyRefused(f"the connection's certificate is not the one of {member.name}")
    channel.rename(member.name)
    return Proposal(member.name, job, said["nonce"])


def present(channel: Channel, proposal: Proposal, attester: Attester, keys: EnclaveKeys) -> Claim:
    """Sends evidence about this channel and job; returns what it claims."""
    claim = Claim(
        verifier=proposal.party,
        enclave=ENCLAVE,
        verifier_nonce=proposal.nonce,
        enclave_nonce=fresh_nonce(),
        job_hash=proposal.job.hash,
        hpke_key=keys.hpke.public_key().public_bytes_raw(),
        signing_key=public_key(keys.signing.public).public_bytes_raw(),
    )
    evidence = attester.quote(bind(claim, channel, attesting=True).report_data)
    named = {"nonce": claim.enclave_nonce, "hpke_key": claim.hpke_key}
    message = {**named, "signing_key": claim.signing_key, "evidence": evidence}
    channel.send(Kind.EVIDENCE, encode(message))
    return claim


def receive_key(
    channel: Channel, proposal: Proposal, claim: Claim, keys: EnclaveKeys
) -> tuple[DataKey, CapsuleHeader] | None:
    """The data key that a party released, and the header that its capsule must have.

    None if it consents and brings no data.

    Raises:
        PolicyRefused: the consent is not the party's, or the key is not for this job and enclave.
    """
    said = decode(channel.receive(Kind.RELEASE, _RELEASE_LIMIT), _RELEASE, _RELEASE_LIMIT)
    member = proposal.job.member(proposal.party)
    verify(
        said["consent"],
        bind(claim, channel, attesting=True).report_data,
        domain=_CONSENT,
        key=member.signing_key,
        what=f"{member.name} on this attested channel",
    )
    if not said["wrapped"]:
        return None
    if said["data_set"] != data_set(member):
        raise PolicyRefused(f"{member.name} releases a data set that is not the job's")
    header = CapsuleHeader(data_set(member), said["version"], proposal.job.hash)
    return unwrap(said["wrapped"], keys.hpke, proposal.job.hash, header.data_set), header
