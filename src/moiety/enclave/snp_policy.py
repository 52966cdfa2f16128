"""SnpGenuine → acceptable: one party's demands on a virtual machine on AMD's processors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from moiety.enclave.snp import CHIP_ID_SIZE, MEASUREMENT_SIZE, PLATFORM_BITS, TCB_LAYOUTS
from moiety.enclave.snp_verify import SnpGenuine
from moiety.errors import ConfigError

PARTS = tuple(dict.fromkeys(part for layout in TCB_LAYOUTS.values() for part in layout))
"""Parts of a processor that have a security version of their own."""


@dataclass(frozen=True, kw_only=True)
class SnpPolicy:
    """What one party demands of a machine; what is unset is refused.

    `min_tcb` is the least security version of each part, `chip_ids` are the accepted processors,
    where not None. `accepted_platform` lists what a platform may have of `smt_enabled`;
    `demanded_platform` what it must have of `PLATFORM_BITS`. Refused always: debug, migration, and
    a report that was asked for below privilege level 0.
    """

    measurements: frozenset[bytes] = frozenset()
    min_tcb: Mapping[str, int] = field(default_factory=dict)
    chip_ids: frozenset[bytes] | None = None
    allow_vlek: bool = False
    accepted_platform: frozenset[str] = frozenset()
    demanded_platform: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        faults = [
            (any(len(each) != MEASUREMENT_SIZE for each in self.measurements))
            and f"a measurement has {MEASUREMENT_SIZE} bytes",
            (any(len(each) != CHIP_ID_SIZE for each in self.chip_ids or ()))
            and f"a chip id has {CHIP_ID_SIZE} bytes",
            bool(set(self.min_tcb) - set(PARTS)) and f"min_tcb knows {', '.join(PARTS)}",
            bool(self.accepted_platform - {"smt_enabled"})
            and "accepted_platform knows smt_enabled",
            bool(self.demanded_platform - set(PLATFORM_BITS))
            and f"demanded_platform knows {', '.join(PLATFORM_BITS)}",
        ]
        if any(faults):
            raise ConfigError(f"snp policy: {'; '.join(fault for fault in faults if fault)}")

    def refusals(self, found: SnpGenuine) -> tuple[str, ...]:
        """Every reason to refuse it, as sentences; none if it is acceptable."""
        return (*self._of_machine(found), *self._of_platform(found), *self._of_tcb(found))

    def _of_machine(self, found: SnpGenuine) -> Iterator[str]:
        report = found.report
        if report.debug:
            yield "it is a debug machine: its host reads its memory"
        if report.migratable:
            yield "it may be migrated: an agent of the host can take its memory elsewhere"
        if report.vmpl != 0:
            yield f"it was asked for at privilege level {report.vmpl}, not 0"
        if report.measurement not in self.measurements:
            yield f"measurement {report.measurement.hex()} is not among the accepted ones"

    def _of_platform(self, found: SnpGenuine) -> Iterator[str]:
        report = found.report
        if report.signing_key == "vlek" and not self.allow_vlek:
            yield "it is signed by a key that its cloud's operator was given (VLEK)"
        if self.chip_ids is not None and report.chip_id not in self.chip_ids:
            yield f"its chip {report.chip_id.hex()} is not among the accepted ones"
        if "smt_enabled" in report.platform and "smt_enabled" not in self.accepted_platform:
            yield "its platform has smt_enabled, which is not accepted"
        for missing in sorted(self.demanded_platform - report.platform):
            yield f"its platform lacks {missing}, which is demanded"

    def _of_tcb(self, found: SnpGenuine) -> Iterator[str]:
        for part, version in found.report.tcb(found.product).items():
            least = self.min_tcb.get(part)
            if least is None:
                yield f"no least security version of {part} is set"
            elif version < least:
                yield f"security version {version} of {part} is below {least}"
