"""A DCAP quote: bytes become named fields, and nothing is judged here.

Read are SGX quotes of version 3 (Intel SGX ECDSA QuoteLibReference for DCAP, appendix A) and TDX
quotes of versions 4 and 5 (Intel TDX DCAP Quoting Library API, appendix A), over TD reports 1.0 and
1.5. Fields keep Intel's names.
"""

import struct
from dataclasses import dataclass, field

from moiety.enclave.reader import Reader, malformed

SGX_TEE_TYPE = 0
TDX_TEE_TYPE = 0x81
SGX_QUOTE_VERSION = 3
TD_REPORT_10, TD_REPORT_15 = 2, 3
"""Types of body in a quote of version 5."""
PCK_CHAIN = 5
QE_CERTIFICATION = 6
QUOTE_LIMIT = 16 << 10

_HEADER = struct.Struct("<HHIHH16s20s")
_ENCLAVE_REPORT = struct.Struct("<16sI28s16s32s32s32s96sHH60s64s")
_TD_REPORT = struct.Struct("<16s48s48s8s8s8s48s48s48s48s48s48s48s48s64s")
_TD_REPORT_15 = struct.Struct("<16s48s")
_TD_REPORT_FIELDS = (
    "tee_tcb_svn",
    "mr_seam",
    "mr_signer_seam",
    "seam_attributes",
    "td_attributes",
    "xfam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
)
_BODY = struct.Struct("<HI")


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

    @property
    def measurement(self) -> bytes:
        """What identifies the code: MRENCLAVE, 32 bytes."""
        return self.mr_enclave

    @property
    def debug(self) -> bool:
        """True where the host may read and write the enclave's memory."""
        return self.attributes.debug


@dataclass(frozen=True, slots=True)
class TdReport:
    """The report body that the TDX module makes about one virtual machine (TD), 1.0 or 1.5.

    `mr_td` measures what the machine started with; `rtmrs` are its four runtime registers, into
    which firmware and system measure what they load. The last two are zeros in a report 1.0.
    """

    tee_tcb_svn: bytes
    mr_seam: bytes
    mr_signer_seam: bytes
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mr_td: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmrs: tuple[bytes, bytes, bytes, bytes]
    report_data: bytes
    tee_tcb_svn2: bytes
    mr_service_td: bytes

    @property
    def measurement(self) -> bytes:
        """What identifies what it started with: MRTD, 48 bytes."""
        return self.mr_td

    @property
    def debug(self) -> bool:
        """True where the host may read and write the machine's memory: any bit of TUD."""
        return bool(self.td_attributes[0])


Report = EnclaveReport | TdReport


@dataclass(frozen=True, slots=True)
class Quote:
    """A well-formed quote; `pck_chain` is PEM, leaf first, unchecked."""

    raw: bytes = field(repr=False)
    header: QuoteHeader
    report: Report
    qe_report: EnclaveReport = field(repr=False)
    pck_chain: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> "Quote":
        """The quote in `raw`; AttestationFailed on any other bytes.

        Zeros behind a TDX quote are left out: drivers hand out the whole of their buffer.
        """
        if len(raw) > QUOTE_LIMIT:
            raise malformed(f"a quote of {len(raw)} bytes, above {QUOTE_LIMIT}")
        reader = Reader(raw)
        header = QuoteHeader(*_HEADER.unpack(reader.take(_HEADER.size)))
        report = _parse_body(reader, header)
        signature = Reader(reader.take(reader.number("<I")), reader.at)
        end = reader.at
        padding = reader.take(reader.left)
        if padding.strip(b"\0") or (padding and header.tee_type != TDX_TEE_TYPE):
            raise malformed("the signature data do not end where the quote ends")
        signature.take(64 + 64)
        if header.tee_type == TDX_TEE_TYPE:
            _expect(signature, QE_CERTIFICATION)
        return cls(raw[:end], header, report, *_parse_certified(signature))


def _parse_body(reader: Reader, header: QuoteHeader) -> Report:
    kind = header.version, header.tee_type
    if kind == (SGX_QUOTE_VERSION, SGX_TEE_TYPE):
        return _parse_enclave_report(reader)
    if kind == (4, TDX_TEE_TYPE):
        return _parse_td_report(reader, TD_REPORT_10)
    if kind == (5, TDX_TEE_TYPE):
        body, size = _BODY.unpack(reader.take(_BODY.size))
        inner = Reader(reader.take(size), reader.at)
        report = _parse_td_report(inner, body)
        inner.end()
        return report
    raise malformed(f"quote version {header.version}, TEE type {header.tee_type:#x}")


def _parse_enclave_report(reader: Reader) -> EnclaveReport:
    cpu_svn, misc_select, _, attributes, mr_enclave, _, mr_signer, _, *rest = (
        _ENCLAVE_REPORT.unpack(reader.take(_ENCLAVE_REPORT.size))
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


def _parse_td_report(reader: Reader, body: int) -> TdReport:
    if body not in (TD_REPORT_10, TD_REPORT_15):
        raise malformed(f"a body of type {body}")
    *first, rtmr0, rtmr1, rtmr2, rtmr3, report_data = _TD_REPORT.unpack(
        reader.take(_TD_REPORT.size)
    )
    later = reader.take(_TD_REPORT_15.size if body == TD_REPORT_15 else 0)
    tee_tcb_svn2, mr_service_td = _TD_REPORT_15.unpack(later.ljust(_TD_REPORT_15.size, b"\0"))
    return TdReport(
        **dict(zip(_TD_REPORT_FIELDS, first, strict=True)),
        rtmrs=(rtmr0, rtmr1, rtmr2, rtmr3),
        report_data=report_data,
        tee_tcb_svn2=tee_tcb_svn2,
        mr_service_td=mr_service_td,
    )


def _parse_certified(reader: Reader) -> tuple[EnclaveReport, bytes]:
    """The quoting enclave's report and the PCK chain behind it."""
    qe_report = _parse_enclave_report(reader)
    reader.take(64)
    reader.take(reader.number("<H"))
    _expect(reader, PCK_CHAIN)
    return qe_report, reader.take(reader.left)


def _expect(reader: Reader, kind: int) -> None:
    found = reader.number("<H")
    if found != kind or reader.number("<I") != reader.left:
        raise malformed(f"certification data of type {found} are not of type {kind}, to the end")
