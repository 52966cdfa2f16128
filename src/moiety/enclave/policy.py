"""Authentic → Accepted: one party's reference values for an enclave. What is unset is refused."""

import hmac
from collections.abc import Iterator
from dataclasses import InitVar, dataclass

from moiety.enclave.quote import EnclaveReport, TdReport
from moiety.enclave.verify import PLATFORM_FLAGS, Authentic, Genuine
from moiety.errors import AttestationFailed, ConfigError, InternalError

TCB_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
"""Intel's words, without `Revoked`, which no policy may accept."""

DCAP_TEES = ("sgx", "tdx")
"""What Intel's quotes are of: enclaves, and virtual machines."""

_SEAL = object()


@dataclass(frozen=True)
class Signer:
    """One author's product from a security version on: trusts that author's later updates."""

    mr_signer: bytes
    isv_prod_id: int
    min_isv_svn: int


@dataclass(frozen=True)
class Machine:
    """One virtual machine (TD): what it started with, and all that it measured as it started."""

    mr_td: bytes
    rtmrs: tuple[bytes, bytes, bytes, bytes]

    def __post_init__(self) -> None:
        if any(len(each) != 48 for each in (self.mr_td, *self.rtmrs)):
            raise ConfigError("enclave policy: mr_td and rtmr0 to rtmr3 have 48 bytes each")


@dataclass(frozen=True)
class Accepted:
    """Authentic evidence that one party's policy accepts: a key may be released to it."""

    authentic: Authentic
    production: bool
    """False where the evidence, or the policy that accepted it, is a simulation's."""
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("Accepted is made by EnclavePolicy.accept only")


@dataclass(frozen=True, kw_only=True)
class EnclavePolicy:
    """What one party demands of an enclave.

    An enclave matches by measurement (MRENCLAVE) or by `signer`, a virtual machine by `machines`;
    `tees` lists which of the two kinds are accepted. `max_age` bounds, in seconds, how old the
    vendor's collateral may be, `min_tcb_evaluation` which of its evaluations counts at least.
    `accepted_platform` lists those of `PLATFORM_FLAGS` that a platform may have, `ppids` the
    processors, where not None. `allow_simulation` needs the SHA-256 of the one simulation root it
    accepts, and makes the policy, and all it accepts, non-production. Debug is refused always.
    """

    tees: frozenset[str] = frozenset({"sgx"})
    measurements: frozenset[bytes] = frozenset()
    signer: Signer | None = None
    machines: frozenset[Machine] = frozenset()
    tcb_statuses: frozenset[str] = frozenset()
    accepted_advisories: frozenset[str] = frozenset()
    accepted_platform: frozenset[str] = frozenset()
    min_tcb_evaluation: int | None = 0
    ppids: frozenset[bytes] | None = None
    max_age: int | None = None
    allow_simulation: bool = False
    simulation_root_sha256: bytes | None = None

    def __post_init__(self) -> None:
        faults = [
            (self.allow_simulation and self.simulation_root_sha256 is None)
            and "allow_simulation needs the SHA-256 of the simulation's root",
            (not self.allow_simulation and self.simulation_root_sha256 is not None)
            and "a simulation root is pinned, but allow_simulation is not set",
            _unknown("tees", self.tees, DCAP_TEES),
            _unknown("tcb_statuses", self.tcb_statuses, TCB_STATUSES),
            _unknown("accepted_platform", self.accepted_platform, PLATFORM_FLAGS),
            any(len(each) != 32 for each in self.measurements) and "a measurement has 32 bytes",
        ]
        if any(faults):
            raise ConfigError(f"enclave policy: {'; '.join(fault for fault in faults if fault)}")

    @property
    def production(self) -> bool:
        """False where simulations may be accepted."""
        return not self.allow_simulation

    def accept(self, authentic: Authentic) -> Accepted:
        """The evidence as accepted; AttestationFailed lists every refusal at once."""
        refusals = self.refusals(authentic)
        if refusals:
            raise AttestationFailed(
                "the enclave is refused by policy:\n  - " + "\n  - ".join(refusals),
                hint="ask its operator, or change [enclave] in policy.toml if you mean to allow it",
            )
        return Accepted(authentic, self.production and authentic.production, _SEAL)

    def refusals(self, found: Genuine) -> tuple[str, ...]:
        """Every reason to refuse it, as sentences; none if it is acceptable."""
        return tuple(self._refusals(found))

    def _refusals(self, found: Genuine) -> Iterator[str]:
        if found.evidence.report.debug:
            yield "it is a debug enclave: its host reads its memory"
        yield from self._of_kind(found)
        report = found.evidence.report
        if isinstance(report, EnclaveReport):
            yield from self._of_enclave(report)
        else:
            yield from self._of_machine(report)
        yield from self._of_platform(found)
        yield from self._of_age(found)

    def _of_kind(self, found: Genuine) -> Iterator[str]:
        kind = found.tee.removeprefix("sim-")
        if kind not in self.tees:
            yield f"it is of the kind {kind}, which is not among the accepted ones"
        if found.production:
            return
        if not self.allow_simulation:
            yield "it is a simulation, which keeps nothing from its host"
        elif not hmac.compare_digest(self.simulation_root_sha256 or b"", found.root_sha256):
            yield f"it is a simulation under another root, {found.root_sha256.hex()}"

    def _of_enclave(self, report: EnclaveReport) -> Iterator[str]:
        signer = self.signer
        if report.mr_enclave in self.measurements:
            return
        if signer is None:
            yield f"measurement {report.mr_enclave.hex()} is not among the accepted ones"
        elif (report.mr_signer, report.isv_prod_id) != (signer.mr_signer, signer.isv_prod_id):
            yield (
                f"measurement {report.mr_enclave.hex()}, of signer {report.mr_signer.hex()} and "
                f"product {report.isv_prod_id}, is neither accepted nor of the accepted signer"
            )
        elif report.isv_svn < signer.min_isv_svn:
            yield f"security version {report.isv_svn} is below {signer.min_isv_svn}"

    def _of_machine(self, report: TdReport) -> Iterator[str]:
        """All five registers must be those of one accepted machine; the nearest one is told."""
        found = (report.mr_td, *report.rtmrs)
        names = ("mr_td", "rtmr0", "rtmr1", "rtmr2", "rtmr3")
        differing = [
            [name for name, a, b in zip(names, found, (m.mr_td, *m.rtmrs), strict=True) if a != b]
            for m in self.machines
        ]
        for name in min(differing, key=len, default=names):
            register = found[names.index(name)].hex()
            yield f"{name} {register} is not that of an accepted machine"

    def _of_platform(self, found: Genuine) -> Iterator[str]:
        if found.tcb_status not in self.tcb_statuses:
            yield f"TCB status {found.tcb_status} is not among the accepted ones"
        for advisory in found.advisories:
            if advisory not in self.accepted_advisories:
                yield f"advisory {advisory} applies to its platform and is not accepted"
        for flag in found.platform_flags:
            if flag not in self.accepted_platform:
                yield f"its platform has {flag}, which is not accepted"
        if self.ppids is not None and found.ppid not in self.ppids:
            yield f"its processor, PPID {found.ppid.hex()}, is not among the accepted ones"

    def _of_age(self, found: Genuine) -> Iterator[str]:
        age = found.verified_at - found.collateral_issued
        if self.max_age is None:
            yield "no greatest age of its collateral is set"
        elif age > self.max_age:
            yield f"its collateral is {age} s old, above {self.max_age} s"
        if self.min_tcb_evaluation is None:
            yield "no least TCB evaluation is set"
        elif found.tcb_evaluation < self.min_tcb_evaluation:
            yield (
                f"the vendor's TCB evaluation {found.tcb_evaluation} is older than "
                f"{self.min_tcb_evaluation}, the least that is accepted"
            )


def _unknown(name: str, values: frozenset[str], known: tuple[str, ...]) -> str:
    extra = sorted(values.difference(known))
    return f"{name} has {', '.join(extra)}; known: {', '.join(known)}" if extra else ""
