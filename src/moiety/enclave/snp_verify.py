"""An SEV-SNP report → SnpGenuine: signed by a processor that AMD's root vouches for.

A processor signs with its VCEK, or with the VLEK that AMD gave to a cloud's operator: ECDSA on
P-384 over the first 672 bytes. The chain is VCEK ← ASK ← ARK, or VLEK ← ASVK ← ARK, signed by
RSA-PSS with SHA-384 (AMD, VCEK Certificate and KDS Interface Specification, 57230). The roots (ARK)
are pinned here, one for each product; there is no simulation of this kind, and no other root.

Not checked: AMD's revocation lists, which name intermediate keys only; a lost processor key is
answered by a higher security version, which a policy demands.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field

from asn1crypto import core
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from moiety.enclave.certificate import Certificate
from moiety.enclave.snp import CHIP_ID_SIZE, SIGNED, SnpReport
from moiety.errors import AttestationFailed, InternalError

AMD_ROOTS_SHA256 = {
    "Milan": bytes.fromhex("69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"),
    "Genoa": bytes.fromhex("4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"),
    "Turin": bytes.fromhex("1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"),
}
"""SHA-256 of the DER certificate of each product's ARK."""

_AMD = "1.3.6.1.4.1.3704.1"
_PARTS = {"boot_loader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
"""Numbers of security versions below `_AMD.3`."""
_HARDWARE_ID = f"{_AMD}.4"
_INTERMEDIATE = {"vcek": "SEV-{}", "vlek": "SEV-VLEK-{}"}
_SEAL = object()


@dataclass(frozen=True)
class SnpGenuine:
    """A report that a processor of `product` signed, under AMD's root; about nothing yet.

    `verified_at` is in seconds since 1970.
    """

    report: SnpReport
    product: str
    root_sha256: bytes = field(repr=False)
    verified_at: int
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("SnpGenuine is made by examine_snp only")

    @property
    def tee(self) -> str:
        """The kind of environment."""
        return "snp"

    @property
    def production(self) -> bool:
        """True: this kind has no simulation."""
        return True


def examine_snp(report: SnpReport, chain: Sequence[Certificate], *, now: int) -> SnpGenuine:
    """The report as its processor signed it, about whatever.

    `chain` holds the three certificates in any order, among others perhaps; `now` is in seconds
    since 1970.

    Raises:
        AttestationFailed: a certificate is missing, a signature is wrong, or the certificate is
            that of another processor or of another state of it.
    """
    product, root = _root(chain)
    middle = _named(chain, _INTERMEDIATE[report.signing_key].format(product))
    leaf = _named(chain, f"SEV-{report.signing_key.upper()}")
    for certificate, issuer in ((root, root), (middle, root), (leaf, middle)):
        certificate.check_dates(now)
        _check_issued(certificate, issuer)
    _check_signature(report, leaf)
    _check_described(report, leaf, product)
    return SnpGenuine(report, product, AMD_ROOTS_SHA256[product], now, _SEAL)


def _root(chain: Sequence[Certificate]) -> tuple[str, Certificate]:
    for certificate in chain:
        found = hashlib.sha256(certificate.der).digest()
        for product, pinned in AMD_ROOTS_SHA256.items():
            if found == pinned:
                return product, certificate
    raise AttestationFailed(
        f"none of {len(chain)} certificates is AMD's root for {', '.join(AMD_ROOTS_SHA256)}",
        hint="give the chain of the processor's product, from AMD's key distribution service",
    )


def _named(chain: Sequence[Certificate], name: str) -> Certificate:
    found = [certificate for certificate in chain if certificate.name == name]
    if len(found) != 1:
        raise AttestationFailed(
            f"{len(found)} certificates are named '{name}', not one",
            hint="give the chain of this processor, from AMD's key distribution service",
        )
    return found[0]


def _check_issued(certificate: Certificate, issuer: Certificate) -> None:
    if not issuer.authority or (certificate.scheme, certificate.digest) != ("rsassa_pss", "sha384"):
        raise AttestationFailed(f"'{issuer.name}' may not sign '{certificate.name}' so")
    certificate.check_signed_by(issuer.key, f"'{issuer.name}'")


def _check_signature(report: SnpReport, leaf: Certificate) -> None:
    try:
        key = load_der_public_key(leaf.key)
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
            raise ValueError
        signature = encode_dss_signature(report.r, report.s)
        key.verify(signature, report.raw[:SIGNED], ec.ECDSA(hashes.SHA384()))
    except (InvalidSignature, ValueError) as error:
        raise AttestationFailed(
            f"the report is not signed by the key of '{leaf.name}'",
            hint="it was altered, or the certificate is another processor's",
        ) from error


def _check_described(report: SnpReport, leaf: Certificate, product: str) -> None:
    """The certificate is that of this processor at the reported security versions."""
    for part, version in report.tcb(product).items():
        certified = _whole(leaf, f"{_AMD}.3.{_PARTS[part]}")
        if certified != version:
            raise AttestationFailed(
                f"the report says security version {version} of {part}, "
                f"its certificate says {certified}",
                hint="get the certificate for the reported security versions",
            )
    hardware = leaf.extensions.get(_HARDWARE_ID, b"").ljust(CHIP_ID_SIZE, b"\0")
    if report.signing_key == "vcek" and hardware != report.chip_id:
        raise AttestationFailed(
            f"the report is of chip {report.chip_id.hex()[:16]}…, "
            f"its certificate of {hardware.hex()[:16]}…",
            hint="get the certificate of the chip that signed",
        )


def _whole(leaf: Certificate, oid: str) -> int | None:
    """The integer in an extension, or None where there is none."""
    try:
        value: int = core.Integer.load(leaf.extensions[oid], strict=True).native
    except (KeyError, ValueError, TypeError):
        return None
    return value
