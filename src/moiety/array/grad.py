"""Derivatives by reverse mode: each step's rule says what reaches its operands.

Truncations count as what they are on real numbers, nothing; comparisons have no derivative, so a
choice passes the gradient to the side that it chose.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from moiety.array.elementwise import clip, multiply, square, where
from moiety.array.number import Array, Tracing, lift, rescaled, tracing
from moiety.array.operators import FUNCTIONS
from moiety.array.reduce import matmul
from moiety.array.reduce import sum as total
from moiety.array.shape import (
    broadcast_to,
    concat,
    expand_dims,
    getitem,
    matrix_transpose,
    permute_dims,
    reshape,
    take,
)
from moiety.errors import UsageError
from moiety.lang.program import Constant, Step
from moiety.lang.trace import Value
from moiety.lang.types import BIT

Gradients = Sequence[Array | None]


def grad(function: Callable[..., Array], argnum: int = 0) -> Callable[..., Array]:
    """The derivative of a scalar function by one argument, with that argument's shape."""

    def derivative(*arguments: Array) -> Array:
        return value_and_grad(function, argnum)(*arguments)[1]

    return derivative


def value_and_grad(
    function: Callable[..., Array], argnum: int = 0
) -> Callable[..., tuple[Array, Array]]:
    """The function's value, and its derivative by one argument."""

    def both(*arguments: Array) -> tuple[Array, Array]:
        if not -len(arguments) <= argnum < len(arguments):
            raise UsageError(
                f"the derivative by argument {argnum} of {len(arguments)}",
                hint="arguments are numbered from 0",
            )
        builder = _traced(arguments[argnum])
        result = function(*arguments)
        if result.size != 1:
            raise UsageError(f"a derivative of a result of shape {result.shape}, not a number")
        one = lift(builder, np.ones(result.shape, np.int64))
        (slope,) = _backward(builder, result, [arguments[argnum]], one)
        return result, slope

    return both


def vjp(
    function: Callable[..., Array], *arguments: Array
) -> tuple[Array, Callable[[Array], tuple[Array, ...]]]:
    """The function's value, and what takes a gradient by the value to those by the arguments.

    So a loss needs no program of its own where its gradient has a simpler form than itself.
    """
    builder = _traced(*arguments)
    result = function(*arguments)

    def back(gradient: Array) -> tuple[Array, ...]:
        if gradient.shape != result.shape:
            raise UsageError(f"a gradient {gradient.shape} by a value of shape {result.shape}")
        return tuple(_backward(builder, result, arguments, gradient))

    return result, back


def _traced(*arguments: Array) -> Tracing:
    builder = tracing(*arguments)
    if builder is None:
        raise UsageError(
            "a derivative on plain arrays",
            hint="use it in a secure function: compile(...).real gives it in float64",
        )
    return builder


def _backward(
    builder: Tracing, result: Array, arguments: Sequence[Array], gradient: Array
) -> list[Array]:
    """The gradients by the arguments, from that by the result: from the last step to the first."""
    sought = {one.value.index for one in arguments}
    moving = _dependents(builder, sought, result.value.index)
    reached: dict[int, Array] = {result.value.index: gradient}
    for index in sorted(moving, reverse=True):
        node = builder.nodes[index]
        if index not in reached or not isinstance(node, Step):
            continue
        gradient = reached.pop(index)
        operands = [Array(Value(builder, i)) for i in node.operands]
        if node.primitive.name == "approximated":
            operands.append(Array(Value(builder, index)))
        made = _rule(node)(node, operands, gradient)
        for operand, part in zip(node.operands, made, strict=True):
            if part is not None and (operand in moving or operand in sought):
                reached[operand] = reached[operand] + part if operand in reached else part
    return [_or_zero(builder, reached.get(one.value.index), one) for one in arguments]


def _or_zero(builder: Tracing, gradient: Array | None, argument: Array) -> Array:
    if gradient is not None:
        return gradient
    return lift(builder, np.zeros(argument.shape, np.int64))


def _dependents(builder: Tracing, first: set[int], last: int) -> set[int]:
    """The steps that depend on one of these values."""
    found = set(first)
    for index in range(min(first) + 1, last + 1):
        node = builder.nodes[index]
        if isinstance(node, Step) and found.intersection(node.operands):
            found.add(index)
    return found - first


def _rule(step: Step) -> Callable[[Step, list[Array], Array], Gradients]:
    if step.type.kind == BIT or step.primitive.name in _FLAT:
        return lambda step, operands, g: [None] * len(operands)
    if step.primitive.name not in _RULES:
        raise UsageError(f"{step.line}: there is no derivative of {step.primitive.name}")
    return _RULES[step.primitive.name]


def _fitted(gradient: Array, operand: Array) -> Array:
    """The gradient summed over the axes along which the operand was repeated."""
    extra = gradient.ndim - operand.ndim
    repeated = [
        axis
        for axis, size in enumerate(gradient.shape)
        if axis < extra or (operand.shape[axis - extra] == 1 and size > 1)
    ]
    if repeated:
        gradient = total(gradient, axis=tuple(repeated), keepdims=True)
    return reshape(gradient, operand.shape)


def _same(step: Step, operands: list[Array], g: Array) -> Gradients:
    return [g]


def _add(step: Step, operands: list[Array], g: Array) -> Gradients:
    return [_fitted(g, operand) for operand in operands]


def _subtract(step: Step, operands: list[Array], g: Array) -> Gradients:
    x, y = operands
    return [_fitted(g, x), _fitted(-g, y)]


def _multiply(step: Step, operands: list[Array], g: Array) -> Gradients:
    x, y = operands
    return [_fitted(_scaled(g, y), x), _fitted(_scaled(g, x), y)]


def _scaled(g: Array, factor: Array) -> Array:
    """The gradient times a factor; 1, with whatever fraction bits, leaves it."""
    node = factor.value.builder.nodes[factor.value.index]
    one = 1 << factor.type.fraction
    if isinstance(node, Constant) and node.type.lo == node.type.hi == one and not node.type.shape:
        return g
    return multiply(g, factor)


def _matmul(step: Step, operands: list[Array], g: Array) -> Gradients:
    x, y = operands
    left = None if x.dtype is bool else matmul(g, matrix_transpose(y))
    return [left, matmul(matrix_transpose(x), g)]


def _select(step: Step, operands: list[Array], g: Array) -> Gradients:
    condition, x, y = operands
    chosen = where(condition, g, 0)
    return [None, _fitted(chosen, x), _fitted(g - chosen, y)]


def _sum_over(step: Step, operands: list[Array], g: Array) -> Gradients:
    (x,) = operands
    return [broadcast_to(expand_dims(g, axis=step.parameters["axis"]), x.shape)]


def _reshape(step: Step, operands: list[Array], g: Array) -> Gradients:
    return [reshape(g, operands[0].shape)]


def _transpose(step: Step, operands: list[Array], g: Array) -> Gradients:
    return [permute_dims(g, tuple(reversed(range(g.ndim))))]


def _concat(step: Step, operands: list[Array], g: Array) -> Gradients:
    parts, begin, axis = [], 0, step.parameters["axis"]
    for operand in operands:
        end = begin + operand.shape[axis]
        parts.append(getitem(g, (slice(None),) * axis + (slice(begin, end),)))
        begin = end
    return parts


def _take(step: Step, operands: list[Array], g: Array) -> Gradients:
    """Each element back at its place; where several come from one place, their sum."""
    (x,), axis = operands, step.parameters["axis"]
    indices, size = list(step.parameters["indices"]), x.shape[axis]
    if len(set(indices)) == len(indices):
        places = np.full(size, len(indices))
        places[indices] = np.arange(len(indices))
        shape = (*g.shape[:axis], 1, *g.shape[axis + 1 :])
        return [take(concat([g, np.zeros(shape, np.int64)], axis=axis), places, axis=axis)]
    spread = np.zeros((size, len(indices)), np.int64)
    spread[indices, np.arange(len(indices))] = 1
    order = (axis, *(one for one in range(g.ndim) if one != axis))
    first = permute_dims(g, order)
    summed = matmul(spread, reshape(first, (len(indices), -1)))
    back = tuple(int(one) for one in np.argsort(order))
    return [permute_dims(reshape(summed, (size, *first.shape[1:])), back)]


def _approximated(step: Step, operands: list[Array], g: Array) -> Gradients:
    argument, result = operands[0], rescaled(operands[1])
    return [g * _SLOPES[step.parameters["function"]](result, argument)]


def _bell(a: Array) -> Array:
    """The slope 2/√π · exp(-a²) of erf; beyond 4 it is less than 2e-7."""
    near = clip(a, -4.0, 4.0) if max(map(abs, a.bounds)) > 4.0 else a
    slope: Array = 2 / math.sqrt(math.pi) * FUNCTIONS["exp"](-square(near))
    return slope


_SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "exp": lambda r, a: r,
    "log": lambda r, a: FUNCTIONS["reciprocal"](a),
    "sqrt": lambda r, a: 0.5 * FUNCTIONS["reciprocal"](r),
    "rsqrt": lambda r, a: -0.5 * r * square(r),
    "reciprocal": lambda r, a: -square(r),
    "tanh": lambda r, a: 1 - square(r),
    "sigmoid": lambda r, a: r - square(r),
    "erf": lambda r, a: _bell(a),
}
_FLAT = frozenset(("bit_to_word", "one_hot"))
_RULES: dict[str, Callable[[Step, list[Array], Array], Gradients]] = {
    **dict.fromkeys("truncate truncate_exact widen within narrow share reveal".split(), _same),
    "negate": lambda step, operands, g: [-g],
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "matmul": _matmul,
    "select": _select,
    "sum_over": _sum_over,
    "reshape": _reshape,
    "transpose": _transpose,
    "concat": _concat,
    "take": _take,
    "approximated": _approximated,
}
