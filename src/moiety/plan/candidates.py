"""For each step, every way that could run it, and what it costs.

A way may take plaintext operands as they are held, or shared; sharing them sends nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from moiety.errors import UsageError
from moiety.lang.cost import Cost
from moiety.lang.primitive import Way
from moiety.lang.program import Program, Step
from moiety.lang.types import SHARED, Type
from moiety.plan.plan import Plan, Planned

ROUND = 125_000
"""Bytes that a link of 10 Gbit/s and 0.1 ms, or of 50 Mbit/s and 20 ms, carries in a round."""


@dataclass(frozen=True)
class Candidate:
    """One way of one step, the operand types that it takes, and its exact price."""

    way: Way
    types: tuple[Type, ...]
    cost: Cost

    @property
    def expense(self) -> tuple[int, int]:
        """Bytes, dealt ones too, and ROUND for each round: compared where no network is known."""
        sent = sum(sum(messages.values()) for messages in self.cost.rounds)
        moved = sent + self.cost.dealt + self.cost.common
        return moved + ROUND * len(self.cost.rounds), sent


def candidates(
    program: Program, step: Step, profile: str, force: Callable[[str], bool] = lambda name: False
) -> list[Candidate]:
    """The candidates of one step; the first of equals is the one to prefer.

    Where ways are forced by name and one of them is possible, no other is.

    Raises:
        UsageError: there is none under this profile.
    """
    held = program.types(step)
    found = [
        Candidate(way, types, way.price(types, step.parameters))
        for types in _sharings(held)
        for way in step.primitive.ways_for(profile, types)
        if _gives(step, types)
    ]
    if not found:
        shown = ", ".join(map(str, held))
        raise UsageError(
            f"{step.line}: {step.primitive.name} has no way under {profile} for {shown}"
        )
    return [one for one in found if force(one.way.name)] or found


def _gives(step: Step, types: tuple[Type, ...]) -> bool:
    """True where the step has the same type for operands of these types."""
    try:
        return step.primitive.rule(*types, **step.parameters) == step.type
    except UsageError:
        return False


def _sharings(types: Sequence[Type]) -> Iterator[tuple[Type, ...]]:
    """The operands as they are held, all but one shared, all shared; each only once."""
    shared = [replace(type, owner=SHARED) for type in types]
    options = [tuple(types)]
    for kept, type in enumerate(types):
        options.append((*shared[:kept], type, *shared[kept + 1 :]))
    options.append(tuple(shared))
    return iter(dict.fromkeys(options))


def planned(step: Step, choice: Candidate) -> Planned:
    """The step in the way of a candidate."""
    return Planned(
        step.primitive,
        step.operands,
        step.parameters,
        step.type,
        choice.way,
        choice.types,
        line=step.line,
    )


def assemble(program: Program, profile: str, chosen: dict[int, Candidate]) -> Plan:
    """The plan in which each step runs in the way of its chosen candidate."""
    nodes = [
        planned(node, chosen[index]) if isinstance(node, Step) else node
        for index, node in enumerate(program.nodes)
    ]
    return Plan(profile, program, tuple(nodes))


def cheapest(program: Program, profile: str) -> Plan:
    """The plan with fewest bytes in each step, then fewest rounds: the same on every machine."""
    chosen = {
        index: min(candidates(program, step, profile), key=lambda found: found.expense)
        for index, step in program.steps()
    }
    return assemble(program, profile, chosen)
