"""Certificates: who one is on the wire. Self-signed and pinned; there is no authority."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

from moiety.errors import ConfigError, PeerMisbehaved, PolicyRefused

CLOCK_SKEW = timedelta(minutes=5)
UNREADABLE = (ValueError, x509.InvalidVersion, UnsupportedAlgorithm)
"""What reading a certificate of others may raise."""


@dataclass(frozen=True)
class Credentials:
    """A certificate and its private key, both PEM. The key never leaves its owner."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def certificate(self) -> bytes:
        """The certificate, DER."""
        try:
            return x509.load_pem_x509_certificate(self.certificate_pem).public_bytes(Encoding.DER)
        except UNREADABLE:
            raise ConfigError(
                "the certificate is not a PEM certificate", hint="make new credentials"
            ) from None

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The private key, on P-256."""
        try:
            key = load_pem_private_key(self.key_pem, password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(
                "the certificate's key is not an unencrypted elliptic-curve key in PEM",
                hint="make new credentials",
            )
        return key


def make_credentials(name: str, days: int) -> Credentials:
    """A new P-256 key with a self-signed certificate for `name`, valid from now for `days`."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC).replace(microsecond=0)
    subject = _subject(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([Usage.SERVER_AUTH, Usage.CLIENT_AUTH]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return Credentials(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's DER bytes: what parties pin, and compare by another way."""
    return hashlib.sha256(certificate).digest()


def short(found: bytes) -> str:
    """The first 8 bytes of a fingerprint, to name it in a sentence; never to compare by."""
    return found[:8].hex()


def holder(certificate: bytes, pins: Mapping[str, bytes], who: str) -> str:
    """The name under which this certificate is pinned; compares with all pins, in constant time."""
    found = fingerprint(certificate)
    matches = [name for name, pin in pins.items() if hmac.compare_digest(found, pin)]
    if not matches:
        pinned = ", ".join(f"{name} {short(pin)}" for name, pin in pins.items())
        raise PolicyRefused(
            f"{who} presented the certificate {short(found)}; pinned is {pinned}",
            hint="compare fingerprints by telephone; if it is the right peer, correct the pin",
        )
    return matches[0]


def check_dates(certificate: bytes, name: str) -> None:
    """Refuses a certificate that is not valid now, with its dates."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        first, last = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except UNREADABLE:
        raise PeerMisbehaved(f"{name} presented a certificate that cannot be read") from None
    if not first <= datetime.now(UTC) <= last:
        raise PolicyRefused(
            f"the certificate of {name} is valid from {first:%Y-%m-%d %H:%M} to"
            f" {last:%Y-%m-%d %H:%M} UTC, not now",
            hint=f"check this machine's clock; else {name} makes new credentials",
        )


def _subject(name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError:
        raise ConfigError(f"{name!r} is not a name of 1 to 64 characters") from None
