"""A plan: a program with the way that each step runs; its levels, price, bill, text and hash."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from moiety.errors import InternalError
from moiety.lang.cost import Cost
from moiety.lang.primitive import Array, Way
from moiety.lang.program import Constant, Input, Program, Step
from moiety.lang.types import SHARED, Private, Type
from moiety.plan import bill, schedule
from moiety.plan.approximated import Approximated
from moiety.plan.bill import Bill
from moiety.plan.network import MACHINE, NETWORKS, Machine, Network
from moiety.plan.schedule import Level, Task

FORMAT = "moiety plan 1"


@dataclass(frozen=True, eq=False)
class Planned(Step):
    """A step with its way; `types` are the operands' types as the way takes them.

    Where such a type is shared and the operand is not, its holder's share is the value: no message.
    """

    way: Way
    types: tuple[Type, ...]

    def __str__(self) -> str:
        return f"{self.call()}: {self.type} by {self.way.name}"


Node = Input | Constant | Planned


@dataclass(frozen=True)
class Passed:
    """A pass that ran: how many values the program had before and after, and seconds."""

    name: str
    before: int
    after: int
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """How parties run a program under one trust profile; verified when made.

    `network`, `machine` and `passed` say what it was made for, and how; they are not in its hash.
    """

    profile: str
    program: Program
    nodes: tuple[Node, ...]
    network: Network = NETWORKS["lan"]
    machine: Machine = MACHINE
    passed: tuple[Passed, ...] = ()
    approximated: tuple[Approximated, ...] = ()

    def __post_init__(self) -> None:
        if len(self.nodes) != len(self.program.nodes):
            raise InternalError("a plan has another number of values than its program")
        for index, step in self.program.steps():
            planned = self.nodes[index]
            if not isinstance(planned, Planned) or planned.call() != step.call():
                raise InternalError(f"%{index} of a plan is not the step of its program")
            self._verify(index, planned)

    def _verify(self, index: int, step: Planned) -> None:
        held = self.program.types(step)
        if not all(
            as_taken in (as_held, shared(as_held))
            for as_taken, as_held in zip(step.types, held, strict=True)
        ):
            raise InternalError(f"%{index}: {step.way.name} takes other operands than there are")
        if step.primitive.rule(*step.types, **step.parameters) != step.type:
            raise InternalError(f"%{index} does not have the type that its rule gives")
        if step.way.profile != self.profile or not step.way.accepts(*step.types):
            raise InternalError(f"%{index}: {step.way.name} is not a way for these operands")
        if not step.way.local and not self.price(step).rounds:
            raise InternalError(f"%{index}: {step.way.name} is priced as if it sent nothing")

    @property
    def outputs(self) -> Mapping[str, int]:
        """The indices of the outputs by name."""
        return self.program.outputs

    @property
    def inputs(self) -> Mapping[str, Type]:
        """The inputs by name."""
        return self.program.inputs

    def clear(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The meaning of the program on plaintext words and bits."""
        return self.program.clear(inputs)

    @property
    def receivers(self) -> set[int]:
        """The parties to whom a step reveals a value that was shared."""
        owners = [step.type.owner for _, step in self.steps() if step.way.reveals]
        return {owner.party for owner in owners if isinstance(owner, Private)}

    def steps(self) -> Iterator[tuple[int, Planned]]:
        """Each step with the index of its value."""
        return ((i, node) for i, node in enumerate(self.nodes) if isinstance(node, Planned))

    def price(self, step: Planned) -> Cost:
        """What one step costs."""
        return step.way.price(step.types, step.parameters)

    @cached_property
    def bill(self) -> Bill:
        """The correlations that each step consumes."""
        steps = dict(self.steps())
        wanted = {i: one.way.bill(*one.types, **one.parameters) for i, one in steps.items()}
        return bill.bill(self.hash, wanted, {i: self._table(one) for i, one in steps.items()})

    def _table(self, step: Planned) -> int | str:
        """Where a step's first operand comes from: a step, or an input by its name."""
        node = self.nodes[step.operands[0]]
        return node.name if isinstance(node, Input) else step.operands[0]

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The schedule; level 0 sends nothing."""
        return schedule.levels(self.tasks)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What the schedule is made from."""
        return tuple(self._task(node) for node in self.nodes)

    def _task(self, node: Node) -> Task:
        if not isinstance(node, Planned):
            return Task((), False, Cost(), step=False)
        late = frozenset(node.operands[place] for place in node.way.late)
        at_once = {i for at, i in enumerate(node.operands) if at not in node.way.late}
        return Task(node.operands, not node.way.local, self.price(node), late=late - at_once)

    @cached_property
    def cost(self) -> Cost:
        """Rounds, bytes on each link, dealt bytes; exact."""
        return sum((level.cost for level in self.levels), Cost())

    @cached_property
    def text(self) -> str:
        """One line per value; two plans with the same text compute and send the same."""
        lines = [f"%{index} = {node}" for index, node in enumerate(self.nodes)]
        returned = [f"return {name} = %{index}" for name, index in self.outputs.items()]
        return "\n".join([f"{FORMAT}, profile {self.profile}", *lines, *returned])

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).digest()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Plan({len(self.nodes)} values, {self.cost}, {self.hash.hex()[:16]})"


def shared(type: Type) -> Type:
    """The same type, shared."""
    return Type(type.shape, type.kind, SHARED, type.lo, type.hi, type.error, type.ring)
