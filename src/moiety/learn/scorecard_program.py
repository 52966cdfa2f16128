"""Scoring with a scorecard, as a function of secret values.

Each party's features are one-hot columns that stay in the clear at their owner; the weights are
shared. The receiver learns one number a row: the logit, rounded down to SCORE_BITS fraction bits.
"""

from collections.abc import Mapping, Sequence

from moiety.lang.trace import Value, trace
from moiety.lang.types import SHARED, Private, Type, signed_bits, words
from moiety.learn.scale import LOGIT_BOUND, MAKER, SCORE_BITS, WEIGHT_BITS
from moiety.ops.convert import reveal, truncate_exact
from moiety.ops.local import within
from moiety.plan.pipeline import ANYWHERE, compile
from moiety.plan.plan import Plan


def build(rows: int, dims: Sequence[int], *, receiver: int, bound: float) -> Plan:
    """The plan that scores `rows` applicants and reveals the scores to `receiver`.

    `dims[p]` is the number of party p's columns. `bound` is the largest |weight| and |intercept|,
    promised by whoever shares the model; no word overflows and none is cut short while it holds.
    Inputs: features_p (rows × dims[p], 0 or 1, private), weights_p (dims[p] × 1, shared),
    intercept (1 × 1, shared). Output: score.
    """

    def score(**values: Value) -> Mapping[str, Value]:
        logit = values["intercept"]
        for party in owners:
            logit = values[f"features_{party}"] @ values[f"weights_{party}"] + logit
        logit = within(logit, lo=-most, hi=most, by=MAKER)
        return {"score": reveal(truncate_exact(logit, shift=WEIGHT_BITS - SCORE_BITS), to=receiver)}

    owners, most = [p for p, columns in enumerate(dims) if columns], LOGIT_BOUND << WEIGHT_BITS
    return compile(trace(score, _inputs(rows, dims, owners, bound)), ANYWHERE)


def _inputs(rows: int, dims: Sequence[int], owners: Sequence[int], bound: float) -> dict[str, Type]:
    largest = int(bound * (1 << WEIGHT_BITS)) + 1
    most = largest * (sum(dims) + 1)
    # |logit| ≤ most < 2^(ring-2), which is what truncate_exact needs
    ring = max(signed_bits(-most, most) + 1, WEIGHT_BITS)
    inputs = {"intercept": words((1, 1), SHARED, (-largest, largest), WEIGHT_BITS, ring=ring)}
    for party in owners:
        bounds = (-largest, largest)
        inputs[f"features_{party}"] = words((rows, dims[party]), Private(party), (0, 1))
        inputs[f"weights_{party}"] = words((dims[party], 1), SHARED, bounds, WEIGHT_BITS, ring=ring)
    return inputs
