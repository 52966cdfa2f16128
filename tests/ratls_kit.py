"""RA-TLS certificates made for tests, with quotes of the simulated platform."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from enclave_kit import MEASURED, NOW, PLATFORM, split
from moiety.enclave.ratls import EVIDENCE_TAG, TAGGED

KEY = ec.generate_private_key(ec.SECP256R1())
COLLATERAL = split(PLATFORM.evidence(bytes(64), MEASURED, NOW))[1]


def spki(key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def quoted_data(report_data: bytes) -> bytes:
    """A simulated quote over 32 bytes and zeros."""
    return split(PLATFORM.evidence(report_data.ljust(64, b"\0"), MEASURED, NOW))[0]


def claims_for(key: ec.EllipticCurvePrivateKey = KEY, **others: object) -> bytes:
    hashed = cbor2.dumps([1, hashlib.sha256(spki(key)).digest()])
    return cbor2.dumps({"pubkey-hash": hashed, **others})


def tagged(claims: bytes, quote: bytes | None = None, tag: int = EVIDENCE_TAG) -> bytes:
    """The interoperable extension over claims."""
    about = quoted_data(hashlib.sha256(claims).digest()) if quote is None else quote
    return cbor2.dumps(cbor2.CBORTag(tag, [about, claims]))


def certificate(extensions: Mapping[str, bytes], *, signed_by=KEY, days: int = 30) -> bytes:
    """A certificate of KEY, DER."""
    moment = datetime.fromtimestamp(NOW, UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RA-TLS")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(5)
        .not_valid_before(moment - timedelta(days=30))
        .not_valid_after(moment + timedelta(days=days))
    )
    for oid, value in extensions.items():
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signed_by, hashes.SHA256()).public_bytes(Encoding.DER)


def interoperable() -> bytes:
    """A good certificate of the interoperable form."""
    return certificate({TAGGED: tagged(claims_for(nonce=b"n" * 16, key_0="more"))})


def gramine(quote: bytes | None = None) -> bytes:
    """The value of Gramine's extension: a bare quote over the hash of KEY."""
    return quoted_data(hashlib.sha256(spki()).digest()) if quote is None else quote
