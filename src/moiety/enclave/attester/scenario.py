"""The states that a simulated platform can pretend to be in."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from moiety.enclave.attester.authority import FMSPC
from moiety.enclave.verify import SIMULATION_NAME

Form = Literal["sgx-v3", "tdx-v4", "tdx-v5", "tdx-v5-td15"]
"""What is quoted, and how: an enclave, or a virtual machine over a TD report 1.0 or 1.5."""
INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
MR_SIGNER = hashlib.sha256(f"{SIMULATION_NAME} signer".encode()).digest()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The state that a platform pretends to be in; the default is a healthy one.

    `tcb_status` is the platform's, `module_status` that of its TDX module, `qe_status` that of its
    quoting enclave. `revoked` names holders (`authority`, `platform`, `signer`) in the revocation
    lists. `issued` is when the collateral was issued, in seconds since 1970; it lives 30 days, and
    is new if None. `expired` names parts of it (`tcb_info`, `qe_identity`, `root_ca_crl`,
    `pck_crl`) that are 31 days older. `evaluation` numbers the vendor's evaluations of platforms:
    collateral that was rotated has a higher one. `fmspc` is the family that TCB info is about.
    """

    form: Form = "sgx-v3"
    tcb_status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    module_status: str = "UpToDate"
    qe_status: str = "UpToDate"
    revoked: frozenset[str] = frozenset()
    issued: int | None = None
    expired: frozenset[str] = frozenset()
    evaluation: int = 1
    fmspc: bytes = FMSPC
    debug: bool = False
    qe_vendor_id: bytes = INTEL_QE

    @property
    def tdx(self) -> bool:
        """Whether a virtual machine is quoted, not an enclave."""
        return self.form != "sgx-v3"

    @property
    def measured(self) -> int:
        """Bytes of a measurement: 48 of MRTD, 32 of MRENCLAVE."""
        return 48 if self.tdx else 32


HEALTHY = Scenario()
