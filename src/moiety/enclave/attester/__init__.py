"""Attesters: who can have a quote made about the code that runs here, and which of them is here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from moiety.enclave.attester import gramine, tsm
from moiety.enclave.attester.files import DEVICES, Files
from moiety.errors import AttestationFailed


class Attester(Protocol):
    """A platform that vouches for this process."""

    production: bool
    """False for a simulation, for ever."""
    tee: str
    """What it is: `sgx`, `tdx`, `snp`; `sim-sgx` for a simulation."""
    measurement: bytes
    """What its quotes say of the code that runs here (MRENCLAVE, MRTD or launch digest)."""

    def quote(self, report_data: bytes) -> bytes:
        """Evidence (`moiety.enclave.evidence.pack`) over exactly these 64 bytes."""
        ...


@dataclass(frozen=True)
class Places:
    """Where a machine shows its hardware; tests name others."""

    gramine: Path = gramine.ROOT
    tsm: Path = tsm.ROOT
    tpm: Path = Path("/dev/tpmrm0")


HERE = Places()


def detect(
    collateral: Callable[[], bytes], *, places: Places = HERE, files: Files = DEVICES
) -> Attester:
    """The attester of the hardware that this process runs on; never a simulation.

    A TPM is no answer: it proves what was booted, and keeps nothing from its host.

    Raises:
        AttestationFailed: there is none, or the one that is here does not attest.
        ConfigError: Gramine is here, but was not told to attest by DCAP.
    """
    if places.gramine.exists():
        return gramine.GramineAttester(collateral, root=places.gramine, files=files)
    if places.tsm.exists():
        return _of_machine(collateral, places.tsm, files)
    only = "only a TPM, which keeps nothing from its host" if places.tpm.exists() else "no hardware"
    raise AttestationFailed(
        f"this machine has {only}: there is nothing here that an enclave could be proven by",
        hint="`moiety tee doctor` says what is missing; --simulate tries everything else",
    )


def _of_machine(collateral: Callable[[], bytes], root: Path, files: Files) -> Attester:
    provider = tsm.report(bytes(tsm.REPORT_DATA_SIZE), root=root, files=files).provider
    if provider == tsm.SNP:
        return tsm.SnpAttester(root=root, files=files)
    return tsm.TdxAttester(collateral, root=root, files=files)
