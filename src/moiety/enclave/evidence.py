"""Evidence: bytes become named fields, and nothing is judged here.

Beside a quote (`quote`) travels the collateral that a verifier needs offline: certificate chains,
revocation lists, TCB info and QE identity, each signed by the vendor.
"""

import json
import struct
from dataclasses import InitVar, dataclass, field
from typing import Self

from moiety.enclave.quote import QUOTE_LIMIT, EnclaveReport, Quote, QuoteHeader, Report
from moiety.enclave.reader import malformed
from moiety.errors import InternalError

COLLATERAL_LIMIT = 256 << 10

_LENGTHS = struct.Struct("<II")
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
    report: Report
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
        raw, collateral = unpack(data)
        quote = Quote.parse(raw)
        return cls(
            quote.raw,
            quote.header,
            quote.report,
            quote.qe_report,
            quote.pck_chain,
            parse_collateral(collateral),
            _SEAL,
        )


def pack(quote: bytes, collateral: bytes) -> bytes:
    """One evidence message: both lengths (u32, little endian), the quote, the collateral's JSON."""
    return _LENGTHS.pack(len(quote), len(collateral)) + quote + collateral


def unpack(data: bytes) -> tuple[bytes, bytes]:
    """Quote and collateral of an evidence message, unread; AttestationFailed if it is none."""
    if len(data) < _LENGTHS.size:
        raise malformed(f"{len(data)} bytes hold no evidence")
    quote_length, collateral_length = _LENGTHS.unpack_from(data)
    if quote_length > QUOTE_LIMIT or collateral_length > COLLATERAL_LIMIT:
        raise malformed(f"quote of {quote_length}, collateral of {collateral_length} bytes")
    if len(data) != _LENGTHS.size + quote_length + collateral_length:
        raise malformed("the lengths of quote and collateral do not add up")
    split = _LENGTHS.size + quote_length
    return bytes(data[_LENGTHS.size : split]), bytes(data[split:])


def parse_collateral(data: bytes) -> Collateral:
    """Nine named parts; RecursionError is what `json` raises on hostile nesting."""
    try:
        parts = json.loads(data.decode("utf-8"))
        texts = {name: _text(parts[name]) for name in _COLLATERAL_TEXTS}
        blobs = {name: bytes.fromhex(_text(parts[name])) for name in _COLLATERAL_BYTES}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise malformed(f"collateral: {type(error).__name__}") from error
    return Collateral(**texts, **blobs)  # type: ignore[arg-type]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
