"""Evidence: bytes become named fields, and nothing is judged here.

The quote is Intel's SGX ECDSA quote, version 3 (Intel SGX ECDSA QuoteLibReference for DCAP,
appendix A); fields keep Intel's names. Beside it travels the collateral that a verifier needs
offline: certificate chains, revocation lists, TCB info and QE identity, each signed by the vendor.
"""

import json
import struct
from dataclasses import InitVar, dataclass, field
from typing import Self

from moiety.errors import AttestationFailed, InternalError

SGX_QUOTE_VERSION = 3
SGX_TEE_TYPE = 0
PCK_CHAIN = 5
QUOTE_LIMIT = 16 << 10
COLLATERAL_LIMIT = 256 << 10

_LENGTHS = struct.Struct("<II")
_HEADER = struct.Struct("<HHIHH16s20s")
_REPORT = struct.Struct("<16sI28s16s32s32s32s96sHH60s64s")
_COLLATERAL_TEXTS = (
    "pck_crl_issuer_chain",
    "tcb_info_issuer_chain",
    "tcb_info",
    "qe_identity_issuer_chain",
    "qe_identity",
)
_COLLATERAL_BYTES = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
_SEAL = object()


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """The 48 bytes in front of a quote."""

    version: int
    att_key_type: int
    tee_type: int
    qe_svn: int
    pce_svn: int
    qe_vendor_id: bytes
    user_data: bytes


@dataclass(frozen=True, slots=True)
class Attributes:
    """SECS.ATTRIBUTES of an enclave: flags (64 bits), then XFRM (64 bits)."""

    raw: bytes

    @property
    def debug(self) -> bool:
        """True where the host may read and write the enclave's memory."""
        return bool(self.raw[0] & 0x02)


@dataclass(frozen=True, slots=True)
class EnclaveReport:
    """The 384-byte report body that the processor makes about one enclave."""

    cpu_svn: bytes
    misc_select: int
    attributes: Attributes
    mr_enclave: bytes
    mr_signer: bytes
    isv_prod_id: int
    isv_svn: int
    report_data: bytes


@dataclass(frozen=True, slots=True)
class Collateral:
    """What the vendor signs about its platforms; each part is checked by the verifier only.

    A `pck_certificate_chain` beside the nine parts is dropped: the chain in the quote is used.
    """

    pck_crl_issuer_chain: str
    root_ca_crl: bytes = field(repr=False)
    pck_crl: bytes = field(repr=False)
    tcb_info_issuer_chain: str = field(repr=False)
    tcb_info: str
    tcb_info_signature: bytes = field(repr=False)
    qe_identity_issuer_chain: str = field(repr=False)
    qe_identity: str
    qe_identity_signature: bytes = field(repr=False)


@dataclass(frozen=True)
class Evidence:
    """A parsed quote with its collateral: well-formed, not yet authentic."""

    quote: bytes = field(repr=False)
    header: QuoteHeader
    report: EnclaveReport
    qe_report: EnclaveReport = field(repr=False)
    pck_chain: bytes = field(repr=False)
    collateral: Collateral = field(repr=False)
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("Evidence is made by Evidence.parse only")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The evidence in `data`, as `pack` framed it; AttestationFailed on any other bytes."""
        if len(data) < _LENGTHS.size:
            raise _malformed(f"{len(data)} bytes hold no evidence")
        quote_length, collateral_length = _LENGTHS.unpack_from(data)
        if quote_length > QUOTE_LIMIT or collateral_length > COLLATERAL_LIMIT:
            raise _malformed(f"quote of {quote_length}, collateral of {collateral_length} bytes")
        if len(data) != _LENGTHS.size + quote_length + collateral_length:
            raise _malformed("the lengths of quote and collateral do not add up")
        split = _LENGTHS.size + quote_length
        return cls._parse_quote(
            bytes(data[_LENGTHS.size : split]), _parse_collateral(bytes(data[split:]))
        )

    @classmethod
    def _parse_quote(cls, quote: bytes, collateral: Collateral) -> Self:
        reader = _Reader(quote)
        header = QuoteHeader(*_HEADER.unpack(reader.take(_HEADER.size)))
        if (header.version, header.tee_type) != (SGX_QUOTE_VERSION, SGX_TEE_TYPE):
            raise _malformed(f"quote version {header.version}, TEE type {header.tee_type:#x}")
        report = _parse_report(reader)
        if reader.number("<I") != reader.left:
            raise _malformed("the signature data do not end where the quote ends")
        reader.take(64 + 64)
        qe_report = _parse_report(reader)
        reader.take(64)
        reader.take(reader.number("<H"))
        kind = reader.number("<H")
        if kind != PCK_CHAIN or reader.number("<I") != reader.left:
            raise _malformed(f"certification data of type {kind} is not one PCK chain to the end")
        chain = reader.take(reader.left)
        return cls(quote, header, report, qe_report, chain, collateral, _SEAL)


def pack(quote: bytes, collateral: bytes) -> bytes:
    """One evidence message: both lengths (u32, little endian), the quote, the collateral's JSON."""
    return _LENGTHS.pack(len(quote), len(collateral)) + quote + collateral


class _Reader:
    """Bounded reads of a quote from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise _malformed(f"byte {self._at}: {size} bytes expected, {self.left} left")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, layout: str) -> int:
        value: int = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value


def _parse_report(reader: _Reader) -> EnclaveReport:
    cpu_svn, misc_select, _, attributes, mr_enclave, _, mr_signer, _, *rest = _REPORT.unpack(
        reader.take(_REPORT.size)
    )
    isv_prod_id, isv_svn, _, report_data = rest
    return EnclaveReport(
        cpu_svn,
        misc_select,
        Attributes(attributes),
        mr_enclave,
        mr_signer,
        isv_prod_id,
        isv_svn,
        report_data,
    )


def _parse_collateral(data: bytes) -> Collateral:
    """Nine named parts; RecursionError is what `json` raises on hostile nesting."""
    try:
        parts = json.loads(data.decode("utf-8"))
        texts = {name: _text(parts[name]) for name in _COLLATERAL_TEXTS}
        blobs = {name: bytes.fromhex(_text(parts[name])) for name in _COLLATERAL_BYTES}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed(f"collateral: {type(error).__name__}") from error
    return Collateral(**texts, **blobs)  # type: ignore[arg-type]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _malformed(what: str) -> AttestationFailed:
    return AttestationFailed(
        f"evidence is malformed: {what}",
        hint="moiety reads SGX quotes of version 3 with a PCK chain inside",
    )
