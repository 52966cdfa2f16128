"""A program: what is computed, as a verified list of typed nodes; its text, hash and meaning.

Node i defines value %i. A program does not say how parties compute it: that is a plan.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from moiety.errors import DataError, InternalError
from moiety.lang.primitive import Array, Primitive
from moiety.lang.types import BIT, WORD_BITS, Type
from moiety.ring import Reals, inside

FORMAT = "moiety program 1"
LONGEST = 120
"""Characters of a parameter that the text shows."""


@dataclass(frozen=True)
class Input:
    """A value that its owner brings, or every party if it is shared; its bounds are declared."""

    name: str
    type: Type

    def __str__(self) -> str:
        return f"input {self.name}: {self.type}"


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that is part of the program; `real` is what it stands for, if it was rounded."""

    data: Array
    type: Type
    real: Array | None = field(default=None, kw_only=True)

    @property
    def reals(self) -> Array:
        """The real numbers that it stands for."""
        if self.real is not None:
            return self.real
        if self.type.kind == BIT:
            return self.data.astype(np.bool_)
        words: Array = self.data.view(np.int64).astype(np.float64)
        return np.ldexp(words, -self.type.fraction)

    def __str__(self) -> str:
        return f"constant {self.digest}: {self.type}"

    @property
    def digest(self) -> str:
        """What the text shows: the number itself, or the hash of an array."""
        if self.data.size == 1:
            return str(self.data.view(np.int64 if self.type.kind != BIT else np.uint8).item())
        return hashlib.sha256(self.data.tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Step:
    """One primitive applied to earlier values; `line` says where the user's function asks for it.

    `line` is for messages: it is part of neither text nor hash.
    """

    primitive: Primitive
    operands: tuple[int, ...]
    parameters: Mapping[str, Any]
    type: Type
    line: str = field(default="", kw_only=True)

    def call(self, names: Mapping[int, str] | None = None) -> str:
        """The step as a call of its primitive."""
        values = [(names or {}).get(i, f"%{i}") for i in self.operands]
        named = [f"{name}={_shown(value)}" for name, value in self.parameters.items()]
        return f"{self.primitive.name}({', '.join(values + named)})"

    def __str__(self) -> str:
        return f"{self.call()}: {self.type}"


def _shown(value: object) -> str:
    """A parameter as text; a long one as its hash."""
    text = str(value)
    return text if len(text) <= LONGEST else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


Node = Input | Constant | Step


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """A function of secret values, verified when made."""

    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]

    def __post_init__(self) -> None:
        for index, step in self.steps():
            self._verify(index, step)
        if not all(0 <= index < len(self.nodes) for index in self.outputs.values()):
            raise InternalError("an output is not a value of the program")

    def _verify(self, index: int, step: Step) -> None:
        if not all(0 <= operand < index for operand in step.operands):
            raise InternalError(f"%{index} uses a value that is not defined before it")
        if step.primitive.rule(*self.types(step), **step.parameters) != step.type:
            raise InternalError(f"%{index} does not have the type that its rule gives")

    def types(self, step: Step) -> tuple[Type, ...]:
        """The types of a step's operands, as they are held."""
        return tuple(self.nodes[i].type for i in step.operands)

    @cached_property
    def inputs(self) -> Mapping[str, Type]:
        """The inputs by name."""
        return {node.name: node.type for node in self.nodes if isinstance(node, Input)}

    def steps(self) -> Iterator[tuple[int, Step]]:
        """Each step with the index of its value."""
        return ((i, node) for i, node in enumerate(self.nodes) if isinstance(node, Step))

    @cached_property
    def text(self) -> str:
        """One line per value; two programs with the same text compute the same."""
        lines = [f"%{index} = {node}" for index, node in enumerate(self.nodes)]
        returned = [f"return {name} = %{index}" for name, index in self.outputs.items()]
        return "\n".join([FORMAT, *lines, *returned])

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).digest()

    def clear(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The meaning on plaintext words and bits: the oracle, and what an enclave runs."""
        values: list[Array] = []
        with np.errstate(over="ignore"):
            for node in self.nodes:
                values.append(self._meaning(node, values, inputs))
        return {name: values[index] for name, index in self.outputs.items()}

    def _meaning(self, node: Node, values: list[Array], inputs: Mapping[str, Array]) -> Array:
        if isinstance(node, Input):
            return checked(node.name, node.type, inputs[node.name])
        if isinstance(node, Constant):
            return node.data
        operands = [values[i] for i in node.operands]
        return np.asarray(node.primitive.meaning(*operands, **node.parameters))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Program({len(self.nodes)} values, {self.hash.hex()[:16]})"


Given = TypeVar("Given", bound="Array | Reals")


def checked(name: str, type: Type, data: Given) -> Given:
    """`data`, if it has the type's shape, element type and bounds; the message shows no value."""
    element = np.uint8 if type.kind == BIT else np.uint64
    if data.dtype != element or data.shape != type.shape:
        expected = f"{np.dtype(element)} of shape {type.shape}"
        raise DataError(f"input {name} is {data.dtype} of shape {data.shape}, not {expected}")
    if not _bounded(type, data):
        raise DataError(
            f"input {name} leaves its declared bounds [{type.lo}, {type.hi}]",
            hint="declare the column's true bounds, or clip the column",
        )
    return data


def _bounded(type: Type, data: Array | Reals) -> bool:
    if type.kind == BIT and isinstance(data, np.ndarray):
        return not data.size or bool(data.max() <= 1)
    free = type.hi - type.lo + 1 == 1 << WORD_BITS
    return free or inside(data, type.lo, type.hi)
