"""A program: a verified list of typed nodes; its levels, price, bill, text, hash and meaning.

Node i defines value %i. A step is interactive when its way sends messages. Level l holds the
interactive steps whose longest chain of interactive predecessors has length l - 1; they are
independent, so they share rounds. Local steps run after the messages of their level.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from moiety.errors import DataError, InternalError
from moiety.lang.cost import Cost
from moiety.lang.primitive import Array, Correlated, Primitive, Way
from moiety.lang.types import BIT, Private, Type

FORMAT = "moiety program 1"


@dataclass(frozen=True)
class Input:
    """A value that its owner brings, or every party if it is shared; its bounds are declared."""

    name: str
    type: Type

    def __str__(self) -> str:
        return f"input {self.name}: {self.type}"


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that is part of the program."""

    data: Array
    type: Type

    def __str__(self) -> str:
        return f"constant {hashlib.sha256(self.data.tobytes()).hexdigest()}: {self.type}"


@dataclass(frozen=True, eq=False)
class Step:
    """One primitive applied to earlier values, in one way."""

    primitive: Primitive
    way: Way
    operands: tuple[int, ...]
    parameters: Mapping[str, Any]
    type: Type

    def __str__(self) -> str:
        values = [f"%{i}" for i in self.operands]
        named = [f"{name}={value}" for name, value in self.parameters.items()]
        return f"{self.primitive.name}({', '.join(values + named)}) by {self.way.name}: {self.type}"


Node = Input | Constant | Step


@dataclass(frozen=True)
class Level:
    """Interactive steps that share rounds, then local steps, as indices of nodes."""

    interactive: tuple[int, ...]
    local: tuple[int, ...]
    cost: Cost


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """A function of secret values under one trust profile, verified when made."""

    profile: str
    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]

    def __post_init__(self) -> None:
        for index, node in enumerate(self.nodes):
            if isinstance(node, Step):
                self._verify(index, node)
        if not all(0 <= index < len(self.nodes) for index in self.outputs.values()):
            raise InternalError("an output is not a value of the program")

    def _verify(self, index: int, step: Step) -> None:
        if not all(0 <= operand < index for operand in step.operands):
            raise InternalError(f"%{index} uses a value that is not defined before it")
        types = self.types(step)
        if step.primitive.rule(*types, **step.parameters) != step.type:
            raise InternalError(f"%{index} does not have the type that its rule gives")
        if step.way.profile != self.profile or not step.way.accepts(*types):
            raise InternalError(f"%{index}: {step.way.name} is not a way for these operands")

    def types(self, step: Step) -> tuple[Type, ...]:
        """The types of a step's operands."""
        return tuple(self.nodes[i].type for i in step.operands)

    @property
    def inputs(self) -> dict[str, Type]:
        """The inputs by name."""
        return {node.name: node.type for node in self.nodes if isinstance(node, Input)}

    @property
    def receivers(self) -> set[int]:
        """The parties to whom a step reveals a value that was shared."""
        owners = [step.type.owner for _, step in self.steps() if step.way.reveals]
        return {owner.party for owner in owners if isinstance(owner, Private)}

    def steps(self) -> Iterator[tuple[int, Step]]:
        """Each step with the index of its value."""
        return ((i, node) for i, node in enumerate(self.nodes) if isinstance(node, Step))

    def price(self, step: Step) -> Cost:
        """What one step costs."""
        return step.way.price(self.types(step), step.parameters)

    def bill(self, step: Step) -> tuple[Correlated, ...]:
        """The correlations that one step consumes, in order."""
        return step.way.bill(*self.types(step), **step.parameters)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The schedule; level 0 sends nothing."""
        depth: list[int] = []
        for node in self.nodes:
            operands = node.operands if isinstance(node, Step) else ()
            above = max((depth[i] for i in operands), default=0)
            depth.append(above + (isinstance(node, Step) and not node.way.local))
        return tuple(self._level(depth, level) for level in range(max(depth, default=0) + 1))

    def _level(self, depth: list[int], level: int) -> Level:
        here = [(i, step) for i, step in self.steps() if depth[i] == level]
        interactive = [(i, step) for i, step in here if not step.way.local]
        return Level(
            interactive=tuple(i for i, _ in interactive),
            local=tuple(i for i, step in here if step.way.local),
            cost=reduce(Cost.__or__, (self.price(step) for _, step in interactive), Cost()),
        )

    @cached_property
    def cost(self) -> Cost:
        """Rounds, bytes on each link, dealt bytes; exact."""
        return sum((level.cost for level in self.levels), Cost())

    @cached_property
    def text(self) -> str:
        """One line per value; two programs with the same text compute and send the same."""
        lines = [f"%{index} = {node}" for index, node in enumerate(self.nodes)]
        returned = [f"return {name} = %{index}" for name, index in self.outputs.items()]
        return "\n".join([f"{FORMAT}, profile {self.profile}", *lines, *returned])

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).digest()

    def clear(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The meaning on plaintext words and bits: the oracle, and what an enclave runs."""
        values: list[Array] = []
        for node in self.nodes:
            if isinstance(node, Input):
                values.append(checked(node.name, node.type, inputs[node.name]))
            elif isinstance(node, Constant):
                values.append(node.data)
            else:
                operands = [values[i] for i in node.operands]
                values.append(node.primitive.meaning(*operands, **node.parameters))
        return {name: values[index] for name, index in self.outputs.items()}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Program({len(self.nodes)} values, {self.cost}, {self.hash.hex()[:16]})"


def checked(name: str, type: Type, data: Array) -> Array:
    """`data`, if it has the type's shape, element type and bounds; the message shows no value."""
    element = np.uint8 if type.kind == BIT else np.uint64
    if data.dtype != element or data.shape != type.shape:
        expected = f"{np.dtype(element)} of shape {type.shape}"
        raise DataError(f"input {name} is {data.dtype} of shape {data.shape}, not {expected}")
    signed = data.view(np.int64) if type.kind != BIT else data
    if data.size and (signed.min() < type.lo or signed.max() > type.hi):
        raise DataError(
            f"input {name} leaves its declared bounds [{type.lo}, {type.hi}]",
            hint="declare the column's true bounds, or clip the column",
        )
    return data
