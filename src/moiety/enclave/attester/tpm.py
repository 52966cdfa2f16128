"""A TPM 2.0: quotes of what was booted, by a key of the TPM's own, and counters that only go up.

TPM 2.0 Library, Part 3: TPM2_CreatePrimary (§24.1), TPM2_Quote (§18.4), TPM2_PCR_Read (§22.4),
TPM2_NV_Increment (§31.8). A TPM is no enclave, and this is no `Attester`: it proves what a machine
was booted with, and keeps nothing from who runs it. Its counters outlive what a host can put back.

The library is `tpm2-pytss`, of the extra `moiety[tpm]`, over the system's tpm2-tss.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from moiety.enclave.attester.files import DEVICES, explained
from moiety.enclave.event_log import PCRS
from moiety.enclave.tpm import Attest, pack_tpm, qualifying
from moiety.errors import AttestationFailed, ConfigError

WHERE = "device:/dev/tpmrm0"
"""The kernel's resource manager, as tpm2-tss names it."""
LOG = Path("/sys/kernel/security/tpm0/binary_bios_measurements")
BOOT = tuple(range(8))
"""The PCRs that firmware and boot loader measure into."""
COUNTER = 0x01806D01
"""The index of our counter, among those of a TPM's owner."""
ATTEMPTS = 5

_AT_ONCE = 8
"""Registers that one TPM2_PCR_Read returns."""


class Tpm:
    """A TPM, open until `close` or the end of `with`; threads take turns.

    `key` is the SPKI (DER) of its attestation key: P-256, restricted to sign what the TPM itself
    made. It is derived from the endorsement seed, the same each time, and is never written down.
    """

    def __init__(self, where: str = WHERE, *, pcrs: tuple[int, ...] = BOOT) -> None:
        """Open the TPM that tpm2-tss calls `where`, for quotes of these PCRs (SHA-256 bank).

        Raises:
            ConfigError: tpm2-pytss is not installed, or there are no such PCRs.
            AttestationFailed: the TPM cannot be opened, or makes no key.
        """
        if not pcrs or not set(pcrs) <= set(range(PCRS)):
            raise ConfigError(f"PCRs of a TPM are numbered 0 to {PCRS - 1}")
        self._pcrs = tuple(sorted(set(pcrs)))
        self._lib = _library()
        self._lock = threading.Lock()
        with self._asked():
            self._tpm = self._lib.ESAPI(where)
        try:
            with self._asked():
                self._handle, public = self._make_key()
        except AttestationFailed:
            self._tpm.close()
            raise
        self.key: bytes = public.to_der()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drops the key from the TPM's memory, and lets go of the TPM."""
        with self._asked():
            self._tpm.flush_context(self._handle)
        self._tpm.close()

    def quote(self, report_data: bytes, *, log: Path = LOG) -> bytes:
        """Evidence (`moiety.enclave.tpm.pack_tpm`) over these report data, and what was booted.

        The event log goes with it where the system shows one. A PCR that changes meanwhile is
        read again.
        """
        with explained("the TPM"):
            events = DEVICES.read(log) if log.exists() else b""
        with self._asked():
            for _ in range(ATTEMPTS):
                values = self._read()
                attest, signature = self._sign(qualifying(report_data))
                if Attest.parse(attest).digest == hashlib.sha256(b"".join(values)).digest():
                    pcrs = dict(zip(self._pcrs, values, strict=True))
                    return pack_tpm(
                        key=self.key,
                        attest=attest,
                        signature=signature,
                        pcrs=pcrs,
                        log=events,
                    )
        raise AttestationFailed("the TPM's PCRs keep changing", hint="try again when booted")

    def count(self, index: int = COUNTER) -> int:
        """The counter's value; AttestationFailed if there is none yet."""
        with self._asked():
            return self._value(self._tpm.tr_from_tpmpublic(index))

    def increment(self, index: int = COUNTER) -> int:
        """The counter's value after it went up by one; it is made at the first call.

        Whoever can open the TPM can let it go up, too. One that is removed and made anew starts
        above all that ever were (Part 1, "NV Counter Indexes"), so no old value comes back.
        """
        with self._asked():
            handle = self._counter(index)
            self._tpm.nv_increment(handle)
            return self._value(handle)

    def _value(self, handle: Any) -> int:
        return int.from_bytes(bytes(self._tpm.nv_read(handle, 8)))

    def _counter(self, index: int) -> Any:
        lib = self._lib
        if index in self._indices():
            return self._tpm.tr_from_tpmpublic(index)
        may = lib.TPMA_NV.AUTHREAD | lib.TPMA_NV.AUTHWRITE | lib.TPMA_NV.NO_DA
        counts = lib.TPM2_NT.COUNTER << lib.TPMA_NV.TPM2_NT_SHIFT
        area = lib.TPMS_NV_PUBLIC(
            nvIndex=index, nameAlg=lib.TPM2_ALG.SHA256, attributes=may | counts, dataSize=8
        )
        return self._tpm.nv_define_space(None, lib.TPM2B_NV_PUBLIC(nvPublic=area))

    def _indices(self) -> set[int]:
        """The indices that are in use, from ours on."""
        lib = self._lib
        _, found = self._tpm.get_capability(lib.TPM2_CAP.HANDLES, COUNTER & 0xFF000000, 254)
        return {int(each) for each in found.data.handles}

    def _make_key(self) -> tuple[Any, Any]:
        lib = self._lib
        bits = lib.TPMA_OBJECT
        template = lib.TPM2B_PUBLIC.parse(
            "ecc256:ecdsa-sha256:null",
            objectAttributes=bits.FIXEDTPM
            | bits.FIXEDPARENT
            | bits.SENSITIVEDATAORIGIN
            | bits.USERWITHAUTH
            | bits.RESTRICTED
            | bits.SIGN_ENCRYPT,
        )
        made = self._tpm.create_primary(None, template, primary_handle=lib.ESYS_TR.ENDORSEMENT)
        return made[0], made[1]

    def _sign(self, about: bytes) -> tuple[bytes, bytes]:
        chosen = self._selection(self._pcrs)
        signed, signature = self._tpm.quote(self._handle, chosen, self._lib.TPM2B_DATA(about))
        return bytes(signed), signature.marshal()

    def _read(self) -> list[bytes]:
        """The values of the PCRs, in ascending order."""
        values: list[bytes] = []
        for start in range(0, len(self._pcrs), _AT_ONCE):
            part = self._pcrs[start : start + _AT_ONCE]
            *_, read = self._tpm.pcr_read(self._selection(part))
            if len(read) != len(part):
                raise AttestationFailed("the TPM has no SHA-256 bank of these PCRs")
            values += [bytes(each) for each in read]
        return values

    def _selection(self, pcrs: tuple[int, ...]) -> Any:
        return self._lib.TPML_PCR_SELECTION.parse("sha256:" + ",".join(map(str, pcrs)))

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """One turn with the TPM; what it refuses is said in its library's words."""
        with self._lock:
            try:
                yield
            except self._lib.TSS2_Exception as error:
                raise AttestationFailed(
                    f"the TPM refuses: {error}", hint="`moiety tee doctor` says what is missing"
                ) from error


def _library() -> Any:
    try:
        return import_module("tpm2_pytss")
    except ImportError as error:
        raise ConfigError(
            "tpm2-pytss is not installed, which speaks to a TPM",
            hint="pip install 'moiety[tpm]', with the system's libtss2-dev",
        ) from error
