"""The inverse of a shared Gram matrix, for solvers that take the same Hessian in every step.

Columns are brought to unit length first: then the matrix has 1 on its diagonal and an inverse of
known size, whatever the columns' scales. Newton-Schulz (Schulz 1933) needs products only.
"""

import math
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.function.function import Function
from moiety.function.runner import Runner, Secret
from moiety.learn.partition import Plain
from moiety.learn.program import Brought, Layout, begun, held, kept, secured

RIDGE = 2.0**-8
"""Added to the diagonal, so that the inverse is at most 1 / RIDGE; it slows the steps in directions
in which the columns hardly vary, and changes nothing of where they lead."""
LARGEST = 1.05 / RIDGE
LEAST = 2.0**-8
"""A column with a smaller mean square is scaled as if it had this one."""
STEEPEST = 1.01 * LEAST**-0.5

SCALED = held(scale=(0, STEEPEST), inverse=LARGEST)
"""How a step declares the scales of columns and the inverse."""


@dataclass(frozen=True)
class Curvature:
    """A Gram matrix in columns of unit length: `scale` brings them there, `inverse` inverts it."""

    scale: Secret
    matrix: Secret
    inverse: Secret

    @property
    def given(self) -> dict[str, Secret]:
        """As arguments of a step."""
        return {"scale": self.scale, "inverse": self.inverse}


def curvature(runner: Runner, gram: Secret, bound: float) -> Curvature:
    """The curvature of a Gram matrix whose elements are at most `bound`."""
    size = gram.shape[0]
    found = runner.call(scaled(bound), gram=gram)
    # the smallest eigenvalue's error is 1 - RIDGE / size at first, and squared in each step
    steps = math.ceil(math.log2(size / RIDGE)) + 2
    inverse = runner.repeat(
        INVERTED,
        state={"inverse": begun(runner, np.eye(size) / (size * (1 + RIDGE)), LARGEST)},
        given={"matrix": found["matrix"]},
        spans=[slice(None)] * steps,
    ).state["inverse"]
    return Curvature(found["scale"], found["matrix"], inverse)


@cache
def scaled(bound: float) -> Function:
    """The matrix of columns of unit length, and the scale of each column."""

    def scale(gram: Array) -> dict[str, Array]:
        every = np.arange(gram.shape[0])
        scale = xp.clip(xp.rsqrt(xp.clip(gram[every, every], LEAST, bound)), 0, STEEPEST)
        matrix = gram * scale * xp.expand_dims(scale, axis=1)
        return {"scale": scale, "matrix": xp.clip(matrix, -1, 1)}

    return secured((), scale, held(gram=bound), kept("scale", "matrix"))


def _inverted(matrix: Array, inverse: Array) -> dict[str, Array]:
    """One step towards the inverse of matrix + RIDGE: V (2 - M V)."""
    product = matrix @ inverse + RIDGE * inverse
    rest = 2 * np.eye(matrix.shape[0]) - xp.clip(product, -2, 2)
    return {"inverse": xp.clip(inverse @ rest, -LARGEST, LARGEST)}


INVERTED = secured((), _inverted, held(matrix=1, inverse=LARGEST), kept("inverse"))


@cache
def unscaled(bound: float) -> Function:
    """The weights of the columns as they are, from those of columns of unit length."""

    def unscale(w: Array, scale: Array) -> dict[str, Array]:
        return {"w": w * scale}

    return secured((), unscale, held(w=bound, scale=(0, STEEPEST)), kept("w"))


def gram_of(runner: Runner, x: Brought, rows: int, ridge: float = 0.0) -> tuple[Secret, float]:
    """The mean of the products of all pairs of columns, and the largest size of an element.

    A column of ones is the last. The ridge is added for the others.
    """
    function = gram(runner.parties, x.layout, rows, ridge)
    bound = max(-x.layout.low, x.layout.high, 1.0) ** 2 + ridge + 2.0**-8
    found: Secret = runner.call(function, **x.given)["gram"]
    return found, bound


@cache
def gram(parties: tuple[str, ...], x: Layout, rows: int, ridge: float) -> Function:
    """See `gram_of`; what one owner holds is multiplied there, in the clear."""

    def products(**values: Array) -> dict[str, Array]:
        parts = x.parts(values)
        found = _by_rows(parts, 1.0 / rows) if x.axis == 0 else _by_columns(parts, 1.0 / rows)
        penalty: Plain = np.diag([ridge] * (found.shape[0] - 1) + [0.0])
        return {"gram": found + penalty}

    return secured(parties, products, x.arguments, kept("gram"))


def _by_rows(parts: list[Array], factor: float) -> Array:
    wider = [xp.concat([part, np.ones((part.shape[0], 1))], axis=1) for part in parts]
    return reduce(Array.__add__, ((part.T @ part) * factor for part in wider))


def _by_columns(parts: list[Array], factor: float) -> Array:
    """Blocks of pairs of owners, each once: the matrix is symmetric."""
    columns, last = [*parts, np.ones((parts[0].shape[0], 1))], len(parts)
    blocks: list[list[Array]] = []
    for i, left in enumerate(parts):
        row = [xp.matrix_transpose(blocks[j][i]) for j in range(i)]
        blocks.append([*row, *((left.T @ right) * factor for right in columns[i:])])
    means = [xp.matrix_transpose(blocks[j][last]) for j in range(last)]
    lines = [*(xp.concat(row, axis=1) for row in blocks)]
    return xp.concat([*lines, xp.concat([*means, np.ones((1, 1))], axis=1)], axis=0)
