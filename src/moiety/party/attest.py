"""A party and the enclave: connect, judge its evidence, release the key, send the capsule."""

from dataclasses import dataclass

from moiety.agreement.manifest import Job, pin
from moiety.agreement.signing import public_text_of
from moiety.enclave.capsule import CapsuleHeader, DataKey, seal
from moiety.enclave.handshake import (
    ENCLAVE,
    Demands,
    attest,
    consent_only,
    data_set,
    propose,
    release_key,
)
from moiety.enclave.policy import Accepted
from moiety.enclave.upload import send_capsule
from moiety.party.config import Party
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind
from moiety.wire.tls import Options, connect, connect_until_attested

DEALER = "dealer"
VERSION = 1
"""Of a data set within one job, which is sealed afresh by each run under a key of its own."""


@dataclass(frozen=True)
class Attested:
    """An enclave that this party accepted, and the channel that its evidence is bound to."""

    channel: Channel
    accepted: Accepted

    @property
    def signing_key(self) -> str:
        """The key under which this enclave signs, `ed25519:`."""
        return public_text_of(self.accepted.authentic.binding.claim.signing_key)

    @property
    def simulated(self) -> bool:
        """Whether its host can see everything."""
        return not self.accepted.production


def meet_enclave(
    party: Party, job: Job, signatures: dict[str, bytes], options: Options
) -> Attested:
    """The job's enclave, once its evidence is authentic, about this channel, and accepted.

    Raises:
        AttestationFailed: it is not; nothing was released.
    """
    channel = connect_until_attested(
        party.enclave_address,
        ENCLAVE,
        credentials=party.credentials,
        deadline=party.patience,
        options=options,
    )
    channel.step = "attestation"
    rules = party.rules.enclave
    demands = Demands(rules.verifier, rules.policy)
    accepted = attest(channel, job, signatures=signatures, party=party.name, rules=demands)
    return Attested(channel, accepted)


def meet_dealer(party: Party, job: Job, signatures: dict[str, bytes], options: Options) -> Channel:
    """The job's dealer that is no enclave: its certificate is the one in the job.

    Raises:
        PolicyRefused: somebody else answers, or it does not serve this job.
    """
    channel = connect(
        party.enclave_address,
        DEALER,
        credentials=party.credentials,
        pinned=pin(job.dealer_certificate or ""),
        deadline=party.patience,
        options=options,
    )
    channel.step = "its introduction"
    propose(channel, job, signatures=signatures, party=party.name)
    channel.receive(Kind.DEAL, 0)
    return channel


def consent(party: Party, enclave: Attested) -> None:
    """Lets the enclave deal for the model that the parties have; nothing is released to it."""
    consent_only(enclave.channel, enclave.accepted, party.signing_key)


def deliver(party: Party, job: Job, enclave: Attested, plaintext: bytes) -> int:
    """Seals the columns under a fresh key, releases the key to the enclave, sends the capsule.

    Returns the capsule's size in bytes.
    """
    member = job.member(party.name)
    header = CapsuleHeader(data_set(member), VERSION, job.hash)
    with DataKey.random() as key:
        release_key(enclave.channel, enclave.accepted, key, header, party.signing_key)
        return send_capsule(enclave.channel, seal(plaintext, key, header))
