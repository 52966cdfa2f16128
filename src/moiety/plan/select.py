"""Pass 7. Which way each step takes: the plan of least predicted time on a network.

time = rounds · (latency and overhead) + bytes / bandwidth (the busier direction, and what is dealt)
+ work. Rounds are those of the longest chain, so a step off that chain may take more of them for
fewer bytes. That couples the choices: a mixed-integer program, solved by HiGHS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from moiety.errors import InternalError
from moiety.lang.cost import Cost, Work
from moiety.lang.program import Program, Step
from moiety.plan.candidates import Candidate, candidates
from moiety.plan.network import Setting

MICRO = 1e6
LINKS = ((0, 1), (1, 0))
NODES = 2000
"""Where the search ends: by nodes, not by time, so that both parties find the same plan."""
T = TypeVar("T")


@dataclass(frozen=True)
class Estimate:
    """What predicted time is made of, in seconds."""

    rounds: float
    bytes: float
    dealing: float
    work: float

    @property
    def seconds(self) -> float:
        """All together."""
        return self.rounds + self.bytes + self.dealing + self.work


@dataclass(frozen=True)
class Priced(Generic[T]):
    """One choice for a step: its price, and the seconds of its kernels, dealing included.

    `late` names the operands that it does not touch before its first round is over.
    """

    choice: T
    cost: Cost
    work: float
    late: tuple[int, ...] = ()

    @property
    def vector(self) -> tuple[float, ...]:
        """All that may speak for it or against it."""
        links = (self.cost.link(*link) for link in LINKS)
        return len(self.cost.rounds), *links, self.cost.dealt, self.work


def estimate(cost: Cost, work: float, setting: Setting) -> Estimate:
    """The predicted time of a whole plan: dealing, which is one message, then its rounds."""
    network, busier = setting.network, max(cost.link(*link) for link in LINKS)
    return Estimate(
        (network.latency + setting.machine.round) * len(cost.rounds),
        busier / network.bandwidth,
        (network.latency if cost.dealt else 0.0) + cost.dealt / network.bandwidth,
        work,
    )


def work(candidate: Candidate, step: Step) -> Work:
    """What one step takes beside the network and its rounds, its dealing included."""
    online = max(candidate.cost.sent(party) for party in (0, 1))
    kernels = candidate.way.effort(candidate.types, step.parameters)
    return kernels + Work(online=online, dealt=candidate.cost.dealt, step=1)


def select(program: Program, setting: Setting) -> dict[int, Candidate]:
    """The chosen candidate of each step."""
    options = {index: priced(program, step, setting) for index, step in program.steps()}
    return {index: one.choice for index, one in fastest(program, options, setting).items()}


def priced(program: Program, step: Step, setting: Setting) -> list[Priced[Candidate]]:
    """The candidates of a step that no other beats in every respect."""
    found = candidates(program, step, setting.profile, setting.forces)
    seconds = setting.machine.seconds
    return worthy([Priced(one, one.cost, seconds(work(one, step)), one.way.late) for one in found])


def worthy(found: Sequence[Priced[T]]) -> list[Priced[T]]:
    """The choices that no other, or earlier equal one, beats in every respect."""
    vectors = [one.vector for one in found]
    return [
        one
        for at, one in enumerate(found)
        if not any(
            all(theirs <= mine for theirs, mine in zip(vectors[other], vectors[at], strict=True))
            and (other < at or vectors[other] != vectors[at])
            for other in range(len(found))
            if other != at
        )
    ]


def fastest(
    program: Program, options: Mapping[int, Sequence[Priced[T]]], setting: Setting
) -> dict[int, Priced[T]]:
    """For each step the choice with which the whole program takes the least predicted time."""
    if all(len(found) == 1 for found in options.values()):
        return {index: found[0] for index, found in options.items()}
    return _Model(program, options, setting).solution()


@dataclass
class _Rows:
    """Constraints Σ a·x ≤ b, as they are collected."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)

    def add(self, terms: Mapping[int, float], limit: float) -> None:
        """Σ factor · column ≤ limit."""
        for column, factor in terms.items():
            self.rows.append(len(self.limits))
            self.columns.append(column)
            self.factors.append(factor)
        self.limits.append(limit)


class _Model(Generic[T]):
    """Columns: one for each choice (0 or 1), each value's last round, all rounds, bytes."""

    def __init__(
        self, program: Program, options: Mapping[int, Sequence[Priced[T]]], setting: Setting
    ) -> None:
        self.program, self.options, self.setting = program, options, setting
        pairs = [(index, one) for index, found in options.items() for one in found]
        self.chosen = {(index, id(one)): at for at, (index, one) in enumerate(pairs)}
        self.pairs, self.ends = pairs, len(pairs)
        self.rounds = self.ends + len(program.nodes)
        self.busiest = self.rounds + 1
        self.rows = _Rows()

    def solution(self) -> dict[int, Priced[T]]:
        """The choices of least predicted time."""
        self._one_each()
        self._order()
        self._traffic()
        count = self.busiest + 1
        shape = (len(self.rows.limits), count)
        matrix = coo_array((self.rows.factors, (self.rows.rows, self.rows.columns)), shape=shape)
        integral = np.zeros(count)
        integral[: self.ends] = 1
        upper = np.full(count, np.inf)
        upper[: self.ends] = 1.0
        found = milp(
            self._objective(count),
            integrality=integral,
            bounds=Bounds(np.zeros(count), upper),
            constraints=LinearConstraint(matrix.tocsr(), -np.inf, np.array(self.rows.limits)),
            options={"node_limit": NODES, "mip_rel_gap": 1e-6},
        )
        if found.x is None:
            raise InternalError(f"no plan was found: {found.message}")
        return {index: one for at, (index, one) in enumerate(self.pairs) if found.x[at] > 0.5}

    def _objective(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        goal, network = np.zeros(count), self.setting.network
        for at, (_, one) in enumerate(self.pairs):
            goal[at] = MICRO * (one.work + one.cost.dealt / network.bandwidth)
        goal[self.rounds] = MICRO * (network.latency + self.setting.machine.round)
        goal[self.busiest] = MICRO / network.bandwidth
        return goal

    def _one_each(self) -> None:
        for index, found in self.options.items():
            columns = [self.chosen[index, id(one)] for one in found]
            self.rows.add(dict.fromkeys(columns, 1.0), 1.0)
            self.rows.add(dict.fromkeys(columns, -1.0), -1.0)

    def _order(self) -> None:
        """A value's last round is not before its operands' and its own step's rounds after."""
        for index, step in self.program.steps():
            for place, operand in enumerate(step.operands):
                ends = {self.ends + operand: 1.0, self.ends + index: -1.0}
                taken = {
                    self.chosen[index, id(one)]: float(len(one.cost.rounds) - late)
                    for one in self.options[index]
                    if (late := place in one.late) or one.cost.rounds
                }
                self.rows.add({**ends, **taken}, 0.0)
            self.rows.add({self.ends + index: 1.0, self.rounds: -1.0}, 0.0)

    def _traffic(self) -> None:
        for link in LINKS:
            sent = {at: float(one.cost.link(*link)) for at, (_, one) in enumerate(self.pairs)}
            self.rows.add({**sent, self.busiest: -1.0}, 0.0)
