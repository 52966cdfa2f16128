"""Runs a Python function once on traced values to get its program.

    def score(x, w):
        return {"score": reveal(x @ w, to=0)}

    program = trace(score, {"x": words((n, d), Private(0), (0, 1)), "w": words(...)})

Nothing is computed: types are checked, ways are chosen, steps are written down.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import DEALER, REGISTRY, Primitive, Way
from moiety.lang.program import Constant, Input, Node, Program, Step
from moiety.lang.types import PUBLIC, SHARED, Type, words


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

    def __init__(self, profile: str) -> None:
        self.profile = profile
        self.nodes: list[Node] = []

    def add(self, node: Node) -> Value:
        """The value of a new node."""
        self.nodes.append(node)
        return Value(self, len(self.nodes) - 1)

    def append(
        self, primitive: Primitive, operands: tuple[Any, ...], parameters: Mapping[str, Any]
    ) -> Value:
        """The result of one more step, in the cheapest way for its operands.

        A way may take plaintext operands as they are held, or shared; sharing them sends nothing.
        """
        values = [self.lift(operand) for operand in operands]
        primitive.rule(*(value.type for value in values), **parameters)
        choices = [
            (way, types, parameters)
            for types in _sharings([value.type for value in values])
            for way in primitive.ways_for(self.profile, types)
        ]
        if not choices:
            shown = ", ".join(str(value.type) for value in values)
            raise UsageError(f"{primitive.name} has no way under {self.profile} for {shown}")
        way, types, _ = min(choices, key=_expense)
        indices = [self._held_as(*pair).index for pair in zip(values, types, strict=True)]
        result = primitive.rule(*types, **parameters)
        return self.add(Step(primitive, way, tuple(indices), parameters, result))

    def lift(self, operand: Any) -> Value:
        """The operand as a value of this program; numbers become integer constants."""
        if isinstance(operand, Value):
            if operand.builder is not self:
                raise InternalError("a value of another program")
            return operand
        return self.add(constant(operand))

    def _held_as(self, value: Value, type: Type) -> Value:
        return value if value.type == type else self.append(REGISTRY["share"], (value,), {})


def _sharings(types: list[Type]) -> Iterator[tuple[Type, ...]]:
    """The operands as they are held, all but one shared, and all shared."""
    shared = [replace(type, owner=SHARED) for type in types]
    yield tuple(types)
    for kept, type in enumerate(types):
        yield (*shared[:kept], type, *shared[kept + 1 :])
    yield tuple(shared)


def constant(number: Any) -> Constant:
    """A public integer, or array of integers, as words."""
    data = np.asarray(number)
    if data.dtype.kind not in "iu":
        raise UsageError(
            f"a constant of type {data.dtype} in a program",
            hint="encode it as fixed-point words first",
        )
    bounds = (int(data.min()), int(data.max()))
    return Constant(data.astype(np.int64).view(np.uint64), words(data.shape, PUBLIC, bounds))


def _expense(choice: tuple[Way, tuple[Type, ...], Mapping[str, Any]]) -> tuple[int, int, int]:
    """What `min` compares: rounds, bytes sent, dealt bytes; the first of equals wins."""
    way, types, parameters = choice
    cost = way.price(types, parameters)
    return len(cost.rounds), sum(sum(messages.values()) for messages in cost.rounds), cost.dealt


def trace(
    function: Callable[..., Mapping[str, Value]], inputs: Mapping[str, Type], profile: str = DEALER
) -> Program:
    """The program that `function` describes; it is called with one keyword per input.

    `function` returns its outputs by name.
    """
    builder = Trace(profile)
    values = {name: builder.add(Input(name, type)) for name, type in inputs.items()}
    outputs = function(**values)
    return Program(
        profile, tuple(builder.nodes), {name: value.index for name, value in outputs.items()}
    )
