"""What a plan does and why: per step its way, the ways it rejected, widths, bytes, rounds, errors.

With what a run measured, each level also shows measured bytes: they must equal the predicted ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from moiety.errors import InternalError
from moiety.lang.cost import Cost, Work
from moiety.lang.types import BIT, SHARED, WORD_BITS, Type
from moiety.plan import accuracy
from moiety.plan.approximated import Approximated, Refused, Rival
from moiety.plan.candidates import Candidate, candidates
from moiety.plan.network import Setting
from moiety.plan.plan import Passed, Plan, Planned
from moiety.plan.schedule import finishes
from moiety.plan.select import Estimate, estimate, work


@dataclass(frozen=True)
class Option:
    """A way or an expansion, and what it alone would cost; seconds on the plan's network."""

    way: str
    rounds: int
    sent: int
    received: int
    dealt: int
    seconds: float
    error: float | None = None
    """What an expansion states."""


@dataclass(frozen=True)
class Line:
    """One step: party 0's bytes, the rounds after which it begins and ends, bounds and errors."""

    index: int
    call: str
    type: str
    source: str
    option: Option
    rejected: tuple[Option, ...]
    begins: int
    ends: int
    width: str
    error: float | None
    """|value - real value| at most; None: not stated."""
    ulps: float | None


@dataclass(frozen=True)
class Replaced:
    """An approximated step: its budget, the expansion that it got, and those that it did not."""

    source: str
    asked: str
    budget: float
    option: Option
    rejected: tuple[Option, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True)
class Took:
    """What a level took in a run; bytes as party 0 sent and received them."""

    rounds: int
    sent: int
    received: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Part:
    """One level: the steps under way, its rounds, bytes each way, and what was measured."""

    steps: tuple[int, ...]
    rounds: int
    sent: int
    received: int
    measured: Took | None = None


@dataclass(frozen=True)
class Explanation:
    """A plan's explanation; `str` is a page of text, `json` plain data, a notebook shows HTML."""

    title: str
    network: str
    hash: str
    lines: tuple[Line, ...]
    parts: tuple[Part, ...]
    passes: tuple[Passed, ...]
    replaced: tuple[Replaced, ...]
    outputs: Mapping[str, int]
    seconds: Mapping[str, float]
    dealt: int
    measured_seconds: float | None = None

    @property
    def rounds(self) -> int:
        """All rounds."""
        return sum(part.rounds for part in self.parts)

    @property
    def json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """What a run took: each level, dealt bytes, and seconds with dealing."""

    levels: Sequence[Took]
    dealt: int
    seconds: float


def explain(plan: Plan, title: str = "plan", measured: Measured | None = None) -> Explanation:
    """The explanation of a plan, with what a run of it measured.

    Raises:
        InternalError: rounds or bytes measured are not those predicted.
    """
    errors = accuracy.bounds(plan.program)
    ends = finishes(plan.tasks)
    estimated = predicted(plan)
    explanation = Explanation(
        title=title,
        network=str(plan.network),
        hash=plan.hash.hex(),
        lines=tuple(_line(plan, i, step, errors[i], ends[i]) for i, step in plan.steps()),
        parts=tuple(_part(level.interactive, level.cost) for level in plan.levels),
        passes=plan.passed,
        replaced=tuple(map(_replaced, plan.approximated)),
        outputs=dict(plan.outputs),
        seconds={**asdict(estimated), "total": estimated.seconds},
        dealt=plan.cost.dealt,
    )
    return _with(explanation, measured) if measured else explanation


def predicted(plan: Plan) -> Estimate:
    """The time that a plan is predicted to take, on its network and machine."""
    return estimate(plan.cost, plan.machine.seconds(effort(plan)), _setting(plan))


def effort(plan: Plan) -> Work:
    """What a plan takes beside the network and its rounds."""
    return sum((work(_candidate(plan, step), step) for _, step in plan.steps()), Work())


def _setting(plan: Plan) -> Setting:
    return Setting(plan.profile, plan.network, plan.machine)


def _candidate(plan: Plan, step: Planned) -> Candidate:
    return Candidate(step.way, step.types, plan.price(step))


def _line(plan: Plan, index: int, step: Planned, error: float, end: int) -> Line:
    chosen = _candidate(plan, step)
    others = [
        one
        for one in candidates(plan.program, step, plan.profile)
        if (one.way.name, one.types) != (step.way.name, step.types)
    ]
    stated = error if math.isfinite(error) else None
    return Line(
        index=index,
        call=step.call(),
        type=str(replace(step.type, error=0)),
        source=step.line,
        option=_option(plan, step, chosen),
        rejected=tuple(_option(plan, step, one) for one in _different(others, chosen)),
        begins=end - len(chosen.cost.rounds),
        ends=end,
        width=width_proof(step.type),
        error=stated,
        ulps=None if stated is None else stated / accuracy.unit(step.type),
    )


def _different(others: Sequence[Candidate], chosen: Candidate) -> list[Candidate]:
    """One candidate for each way that has another price or name; local steps have no rivals."""
    if not chosen.cost.rounds:
        return []
    named = {(one.way.name, str(one.cost)): one for one in others}
    return list(named.values())


def _option(plan: Plan, step: Planned, one: Candidate) -> Option:
    kernels = plan.machine.seconds(work(one, step))
    seconds = estimate(one.cost, kernels, _setting(plan)).seconds
    cost = one.cost
    shared = [a.owner != b.owner for a, b in zip(one.types, plan.program.types(step), strict=True)]
    places = ", ".join(str(at + 1) for at, changed in enumerate(shared) if changed)
    name = f"{one.way.name} (sharing operand {places})" if places else one.way.name
    return Option(name, len(cost.rounds), cost.link(0, 1), cost.link(1, 0), cost.dealt, seconds)


def _replaced(record: Approximated) -> Replaced:
    chosen, *others = map(_expansion, (record.chosen, *record.rejected))
    return Replaced(record.line, record.asked, record.budget, chosen, tuple(others), record.refused)


def _expansion(rival: Rival) -> Option:
    cost, sent, received = rival.cost, rival.cost.link(0, 1), rival.cost.link(1, 0)
    rounds, error = len(cost.rounds), rival.error
    return Option(rival.name, rounds, sent, received, cost.dealt, rival.seconds, error)


def width_proof(type: Type) -> str:
    """Why no value overflows: bounds in real units, the bits they need, the bits there are."""
    if type.kind == BIT:
        return "1 bit"
    scale = accuracy.unit(type)
    there = type.ring if type.owner == SHARED else WORD_BITS
    return f"[{type.lo * scale:g}, {type.hi * scale:g}] needs {type.width} of {there} bits"


def _part(steps: tuple[int, ...], cost: Cost) -> Part:
    return Part(steps, len(cost.rounds), cost.link(0, 1), cost.link(1, 0))


def _with(explanation: Explanation, measured: Measured) -> Explanation:
    """The explanation with what each level took, which must be what was predicted."""
    if len(measured.levels) != len(explanation.parts) or measured.dealt != explanation.dealt:
        raise InternalError(
            f"predicted {len(explanation.parts)} levels and {explanation.dealt} dealt bytes, "
            f"measured {len(measured.levels)} and {measured.dealt}"
        )
    pairs = zip(explanation.parts, measured.levels, strict=True)
    parts = tuple(_checked(part, took) for part, took in pairs)
    return replace(explanation, parts=parts, measured_seconds=measured.seconds)


def _checked(part: Part, took: Took) -> Part:
    if (took.rounds, took.sent, took.received) != (part.rounds, part.sent, part.received):
        raise InternalError(f"predicted {part}, measured {took}")
    return replace(part, measured=took)
