"""A function of a secret number, before it is said how it is approximated.

A traced program holds one step for each. Where one party holds the argument, it computes the
function itself. Where it is shared, the step has no way of its own: the pass `approximate` of a
plan replaces it by one of its expansions, see `expansions`.
"""

import math
from collections.abc import Sequence

import numpy as np

from moiety.errors import UsageError
from moiety.lang.primitive import Array, example, primitive
from moiety.lang.types import SHARED, Fixed, Type, words
from moiety.ops import rules
from moiety.ops.functions import FUNCTIONS, RELATIVE

MOST = 62
"""Bits that hold the size of a result."""


def ends(x: Type) -> tuple[float, float]:
    """The bounds of x in real units."""
    unit = math.ldexp(1.0, -x.fraction)
    return x.lo * unit, x.hi * unit


def check_domain(x: Type, function: str) -> None:
    """Refuses a range in which the function is not defined, or cannot be told from undefined."""
    wanted = FUNCTIONS[function]
    if wanted.least is not None and not (function == "reciprocal" and x.hi < 0):
        check_positive(x, wanted.word, wanted.least)


def check_positive(x: Type, word: str, least: int = 1) -> None:
    """Refuses values below so many units of the last place."""
    if x.lo < least:
        unit = math.ldexp(1.0, -x.fraction)
        raise UsageError(
            f"{word} of values that may be {x.lo * unit:g}",
            hint=f"declare or clip them to at least {least * unit:g}",
        )


def steepest(x: Type, function: str) -> float:
    """The largest slope where x lies.

    That of √x at 0 is infinite; there, an error of at least half a unit counts with its own root.
    """
    lo, hi = ends(x)
    if function == "sqrt" and not x.lo:
        return 1.0 / math.sqrt(math.ldexp(1.0, -1 - x.fraction))
    return FUNCTIONS[function].slope(lo, hi)


def _span(x: Type, function: str, fraction: int) -> tuple[float, float]:
    """The least and the largest result, in units of the word."""
    least, most = FUNCTIONS[function].ends(*ends(x))
    if not max(abs(least), abs(most)) < 2.0 ** (MOST - fraction):
        lo, hi = ends(x)
        raise UsageError(
            f"{FUNCTIONS[function].word} of values in [{lo:g}, {hi:g}] does not fit with "
            f"{fraction} fraction bits",
            hint="clip the argument, or use fewer fraction bits",
        )
    return math.ldexp(least, fraction), math.ldexp(most, fraction)


def _type(x: Type, *, function: str, argument: int, fraction: int, error: float) -> Type:
    rules.all_words(x)
    check_domain(x, function)
    if x.fraction != argument or not error > 0:
        raise UsageError(f"{function} to within {error} of {x}, read with {argument} fraction bits")
    low, high = _span(x, function, fraction)
    excess = math.ldexp(error, fraction)
    bounds = math.floor(low - excess) - 1, math.ceil(high + excess) + 1
    coins = math.ceil(math.ldexp(steepest(x, function) * x.error, fraction - argument))
    return Type(x.shape, Fixed(fraction), x.owner, *bounds, error=coins)


@primitive(
    rule=_type,
    shapes=("n",),
    examples=(
        example(
            words((5,), SHARED, (-(1 << 19), 1 << 19), 18),
            function="exp",
            argument=18,
            fraction=18,
            error=1e-4,
        ),
    ),
)
def approximated(x: Array, *, function: str, argument: int, fraction: int, error: float) -> Array:
    """The function of x, rounded to `fraction` bits; on shares within `error`, in real units.

    Words of x have `argument` fraction bits.
    """
    reals = np.ldexp(x.view(np.int64).astype(np.float64), -argument)
    values = np.ldexp(FUNCTIONS[function].value(reals), fraction)
    result: Array = np.rint(values).astype(np.int64).view(np.uint64)
    return result


def _near(
    x: Type, *, errors: Sequence[float], function: str, fraction: int, error: float, **_: int
) -> float:
    """What is accepted, or the rounding of whoever computes in the clear; and the argument's."""
    own = error if x.owner == SHARED else _rounding(x, function, fraction)
    return own + steepest(x, function) * errors[0]


def _rounding(x: Type, function: str, fraction: int) -> float:
    largest = max(map(abs, FUNCTIONS[function].ends(*ends(x))))
    return math.ldexp(1.0, -fraction - 1) + largest * RELATIVE


approximated.accuracy = _near
