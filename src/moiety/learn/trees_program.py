"""Scoring with boosted trees, as a function of secret values.

Public: the number of trees, their depth, and each party's columns. Shared: which column a node
looks at, its threshold and its missing direction, and the leaves. Trees are complete: a shallower
branch is padded with nodes that send every row to one side.

Each column of party p is two features: its bin code in [0, CODES), 0 where the value is missing,
and a flag that is 1 there. A node goes left where code·s + flag·δ < threshold, summed over all
columns: s is 1 at its column and 0 elsewhere, δ is 0 there (missing goes left) or CODES (right),
the threshold is in [1, CODES].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from moiety.errors import UsageError
from moiety.lang.trace import Value, trace
from moiety.lang.types import SHARED, Private, Type, signed_bits, words
from moiety.learn.scale import LOGIT_BOUND, MAKER, SCORE_BITS, WEIGHT_BITS
from moiety.ops.compare import logical_and
from moiety.ops.convert import reveal, truncate_exact
from moiety.ops.local import concat, logical_not, parity, reshape, take, within
from moiety.plan.pipeline import ANYWHERE, compile
from moiety.plan.plan import Plan

CODES = 256
DEEPEST = 5


@dataclass(frozen=True)
class Forest:
    """The public shape of an ensemble of complete trees."""

    trees: int
    depth: int

    def __post_init__(self) -> None:
        if self.trees < 1 or not 1 <= self.depth <= DEEPEST:
            raise UsageError(
                f"{self.trees} trees of depth {self.depth}: at least 1, of depth 1 to {DEEPEST}",
                hint="train shallower trees: a complete tree doubles with each level",
            )

    @property
    def nodes(self) -> int:
        """Inner nodes of a tree, in heap order: node i has children 2i + 1 (left) and 2i + 2."""
        return (1 << self.depth) - 1

    @property
    def leaves(self) -> int:
        """Leaves of a tree, from left to right."""
        return 1 << self.depth


def build(rows: int, dims: Sequence[int], forest: Forest, *, receiver: int, bound: float) -> Plan:
    """The plan that scores `rows` applicants and reveals the scores to `receiver`.

    `dims[p]` is the number of party p's columns; `bound` the largest |leaf| and |base|. Inputs:
    features_p (rows × 2·dims[p]: codes, then flags; private), selection_p (2·dims[p] × all nodes),
    thresholds (1 × all nodes), leaves (all leaves × 1), base (1 × 1); the model's are shared,
    trees in order. Output: score, with SCORE_BITS fraction bits.
    """

    def score(**values: Value) -> Mapping[str, Value]:
        looked_up = [values[f"features_{p}"] @ values[f"selection_{p}"] for p in owners]
        logit = walked(reduce(Value.__add__, looked_up), values, forest, bound=bound)
        return {"score": reveal(truncate_exact(logit, shift=shift), to=receiver)}

    owners = [party for party, columns in enumerate(dims) if columns]
    largest, shift = _largest(bound, WEIGHT_BITS), WEIGHT_BITS - SCORE_BITS
    return compile(trace(score, _inputs(rows, dims, forest, largest)), ANYWHERE)


def walked(code: Value, model: Mapping[str, Value], forest: Forest, *, bound: float) -> Value:
    """The logits (rows × 1) of what each node looked up for each row (rows × all nodes).

    `model` has thresholds, leaves and perhaps base; the result has the leaves' fraction bits.
    """
    rows, bits = code.shape[0], model["leaves"].type.fraction
    bounded = within(
        code,
        lo=0,
        hi=CODES,
        by="the model's maker, for codes and flags that their owners make as said above",
    )
    left = reshape(bounded < model["thresholds"], shape=(rows, forest.trees, forest.nodes))
    reached = reshape(paths(left), shape=(rows, forest.trees * forest.leaves))
    most, limit = forest.trees * _largest(bound, bits), LOGIT_BOUND << bits
    total = within(reached @ model["leaves"], lo=-most, hi=most, by="one leaf a tree")
    logit = total + model["base"] if "base" in model else total
    found: Value = within(logit, lo=-limit, hi=limit, by=MAKER)
    return found


def _largest(bound: float, bits: int) -> int:
    """The largest leaf as a word."""
    return int(bound * (1 << bits)) + 1


def paths(left: Value) -> Value:
    """Bits (…, leaves): 1 at the leaf that each row reaches, from bits (…, nodes) that say left.

    A tree of depth d is a top of depth ⌊d/2⌋ over subtrees: a row reaches a leaf if it reaches the
    subtree and, in it, the leaf. So log₂ d rounds; and the last leaf of a subtree needs no product,
    since exactly one leaf of each subtree is reached.
    """
    *shape, nodes = left.shape
    depth = (nodes + 1).bit_length() - 1
    if depth == 1:
        both: Value = concat(left, logical_not(left), axis=len(shape))
        return both
    top = (1 << depth // 2) - 1
    subtree = reshape(paths(_nodes(left, range(top))), shape=(*shape, top + 1, 1))
    below = paths(_subtrees(left, top, depth - depth // 2))
    leaves = below.shape[-1]
    others = logical_and(subtree, _nodes(below, range(leaves - 1)))
    last = reshape(parity(others, axis=len(shape) + 1), shape=subtree.shape) ^ subtree
    reached = concat(others, last, axis=len(shape) + 1)
    flat: Value = reshape(reached, shape=(*shape, (top + 1) * leaves))
    return flat


def _nodes(bits: Value, indices: Sequence[int]) -> Value:
    taken: Value = take(bits, indices=tuple(indices), axis=len(bits.shape) - 1)
    return taken


def _subtrees(left: Value, top: int, depth: int) -> Value:
    """Bits (…, subtrees, nodes) of the subtrees below the first `top` nodes, in heap order."""
    chosen = []
    for root in range(top, 2 * top + 1):
        level = [root]
        for _ in range(depth):
            chosen += level
            level = [child for node in level for child in (2 * node + 1, 2 * node + 2)]
    shape = (*left.shape[:-1], top + 1, (1 << depth) - 1)
    subtrees: Value = reshape(_nodes(left, chosen), shape=shape)
    return subtrees


def _inputs(rows: int, dims: Sequence[int], forest: Forest, largest: int) -> dict[str, Type]:
    nodes, leaves = forest.trees * forest.nodes, forest.trees * forest.leaves
    # products are summed over all leaves, and all columns, before `within` bounds the sums
    most = max(leaves, 2) * 2 * largest
    ring = max(signed_bits(-most, most), WEIGHT_BITS)
    code_ring = signed_bits(0, 2 * sum(dims) * (CODES - 1) * CODES)
    model = (-largest, largest)
    inputs = {
        "thresholds": words((1, nodes), SHARED, (1, CODES)),
        "leaves": words((leaves, 1), SHARED, model, WEIGHT_BITS, ring=ring),
        "base": words((1, 1), SHARED, model, WEIGHT_BITS, ring=ring),
    }
    for party, columns in enumerate(dims):
        if columns:
            owner, shape = Private(party), (2 * columns, nodes)
            inputs[f"features_{party}"] = words((rows, 2 * columns), owner, (0, CODES - 1))
            inputs[f"selection_{party}"] = words(shape, SHARED, (0, CODES), ring=code_ring)
    return inputs
