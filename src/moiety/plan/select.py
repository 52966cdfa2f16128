"""Pass 6. Which way each step takes: the plan of least predicted time on a network.

time = latency · rounds + bytes / bandwidth (the busier direction, and what is dealt) + work.
Rounds are those of the longest chain, so a step off that chain may take more of them for fewer
bytes. That couples the choices: a mixed-integer program, solved by HiGHS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from moiety.errors import InternalError
from moiety.lang.cost import Cost
from moiety.lang.program import Program, Step
from moiety.plan.candidates import Candidate, candidates
from moiety.plan.network import Machine, Network

MICRO = 1e6
LINKS = ((0, 1), (1, 0))


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


def estimate(cost: Cost, work: float, network: Network) -> Estimate:
    """The predicted time of a whole plan."""
    busier = max(cost.link(*link) for link in LINKS)
    return Estimate(
        network.latency * len(cost.rounds),
        busier / network.bandwidth,
        cost.dealt / network.bandwidth,
        work,
    )


def work(candidate: Candidate, step: Step, machine: Machine) -> float:
    """Seconds that kernels take for one step, its dealing included."""
    online = max(candidate.cost.sent(party) for party in (0, 1))
    products = candidate.way.work(*candidate.types, **step.parameters)
    dealt = machine.dealt * candidate.cost.dealt
    return machine.online * online + dealt + machine.product * products


def select(
    program: Program, profile: str, network: Network, machine: Machine
) -> dict[int, Candidate]:
    """The chosen candidate of each step."""
    options = {
        index: _worthy(candidates(program, step, profile), step, machine)
        for index, step in program.steps()
    }
    if all(len(found) == 1 for found in options.values()):
        return {index: found[0] for index, found in options.items()}
    return _Model(program, options, network, machine).solution()


def _worthy(found: Sequence[Candidate], step: Step, machine: Machine) -> list[Candidate]:
    """The candidates that no other, or earlier equal one, beats in every respect."""
    vectors = [
        (
            len(one.cost.rounds),
            *(one.cost.link(*link) for link in LINKS),
            one.cost.dealt,
            work(one, step, machine),
        )
        for one in found
    ]
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


class _Model:
    """Columns: one for each candidate (0 or 1), each value's last round, all rounds, bytes."""

    def __init__(
        self,
        program: Program,
        options: Mapping[int, Sequence[Candidate]],
        network: Network,
        machine: Machine,
    ) -> None:
        self.program, self.options = program, options
        self.network, self.machine = network, machine
        pairs = [(index, one) for index, found in options.items() for one in found]
        self.chosen = {(index, id(one)): at for at, (index, one) in enumerate(pairs)}
        self.pairs, self.ends = pairs, len(pairs)
        self.rounds = self.ends + len(program.nodes)
        self.busiest = self.rounds + 1
        self.rows = _Rows()

    def solution(self) -> dict[int, Candidate]:
        """The candidates of least predicted time."""
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
            options={"time_limit": 20.0, "mip_rel_gap": 1e-6},
        )
        if found.x is None:
            raise InternalError(f"no plan was found: {found.message}")
        return {index: one for at, (index, one) in enumerate(self.pairs) if found.x[at] > 0.5}

    def _objective(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        goal = np.zeros(count)
        for at, (index, one) in enumerate(self.pairs):
            step = self.program.nodes[index]
            if isinstance(step, Step):
                dealing = one.cost.dealt / self.network.bandwidth
                goal[at] = MICRO * (work(one, step, self.machine) + dealing)
        goal[self.rounds] = MICRO * self.network.latency
        goal[self.busiest] = MICRO / self.network.bandwidth
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
                    if (late := place in one.way.late) or one.cost.rounds
                }
                self.rows.add({**ends, **taken}, 0.0)
            self.rows.add({self.ends + index: 1.0, self.rounds: -1.0}, 0.0)

    def _traffic(self) -> None:
        for link in LINKS:
            sent = {at: float(one.cost.link(*link)) for at, (_, one) in enumerate(self.pairs)}
            self.rows.add({**sent, self.busiest: -1.0}, 0.0)
