"""What one party's report says: only what that party may see, as plain values ready to show.

Parts that a party may not see, or that a job did not have, are None or empty; the page then says
why, or leaves them out. Shares and rates are fractions of one, times are seconds, sizes are bytes.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from moiety.report.cost import Latency, StepCost

FloatArray = npt.NDArray[np.float64]

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
    way: str = "enclave-mpc"
    """`enclave-mpc`, `enclave`, `mpc` or `transform`: see the job's `way`."""
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
class ColumnNumbers:
    """One of the party's own columns that was turned into numbers, over the rows trained on.

    `mean` and `deviation` are of the values that are there; `cut` counts those beyond ±clip.
    """

    name: str
    unit: str
    rows: int
    missing: int
    mean: float
    deviation: float
    cut: int


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
    """Evidence, verdict, and who stands behind the enclave; `weights` is of a linear model only."""

    host: str
    evidence: Evidence | None
    checks: tuple[Check, ...]
    weights: int | None = None
    leakage: str = "fast"
    """The profile of an enclave that trained."""

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
    numbers: tuple[ColumnNumbers, ...] = ()
    steps: tuple[StepCost, ...] = ()
    learned: tuple[Learned, ...] = ()
    trust: Trust | None = None
    oracle: Oracle | None = None
    latencies: tuple[Latency, ...] = ()
    record: RecordReference | None = None


def _relative(before: float, after: float) -> float:
    return after / before - 1 if before else math.nan
