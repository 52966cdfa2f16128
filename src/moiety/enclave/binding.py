"""What ties evidence to one channel, one job and one pair of keys.

Evidence alone says "such an enclave exists somewhere"; a host in the middle can relay it. Here the
quote is asked for after the TLS handshake, over a transcript that no other channel has: the TLS
1.3 exporter (RFC 8446 §7.5), both nonces, both certificates' keys, both names, the job and the keys
that the enclave will use. Both sides compute the same function; neither sends the result.

Given: evidence from another session, another job, another peer, an earlier run, or one's own is
refused. Not given: proof of *where* the enclave runs, nor protection from an enclave that gives its
TLS secrets away (the measured code must not).
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from moiety.errors import AttestationFailed
from moiety.wire.certificates import UNREADABLE

EXPORTER_LABEL = "EXPORTER-moiety-attestation-v1"
TRANSCRIPT_LABEL = b"moiety attestation v1"
SIZE = 32


class Session(Protocol):
    """The part of a TLS channel that evidence is bound to."""

    @property
    def own_certificate(self) -> bytes:
        """DER, as this side presented it."""
        ...

    @property
    def peer_certificate(self) -> bytes:
        """DER, as the peer presented it."""
        ...

    def export(self, label: str, context: bytes, length: int = SIZE) -> bytes:
        """The TLS exporter's value, equal at both ends of one session and nowhere else."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the two sides tell each other before evidence: names, nonces, job hash, public keys."""

    verifier: str
    enclave: str
    verifier_nonce: bytes
    enclave_nonce: bytes
    job_hash: bytes
    hpke_key: bytes
    signing_key: bytes

    def __post_init__(self) -> None:
        for name in ("verifier_nonce", "enclave_nonce", "job_hash", "hpke_key", "signing_key"):
            if len(getattr(self, name)) != SIZE:
                raise AttestationFailed(f"{name} has {len(getattr(self, name))} bytes, not {SIZE}")
        if self.verifier == self.enclave or self.verifier_nonce == self.enclave_nonce:
            raise AttestationFailed(f"verifier and enclave are the same: {self.verifier!r}")


@dataclass(frozen=True, slots=True)
class Binding:
    """A claim on one channel; `report_data` is what the enclave's quote must carry."""

    claim: Claim
    exporter: bytes
    verifier_spki: bytes
    enclave_spki: bytes

    @property
    def report_data(self) -> bytes:
        """SHA-512 (64 bytes) over the transcript."""
        return hashlib.sha512(self.transcript()).digest()

    def transcript(self) -> bytes:
        """The label and the ten elements, each after its length (u32, little endian): injective."""
        claim = self.claim
        elements = (
            TRANSCRIPT_LABEL,
            self.exporter,
            claim.verifier_nonce,
            claim.enclave_nonce,
            self.verifier_spki,
            self.enclave_spki,
            claim.verifier.encode(),
            claim.enclave.encode(),
            claim.job_hash,
            claim.hpke_key,
            claim.signing_key,
        )
        return b"".join(len(each).to_bytes(4, "little") + each for each in elements)


def bind(claim: Claim, session: Session, *, attesting: bool) -> Binding:
    """The claim bound to `session`, the same at both ends; `attesting` is true in the enclave."""
    own, peer = _spki_hash(session.own_certificate), _spki_hash(session.peer_certificate)
    verifier, enclave = (peer, own) if attesting else (own, peer)
    context = claim.verifier_nonce + claim.enclave_nonce
    return Binding(claim, session.export(EXPORTER_LABEL, context, SIZE), verifier, enclave)


def fresh_nonce() -> bytes:
    """32 bytes from the system, to be used once."""
    return secrets.token_bytes(SIZE)


def _spki_hash(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's SubjectPublicKeyInfo."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except UNREADABLE as error:
        raise AttestationFailed("a channel's certificate cannot be read") from error
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).digest()
