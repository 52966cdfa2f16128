"""One party's runs of a plan: generators, so that a twin or a session can drive them.

A `Script` is a plan made ready for one party once, since a training loop runs it many times: it
knows of each step where its operands are and what is done to them. Whoever drives a run does so
under `np.errstate(over="ignore")`: words wrap.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import Array, Operand
from moiety.lang.program import Constant, Input, checked
from moiety.lang.types import BIT, SHARED, WORD_BITS, Masked, Private, Shape, Type
from moiety.ops.convert import share
from moiety.plan.plan import Plan, Planned
from moiety.protocols.base import Context, Protocol, Received, Tick, joint, parts
from moiety.protocols.correlations import Supply
from moiety.protocols.masked import Table, whole
from moiety.ring import Reals
from moiety.run.dealing import Spending

NOTHING = Supply(())


class Values(dict[int, "Table | None"]):
    """What one party holds of each value, by index: its share, its plaintext, or nothing."""

    def __repr__(self) -> str:
        return f"Values({len(self)})"


@dataclass(frozen=True, slots=True)
class Taken:
    """An operand: which value it is, its type as the way takes it, and as it is held if shared."""

    place: int
    type: Type
    held: Type | None


@dataclass(frozen=True, slots=True)
class Call:
    """A step made ready; a plain one takes arrays, any other operands."""

    index: int
    body: Callable[..., Any]
    parameters: Mapping[str, Any]
    operands: tuple[Taken, ...]
    late: tuple[int, ...]
    """Places of operands whose values may not be there yet."""
    shape: Shape
    plain: bool


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
        self.places = self._places()
        """Where each value is found: an earlier one may have the same words."""
        self._constants = {
            index: node.data for index, node in enumerate(plan.nodes) if isinstance(node, Constant)
        }
        self._inputs = list(self._brought())
        self._whole = self._used_whole()
        self.stretches = list(self._stretches())

    def _places(self) -> list[int]:
        places: list[int] = []
        for index, node in enumerate(self.plan.nodes):
            if isinstance(node, Planned) and self._unchanged(node):
                places.append(places[node.operands[0]])
            else:
                places.append(index)
        return places

    def _unchanged(self, step: Planned) -> bool:
        held, taken = self.plan.program.types(step)[0], step.types[0]
        return step.primitive.unchanged and held.owner == taken.owner

    def _brought(self) -> Iterator[tuple[int, str, Type | None]]:
        """Each input with the type that it must have; None where this party holds nothing of it."""
        for index, node in enumerate(self.plan.nodes):
            if not isinstance(node, Input):
                continue
            owner = node.type.owner
            if isinstance(owner, Private) and owner.party != self.party:
                yield index, node.name, None
            # shares are any words; so is what a party was sent of a table, which was checked whole
            elif owner == SHARED or isinstance(owner, Masked):
                yield index, node.name, _any_words(node.type)
            else:
                yield index, node.name, node.type

    def _used_whole(self) -> set[int]:
        """The values that are not only masked: their words are made before the first step."""
        steps = [step for _, step in self.plan.steps() if step.primitive.name != "mask"]
        return {at for step in steps for at in step.operands} | set(self.plan.outputs.values())

    def _stretches(self) -> Iterator[Stretch]:
        begun: set[int] = set()
        for level in self.plan.levels:
            fresh = [index for index in level.interactive if index not in begun]
            begun.update(fresh)
            local = [index for index in level.local if self.places[index] == index]
            yield Stretch(
                tuple(map(self._call, fresh)),
                level.interactive,
                len(level.cost.rounds),
                tuple(map(self._call, local)),
            )

    def _call(self, index: int) -> Call:
        step = self.plan.nodes[index]
        if not isinstance(step, Planned):
            raise InternalError(f"%{index} is not a step")
        way, held = step.way, self.plan.program.types(step)
        operands = tuple(
            Taken(self.places[at], taken, None if taken.owner == type.owner else type)
            for at, type, taken in zip(step.operands, held, step.types, strict=True)
        )
        plain = way.linear and all(each.held is None for each in operands)
        body = step.primitive.meaning if plain else way.body
        return Call(index, body, step.parameters, operands, way.late, step.type.shape, plain)

    def bind(self, inputs: Mapping[str, Array | Reals]) -> Values:
        """The values before the first step.

        Raises:
            UsageError, DataError: an input is missing, of another shape, or out of its bounds.
        """
        values = Values(self._constants)
        for index, name, type in self._inputs:
            if type is not None and name not in inputs:
                raise UsageError(f"party {self.party} did not bring the input {name}")
            found = None if type is None else checked(name, type, inputs[name])
            values[index] = whole(found) if index in self._whole else found
        return values

    def run(
        self, inputs: Mapping[str, Array | Reals], spending: Spending
    ) -> Protocol[dict[str, Array]]:
        """One run: the outputs that this party holds."""
        return (yield from Execution(self, self.bind(inputs), spending).run())


class Execution:
    """The values that one party holds while it runs a plan, level by level."""

    def __init__(self, script: Script, values: Values, spending: Spending) -> None:
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
        for call in stretch.begins:
            self._begin(call)
        for _ in range(stretch.rounds):
            yield from self._round(stretch.active)
        for call in stretch.local:
            self._keep(call, call.body(*self._arguments(call), **call.parameters))

    def _round(self, active: Sequence[int]) -> Protocol[None]:
        """One message of all steps under way; what was received is forgotten at its end."""
        running = [self._under_way(index) for index in active]
        ticks = [one.tick for one in running]
        received = yield joint(ticks)
        self._spending.complete()
        for one, part in zip(running, parts(ticks, received), strict=True):
            self._advance(one, part)

    def held(self, index: int) -> Array | None:
        """What this party holds of a value."""
        return whole(self._value(self.script.places[index]))

    def outputs(self) -> dict[str, Array]:
        """By name, the outputs that this party holds: revealed to it, or its shares."""
        held = {name: self.held(index) for name, index in self.script.plan.outputs.items()}
        return {name: data for name, data in held.items() if data is not None}

    def _begin(self, call: Call) -> None:
        operands = [
            Operand(taken.type, None) if place in call.late else self._operand(taken)
            for place, taken in enumerate(call.operands)
        ]
        supply = self._spending.of(call.index)
        body = call.body(Context(self.script.party, supply), *operands, **call.parameters)
        self._running[call.index] = _Running(call, operands, supply, body, next(body))

    def _advance(self, running: "_Running", received: Received) -> None:
        """Resumes a step; it waits at its next tick, or its result is kept."""
        call = running.call
        if not running.complete:
            for place in call.late:
                running.operands[place].data = self._value(call.operands[place].place)
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

    def _value(self, place: int) -> Table | None:
        try:
            return self.values[place]
        except KeyError:
            raise InternalError(f"%{place} takes more rounds than its price says") from None

    def _arguments(self, call: Call) -> list[Any]:
        """What a step without messages takes."""
        if call.plain:
            return [self._value(taken.place) for taken in call.operands]
        return [self.script.context, *map(self._operand, call.operands)]

    def _operand(self, taken: Taken) -> Operand:
        """The value as a way takes it: as it is held, or as shares."""
        data = self._value(taken.place)
        if taken.held is None:
            return Operand(taken.type, data)
        (way,) = share.ways
        return Operand(taken.type, way.body(self.script.context, Operand(taken.held, data)))

    def _keep(self, call: Call, data: Table | None) -> None:
        if data is not None and data.shape != call.shape:
            raise InternalError(f"%{call.index} has shape {data.shape}, not {call.shape}")
        # NumPy turns an array without axes into a scalar, which is no array
        self.values[call.index] = np.asarray(data) if isinstance(data, np.generic) else data


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
