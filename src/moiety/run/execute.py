"""One party's run of a program: a generator, so that a twin or a session can drive it."""

from collections.abc import Mapping
from typing import Any

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import Array, Operand
from moiety.lang.program import Constant, Input, Level, Program, Step, checked
from moiety.lang.types import BIT, WORD_BITS, Private, Shared, Type
from moiety.protocols.base import Context, Protocol, together
from moiety.run.dealing import Material


class Execution:
    """The values that one party holds while it runs a program, level by level.

    Once the inputs have been checked, the material is spent, whatever happens next.
    """

    def __init__(
        self,
        program: Program,
        party: int,
        inputs: Mapping[str, Array],
        material: Material,
    ) -> None:
        self.program, self.party = program, party
        self.values: dict[int, Operand] = {}
        for index, node in enumerate(program.nodes):
            if isinstance(node, Constant):
                self.values[index] = Operand(node.type, node.data)
            elif isinstance(node, Input):
                self.values[index] = Operand(node.type, self._input(node, inputs))
        self.supplies = material.spend(program, party)

    def run(self) -> Protocol[dict[str, Array]]:
        """All levels; the outputs that this party holds."""
        for level in self.program.levels:
            yield from self.level(level)
        return self.outputs()

    def level(self, level: Level) -> Protocol[None]:
        """One level: the interactive steps share rounds, then the local ones run."""
        results = yield from together(*map(self._protocol, level.interactive))
        for index, data in zip(level.interactive, results, strict=True):
            self._keep(index, data)
        for index in level.local:
            step = self._step(index)
            self._keep(index, self._call(index, step))

    def outputs(self) -> dict[str, Array]:
        """By name, the outputs that this party holds: revealed to it, or its shares."""
        held = {name: self.values[index].data for name, index in self.program.outputs.items()}
        return {name: data for name, data in held.items() if data is not None}

    def _protocol(self, index: int) -> Protocol[Any]:
        supply = self.supplies[index]
        result = yield from self._call(index, self._step(index))
        supply.finish()
        return result

    def _call(self, index: int, step: Step) -> Any:
        ctx = Context(self.party, self.supplies[index])
        operands = [self.values[i] for i in step.operands]
        return step.way.body(ctx, *operands, **step.parameters)

    def _step(self, index: int) -> Step:
        node = self.program.nodes[index]
        if not isinstance(node, Step):
            raise InternalError(f"%{index} is not a step")
        return node

    def _keep(self, index: int, data: Array | None) -> None:
        type = self.program.nodes[index].type
        if data is not None and data.shape != type.shape:
            raise InternalError(f"%{index} has shape {data.shape}, not that of {type}")
        self.values[index] = Operand(type, data)

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
