"""Pass 1. Constants are computed, equal steps run once, steps without effect go."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from moiety.lang.program import Constant, Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import BIT, PUBLIC, Type
from moiety.ops import reals
from moiety.plan.rewrite import Rewrite, needed


def simplify(program: Program) -> Program:
    """The same meaning with fewer steps."""
    found: dict[Any, Value] = {}

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value:
        ways = (attempt(rewrite, step) for attempt in (_folded, _shortened, Rewrite.copy))
        made = next(value for value in ways if value is not None)
        return found.setdefault(_key(rewrite, made), made)

    return needed(Rewrite(program).run(visit))


def _key(rewrite: Rewrite, value: Value) -> Any:
    node = rewrite.new.nodes[value.index]
    if isinstance(node, Step):
        return node.primitive.name, node.operands, repr(sorted(node.parameters.items()))
    if isinstance(node, Constant):
        return node.type, node.reals.tobytes(), node.data.tobytes()
    return value.index


def _folded(rewrite: Rewrite, step: Step) -> Value | None:
    """The public constant that a step of constants makes."""
    nodes = [rewrite.constant_of(value) for value in rewrite.operands(step)]
    constants = [node for node in nodes if node is not None]
    if len(constants) < len(nodes) or step.type.error or step.type.owner != PUBLIC:
        return None
    with np.errstate(over="ignore"):
        data = step.primitive.meaning(*(node.data for node in constants), **step.parameters)
    types = tuple(node.type for node in constants)
    type = step.primitive.rule(*types, **step.parameters)
    made = Constant(np.asarray(data), _tight(type, data))
    real = reals.of_step(step, [node.reals for node in constants])
    if type.kind != BIT and not (np.isnan(real).any() or np.array_equal(real, made.reals)):
        made = replace(made, real=real)
    return rewrite.new.add(made)


def _tight(type: Type, data: np.ndarray[Any, Any]) -> Type:
    if type.kind == BIT or not data.size:
        return type
    signed = data.view(np.int64)
    lo, hi = int(signed.min()), int(signed.max())
    return Type(type.shape, type.kind, type.owner, lo, hi, ring=type.ring)


def _shortened(rewrite: Rewrite, step: Step) -> Value | None:
    rule = _RULES.get(step.primitive.name)
    return rule(rewrite, step) if rule else None


def _same_shape(rewrite: Rewrite, step: Step) -> Value | None:
    """A reshape of a reshape is one; a reshape to the same shape is none."""
    (x,) = rewrite.operands(step)
    before = rewrite.made_by(x)
    if before is not None and before.primitive.name == "reshape":
        x = rewrite.value(before.operands[0])
    if x.shape == step.parameters["shape"]:
        return x
    return rewrite.apply("reshape", x, **step.parameters)


def _transposed(rewrite: Rewrite, step: Step) -> Value | None:
    (x,) = rewrite.operands(step)
    before = rewrite.made_by(x)
    if before is not None and before.primitive.name == "transpose":
        return rewrite.value(before.operands[0])
    return x if len(x.shape) < 2 else None


def _taken(rewrite: Rewrite, step: Step) -> Value | None:
    (x,) = rewrite.operands(step)
    everything = range(x.shape[step.parameters["axis"]])
    return x if tuple(step.parameters["indices"]) == tuple(everything) else None


def _within(rewrite: Rewrite, step: Step) -> Value | None:
    (x,) = rewrite.operands(step)
    bounds = step.parameters
    return x if bounds["lo"] <= x.type.lo and x.type.hi <= bounds["hi"] else None


def _neutral(number: int) -> Callable[[Rewrite, Step], Value | None]:
    """X + 0, x - 0 and x · 1 are x."""

    def rule(rewrite: Rewrite, step: Step) -> Value | None:
        x, y = rewrite.operands(step)
        pairs = [(x, y)] if step.primitive.name == "subtract" else [(x, y), (y, x)]
        for kept, other in pairs:
            node = rewrite.constant_of(other)
            if node is None or (node.type.lo, node.type.hi) != (number, number):
                continue
            if kept.shape == step.type.shape and kept.type.kind == step.type.kind:
                return kept
        return None

    return rule


_RULES: dict[str, Callable[[Rewrite, Step], Value | None]] = {
    "reshape": _same_shape,
    "transpose": _transposed,
    "take": _taken,
    "within": _within,
    "add": _neutral(0),
    "subtract": _neutral(0),
    "multiply": _neutral(1),
}
