"""What a comparison found: a row for each way."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from moiety.audit import Finding
from moiety.cli.compare.task import Task
from moiety.plan.network import Network


@dataclass(frozen=True)
class Row:
    """One way: what it reached, cost, needed and leaked."""

    way: str
    auc: float
    ks: float
    seconds: float
    """Of the whole run: processes, alignment, training, scoring, reports."""
    processor: float
    """Seconds of processor time, of all processes."""
    traffic: Mapping[str, int] = field(default_factory=dict)
    """Payload bytes by link, `lender → payco`."""
    rounds: int = 0
    """Between the two parties."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """The most bytes that each process held."""
    trust: str = ""
    hardware: str = "none"
    epsilon: float | None = None
    delta: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def bytes(self) -> int:
        """On all links."""
        return sum(self.traffic.values())

    @property
    def peak(self) -> int:
        """Of the process that held most."""
        return max(self.memory.values(), default=0)

    def on(self, network: Network) -> float:
        """Seconds on a network, computing as measured.

        An estimate: rounds wait for each other, all bytes share the line, nothing overlaps.
        """
        return self.seconds + self.rounds * network.latency + self.bytes / network.bandwidth

    def found(self, attack: str) -> Finding | None:
        """What an attack of that name found, if it was made."""
        return next((one for one in self.findings if one.attack == attack), None)

    def to_dict(self, pooled: float) -> dict[str, Any]:
        """All cells, ready for JSON; `pooled` is the AUC that differences are from."""
        plain = {key: _finite(value) for key, value in asdict(self).items()}
        findings = [one.to_dict() for one in self.findings]
        difference = self.auc - pooled
        return {**plain, "difference": difference, "bytes": self.bytes, "findings": findings}


@dataclass(frozen=True)
class Comparison:
    """All rows, and what they are about."""

    purpose: str
    model: str
    people: int
    """Common clients trained on."""
    applicants: int
    """Common applicants with known outcomes, who are judged."""
    seconds: float
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, task: Task, rows: tuple[Row, ...], people: tuple[int, int], took: float) -> Self:
        """The rows about a task, of so many clients and applicants, which took so many seconds."""
        return cls(task.job.purpose, task.job.model.kind, *people, took, rows)

    @property
    def pooled(self) -> Row:
        """The reference: all columns in one place, in the clear."""
        return next(row for row in self.rows if row.way == POOLED)

    @property
    def attacks(self) -> list[str]:
        """The names of all attacks, in the order in which they first occur."""
        return list(dict.fromkeys(one.attack for row in self.rows for one in row.findings))

    def to_dict(self) -> dict[str, Any]:
        """The whole comparison, ready for JSON."""
        about = {"purpose": self.purpose, "model": self.model, "people": self.people}
        rows = [row.to_dict(self.pooled.auc) for row in self.rows]
        return {**about, "applicants": self.applicants, "seconds": self.seconds, "rows": rows}


LOCAL, POOLED = "local only", "pooled plaintext"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
