"""Certificates that strict readers refuse: read by asn1crypto, signatures checked by OpenSSL.

AMD's processors have certificates with the serial number 0, RA-TLS libraries write parameters
beside the ECDSA algorithm; `cryptography` refuses the one or the other, now or soon. Nothing is
trusted here: who may sign what is for the caller to say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from asn1crypto import pem
from asn1crypto import x509 as asn1
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from moiety.errors import AttestationFailed

CERTIFICATE_LIMIT = 64 << 10
DER = b"\x30\x82"
"""How every certificate begins in DER. What it holds may well be PEM."""
CHAIN_LIMIT = 8
"""Certificates in one file."""

_HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What asn1crypto raises on hostile bytes."""
_Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class Certificate:
    """The fields of one certificate; times are seconds since 1970, `key` a DER public key (SPKI).

    `scheme` and `digest` name how its issuer signed `signed`; `extensions` hold values by OID.
    """

    der: bytes = field(repr=False)
    name: str
    authority: bool
    valid_from: int
    valid_until: int
    key: bytes = field(repr=False)
    extensions: dict[str, bytes] = field(repr=False)
    scheme: str
    digest: str
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, der: bytes) -> "Certificate":
        """The certificate in `der`; AttestationFailed on any other bytes."""
        if len(der) > CERTIFICATE_LIMIT:
            raise _malformed(f"{len(der)} bytes, above {CERTIFICATE_LIMIT}")
        try:
            return _read(bytes(der))
        except _UNREADABLE as error:
            raise _malformed(type(error).__name__) from error

    def check_dates(self, now: int) -> None:
        """Returns if it is valid at `now`; AttestationFailed otherwise."""
        if not self.valid_from <= now <= self.valid_until:
            raise AttestationFailed(
                f"the certificate '{self.name}' is not valid at the time of this check",
                hint="check the time that was given, or this machine's clock",
            )

    def check_signed_by(self, key: bytes, issuer: str) -> None:
        """Returns if this public key (SPKI) signed it; else AttestationFailed names `issuer`."""
        try:
            _check(_load(key), self.scheme, _HASHES[self.digest](), (self.signature, self.signed))
        except (InvalidSignature, KeyError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AttestationFailed(
                f"the certificate '{self.name}' is not signed by {issuer}",
                hint="it was altered, or belongs to another chain",
            ) from error


def read_certificates(data: bytes) -> tuple[Certificate, ...]:
    """All certificates of a PEM file, or the one of DER; AttestationFailed on other bytes."""
    if data.startswith(DER) or b"-----BEGIN" not in data:
        return (Certificate.parse(data),)
    if len(data) > CHAIN_LIMIT * CERTIFICATE_LIMIT:
        raise _malformed(f"{len(data)} bytes of certificates")
    try:
        found = [body for kind, _, body in pem.unarmor(data, multiple=True) if kind == _KIND]
    except _UNREADABLE as error:
        raise _malformed("its PEM armour") from error
    if not 1 <= len(found) <= CHAIN_LIMIT:
        raise _malformed(f"{len(found)} certificates in one file, not 1 to {CHAIN_LIMIT}")
    return tuple(Certificate.parse(each) for each in found)


_KIND = "CERTIFICATE"


def _read(der: bytes) -> Certificate:
    """The fields, all read at once, for asn1crypto is lazy; what is not signed must follow."""
    whole = asn1.Certificate.load(der, strict=True)
    inner = whole["tbs_certificate"]
    how = whole["signature_algorithm"]
    dates = inner["validity"].native
    unused, signature = whole["signature_value"].contents[:1], whole["signature_value"].contents[1:]
    if unused != b"\0" or inner["signature"].dump() != how.dump():
        raise ValueError
    return Certificate(
        der=der,
        name=str(whole.subject.native.get("common_name", "")),
        authority=bool(whole.ca),
        valid_from=int(dates["not_before"].timestamp()),
        valid_until=int(dates["not_after"].timestamp()),
        key=whole.public_key.dump(),
        extensions=dict(_extensions(inner["extensions"])),
        scheme=how.signature_algo,
        digest=how.hash_algo,
        signed=inner.dump(),
        signature=signature,
    )


def _extensions(found: asn1.Extensions) -> Iterator[tuple[str, bytes]]:
    seen = set()
    for extension in found:
        oid = extension["extn_id"].dotted
        if oid in seen:
            raise ValueError
        seen.add(oid)
        yield oid, extension["extn_value"].contents


def _load(key: bytes) -> _Key:
    loaded = load_der_public_key(key)
    if not isinstance(loaded, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError
    return loaded


def _check(
    key: _Key, scheme: str, digest: hashes.HashAlgorithm, about: tuple[bytes, bytes]
) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if scheme != "ecdsa":
            raise ValueError
        key.verify(*about, ec.ECDSA(digest))
    elif scheme == "rsassa_pss":
        key.verify(*about, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    elif scheme == "rsassa_pkcs1v15":
        key.verify(*about, padding.PKCS1v15(), digest)
    else:
        raise ValueError


def _malformed(what: str) -> AttestationFailed:
    return AttestationFailed(
        f"a certificate is malformed: {what}", hint="certificates are read from PEM or DER files"
    )
