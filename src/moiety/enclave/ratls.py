"""RA-TLS: a certificate that carries a quote about its own key. Read for interoperability only.

Two forms: the interoperable one (extension 2.23.133.5.4.9 of TCG DICE, CBOR tag 60000 around quote
and claims; report data = SHA-256 of the claims, which hash the key), and Gramine's older one (a
bare quote; report data = SHA-256 of the key). Where a certificate has both, the first counts.

Given: a platform vouched for an enclave that named this key. Not given: that whoever presents the
certificate now is that enclave. The quote was made before the connection, so a stolen key, or an
enclave that gives its key away, relays it: hence the name of the result, which nothing releases a
key to. Moiety's own channels bind evidence to the TLS session instead (`binding`).
"""

import hashlib
import hmac
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cbor2

from moiety.enclave.certificate import Certificate
from moiety.enclave.evidence import Evidence, pack
from moiety.enclave.verify import Genuine, IntelVerifier, SimulationVerifier
from moiety.errors import AttestationFailed

TAGGED = "2.23.133.5.4.9"
GRAMINE = "0.6.9.42.840.113741.1337.6"
"""As it is on the wire; 1.2.840.113741.1337.6 was meant, and header bytes were encoded with it."""
EVIDENCE_TAG = 60000
REPORT_DATA_SIZE = 64

_HASHES = {1: hashlib.sha256, 7: hashlib.sha384, 8: hashlib.sha512}
"""Numbers of the registry of named information hash algorithms (RFC 6920)."""
_DEPTH = 8
_UNREADABLE = (cbor2.CBORError, ValueError, TypeError, KeyError, RecursionError, OverflowError)


@dataclass(frozen=True)
class RaTls:
    """A certificate's claim: an enclave is said to have named its key. Not yet genuine.

    `report_data` is what the quote must carry, 64 bytes; `nonce` what the claims add, if anything.
    """

    form: Literal["tagged", "gramine"]
    certificate: Certificate = field(repr=False)
    quote: bytes = field(repr=False)
    report_data: bytes
    nonce: bytes | None

    @property
    def key_sha256(self) -> bytes:
        """SHA-256 of the certificate's public key (SPKI)."""
        return hashlib.sha256(self.certificate.key).digest()


@dataclass(frozen=True)
class RelayProne:
    """A genuine quote about a certificate's key; open to relay, so no key is released to it."""

    genuine: Genuine
    key_sha256: bytes
    form: str


def read_ratls(certificate: Certificate) -> RaTls:
    """The quote in a certificate, whose own signature is good.

    Raises:
        AttestationFailed: it carries no quote, is not self-signed, or its claims name another key.
    """
    certificate.check_signed_by(certificate.key, "its own key")
    extensions = certificate.extensions
    if TAGGED in extensions:
        quote, claims = _untag(extensions[TAGGED])
        nonce = _check_claims(claims, certificate.key)
        return RaTls("tagged", certificate, quote, _report_data(claims), nonce)
    if GRAMINE in extensions:
        quote = extensions[GRAMINE]
        return RaTls("gramine", certificate, quote, _report_data(certificate.key), None)
    raise AttestationFailed(
        f"the certificate '{certificate.name}' carries no quote",
        hint=f"RA-TLS certificates have the extension {TAGGED} or {GRAMINE}",
    )


def examine_ratls(
    found: RaTls, collateral: bytes, verifier: IntelVerifier | SimulationVerifier, *, now: int
) -> RelayProne:
    """The certificate's quote, genuine and about the certificate's key; `now` in seconds.

    Raises:
        AttestationFailed: the quote is not genuine, is about another key, or the certificate is not
            valid at `now`.
    """
    found.certificate.check_dates(now)
    evidence = Evidence.parse(pack(found.quote, collateral))
    genuine = verifier.examine(evidence, now=now)
    if not hmac.compare_digest(evidence.report.report_data, found.report_data):
        raise AttestationFailed(
            "the certificate's quote is not about its key: its report data differ",
            hint="the quote was taken from another certificate",
        )
    return RelayProne(genuine, found.key_sha256, found.form)


def _report_data(hashed: bytes) -> bytes:
    return hashlib.sha256(hashed).digest().ljust(REPORT_DATA_SIZE, b"\0")


def _untag(value: bytes) -> tuple[bytes, bytes]:
    """Quote and claims of tagged evidence."""
    tagged = _decode(value)
    if not isinstance(tagged, cbor2.CBORTag) or tagged.tag != EVIDENCE_TAG:
        raise _malformed(f"its evidence has not the CBOR tag {EVIDENCE_TAG}")
    parts = tagged.value
    if not isinstance(parts, list | tuple) or [type(each) for each in parts] != [bytes, bytes]:
        raise _malformed("its evidence is not a quote with claims")
    return parts[0], parts[1]


def _check_claims(claims: bytes, key: bytes) -> bytes | None:
    """Returns the nonce, if the claims name the key; claims of other kinds are passed over."""
    found = _decode(claims)
    named = found.get("pubkey-hash") if isinstance(found, Mapping) else None
    hashed = _decode(named) if isinstance(named, bytes) else None
    if not isinstance(hashed, list | tuple) or [type(each) for each in hashed] != [int, bytes]:
        raise _malformed("its claims name no key")
    algorithm = _HASHES.get(hashed[0])
    if algorithm is None:
        raise _malformed(f"its claims hash by the unknown algorithm {hashed[0]}")
    if not hmac.compare_digest(algorithm(key).digest(), hashed[1]):
        raise AttestationFailed(
            "the certificate's claims name another key than its own",
            hint="the claims were taken from another certificate",
        )
    nonce = found.get("nonce")
    if nonce is not None and not isinstance(nonce, bytes):
        raise _malformed("its nonce is not a byte string")
    return nonce


def _decode(data: bytes) -> Any:
    """The one item in `data`, to its end."""
    reader = io.BytesIO(data)
    try:
        item = cbor2.load(
            reader, max_depth=_DEPTH, allow_indefinite=False, allow_duplicate_keys=False
        )
    except _UNREADABLE as error:
        raise _malformed(f"its CBOR, {type(error).__name__}") from error
    if reader.tell() != len(data):
        raise _malformed("its CBOR does not end where it should")
    return item


def _malformed(what: str) -> AttestationFailed:
    return AttestationFailed(
        f"an RA-TLS certificate is malformed: {what}",
        hint="moiety reads the interoperable form and Gramine's older one",
    )
