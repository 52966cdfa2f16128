"""Certificates, revocation lists and signatures of the simulated vendor, in Intel's forms."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from moiety.enclave.verify import PLATFORM_FLAGS, SIMULATION_NAME

FMSPC = bytes.fromhex("00ffff000000")
"""A platform family that Intel does not have."""
CPU_SVN = bytes([1] * 16)
PCE_SVN = 1

_SGX = "1.2.840.113741.1.13.1"
_LIFE = timedelta(days=3650)
_Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Holder:
    """A certificate with its private key, which the repr leaves out."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Holder({self.certificate.subject.rfc4514_string()})"


@dataclass(frozen=True)
class Chain:
    """The four holders of a simulated vendor with one platform.

    `authority` is the CA of platforms, `platform` the holder of the PCK leaf, `signer` that of TCB
    info and QE identity.
    """

    root: Holder
    authority: Holder
    platform: Holder
    signer: Holder


def make_chain(since: datetime, flags: frozenset[str]) -> Chain:
    """New holders, valid for ten years; the platform has the platform flags named."""
    root = _issue("SGX Root CA", None, since, [_may_sign(path_length=1), _usage(authority=True)])
    extensions = [_may_sign(path_length=0), _usage(authority=True)]
    authority = _issue("SGX PCK Platform CA", root, since, extensions)
    leaf = [_may_sign(None), _usage(authority=False)]
    described = x509.UnrecognizedExtension(x509.ObjectIdentifier(_SGX), _describe(flags))
    platform = _issue("SGX PCK Certificate", authority, since, [*leaf, (described, False)])
    return Chain(root, authority, platform, _issue("SGX TCB Signing", root, since, leaf))


def revoke(issuer: Holder, revoked: Iterable[Holder], since: datetime, until: datetime) -> bytes:
    """The issuer's revocation list, DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(since)
        .next_update(until)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(_authority_key(issuer), critical=False)
    )
    for holder in revoked:
        entry = x509.RevokedCertificateBuilder(holder.certificate.serial_number, since)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def sign_raw(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """An ECDSA signature (P-256, SHA-256) as r || s, 32 bytes each, big endian."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as x || y, 32 bytes each, big endian."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def pem_chain(*holders: Holder) -> bytes:
    """Certificates as PEM, leaf first."""
    return b"".join(holder.certificate.public_bytes(Encoding.PEM) for holder in holders)


def _issue(
    name: str, issuer: Holder | None, since: datetime, extensions: list[_Extension]
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{SIMULATION_NAME} {name}")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        builder = builder.add_extension(_authority_key(issuer), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Holder(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _may_sign(path_length: int | None) -> _Extension:
    return x509.BasicConstraints(ca=path_length is not None, path_length=path_length), True


def _usage(*, authority: bool) -> _Extension:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
        **dict.fromkeys(others, False),
    )
    return usage, True


def _authority_key(issuer: Holder) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


class _Pair(core.Sequence):  # type: ignore[misc]
    """One field of Intel's extension: identifier, value."""

    _fields = [("id", core.ObjectIdentifier), ("value", core.Any)]  # noqa: RUF012


class _SgxType(core.Enumerated):  # type: ignore[misc]
    _map = {0: "standard", 1: "scalable"}  # noqa: RUF012


class _Pairs(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Pair


def _describe(flags: frozenset[str]) -> bytes:
    """The SGX extension: PPID, TCB, PCE id, FMSPC, SGX type, configuration."""
    components = [(f"2.{n + 1}", core.Integer(svn)) for n, svn in enumerate(CPU_SVN)]
    versions = [("2.17", core.Integer(PCE_SVN)), ("2.18", core.OctetString(CPU_SVN))]
    configuration = [
        (f"7.{n + 1}", core.Boolean(name in flags)) for n, name in enumerate(PLATFORM_FLAGS)
    ]
    fields = [
        ("1", core.OctetString(bytes(16))),
        ("2", _pairs(components + versions)),
        ("3", core.OctetString(bytes(2))),
        ("4", core.OctetString(FMSPC)),
        ("5", _SgxType("scalable")),
        ("7", _pairs(configuration)),
    ]
    encoded: bytes = _pairs(fields).dump()
    return encoded


def _pairs(fields: Iterable[tuple[str, Any]]) -> _Pairs:
    return _Pairs([_Pair({"id": f"{_SGX}.{number}", "value": value}) for number, value in fields])


def as_time(seconds: int) -> datetime:
    """Seconds since 1970 as UTC."""
    return datetime.fromtimestamp(seconds, UTC)
