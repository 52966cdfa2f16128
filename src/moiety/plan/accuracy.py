"""How far each value may be from what real arithmetic gives, as an absolute bound.

It counts the rounding of inputs (half a unit of the last place), of constants, and of each
truncation (one unit), and what products and sums make of them. It holds where every comparison
falls out as it does in real arithmetic, that is where no two compared values are closer than their
own errors; choices of a smaller or larger value, clips and absolute values hold everywhere.
A primitive without a rule makes the bound infinite: it is then not stated.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from moiety.lang.primitive import REGISTRY
from moiety.lang.program import Constant, Input, Program, Step
from moiety.lang.types import BIT, Type

Errors = Sequence[float]


def bounds(program: Program) -> list[float]:
    """For each value the largest |value - real value|."""
    found: list[float] = []
    for node in program.nodes:
        if isinstance(node, Step):
            errors = [found[i] for i in node.operands]
            found.append(of_step(node, program.types(node), errors))
        else:
            found.append(_rounded(node) if isinstance(node, Constant) else _given(node))
    return found


def of_step(step: Step, types: Sequence[Type], errors: Errors) -> float:
    """The error of a step's result from those of its operands."""
    if step.type.kind == BIT:
        return 0.0
    declared = REGISTRY[step.primitive.name].accuracy
    if declared is not None:
        return float(declared(*types, errors=errors, **step.parameters))
    rule = _RULES.get(step.primitive.name)
    return rule(step, types, errors) if rule else math.inf


def unit(type: Type) -> float:
    """One unit of the last place."""
    return math.ldexp(1.0, -type.fraction)


def _given(node: Input) -> float:
    return unit(node.type) / 2 if node.type.fraction else 0.0


def _rounded(node: Constant) -> float:
    """How far a constant is from what it stands for."""
    if node.real is None:
        return 0.0
    words = np.ldexp(node.data.view(np.int64).astype(np.float64), -node.type.fraction)
    return float(np.abs(words - node.real).max(initial=0.0))


def _size(type: Type) -> float:
    return type.magnitude * unit(type)


def _same(step: Step, types: Sequence[Type], errors: Errors) -> float:
    words = zip(types, errors, strict=True)
    return max((error for type, error in words if type.kind != BIT), default=0.0)


def _added(step: Step, types: Sequence[Type], errors: Errors) -> float:
    return sum(errors)


def _product(step: Step, types: Sequence[Type], errors: Errors) -> float:
    (x, y), (dx, dy) = types, errors
    return _size(x) * dy + _size(y) * dx + dx * dy


def _products(step: Step, types: Sequence[Type], errors: Errors) -> float:
    return types[1].shape[0] * _product(step, types, errors)


def _summed(step: Step, types: Sequence[Type], errors: Errors) -> float:
    return float(types[0].shape[step.parameters["axis"]] * errors[0])


def _approximated(step: Step, types: Sequence[Type], errors: Errors) -> float:
    """What `stands_for` states; the steps before it need no bound of their own."""
    return float(step.parameters["error"] + step.parameters["slope"] * errors[1])


def _truncated(step: Step, types: Sequence[Type], errors: Errors) -> float:
    return errors[0] + unit(step.type)


_RULES: dict[str, Callable[[Step, Sequence[Type], Errors], float]] = {
    **dict.fromkeys("negate reshape transpose take concat within narrow select".split(), _same),
    **dict.fromkeys("share reveal mask bit_to_word one_hot".split(), _same),
    **dict.fromkeys(("add", "subtract"), _added),
    **dict.fromkeys(("truncate", "truncate_exact", "shorten"), _truncated),
    "stands_for": _approximated,
    "multiply": _product,
    "matmul": _products,
    "masked_matmul": _products,
    "sum_over": _summed,
}
