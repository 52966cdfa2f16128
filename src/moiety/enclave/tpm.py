"""A TPM's quote: from bytes to fields, to authentic, to accepted by one party's policy.

TPM 2.0 Library, Part 2: TPMS_ATTEST (§10.12.12), TPMT_SIGNATURE (§11.3.4). No TPM is needed here.

Given: the PCRs that a machine's boot was measured into, as one TPM quotes them about these
report data. Not given: that anything is kept from the machine's host, nor, since an attestation key
is pinned and its endorsement certificate is not looked at, whose TPM it is.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from moiety.enclave.event_log import LOG_LIMIT, PCRS, SHA256, SIZE, parse_log, replay
from moiety.enclave.reader import Reader, malformed
from moiety.errors import AttestationFailed, ConfigError, InternalError, PeerMisbehaved
from moiety.message import decode, encode
from moiety.wire.certificates import UNREADABLE

LIMIT = LOG_LIMIT + (16 << 10)

_MAGIC = 0xFF544347
_ATTEST_QUOTE = 0x8018
_ECDSA = 0x0018
_MESSAGE = {"key": bytes, "attest": bytes, "signature": bytes, "pcrs": bytes, "log": bytes}
_SEAL = object()


def qualifying(report_data: bytes) -> bytes:
    """What a TPM is given to quote for these report data: their SHA-256."""
    return hashlib.sha256(report_data).digest()


@dataclass(frozen=True, slots=True)
class Attest:
    """The structure that a TPM signs; `resets` counts how often it was switched on."""

    qualifying: bytes
    clock: int
    resets: int
    restarts: int
    firmware: int
    selected: tuple[int, ...]
    digest: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The structure in `data`; AttestationFailed if it is no quote of the SHA-256 bank."""
        reader = Reader(data)
        if (reader.number(">I"), reader.number(">H")) != (_MAGIC, _ATTEST_QUOTE):
            raise malformed("what the TPM signed is not a quote")
        _sized(reader)
        about = _sized(reader)
        clock, resets, restarts = (reader.number(each) for each in (">Q", ">I", ">I"))
        reader.take(1)
        firmware = reader.number(">Q")
        selected, digest = _parse_selection(reader), _sized(reader)
        reader.end()
        return cls(about, clock, resets, restarts, firmware, selected, digest)


@dataclass(frozen=True)
class TpmEvidence:
    """A well-formed quote of a TPM, not yet authentic; `key` is the attestation key's SPKI, DER."""

    key: bytes
    signed: bytes = field(repr=False)
    attest: Attest
    signature: bytes = field(repr=False)
    pcrs: Mapping[int, bytes]
    log: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The evidence that `pack_tpm` framed; AttestationFailed on any other bytes."""
        try:
            said = decode(data, _MESSAGE, LIMIT)
        except PeerMisbehaved as error:
            raise malformed("not a message of a TPM's evidence") from error
        attest, values = Attest.parse(said["attest"]), said["pcrs"]
        if len(values) != SIZE * len(attest.selected):
            raise malformed(f"{len(values)} bytes of {len(attest.selected)} PCRs")
        pieces = (values[SIZE * n : SIZE * (n + 1)] for n in range(len(attest.selected)))
        pcrs = dict(zip(attest.selected, pieces, strict=True))
        signature = _parse_signature(said["signature"])
        return cls(said["key"], said["attest"], attest, signature, pcrs, said["log"])


def pack_tpm(
    *, key: bytes, attest: bytes, signature: bytes, pcrs: Mapping[int, bytes], log: bytes
) -> bytes:
    """One evidence message; the PCRs in ascending order, the log empty if there is none."""
    values = b"".join(pcrs[number] for number in sorted(pcrs))
    return encode(
        {"key": key, "attest": attest, "signature": signature, "pcrs": values, "log": log}
    )


@dataclass(frozen=True)
class TpmAuthentic:
    """Registers that the TPM with this attestation key quoted about given report data.

    `key_sha256` is the SHA-256 of the key's SPKI. `explained` are the PCRs that the event log
    leads to, each with the value that was quoted.
    """

    evidence: TpmEvidence
    key_sha256: bytes
    explained: frozenset[int]
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("TpmAuthentic is made by verify_tpm only")


def verify_tpm(evidence: TpmEvidence, report_data: bytes) -> TpmAuthentic:
    """The evidence, signed by its own key and about these report data.

    Raises:
        AttestationFailed: signature, report data, PCRs or log do not fit.
    """
    _check_signature(evidence)
    attest, pcrs = evidence.attest, evidence.pcrs
    if not hmac.compare_digest(attest.qualifying, qualifying(report_data)):
        raise AttestationFailed("the TPM's quote is not about this channel and job")
    values = b"".join(pcrs[number] for number in attest.selected)
    if not hmac.compare_digest(attest.digest, hashlib.sha256(values).digest()):
        raise AttestationFailed("the PCRs told are not those that the TPM quoted")
    led = replay(parse_log(evidence.log)) if evidence.log else {}
    wrong = [n for n in pcrs if n in led and led[n] != pcrs[n]]
    if wrong:
        raise AttestationFailed(f"the event log does not lead to PCR {wrong[0]} as quoted")
    explained = frozenset(led).intersection(pcrs)
    key_sha256 = hashlib.sha256(evidence.key).digest()
    return TpmAuthentic(evidence, key_sha256, explained, _SEAL)


@dataclass(frozen=True, kw_only=True)
class TpmPolicy:
    """What one party demands of a TPM: whose key, and PCRs' values. What is unset is refused.

    `keys` are SHA-256 of attestation keys' SPKI; `pcrs` gives the accepted values of each
    PCR that counts, SHA-256 bank, 32 bytes each.
    """

    keys: frozenset[bytes] = frozenset()
    pcrs: Mapping[int, frozenset[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = [value for each in self.pcrs.values() for value in each]
        if any(len(each) != SIZE for each in (*self.keys, *values)):
            raise ConfigError(f"TPM policy: a key's hash and a PCR's value have {SIZE} bytes")
        if any(number not in range(PCRS) for number in self.pcrs):
            raise ConfigError(f"TPM policy: PCRs are numbered 0 to {PCRS - 1}")

    def accept(self, authentic: TpmAuthentic) -> TpmAuthentic:
        """The evidence itself; AttestationFailed lists every refusal at once."""
        refusals = list(self._refusals(authentic))
        if refusals:
            raise AttestationFailed(
                "the TPM is refused by policy:\n  - " + "\n  - ".join(refusals),
                hint="ask its operator what was booted, or change the policy if you mean it",
            )
        return authentic

    def _refusals(self, authentic: TpmAuthentic) -> Iterator[str]:
        if authentic.key_sha256 not in self.keys:
            yield f"attestation key {authentic.key_sha256.hex()} is not among the accepted ones"
        if not self.pcrs:
            yield "no PCR's value is demanded"
        for number, accepted in sorted(self.pcrs.items()):
            value = authentic.evidence.pcrs.get(number)
            if value is None:
                yield f"PCR {number} is not quoted"
            elif value not in accepted:
                yield f"PCR {number} is {value.hex()}, which is not accepted"


def _sized(reader: Reader) -> bytes:
    """A TPM2B: its length in 16 bits, then so many bytes."""
    return reader.take(reader.number(">H"))


def _parse_selection(reader: Reader) -> tuple[int, ...]:
    """The PCRs of the one bank selected, in ascending order."""
    if (reader.number(">I"), reader.number(">H")) != (1, SHA256):
        raise malformed("PCRs of other banks than SHA-256")
    bits = int.from_bytes(reader.take(reader.number(">B")), "little")
    selected = tuple(n for n in range(PCRS) if bits >> n & 1)
    if not selected or bits >> PCRS:
        raise malformed(f"a selection of no PCRs, or of more than {PCRS}")
    return selected


def _parse_signature(data: bytes) -> bytes:
    """An ECDSA signature with SHA-256, as DER."""
    reader = Reader(data)
    if (reader.number(">H"), reader.number(">H")) != (_ECDSA, SHA256):
        raise malformed("the TPM's signature is not ECDSA with SHA-256")
    r, s = (int.from_bytes(_sized(reader)) for _ in range(2))
    reader.end()
    return encode_dss_signature(r, s)


def _check_signature(evidence: TpmEvidence) -> None:
    try:
        key = load_der_public_key(evidence.key)
    except UNREADABLE as error:
        raise AttestationFailed("the TPM's attestation key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AttestationFailed("the TPM's attestation key is not one of P-256")
    try:
        key.verify(evidence.signature, evidence.signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise AttestationFailed("the TPM's signature does not fit its key") from error
