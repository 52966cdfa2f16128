"""SGX under Gramine: quotes through the files that Gramine shows to what runs inside.

Gramine documentation, "Attestation and Secret Provisioning": 64 bytes go to `user_report_data`, and
`quote` then holds a quote over them. Gramine pads what is shorter with zeros and cuts what is
longer without a word, and both files belong to the whole process: hence the length, the lock, and
the look at what came back.
"""

import hmac
import threading
from collections.abc import Callable
from pathlib import Path

from moiety.enclave.attester.files import DEVICES, Files, explained, read_text
from moiety.enclave.evidence import pack
from moiety.enclave.quote import EnclaveReport, Quote
from moiety.errors import AttestationFailed, ConfigError, InternalError

ROOT = Path("/dev/attestation")
REPORT_DATA_SIZE = 64

_lock = threading.Lock()


class GramineAttester:
    """The `Attester` of an SGX enclave that Gramine has started.

    `collateral` gives what Intel signs about this platform, as JSON, each time that it is asked.
    """

    production = True
    tee = "sgx"

    def __init__(
        self, collateral: Callable[[], bytes], *, root: Path = ROOT, files: Files = DEVICES
    ) -> None:
        """Take a first quote, for the measurement.

        Raises:
            ConfigError: Gramine was told not to attest by DCAP.
            AttestationFailed: it gives no quote, or the enclave is open to a debugger.
        """
        self._collateral = collateral
        self._root = root
        self._files = files
        with explained("SGX"):
            kind = read_text(files, root / "attestation_type")
        if kind != "dcap":
            raise ConfigError(
                f"Gramine attests by {kind!r} here, not by DCAP",
                hint='set sgx.remote_attestation = "dcap" in the manifest, and run gramine-sgx',
            )
        report = self._quote(bytes(REPORT_DATA_SIZE)).report
        if report.debug:
            raise AttestationFailed(
                "this enclave is open to a debugger: no party would accept it",
                hint="set sgx.debug = false in the manifest",
            )
        self.measurement = report.measurement

    def quote(self, report_data: bytes) -> bytes:
        """Evidence over exactly these 64 bytes; AttestationFailed if Gramine quotes others."""
        return pack(self._quote(report_data).raw, self._collateral())

    def _quote(self, report_data: bytes) -> Quote:
        if len(report_data) != REPORT_DATA_SIZE:
            raise InternalError(f"{len(report_data)} bytes of report data, not {REPORT_DATA_SIZE}")
        with _lock, explained("SGX"):
            self._files.write(self._root / "user_report_data", report_data)
            quote = Quote.parse(self._files.read(self._root / "quote"))
        if not isinstance(quote.report, EnclaveReport):
            raise AttestationFailed("Gramine gave no quote of an SGX enclave")
        if not hmac.compare_digest(quote.report.report_data, report_data):
            raise AttestationFailed(
                "Gramine quoted other report data than it was given",
                hint=f"nothing else may write {self._root / 'user_report_data'}",
            )
        return quote
