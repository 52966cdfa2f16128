"""Runs a Python function once on traced values to get its program.

    def score(x, w):
        return {"score": reveal(x @ w, to=0)}

    program = trace(score, {"x": words((n, d), Private(0), (0, 1)), "w": words(...)})

Nothing is computed: types are checked and steps are written down. How parties compute them is
chosen later, by a plan.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import REGISTRY, Array, Primitive
from moiety.lang.program import Constant, Input, Node, Program, Step
from moiety.lang.source import line, placed
from moiety.lang.types import PUBLIC, Type, bits, words


@dataclass(frozen=True, eq=False)
class Value:
    """A value of a program under construction; operators add steps."""

    builder: "Trace"
    index: int

    @property
    def type(self) -> Type:
        """Its type."""
        return self.builder.nodes[self.index].type

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.type.shape

    def __add__(self, other: "Value | int") -> "Value":
        return self._apply("add", self, other)

    def __radd__(self, other: int) -> "Value":
        return self._apply("add", other, self)

    def __sub__(self, other: "Value | int") -> "Value":
        return self._apply("subtract", self, other)

    def __rsub__(self, other: int) -> "Value":
        return self._apply("subtract", other, self)

    def __mul__(self, other: "Value | int") -> "Value":
        return self._apply("multiply", self, other)

    def __rmul__(self, other: int) -> "Value":
        return self._apply("multiply", other, self)

    def __matmul__(self, other: "Value") -> "Value":
        return self._apply("matmul", self, other)

    def __neg__(self) -> "Value":
        return self._apply("negate", self)

    def __lt__(self, other: "Value | int") -> "Value":
        return self._apply("less_than", self, other)

    def __gt__(self, other: "Value | int") -> "Value":
        return self._apply("less_than", other, self)

    def __and__(self, other: "Value") -> "Value":
        return self._apply("logical_and", self, other)

    def __or__(self, other: "Value") -> "Value":
        return ~(~self & ~other)

    def __xor__(self, other: "Value") -> "Value":
        return self._apply("logical_xor", self, other)

    def __invert__(self) -> "Value":
        return self._apply("logical_not", self)

    def __bool__(self) -> bool:
        raise UsageError(
            "a traced value has no truth value: a program's steps cannot depend on secrets",
            hint="use select(condition, x, y)",
        )

    def _apply(self, name: str, *operands: "Value | int") -> "Value":
        return self.builder.append(REGISTRY[name], operands, {})


class Trace:
    """The nodes of a program under construction."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.line: str | None = None
        """Where the steps that follow come from; if None, the line of the caller outside moiety."""

    def add(self, node: Node) -> Value:
        """The value of a new node."""
        self.nodes.append(node)
        return Value(self, len(self.nodes) - 1)

    def append(
        self, primitive: Primitive, operands: tuple[Any, ...], parameters: Mapping[str, Any]
    ) -> Value:
        """The result of one more step; a refusal names the line of the user's function."""
        values = [self.lift(operand) for operand in operands]
        at = line() if self.line is None else self.line
        try:
            type = primitive.rule(*(value.type for value in values), **parameters)
        except UsageError as error:
            raise _at(at, primitive, [value.type for value in values], error) from None
        indices = tuple(value.index for value in values)
        return self.add(Step(primitive, indices, parameters, type, line=at))

    def lift(self, operand: Any) -> Value:
        """The operand as a value of this program; numbers become integer constants."""
        if isinstance(operand, Value):
            if operand.builder is not self:
                raise InternalError("a value of another program")
            return operand
        return self.add(constant(operand))

    def program(self, outputs: Mapping[str, Value]) -> Program:
        """The finished program."""
        return Program(tuple(self.nodes), {name: value.index for name, value in outputs.items()})


def _at(line: str, primitive: Primitive, types: list[Type], error: UsageError) -> UsageError:
    """The same refusal with the place and the operands in front."""
    shown = " and ".join(type.span for type in types)
    told = type(error)(f"{primitive.name} of {shown}: {error}", hint=error.hint)
    return placed(told, line)


def constant(number: Any, fraction: int = 0, *, real: Array | None = None) -> Constant:
    """A public integer, or array of integers, as words with so many fraction bits."""
    data = np.asarray(number)
    if data.dtype == np.bool_:
        return Constant(data.astype(np.uint8), bits(data.shape, PUBLIC))
    if data.dtype.kind not in "iu":
        raise UsageError(
            f"a constant of type {data.dtype} in a program",
            hint="encode it as fixed-point words first",
        )
    bounds = (int(data.min()), int(data.max())) if data.size else (0, 0)
    type = words(data.shape, PUBLIC, bounds, fraction)
    return Constant(data.astype(np.int64).view(np.uint64), type, real=real)


def trace(function: Callable[..., Mapping[str, Value]], inputs: Mapping[str, Type]) -> Program:
    """The program that `function` describes; it is called with one keyword per input.

    `function` returns its outputs by name.
    """
    builder = Trace()
    values = {name: builder.add(Input(name, type)) for name, type in inputs.items()}
    return builder.program(function(**values))
