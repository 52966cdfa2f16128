"""What one party's report says: only what that party may see, as plain values ready to show.

Parts that a party may not see, or that a job did not have, are None or empty; the page then says
why, or leaves them out. Shares and rates are fractions of one, times are seconds, sizes are bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FEW = 8
HARDLY_WORTH = 0.10
"""A relative rise in KS below this is called hardly worth the effort of joining."""


@dataclass(frozen=True)
class PartyRole:
    """A party of the job and, in a few words, what it does there."""

    name: str
    role: str


@dataclass(frozen=True)
class Header:
    """Which job this is, and whose report."""

    purpose: str
    job_hash: str
    party: str
    label_holder: str
    scores_to: str
    parties: tuple[PartyRole, ...]
    date: datetime
    model: str
    version: str
    simulated: bool
    on_shares: bool = False
    """Whether the parties trained the model on shares, so that nobody saw rows of two parties."""
    own_people: bool = False
    """Whether each party brought people of its own."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Shares of all, of the bad and of the good applicants among the riskiest; from 0 to 1.

    Good against bad is the ROC curve; their widest gap is KS.
    """

    applicants: FloatArray = field(repr=False)
    bad: FloatArray = field(repr=False)
    good: FloatArray = field(repr=False)


@dataclass(frozen=True, eq=False)
class Distribution:
    """How many applicants of each group fall between two edges of predicted probability."""

    edges: FloatArray = field(repr=False)
    groups: tuple[tuple[str, FloatArray], ...] = field(repr=False)


@dataclass(frozen=True)
class Tenth:
    """About a tenth of the applicants, 1 the riskiest; equal predictions are not parted.

    `low` and `high` bound the bad rate at 95 %. `capture` is the share of all the bad applicants
    in this tenth and the riskier ones.
    """

    number: int
    applicants: int
    predicted: float
    bad_rate: float
    low: float
    high: float
    capture: float


@dataclass(frozen=True, eq=False)
class Performance:
    """How one model ranks and predicts the applicants."""

    name: str
    auc: float
    ks: float
    ranking: Ranking
    distribution: Distribution
    tenths: tuple[Tenth, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The label holder alone against the joint model, on the same applicants.

    `auc_interval`: 95 % interval of joint minus alone, paired (DeLong et al. 1988).
    """

    applicants: int
    bad: int
    alone: Performance
    joint: Performance
    auc_interval: tuple[float, float] | None = None

    @property
    def ks_uplift(self) -> float:
        """Relative rise in KS; NaN where the label holder alone has none."""
        return _relative(self.alone.ks, self.joint.ks)

    @property
    def auc_uplift(self) -> float:
        """Relative rise in AUC."""
        return _relative(self.alone.auc, self.joint.auc)


@dataclass(frozen=True)
class Bin:
    """One bin of a column. `woe` is ln(share of the bad / share of the good): above 0 is riskier.

    `bad_rate` and `woe` are None where the party does not hold the outcomes.
    """

    label: str
    rows: int
    bad_rate: float | None = None
    woe: float | None = None


@dataclass(frozen=True)
class ColumnBins:
    """One of the party's own columns as it was binned for training; `iv` needs the outcomes."""

    name: str
    unit: str
    bins: tuple[Bin, ...]
    iv: float | None = None

    @property
    def rows(self) -> int:
        """The rows in all bins."""
        return sum(each.rows for each in self.bins)


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
class Learned:
    """One thing that a party learned in the job, how many values of it, and why it must."""

    party: str
    what: str
    values: int
    why: str


@dataclass(frozen=True)
class Evidence:
    """What the enclave proved about itself, as this party verified it. Digests are hex."""

    tee: str
    measurement: str
    root: str
    tcb_status: str
    advisories: tuple[str, ...]
    verified_at: datetime


@dataclass(frozen=True)
class Check:
    """One demand of the party's own policy, and what it met."""

    rule: str
    required: str
    found: str
    met: bool


@dataclass(frozen=True)
class Trust:
    """Evidence, verdict, and who stands behind the enclave. `weights` is None for trees."""

    host: str
    evidence: Evidence | None
    checks: tuple[Check, ...]
    weights: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether every check was met."""
        return all(check.met for check in self.checks)


@dataclass(frozen=True)
class Oracle:
    """Secure against plaintext predictions, by somebody who holds both tables (the demo)."""

    applicants: int
    largest_difference: float
    auc_difference: float
    bound: float | None = None


@dataclass(frozen=True)
class Latency:
    """How long a request for this many scores took; `slow` is the 95th percentile."""

    what: str
    applicants: int
    rounds: int
    median: float
    slow: float | None = None


@dataclass(frozen=True)
class RecordReference:
    """The signed record that this report can be checked against; `head` as it was then."""

    file: str
    public_key: str
    head: str
    lines: int


@dataclass(frozen=True, eq=False)
class PartyReport:
    """Everything on one party's page. `scores` is for the receiver of scores only."""

    header: Header
    comparison: Comparison | None = None
    scores: Distribution | None = None
    columns: tuple[ColumnBins, ...] = ()
    steps: tuple[StepCost, ...] = ()
    learned: tuple[Learned, ...] = ()
    trust: Trust | None = None
    oracle: Oracle | None = None
    latencies: tuple[Latency, ...] = ()
    record: RecordReference | None = None


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


def _relative(before: float, after: float) -> float:
    return after / before - 1 if before else math.nan
