"""Authentic → Accepted: one party's reference values for an enclave. What is unset is refused."""

import hmac
from collections.abc import Iterator
from dataclasses import InitVar, dataclass

from moiety.enclave.quote import EnclaveReport
from moiety.enclave.verify import PLATFORM_FLAGS, Authentic
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

_SEAL = object()


@dataclass(frozen=True)
class Signer:
    """One author's product from a security version on: trusts that author's later updates."""

    mr_signer: bytes
    isv_prod_id: int
    min_isv_svn: int


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

    An enclave matches by measurement (MRENCLAVE) or by `signer`. `max_age` bounds, in seconds, how
    old the vendor's collateral may be. `accepted_platform` lists those of `PLATFORM_FLAGS` that a
    platform may have. `allow_simulation` needs the SHA-256 of the one simulation root it accepts,
    and makes the policy, and all it accepts, non-production. A debug enclave is refused always.
    """

    measurements: frozenset[bytes] = frozenset()
    signer: Signer | None = None
    tcb_statuses: frozenset[str] = frozenset()
    accepted_advisories: frozenset[str] = frozenset()
    accepted_platform: frozenset[str] = frozenset()
    max_age: int | None = None
    allow_simulation: bool = False
    simulation_root_sha256: bytes | None = None

    def __post_init__(self) -> None:
        faults = [
            (self.allow_simulation and self.simulation_root_sha256 is None)
            and "allow_simulation needs the SHA-256 of the simulation's root",
            (not self.allow_simulation and self.simulation_root_sha256 is not None)
            and "a simulation root is pinned, but allow_simulation is not set",
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
        refusals = list(self._refusals(authentic))
        if refusals:
            raise AttestationFailed(
                "the enclave is refused by policy:\n  - " + "\n  - ".join(refusals),
                hint="ask its operator, or change [enclave] in policy.toml if you mean to allow it",
            )
        return Accepted(authentic, self.production and authentic.production, _SEAL)

    def _refusals(self, authentic: Authentic) -> Iterator[str]:
        if authentic.evidence.report.debug:
            yield "it is a debug enclave: its host reads its memory"
        yield from self._of_kind(authentic)
        yield from self._of_code(authentic)
        yield from self._of_platform(authentic)
        yield from self._of_age(authentic)

    def _of_kind(self, authentic: Authentic) -> Iterator[str]:
        if authentic.production:
            return
        if not self.allow_simulation:
            yield "it is a simulation, which keeps nothing from its host"
        elif not hmac.compare_digest(self.simulation_root_sha256 or b"", authentic.root_sha256):
            yield f"it is a simulation under another root, {authentic.root_sha256.hex()}"

    def _of_code(self, authentic: Authentic) -> Iterator[str]:
        report, signer = authentic.evidence.report, self.signer
        if report.measurement in self.measurements:
            return
        if signer is None or not isinstance(report, EnclaveReport):
            yield f"measurement {report.measurement.hex()} is not among the accepted ones"
        elif (report.mr_signer, report.isv_prod_id) != (signer.mr_signer, signer.isv_prod_id):
            yield (
                f"measurement {report.mr_enclave.hex()}, of signer {report.mr_signer.hex()} and "
                f"product {report.isv_prod_id}, is neither accepted nor of the accepted signer"
            )
        elif report.isv_svn < signer.min_isv_svn:
            yield f"security version {report.isv_svn} is below {signer.min_isv_svn}"

    def _of_platform(self, authentic: Authentic) -> Iterator[str]:
        if authentic.tcb_status not in self.tcb_statuses:
            yield f"TCB status {authentic.tcb_status} is not among the accepted ones"
        for advisory in authentic.advisories:
            if advisory not in self.accepted_advisories:
                yield f"advisory {advisory} applies to its platform and is not accepted"
        for flag in authentic.platform_flags:
            if flag not in self.accepted_platform:
                yield f"its platform has {flag}, which is not accepted"

    def _of_age(self, authentic: Authentic) -> Iterator[str]:
        age = authentic.verified_at - authentic.collateral_issued
        if self.max_age is None:
            yield "no greatest age of its collateral is set"
        elif age > self.max_age:
            yield f"its collateral is {age} s old, above {self.max_age} s"


def _unknown(name: str, values: frozenset[str], known: tuple[str, ...]) -> str:
    extra = sorted(values.difference(known))
    return f"{name} has {', '.join(extra)}; known: {', '.join(known)}" if extra else ""
