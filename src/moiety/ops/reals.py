"""What each primitive means on real numbers: the meaning of a program without any rounding.

Words become float64, bits become booleans; a truncation, a share, a reveal change nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.errors import UsageError
from moiety.lang.primitive import Array
from moiety.lang.program import Constant, Input, Program, Step
from moiety.lang.types import BIT

FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "reciprocal": lambda x: 1.0 / x,
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(0.5 * x),
    "erf": lambda x: np.vectorize(math.erf, otypes=[np.float64])(x),
}
"""What the names in `approximated` and `stands_for` mean."""


def evaluate(program: Program, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """The outputs in float64, from inputs in float64; NaN where a step has no real meaning."""
    values: list[Array] = []
    for node in program.nodes:
        if isinstance(node, Step):
            values.append(of_step(node, [values[i] for i in node.operands]))
        elif isinstance(node, Constant):
            values.append(node.reals)
        else:
            values.append(_given(node, inputs))
    return {name: values[index] for name, index in program.outputs.items()}


def of_step(step: Step, operands: Sequence[Array]) -> Array:
    """One step on real numbers."""
    name = step.primitive.name
    if name not in _MEANINGS:
        return np.full(step.type.shape, np.nan)
    return np.asarray(_MEANINGS[name](*operands, **step.parameters))


def _given(node: Input, inputs: Mapping[str, npt.ArrayLike]) -> Array:
    if node.name not in inputs:
        raise UsageError(f"the input {node.name} is missing")
    data = np.asarray(inputs[node.name])
    return data.astype(np.bool_ if node.type.kind == BIT else np.float64)


def _same(x: Array, **_: Any) -> Array:
    return x


def _approximated(x: Array, *, function: str, **_: Any) -> Array:
    return FUNCTIONS[function](x)


def _stands_for(x: Array, argument: Array, *, function: str, **_: Any) -> Array:
    return FUNCTIONS[function](argument)


def _sort_rows(keys: Array, x: Array, *, inverse: bool = False) -> Array:
    order = np.argsort(keys, kind="stable")
    return np.asarray(x[np.argsort(order, kind="stable") if inverse else order])


_MEANINGS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys("truncate truncate_exact widen within narrow share reveal mask".split(), _same),
    "proven": _same,
    "approximated": _approximated,
    "stands_for": _stands_for,
    "add": np.add,
    "subtract": np.subtract,
    "negate": np.negative,
    "multiply": np.multiply,
    "matmul": lambda x, y: x.astype(np.float64) @ y,
    "masked_matmul": lambda x, y, transposed=False: (x.T if transposed else x) @ y,
    "sum_over": lambda x, axis: x.sum(axis=axis),
    "parity": lambda x, axis: np.logical_xor.reduce(x, axis=axis),
    "less_than": np.less,
    "equal": np.equal,
    "logical_and": np.logical_and,
    "logical_xor": np.logical_xor,
    "logical_not": np.logical_not,
    "bit_to_word": lambda x: x.astype(np.float64),
    "select": np.where,
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": np.transpose,
    "sort_rows": _sort_rows,
    "take": lambda x, indices, axis: np.take(x, np.array(indices), axis),
    "concat": lambda *parts, axis: np.concatenate(parts, axis),
}
