"""Labels that leave with a row: some of them are flipped (randomised response, Warner 1965)."""

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from moiety.errors import DataError, UsageError
from moiety.sampling import coins

Labels = npt.NDArray[np.integer]

UNITS = 1 << 40
"""The chance of a flip is a whole number of so small parts."""


def flip(labels: npt.ArrayLike, epsilon: float) -> Labels:
    """The labels, each flipped with probability 1 / (1 + e^epsilon), by coins drawn exactly.

    This is epsilon-differential privacy of each label, ξ = epsilon in a `Guarantee`: the chance is
    rounded up, so that epsilon is never exceeded. Flips are drawn anew in each call. An infinite
    epsilon flips none, and guarantees nothing. Who gets them learns, beside, how many there are.

    Raises:
        UsageError: epsilon is not above 0.
        DataError: a label is neither 0 nor 1.
    """
    true = check_labels(labels)
    if not epsilon > 0:
        raise UsageError(f"labels flipped for epsilon {epsilon:g}", hint="use a number above 0")
    if epsilon == math.inf:
        return true.copy()
    return np.where(coins(chance(epsilon), true.size).reshape(true.shape), 1 - true, true)


def chance(epsilon: float) -> Fraction:
    """The chance of a flip: at least 1 / (1 + e^epsilon), and at most 2 parts of 2^40 above it."""
    parts = math.floor(UNITS * (math.exp(-epsilon) / (1 + math.exp(-epsilon)))) + 2
    return min(Fraction(parts, UNITS), Fraction(1, 2))


def check_labels(labels: npt.ArrayLike) -> Labels:
    """Labels as integers.

    Raises:
        DataError: one is neither 0 nor 1.
    """
    found = np.asarray(labels)
    if not np.isin(found, (0, 1)).all():
        raise DataError("Unknown label type: labels are 0 and 1", hint="map them, 1 for the event")
    return found.astype(found.dtype if found.dtype.kind in "iu" else np.int64)
