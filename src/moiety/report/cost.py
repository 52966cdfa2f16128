"""What a job cost, by its steps and parts, as a report shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

FEW = 8
"""Steps of a part that are shown one by one."""


@dataclass(frozen=True)
class Traffic:
    """Rounds, and payload bytes sent and received."""

    rounds: int
    sent: int
    received: int


@dataclass(frozen=True)
class StepCost:
    """What one step of the job cost; `predicted` is None where sizes depend on certificates."""

    name: str
    peer: str
    measured: Traffic
    predicted: Traffic | None
    seconds: float
    part: str = ""
    """The part of the job that it belongs to."""

    @property
    def equal(self) -> bool | None:
        """Whether measured equals predicted exactly; None without a prediction."""
        return None if self.predicted is None else self.predicted == self.measured


@dataclass(frozen=True)
class Part:
    """The steps of one part of a job, and what they cost together."""

    name: str
    whole: StepCost
    steps: tuple[StepCost, ...]

    @property
    def brief(self) -> tuple[StepCost, ...]:
        """What to show at a glance: the steps if they are few, else all as one."""
        return (self.whole,) if self.long else self.steps

    @property
    def long(self) -> bool:
        """Whether the steps are many."""
        return len(self.steps) > FEW


@dataclass(frozen=True)
class Latency:
    """How long a request for this many scores took; `slow` is the 95th percentile."""

    what: str
    applicants: int
    rounds: int
    median: float
    slow: float | None = None


def parts(steps: Sequence[StepCost]) -> tuple[Part, ...]:
    """The steps by the part of the job that they belong to, in order of first use."""
    found: dict[str, list[StepCost]] = {}
    for step in steps:
        found.setdefault(step.part, []).append(step)
    return tuple(Part(name, whole(name, own), tuple(own)) for name, own in found.items())


def whole(name: str, steps: Sequence[StepCost]) -> StepCost:
    """All these steps as one."""
    peers = {step.peer for step in steps}
    predicted = [step.predicted for step in steps if step.predicted is not None]
    return StepCost(
        name,
        peers.pop() if len(peers) == 1 else "",
        _sum([step.measured for step in steps]),
        _sum(predicted) if len(predicted) == len(steps) else None,
        sum(step.seconds for step in steps),
        name,
    )


def _sum(traffic: Sequence[Traffic]) -> Traffic:
    return Traffic(
        sum(each.rounds for each in traffic),
        sum(each.sent for each in traffic),
        sum(each.received for each in traffic),
    )
