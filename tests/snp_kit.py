"""A vendor of SEV-SNP made for tests: AMD's forms under a root of its own, which tests may pin."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from moiety.enclave.certificate import Certificate
from moiety.enclave.snp import SIGNED, SIZE, SnpReport

AT = int(datetime(2025, 7, 19, 8, tzinfo=UTC).timestamp())
CHIP = b"\xaa" * 64
TCB = bytes([2, 0, 0, 0, 0, 0, 5, 68])
_PLACES = {
    "version": (0x00, 4),
    "policy": (0x08, 8),
    "vmpl": (0x30, 4),
    "algorithm": (0x34, 4),
    "platform_info": (0x40, 8),
    "key_info": (0x48, 4),
    "report_data": (0x50, 64),
    "measurement": (0x90, 48),
    "report_id_ma": (0x160, 32),
    "reported_tcb": (0x180, 8),
    "chip_id": (0x1A0, 64),
}
_USUAL = {
    "version": 2,
    "policy": 0x30000,
    "vmpl": 0,
    "algorithm": 1,
    "platform_info": 1,
    "key_info": 0,
    "report_data": bytes(range(64)),
    "measurement": b"\x07" * 48,
    "report_id_ma": b"\xff" * 32,
    "reported_tcb": TCB,
    "chip_id": CHIP,
}
_PARTS = {"boot_loader": (1, 2), "tee": (2, 0), "snp": (3, 5), "microcode": (8, 68)}
_PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)


@dataclass(frozen=True)
class Vendor:
    """A root and an intermediate key."""

    root_key: rsa.RSAPrivateKey
    middle_key: rsa.RSAPrivateKey
    root: Certificate

    @classmethod
    def make(cls) -> "Vendor":
        root, middle = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)
        )
        return cls(root, middle, _certify("ARK-Milan", root, "ARK-Milan", root))


def _certify(name, key, issuer, by, *, extensions=(), authority=True, pss=True) -> Certificate:
    """A certificate in AMD's form."""
    moment = datetime.fromtimestamp(AT, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment - timedelta(days=365))
        .not_valid_after(moment + timedelta(days=365))
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    for number, value in extensions:
        oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.3704.1.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), False)
    done = builder.sign(by, hashes.SHA384(), rsa_padding=_PSS if pss else None)
    return Certificate.parse(done.public_bytes(Encoding.DER))


def made(
    vendor: Vendor, *, certified: dict[str, object] | None = None, signing_key: int = 0, **fields
) -> tuple[SnpReport, tuple[Certificate, ...]]:
    """A signed report with its chain; `certified` says what the certificates say instead."""
    said = certified or {}
    kind = "VLEK" if signing_key else "VCEK"
    middle_name = "SEV-VLEK-Milan" if signing_key else "SEV-Milan"
    key = ec.generate_private_key(said.get("curve", ec.SECP384R1()))
    by = vendor.middle_key if said.get("middle_by_itself") else vendor.root_key
    middle = _certify(
        middle_name,
        vendor.middle_key,
        "ARK-Milan",
        by,
        authority=said.get("middle_is_authority", True),
        pss=said.get("middle_signs_as") != "pkcs1",
    )
    leaf = _certify(
        said.get("leaf", f"SEV-{kind}"),
        key,
        middle_name,
        vendor.middle_key,
        extensions=_described(said, signing_key),
        authority=False,
    )
    return _report(key, {"key_info": signing_key << 2, **fields}), (leaf, middle, vendor.root)


def _described(said: dict[str, object], signing_key: int) -> list[tuple[str, bytes]]:
    parts = {f"3.{number}": said.get(name, usual) for name, (number, usual) in _PARTS.items()}
    found = [(oid, core.Integer(v).dump()) for oid, v in parts.items() if v is not None]
    chip = said.get("chip", CHIP)
    return found if signing_key or chip is None else [*found, ("4", chip)]


def _report(key: ec.EllipticCurvePrivateKey, fields: dict[str, object]) -> SnpReport:
    raw = bytearray(SIZE)
    for name, value in {**_USUAL, **fields}.items():
        at, size = _PLACES[name]
        raw[at : at + size] = value.to_bytes(size, "little") if isinstance(value, int) else value
    signature = key.sign(bytes(raw[:SIGNED]), ec.ECDSA(hashes.SHA384()))
    for n, part in enumerate(decode_dss_signature(signature)):
        at = SIGNED + 72 * n
        raw[at : at + 72] = part.to_bytes(72, "little")
    return SnpReport.parse(bytes(raw))


MADE = _report(ec.generate_private_key(ec.SECP384R1()), {})
