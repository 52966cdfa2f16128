"""TDX and SEV-SNP: reports through the kernel's configfs-tsm, from Linux 6.7.

Linux, `Documentation/ABI/testing/configfs-tsm-report`: a directory made under the root is one
report. Each write to it, `inblob` or an option, raises its `generation`; reading `outblob` makes
the report about what was written last. The directory has a name that nobody knows, and a generation
that went up by more than our own writes means that somebody wrote to it all the same.
"""

import errno
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moiety.enclave.attester.files import DEVICES, Files, explained, read_text
from moiety.enclave.evidence import pack
from moiety.enclave.quote import Quote, TdReport
from moiety.enclave.snp import SnpReport
from moiety.errors import AttestationFailed, InternalError

ROOT = Path("/sys/kernel/config/tsm/report")
TDX, SNP = "tdx_guest", "sev_guest"
"""The kernel's names of the two drivers."""
REPORT_DATA_SIZE = 64
ATTEMPTS = 5
PAUSE = 0.05
"""Seconds before the second attempt; each further one waits twice as long."""

_BUSY = (errno.EBUSY, errno.EWOULDBLOCK)
_TDX_VERSIONS = (4, 5)


@dataclass(frozen=True)
class Report:
    """What the kernel hands out: the driver's name, its report, and for SNP a certificate table."""

    provider: str
    out: bytes
    auxiliary: bytes = b""


def report(report_data: bytes, *, root: Path = ROOT, files: Files = DEVICES) -> Report:
    """A report about exactly these 64 bytes, by whichever driver this machine has.

    Raises:
        AttestationFailed: there is no driver, it fails, it stays busy, or somebody interfered.
    """
    if len(report_data) != REPORT_DATA_SIZE:
        raise InternalError(f"{len(report_data)} bytes of report data, not {REPORT_DATA_SIZE}")
    entry = root / f"moiety-{secrets.token_hex(16)}"
    with explained("configfs-tsm"):
        files.make(entry)
        try:
            return _patiently(entry, report_data, files)
        finally:
            files.remove(entry)


def _patiently(entry: Path, report_data: bytes, files: Files) -> Report:
    """The report, after further attempts while the kernel says that it is busy."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return _once(entry, report_data, files)
        except OSError as error:
            if error.errno not in _BUSY:
                raise
        time.sleep(PAUSE * 2**attempt)
    return _once(entry, report_data, files)


def _once(entry: Path, report_data: bytes, files: Files) -> Report:
    provider = read_text(files, entry / "provider")
    if provider not in (TDX, SNP):
        raise AttestationFailed(f"configfs-tsm has the driver {provider!r}, not {TDX} or {SNP}")
    before, writes = _generation(entry, files), 1
    if provider == SNP:
        files.write(entry / "privlevel", files.read(entry / "privlevel_floor"))
        writes = 2
    files.write(entry / "inblob", report_data)
    out = files.read(entry / "outblob")
    auxiliary = files.read(entry / "auxblob") if provider == SNP else b""
    if _generation(entry, files) != before + writes:
        raise AttestationFailed(
            "somebody else wrote into this report while it was made",
            hint="only this service may write to configfs-tsm: look for who else runs as root",
        )
    return Report(provider, out, auxiliary)


def _generation(entry: Path, files: Files) -> int:
    text = read_text(files, entry / "generation")
    if not text.isdecimal():
        raise AttestationFailed(f"configfs-tsm says generation {text[:20]!r}, not a number")
    return int(text)


class TdxAttester:
    """The `Attester` of a virtual machine under TDX; its measurement is MRTD.

    `collateral` gives what Intel signs about this platform, as JSON, each time that it is asked.
    """

    production = True
    tee = "tdx"

    def __init__(
        self, collateral: Callable[[], bytes], *, root: Path = ROOT, files: Files = DEVICES
    ) -> None:
        """Take a first quote, for the measurement; AttestationFailed in a machine under debug."""
        self._collateral = collateral
        self._root = root
        self._files = files
        first = self._quote(bytes(REPORT_DATA_SIZE)).report
        _refuse_debug(first.debug)
        self.measurement = first.measurement

    def quote(self, report_data: bytes) -> bytes:
        """Evidence over exactly these 64 bytes; AttestationFailed if the kernel quotes others."""
        return pack(self._quote(report_data).raw, self._collateral())

    def _quote(self, report_data: bytes) -> Quote:
        made = report(report_data, root=self._root, files=self._files)
        if made.provider != TDX:
            raise AttestationFailed(f"configfs-tsm has the driver {made.provider}, not {TDX}")
        if int.from_bytes(made.out[:2], "little") not in _TDX_VERSIONS:
            raise AttestationFailed(
                f"this platform attests by a token of {len(made.out)} bytes (CWT, DICE), "
                "not by a quote of version 4 or 5",
                hint="such tokens cannot be verified yet: use a platform with Intel's quoting "
                "enclave, or have its operator set that up",
            )
        quote = Quote.parse(made.out)
        if not isinstance(quote.report, TdReport):
            raise AttestationFailed("configfs-tsm gave no quote of a TD")
        _compare(quote.report.report_data, report_data)
        return quote


class SnpAttester:
    """The `Attester` of a virtual machine under SEV-SNP; its measurement is the launch digest.

    Its evidence has the host's certificate table, as the driver hands it out, where others have
    collateral; the table is empty where the host was not given one.
    """

    production = True
    tee = "snp"

    def __init__(self, *, root: Path = ROOT, files: Files = DEVICES) -> None:
        """Take a first report, for the measurement; AttestationFailed in a machine under debug."""
        self._root = root
        self._files = files
        first = SnpReport.parse(self._report(bytes(REPORT_DATA_SIZE)).out)
        _refuse_debug(first.debug)
        self.measurement = first.measurement

    def quote(self, report_data: bytes) -> bytes:
        """Evidence over exactly these 64 bytes; AttestationFailed if the kernel reports others."""
        made = self._report(report_data)
        return pack(made.out, made.auxiliary)

    def _report(self, report_data: bytes) -> Report:
        made = report(report_data, root=self._root, files=self._files)
        if made.provider != SNP:
            raise AttestationFailed(f"configfs-tsm has the driver {made.provider}, not {SNP}")
        _compare(SnpReport.parse(made.out).report_data, report_data)
        return made


def _refuse_debug(debug: bool) -> None:
    if debug:
        raise AttestationFailed(
            "this virtual machine is open to its host's debugger: no party would accept it",
            hint="its operator must start it without debug",
        )


def _compare(found: bytes, wanted: bytes) -> None:
    if not hmac.compare_digest(found, wanted):
        raise AttestationFailed("the kernel reported about other data than it was given")
