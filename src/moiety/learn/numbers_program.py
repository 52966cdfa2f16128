"""Scoring with a linear model or a perceptron on numbers, as functions of secret values.

Each party's features are numbers within ±clip that stay in the clear at their owner; weights and
constants are shared. No bound on weights keeps a logit within what a score has room for, so it is
cut to ±LOGIT_BOUND on shares: the receiver learns the score, and nobody whether it was cut.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

from moiety.lang.trace import Value, constant, trace
from moiety.lang.types import SHARED, Private, Type, words
from moiety.learn.scale import LOGIT_BOUND, SCORE_BITS
from moiety.ops.compare import select
from moiety.ops.convert import reveal, truncate_exact
from moiety.ops.local import within
from moiety.plan.pipeline import ANYWHERE, compile
from moiety.plan.plan import Plan
from moiety.ring import Words, encode

NUMBER_BITS = 12
"""Fraction bits of a feature: a 4,096th of its unit."""
LINEAR_BITS, LINEAR_BOUND = 18, 130.0
"""Fraction bits of a linear model's weights, and their largest size."""
UNIT_BITS, UNIT_BOUND = 14, 4.0
"""Fraction bits of a perceptron's weights, and their largest size."""
INTERCEPT_BITS = NUMBER_BITS + LINEAR_BITS
INNER_BITS, OUTER_BITS = NUMBER_BITS + UNIT_BITS, NUMBER_BITS + 2 * UNIT_BITS
"""Fraction bits of the constants of a perceptron's units, and of its last one."""
SLACK = 2.0**-UNIT_BITS
"""A bound of weights is exceeded by no more, which rounding in the end of training may add."""

Values = Mapping[str, Value]


def numbers(table: npt.NDArray[np.float64], clip: int) -> Words:
    """A party's private operand: its numbers, cut to ±clip."""
    return encode(np.clip(table, -clip, clip), NUMBER_BITS)


def linear(rows: int, dims: Sequence[int], clip: int, *, receiver: int) -> Plan:
    """The plan that scores `rows` applicants by a linear model, for `receiver`.

    `dims[p]` is the number of party p's features. Inputs: features_p (rows × dims[p], private),
    weights_p (dims[p] × 1, shared), intercept (1 × 1, shared). Output: score.
    """
    inputs = _features(rows, dims, clip)
    for party, columns in enumerate(dims):
        if columns:
            inputs[f"weights_{party}"] = _model((columns, 1), LINEAR_BITS, LINEAR_BOUND)
    inputs["intercept"] = _model((1, 1), INTERCEPT_BITS, LINEAR_BOUND)

    def score(**values: Value) -> Values:
        return {"score": told(products(values, "weights") + values["intercept"], receiver)}

    return compile(trace(score, inputs), ANYWHERE)


def perceptron(rows: int, dims: Sequence[int], clip: int, units: int, *, receiver: int) -> Plan:
    """The plan that scores `rows` applicants by a perceptron with one layer of rectified units.

    `dims` and features_p as in `linear`. Inputs, shared: inner_p (dims[p] × units), inner_constant
    (1 × units), outer (units × 1), outer_constant (1 × 1). Output: score.
    """
    inputs = _features(rows, dims, clip)
    for party, columns in enumerate(dims):
        if columns:
            inputs[f"inner_{party}"] = _model((columns, units), UNIT_BITS, UNIT_BOUND)
    inputs["inner_constant"] = _model((1, units), INNER_BITS, UNIT_BOUND)
    inputs["outer"] = _model((units, 1), UNIT_BITS, UNIT_BOUND)
    inputs["outer_constant"] = _model((1, 1), OUTER_BITS, UNIT_BOUND)

    def score(**values: Value) -> Values:
        active = rectified(products(values, "inner") + values["inner_constant"])
        return {"score": told(active @ values["outer"] + values["outer_constant"], receiver)}

    return compile(trace(score, inputs), ANYWHERE)


def products(values: Values, weights: str) -> Value:
    """The sum over parties of their features times the weights for these."""
    parties = [name.removeprefix("features_") for name in values if name.startswith("features_")]
    pairs = (values[f"features_{p}"] @ values[f"{weights}_{p}"] for p in parties)
    return reduce(Value.__add__, pairs)


def rectified(x: Value) -> Value:
    """The larger of x and 0, for each element."""
    zero = x.builder.add(constant(0, x.type.fraction))
    found: Value = select(x < zero, zero, x)
    return found


def told(logit: Value, receiver: int) -> Value:
    """The score: the logit to the nearest 1/256, cut to ±LOGIT_BOUND, in the clear at `receiver`.

    Whether it is cut is decided while it is rounded: the untruncated word is beyond a border
    exactly where the truncated one is, or is at it.
    """
    shift, most = logit.type.fraction - SCORE_BITS, LOGIT_BOUND << SCORE_BITS

    def number(value: int, fraction: int) -> Value:
        return logit.builder.add(constant(value, fraction))

    nearest = logit + number(1 << (shift - 1), logit.type.fraction)
    score = truncate_exact(nearest, shift=shift)
    low, high, none = (number(value, SCORE_BITS) for value in (-most, most, 0))
    below = nearest < number(-most << shift, logit.type.fraction)
    above = number(most << shift, logit.type.fraction) < nearest
    moved = score + select(below, low - score, none) + select(above, high - score, none)
    cut = within(moved, lo=-most, hi=most, by="the two comparisons")
    found: Value = reveal(cut, to=receiver)
    return found


def _features(rows: int, dims: Sequence[int], clip: int) -> dict[str, Type]:
    most = clip << NUMBER_BITS
    return {
        f"features_{party}": words((rows, columns), Private(party), (-most, most), NUMBER_BITS)
        for party, columns in enumerate(dims)
        if columns
    }


def _model(shape: tuple[int, int], fraction: int, bound: float) -> Type:
    most = int((bound + SLACK) * (1 << fraction))
    return words(shape, SHARED, (-most, most), fraction)
