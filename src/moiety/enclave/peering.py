"""Two enclaves attest to each other: evidence both ways over one channel, before anything else.

    each → other    version, name, digest of the roster, nonce, HPKE key, signing key
    each → other    evidence about this channel and the two messages before

Each direction is a binding of its own (`binding`), in which one side is the enclave and the other
the verifier: names, nonces and certificates change places. Evidence that comes back to its maker
is therefore about another transcript. The roster stands where a party's channel has the job.

Given: evidence that was relayed (even with the other's TLS key), replayed, reflected, or made for
another roster is refused; neither side sends data before it has accepted the other. Both tell a
stranger that they exist: somebody must quote first. Not given: as in `binding`.
"""

from dataclasses import dataclass, field
from typing import Any

from moiety import __version__
from moiety.agreement.signing import public_key
from moiety.enclave.attester import Attester
from moiety.enclave.binding import Claim, bind, fresh_nonce
from moiety.enclave.evidence import Evidence
from moiety.enclave.handshake import Demands, EnclaveKeys
from moiety.enclave.policy import Accepted
from moiety.errors import PolicyRefused
from moiety.message import decode, encode
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

_HELLO = {
    "version": str,
    "name": str,
    "roster": bytes,
    "nonce": bytes,
    "hpke_key": bytes,
    "signing_key": bytes,
}
_HELLO_LIMIT = 4096
_EVIDENCE = {"evidence": bytes}
_EVIDENCE_LIMIT = 1 << 19


@dataclass(frozen=True)
class Side:
    """What an enclave brings to a meeting of equals, and what it demands of the others."""

    name: str
    attester: Attester
    demands: Demands
    keys: EnclaveKeys = field(default_factory=EnclaveKeys.create)


def attest_both_ways(channel: Channel, side: Side, digest: bytes) -> Accepted:
    """The enclave at the other end, accepted; it is shown this side's evidence at the same time.

    `digest` is the roster's, and `channel.peer` the name that the peer's certificate proves.

    Raises:
        PolicyRefused: another version, name or roster than is due.
        AttestationFailed: the peer's evidence is not authentic, not about this channel, or refused.
    """
    channel.step = "attestation"
    own = _introduction(side, digest)
    channel.send(Kind.HELLO, encode(own))
    theirs = _received(channel, Kind.HELLO, _HELLO, _HELLO_LIMIT)
    _check(theirs, channel.peer, digest)
    report_data = bind(_claim(theirs, own), channel, attesting=True).report_data
    channel.send(Kind.EVIDENCE, encode({"evidence": side.attester.quote(report_data)}))
    said = _received(channel, Kind.EVIDENCE, _EVIDENCE, _EVIDENCE_LIMIT)
    binding, rules = bind(_claim(own, theirs), channel, attesting=False), side.demands
    evidence, now = Evidence.parse(said["evidence"]), int(rules.clock())
    return rules.policy.accept(rules.verifier.verify(evidence, binding, now=now))


def _introduction(side: Side, digest: bytes) -> dict[str, Any]:
    return {
        "version": __version__,
        "name": side.name,
        "roster": digest,
        "nonce": fresh_nonce(),
        "hpke_key": side.keys.hpke.public_key().public_bytes_raw(),
        "signing_key": public_key(side.keys.signing.public).public_bytes_raw(),
    }


def _received(channel: Channel, kind: Kind, schema: dict[str, Any], limit: int) -> dict[str, Any]:
    return decode(channel.receive(kind, limit), schema, limit, sender=channel.peer)


def _check(said: dict[str, Any], peer: str, digest: bytes) -> None:
    if said["version"] != __version__:
        raise PolicyRefused(f"{peer} runs moiety {said['version']}, this is {__version__}")
    if said["name"] != peer:
        raise PolicyRefused(f"the worker with the certificate of {peer} uses another name")
    if said["roster"] != digest:
        raise PolicyRefused(
            f"{peer} has another roster: other workers, certificates, ranks or another job",
            hint="give all workers of a job the same roster",
        )


def _claim(verifier: dict[str, Any], enclave: dict[str, Any]) -> Claim:
    return Claim(
        verifier=verifier["name"],
        enclave=enclave["name"],
        verifier_nonce=verifier["nonce"],
        enclave_nonce=enclave["nonce"],
        job_hash=verifier["roster"],
        hpke_key=enclave["hpke_key"],
        signing_key=enclave["signing_key"],
    )
