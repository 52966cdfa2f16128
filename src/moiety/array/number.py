"""An array of a program in the making: real numbers, integers or booleans, with operators.

Real numbers are fixed-point words with the program's fraction bits. A product has more; it is
brought back at once, in the cheap way. The plan's `scale` pass delays that; before a reveal it is
made exact.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.array.operators import Operators
from moiety.errors import InternalError, UsageError
from moiety.lang.source import line, placed
from moiety.lang.trace import Trace, Value, constant
from moiety.lang.types import BIT, SHARED, Type
from moiety.ops.convert import bit_to_word, truncate, truncate_exact
from moiety.ops.local import within

DType = type[float] | type[int] | type[bool]
Real = npt.NDArray[np.float64]
MOST_FRACTION = 40
"""A constant below 1 gets more fraction bits than the program, but no more than these."""


class Tracing(Trace):
    """A program under construction, whose real numbers have `fraction` fraction bits.

    Each approximation keeps `error`, in real units, or without one its own, see `expansions`.
    """

    def __init__(self, fraction: int, error: float | None = None) -> None:
        super().__init__()
        self.fraction, self.error = fraction, error


@dataclass(frozen=True, eq=False, repr=False)
class Array(Operators):
    """A value of the program; `moiety.array` has the functions, operators are short for them."""

    value: Value

    @property
    def type(self) -> Type:
        """Its type in the program."""
        return self.value.type

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Its shape."""
        return self.type.shape

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of its elements."""
        return self.type.size

    @property
    def dtype(self) -> DType:
        """What its elements are: float, int or bool."""
        return bool if self.type.kind == BIT else float if self.type.fraction else int

    @property
    def bounds(self) -> tuple[float, float]:
        """The proven least and largest value."""
        scale = 2.0**-self.type.fraction
        return self.type.lo * scale, self.type.hi * scale

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        error = UsageError(
            "`if`, `while`, `and`, `or`, `not` on a secret value: the steps of a program cannot "
            "depend on secrets",
            hint="use moiety.array.where(condition, x, y), and &, |, ~ for booleans",
        )
        raise placed(error, line())

    def __float__(self) -> float:
        error = UsageError(
            "a secret value as a plain number",
            hint="keep computing with moiety.array, or return it with To(...)",
        )
        raise placed(error, line())

    __int__ = __index__ = __float__

    def __repr__(self) -> str:
        return f"Array({self.type})"


Number = Array | npt.ArrayLike


def tracing(*operands: Any) -> Tracing | None:
    """The program that one of the operands belongs to."""
    for operand in operands:
        if isinstance(operand, Array):
            builder = operand.value.builder
            if not isinstance(builder, Tracing):
                raise InternalError("an array of a program without a scale")
            return builder
    return None


def lift(builder: Tracing, operand: Number, *, extra: bool = False) -> Array:
    """The operand as an array of the program; numbers become constants.

    `extra` gives a real constant as many significant bits as 1.0 has: for factors.
    """
    if isinstance(operand, Array):
        return operand
    data = np.asarray(operand)
    if data.dtype.kind in "iub":
        return Array(builder.add(constant(data)))
    reals = np.asarray(data, np.float64)
    if not np.isfinite(reals).all():
        raise UsageError("a constant that is not finite", hint="replace NaN and infinity")
    return encoded(builder, reals, _fraction(reals, builder.fraction, extra=extra))


def encoded(builder: Tracing, reals: Real, fraction: int, *, up: bool | None = None) -> Array:
    """Real constants with so many fraction bits; rounded up or down if `up` says so."""
    round_ = np.rint if up is None else np.ceil if up else np.floor
    with np.errstate(over="ignore"):
        scaled = round_(np.ldexp(reals, fraction))
    if (np.abs(scaled) >= 2.0**62).any():
        raise UsageError(
            f"a constant of size {np.abs(reals).max():g} with {fraction} fraction bits",
            hint="use fewer fraction bits, or scale the computation",
        )
    rounded = (np.ldexp(scaled, -fraction) != reals).any()
    made = constant(scaled.astype(np.int64), fraction, real=reals if rounded else None)
    return Array(builder.add(made))


def _fraction(reals: Real, fraction: int, *, extra: bool) -> int:
    """The fewest fraction bits that lose nothing, or the program's, or more for a small factor."""
    largest = float(np.abs(reals).max(initial=0.0))
    if extra and 0.0 < largest < 1.0:
        fraction = min(fraction - math.frexp(largest)[1] + 1, MOST_FRACTION)
    words = np.rint(np.ldexp(reals, fraction))
    if not np.isfinite(words).all() or (np.abs(words) >= 2.0**62).any():
        return fraction
    every = int(np.bitwise_or.reduce(words.astype(np.int64), axis=None, initial=0))
    zeros = (every & -every).bit_length() - 1 if every else fraction
    return max(fraction - zeros, 0)


def words(array: Array) -> Array:
    """Booleans as integers 0 and 1; numbers as they are."""
    return Array(bit_to_word(array.value)) if array.dtype is bool else array


def raised(array: Array, fraction: int) -> Array:
    """The same numbers with at least so many fraction bits; nothing is sent."""
    missing = fraction - array.type.fraction
    if missing <= 0:
        return array
    one = array.value.builder.add(constant(1 << missing, missing))
    return Array(array.value * one)


def aligned(*operands: Number, extra: bool = False) -> list[Array]:
    """The operands as numbers of one scale: the finest of theirs."""
    arrays = numbers(*operands, extra=extra)
    finest = max(array.type.fraction for array in arrays)
    return [raised(array, finest) for array in arrays]


def numbers(*operands: Number, extra: bool = False) -> list[Array]:
    """The operands as numbers of one program."""
    builder = tracing(*operands)
    if builder is None:
        raise InternalError("no operand belongs to a program")
    return [words(lift(builder, operand, extra=extra)) for operand in operands]


def rescaled(array: Array) -> Array:
    """A product, brought back to the program's fraction bits: rounded down, or one unit more."""
    builder = tracing(array)
    excess = array.type.fraction - (builder.fraction if builder else 0)
    if excess <= 0:
        return array
    cut = truncate if array.type.owner == SHARED else truncate_exact
    return Array(cut(array.value, shift=excess))


def bounded(array: Array, lo: int | None, hi: int | None, proof: str) -> Array:
    """The same array with bounds, in units of the word, that `proof` shows to hold."""
    type = array.type
    low = type.lo if lo is None else max(lo, type.lo)
    high = type.hi if hi is None else min(hi, type.hi)
    if (low, high) == (type.lo, type.hi):
        return array
    return Array(within(array.value, lo=low, hi=high, by=proof))
