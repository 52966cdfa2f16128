"""One party's runs of a plan: generators, so that a twin or a session can drive them.

A `Script` is a plan made ready for one party once, since a training loop runs it many times.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import Array, Operand, Way
from moiety.lang.program import Constant, Input, checked
from moiety.lang.types import BIT, SHARED, WORD_BITS, Masked, Private, Type
from moiety.ops.convert import share
from moiety.plan.plan import Plan, Planned
from moiety.protocols.base import Context, Protocol, Received, Tick, joint, parts
from moiety.protocols.correlations import Supply
from moiety.run.dealing import Spending

NOTHING = Supply(())


@dataclass(frozen=True, slots=True)
class Call:
    """A step made ready: what it takes, and how each operand is turned into what its way takes."""

    index: int
    way: Way
    parameters: Mapping[str, Any]
    operands: tuple[tuple[int, Type, Type], ...]
    """For each operand its value's index, and its type as it is held and as it is taken."""
    late: tuple[int, ...]
    """Places of operands whose values may not be there yet."""
    type: Type


@dataclass(frozen=True, slots=True)
class Stretch:
    """A level: which interactive steps begin, which are under way, what is computed after it."""

    begins: tuple[Call, ...]
    active: tuple[int, ...]
    rounds: int
    local: tuple[Call, ...]


class Script:
    """A plan made ready to be run by one party, any number of times."""

    def __init__(self, plan: Plan, party: int) -> None:
        self.plan, self.party = plan, party
        self.context = Context(party, NOTHING)
        self.constants: list[Operand | None] = [
            Operand(node.type, node.data) if isinstance(node, Constant) else None
            for node in plan.nodes
        ]
        self.inputs = [(i, node) for i, node in enumerate(plan.nodes) if isinstance(node, Input)]
        self.stretches = list(self._stretches())

    def _stretches(self) -> Iterable[Stretch]:
        begun: set[int] = set()
        for level in self.plan.levels:
            fresh = [index for index in level.interactive if index not in begun]
            begun.update(fresh)
            yield Stretch(
                tuple(map(self._call, fresh)),
                level.interactive,
                len(level.cost.rounds),
                tuple(map(self._call, level.local)),
            )

    def _call(self, index: int) -> Call:
        step = self.plan.nodes[index]
        if not isinstance(step, Planned):
            raise InternalError(f"%{index} is not a step")
        held = self.plan.program.types(step)
        operands = tuple(zip(step.operands, held, step.types, strict=True))
        return Call(index, step.way, step.parameters, operands, step.way.late, step.type)

    def bind(self, inputs: Mapping[str, Array]) -> list[Operand | None]:
        """The values before the first step.

        Raises:
            UsageError, DataError: an input is missing, of another shape, or out of its bounds.
        """
        values = list(self.constants)
        for index, node in self.inputs:
            values[index] = Operand(node.type, self._input(node, inputs))
        return values

    def _input(self, node: Input, inputs: Mapping[str, Array]) -> Array | None:
        owner = node.type.owner
        if isinstance(owner, Private) and owner.party != self.party:
            return None
        if node.name not in inputs:
            raise UsageError(f"party {self.party} did not bring the input {node.name}")
        # shares are any words; so is what a party was sent of a table, which was checked whole
        free = owner == SHARED or isinstance(owner, Masked)
        type = _any_words(node.type) if free else node.type
        return checked(node.name, type, inputs[node.name])

    def run(self, inputs: Mapping[str, Array], spending: Spending) -> Protocol[dict[str, Array]]:
        """One run: the outputs that this party holds."""
        return (yield from Execution(self, self.bind(inputs), spending).run())


class Execution:
    """The values that one party holds while it runs a plan, level by level."""

    def __init__(self, script: Script, values: list[Operand | None], spending: Spending) -> None:
        self.script, self.values = script, values
        self._spending = spending
        self._running: dict[int, _Running] = {}

    def run(self) -> Protocol[dict[str, Array]]:
        """All levels: the outputs that this party holds."""
        for at in range(len(self.script.stretches)):
            yield from self.level(at)
        return self.outputs()

    def level(self, at: int) -> Protocol[None]:
        """One level: in each round what all steps under way send is one message per peer."""
        stretch = self.script.stretches[at]
        with np.errstate(over="ignore"):
            for call in stretch.begins:
                self._begin(call)
        for _ in range(stretch.rounds):
            ticks = [self._under_way(index).tick for index in stretch.active]
            received = yield joint(ticks)
            with np.errstate(over="ignore"):
                for index, part in zip(stretch.active, parts(ticks, received), strict=True):
                    self._advance(self._running[index], part)
        with np.errstate(over="ignore"):
            for call in stretch.local:
                operands = [self._taken(*each) for each in call.operands]
                data = call.way.body(self.script.context, *operands, **call.parameters)
                self._keep(call, data)

    def outputs(self) -> dict[str, Array]:
        """By name, the outputs that this party holds: revealed to it, or its shares."""
        held = {name: self._value(i).data for name, i in self.script.plan.outputs.items()}
        return {name: data for name, data in held.items() if data is not None}

    def _begin(self, call: Call) -> None:
        operands = [
            Operand(taken, None) if place in call.late else self._taken(index, held, taken)
            for place, (index, held, taken) in enumerate(call.operands)
        ]
        supply = self._spending.of(call.index)
        body = call.way.body(Context(self.script.party, supply), *operands, **call.parameters)
        self._running[call.index] = _Running(call, operands, supply, body, next(body))

    def _advance(self, running: "_Running", received: Received) -> None:
        """Resumes a step; it waits at its next tick, or its result is kept."""
        call = running.call
        if not running.complete:
            for place in call.late:
                running.operands[place].data = self._value(call.operands[place][0]).data
            running.complete = True
        try:
            running.tick = running.body.send(received)
        except StopIteration as end:
            running.supply.finish()
            del self._running[call.index]
            self._keep(call, end.value)

    def _under_way(self, index: int) -> "_Running":
        if index not in self._running:
            raise InternalError(f"%{index} ended before its predicted last round")
        return self._running[index]

    def _value(self, index: int) -> Operand:
        value = self.values[index]
        if value is None:
            raise InternalError(f"%{index} takes more rounds than its price says")
        return value

    def _taken(self, index: int, held: Type, taken: Type) -> Operand:
        """The value as a way takes it: as it is held, or as shares."""
        value = self._value(index)
        if held.owner == taken.owner:
            return value
        (way,) = share.ways
        return Operand(taken, way.body(self.script.context, value))

    def _keep(self, call: Call, data: Array | None) -> None:
        if data is not None and data.shape != call.type.shape:
            raise InternalError(f"%{call.index} has shape {data.shape}, not that of {call.type}")
        # NumPy turns an array without axes into a scalar, which is no array
        self.values[call.index] = Operand(call.type, None if data is None else np.asarray(data))


@dataclass(slots=True)
class _Running:
    """A step under way, and the tick at which it waits."""

    call: Call
    operands: Sequence[Operand]
    supply: Supply
    body: Generator[Tick, Received, Any]
    tick: Tick
    complete: bool = False


def _any_words(type: Type) -> Type:
    """The type that a share must have: that of a value, with every bit pattern allowed."""
    if type.kind == BIT:
        return type
    half = 1 << (WORD_BITS - 1)
    return Type(type.shape, type.kind, type.owner, -half, half - 1)
