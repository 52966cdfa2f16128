"""One party's run of a plan: a generator, so that a twin or a session can drive it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import Array, Operand
from moiety.lang.program import Constant, Input, checked
from moiety.lang.types import BIT, WORD_BITS, Private, Shared, Type
from moiety.ops.convert import share
from moiety.plan.plan import Plan, Planned
from moiety.plan.schedule import Level
from moiety.protocols.base import Context, Protocol, Tick, joint, parts
from moiety.protocols.correlations import Supply
from moiety.run.dealing import Material


class Execution:
    """The values that one party holds while it runs a plan, level by level.

    Once the inputs have been checked, the material is spent, whatever happens next.
    """

    def __init__(
        self, plan: Plan, party: int, inputs: Mapping[str, Array], material: Material
    ) -> None:
        self.plan, self.party = plan, party
        self.values: dict[int, Operand] = {}
        self._running: dict[int, Protocol[Any]] = {}
        self._ticks: dict[int, Tick] = {}
        for index, node in enumerate(plan.nodes):
            if isinstance(node, Constant):
                self.values[index] = Operand(node.type, node.data)
            elif isinstance(node, Input):
                self.values[index] = Operand(node.type, self._input(node, inputs))
        self.supplies = material.spend(plan, party)

    def run(self) -> Protocol[dict[str, Array]]:
        """All levels; the outputs that this party holds."""
        for level in self.plan.levels:
            yield from self.level(level)
        return self.outputs()

    def level(self, level: Level) -> Protocol[None]:
        """One level: in each round what all steps under way send is one message per peer."""
        for index in level.interactive:
            if index not in self._running:
                self._begin(index)
        for _ in level.cost.rounds:
            ticks = [self._ticks.pop(index) for index in level.interactive]
            received = yield joint(ticks)
            for index, part in zip(level.interactive, parts(ticks, received), strict=True):
                self._advance(index, part)
        for index in level.local:
            self._keep(index, self._call(index, self._step(index)))

    def outputs(self) -> dict[str, Array]:
        """By name, the outputs that this party holds: revealed to it, or its shares."""
        held = {name: self._value(index).data for name, index in self.plan.outputs.items()}
        return {name: data for name, data in held.items() if data is not None}

    def _begin(self, index: int) -> None:
        self._running[index] = self._call(index, self._step(index))
        self._advance(index, None)

    def _advance(self, index: int, received: Mapping[int, bytes] | None) -> None:
        """Resumes a step; it waits at its next tick, or its result is kept."""
        if index not in self._running:
            raise InternalError(f"%{index} ended before its predicted last round")
        try:
            with np.errstate(over="ignore"):
                tick = self._running[index].send(received)  # type: ignore[arg-type]
            self._ticks[index] = tick
        except StopIteration as end:
            del self._running[index]
            self.supplies[index].finish()
            self._keep(index, end.value)

    def _call(self, index: int, step: Planned) -> Any:
        ctx = Context(self.party, self.supplies[index])
        pairs = zip(step.operands, step.types, strict=True)
        operands = [self._taken(self._value(i), type) for i, type in pairs]
        with np.errstate(over="ignore"):
            return step.way.body(ctx, *operands, **step.parameters)

    def _value(self, index: int) -> Operand:
        if index not in self.values:
            raise InternalError(f"%{index} takes more rounds than its price says")
        return self.values[index]

    def _taken(self, value: Operand, type: Type) -> Operand:
        """The value as a way takes it: as it is held, or as shares."""
        if value.type.owner == type.owner:
            return value
        (way,) = share.ways
        return Operand(type, way.body(Context(self.party, Supply(())), value))

    def _step(self, index: int) -> Planned:
        node = self.plan.nodes[index]
        if not isinstance(node, Planned):
            raise InternalError(f"%{index} is not a step")
        return node

    def _keep(self, index: int, data: Array | None) -> None:
        type = self.plan.nodes[index].type
        if data is not None and data.shape != type.shape:
            raise InternalError(f"%{index} has shape {data.shape}, not that of {type}")
        self.values[index] = Operand(type, None if data is None else np.asarray(data))

    def _input(self, node: Input, inputs: Mapping[str, Array]) -> Array | None:
        if isinstance(node.type.owner, Private) and node.type.owner.party != self.party:
            return None
        if node.name not in inputs:
            raise UsageError(f"party {self.party} did not bring the input {node.name}")
        return checked(node.name, _any_share(node.type), inputs[node.name])


def _any_share(type: Type) -> Type:
    """The type that a share must have: that of a value, with every bit pattern allowed."""
    if not isinstance(type.owner, Shared) or type.kind == BIT:
        return type
    half = 1 << (WORD_BITS - 1)
    return Type(type.shape, type.kind, type.owner, -half, half - 1)
