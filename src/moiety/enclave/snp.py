"""An SEV-SNP attestation report: bytes become named fields, and nothing is judged here.

Read are reports of versions 2 and 3 (AMD, SEV Secure Nested Paging Firmware ABI Specification,
56860, table ATTESTATION_REPORT): 1184 bytes, of which the processor signs the first 672.
"""

from dataclasses import dataclass, field
from typing import Literal

from moiety.errors import AttestationFailed

SIZE = 1184
SIGNED = 0x2A0
CHIP_ID_SIZE = 64
MEASUREMENT_SIZE = 48
VERSIONS = (2, 3)
TCB_LAYOUTS = {
    "Milan": {"boot_loader": 0, "tee": 1, "snp": 6, "microcode": 7},
    "Genoa": {"boot_loader": 0, "tee": 1, "snp": 6, "microcode": 7},
    "Turin": {"fmc": 0, "boot_loader": 1, "tee": 2, "snp": 3, "microcode": 7},
}
"""Where the security versions of a processor's parts are among the 8 bytes of a TCB."""
PLATFORM_BITS = {
    "smt_enabled": 0,
    "tsme_enabled": 1,
    "ecc_enabled": 2,
    "rapl_disabled": 3,
    "ciphertext_hiding": 4,
    "alias_checked": 5,
}

_NUMBERS = {
    "version": (0x00, 4),
    "guest_svn": (0x04, 4),
    "policy": (0x08, 8),
    "vmpl": (0x30, 4),
    "algorithm": (0x34, 4),
    "platform_info": (0x40, 8),
    "key_info": (0x48, 4),
    "r": (0x2A0, 72),
    "s": (0x2E8, 72),
    "rest": (0x330, 368),
}
_BYTES = {
    "family_id": (0x10, 16),
    "image_id": (0x20, 16),
    "report_data": (0x50, 64),
    "measurement": (0x90, MEASUREMENT_SIZE),
    "host_data": (0xC0, 32),
    "id_key_digest": (0xE0, 48),
    "author_key_digest": (0x110, 48),
    "report_id_ma": (0x160, 32),
    "reported_tcb": (0x180, 8),
    "chip_id": (0x1A0, CHIP_ID_SIZE),
}
"""Where each field begins, and its size in bytes."""

_ECDSA_P384 = 1
_SIGNING_KEYS: dict[int, "SigningKeyName"] = {0: "vcek", 1: "vlek"}
_DEBUG, _MIGRATION = 19, 18
_NO_AGENT = b"\xff" * 32

SigningKeyName = Literal["vcek", "vlek"]


@dataclass(frozen=True)
class SnpReport:
    """What the processor says of one virtual machine.

    `policy` are the bits that the owner started it with, `vmpl` is the privilege of who asked for
    the report (0 is the highest), `host_data` what the host chose to say. `reported_tcb` are the
    security versions that the signing key stands for; `chip_id` is zero where the host hides it.
    """

    raw: bytes = field(repr=False)
    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    platform_info: int
    signing_key: SigningKeyName
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id_ma: bytes
    reported_tcb: bytes
    chip_id: bytes
    r: int = field(repr=False)
    s: int = field(repr=False)

    @property
    def debug(self) -> bool:
        """True where the host may read and write the machine's memory."""
        return bool(self.policy >> _DEBUG & 1)

    @property
    def migratable(self) -> bool:
        """True where an agent may move the machine to another host, or is there to do it."""
        return bool(self.policy >> _MIGRATION & 1) or self.report_id_ma != _NO_AGENT

    @property
    def platform(self) -> frozenset[str]:
        """Those of `PLATFORM_BITS` that the platform has."""
        return frozenset(
            name for name, bit in PLATFORM_BITS.items() if self.platform_info >> bit & 1
        )

    def tcb(self, product: str) -> dict[str, int]:
        """The reported security version of each part of a processor of that product."""
        return {part: self.reported_tcb[at] for part, at in TCB_LAYOUTS[product].items()}

    @classmethod
    def parse(cls, raw: bytes) -> "SnpReport":
        """The report in `raw`; AttestationFailed on any other bytes."""
        if len(raw) != SIZE:
            raise _malformed(f"{len(raw)} bytes, not {SIZE}")
        numbers = {name: _number(raw, *place) for name, place in _NUMBERS.items()}
        algorithm, key_info = numbers.pop("algorithm"), numbers.pop("key_info")
        if numbers["version"] not in VERSIONS or algorithm != _ECDSA_P384 or numbers.pop("rest"):
            raise _malformed(f"version {numbers['version']}, signature algorithm {algorithm}")
        signer = _SIGNING_KEYS.get(key_info >> 2 & 7)
        if signer is None:
            raise _malformed("it is not signed: its host hides the processor's key")
        blobs = {name: bytes(raw[at : at + size]) for name, (at, size) in _BYTES.items()}
        return cls(raw=bytes(raw), signing_key=signer, **numbers, **blobs)  # type: ignore[arg-type]


def _number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")


def _malformed(what: str) -> AttestationFailed:
    return AttestationFailed(
        f"an SEV-SNP report is malformed: {what}",
        hint="moiety reads reports of versions 2 and 3, signed by a VCEK or a VLEK",
    )
