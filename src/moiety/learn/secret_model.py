"""A model that was trained in the clear, as the words that are secret-shared."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.errors import DataError
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import LOGIT_BOUND, SCORE_BITS, WEIGHT_BITS
from moiety.learn.scorecard import Scorecard
from moiety.learn.trees import PaddedTrees
from moiety.learn.trees_program import CODES
from moiety.ring import Words, encode

HALF = 2.0 ** -(SCORE_BITS + 1)
"""Added to the constant, so that the exact truncation before the reveal rounds to nearest."""
TOO_GOOD = "a column predicts the outcome perfectly: check that it is not the outcome itself"


@dataclass(frozen=True, repr=False)
class SecretModel:
    """A model in the clear, as words by input name of its program: exists in the enclave only."""

    shape: PublicShape
    arrays: dict[str, Words]

    def __repr__(self) -> str:
        return f"SecretModel({self.shape.kind})"


def of_scorecard(card: Scorecard, shape: PublicShape) -> SecretModel:
    """A scorecard's weights, by party in the job's order of columns.

    Raises:
        DataError: a logit could exceed LOGIT_BOUND.
    """
    _check_bound(card.bound())
    weights = list(card.weights.values())
    arrays, begin = {"intercept": _column(np.array([card.intercept + HALF]))}, 0
    for party, counts in enumerate(shape.counts):
        own = weights[begin : begin + len(counts)]
        begin += len(counts)
        if own:
            arrays[f"weights_{party}"] = _column(np.concatenate(own))
    return SecretModel(shape, arrays)


def of_trees(forest: PaddedTrees, shape: PublicShape) -> SecretModel:
    """Trees as selections, thresholds and leaves; see `trees_program`.

    Raises:
        DataError: a logit could exceed LOGIT_BOUND.
    """
    _check_bound(forest.bound())
    nodes = forest.feature.size
    tested, left = forest.feature.reshape(-1), forest.missing_left.reshape(-1)
    arrays = {
        "thresholds": forest.threshold.reshape(1, -1).astype(np.uint64) + np.uint64(1),
        "leaves": _column(forest.leaves.reshape(-1)),
        "base": _column(np.array([HALF])),
    }
    begin = 0
    for party, counts in enumerate(shape.counts):
        end = begin + len(counts)
        chosen = (tested[None, :] == np.arange(begin, end)[:, None]).astype(np.uint64)
        flags = chosen * np.where(left, 0, CODES).astype(np.uint64)[None, :]
        if counts:
            arrays[f"selection_{party}"] = np.concatenate([chosen, flags]).reshape(-1, nodes)
        begin = end
    return SecretModel(shape, arrays)


def _check_bound(reach: float) -> None:
    if reach + HALF > LOGIT_BOUND:
        raise DataError(f"a logit of the trained model could reach {reach:.1f}", hint=TOO_GOOD)


def _column(values: np.ndarray[Any, np.dtype[np.float64]]) -> Words:
    if np.abs(values).max(initial=0.0) > LOGIT_BOUND:
        raise DataError(f"the trained model has a weight beyond {LOGIT_BOUND}", hint=TOO_GOOD)
    return encode(values, WEIGHT_BITS).reshape(-1, 1)
