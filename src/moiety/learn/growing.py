"""The program that grows one tree of gradient boosting on secret rows; nothing of it is opened.

A node's split is a shared one-hot over all splits, found by a tournament of gains. All else, which
rows go left, the tested column, its threshold, is linear in it, by the matrices of `Splits`. Sums
of the second of two children are the node's less those of the first.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.array.number import words
from moiety.errors import InternalError
from moiety.function.function import Function
from moiety.learn.buckets import Buckets
from moiety.learn.program import Layout, Values, held, kept, secured
from moiety.learn.scale import LOGIT_BOUND
from moiety.learn.secret_model import HALF
from moiety.learn.splits import Splits
from moiety.learn.trees_program import CODES
from moiety.ops.intervals import proven

STEEPEST = 64.0
"""A leaf before the rate is cut to this: only a few rows of one kind come near it."""
ONCE = "a row has one bin of each column"


@dataclass(frozen=True)
class Rules:
    """How trees are grown: all public."""

    trees: int
    depth: int
    rate: float
    penalty: float
    least: float
    """A child with a smaller sum of second derivatives is not made."""

    @property
    def leaf(self) -> float:
        """The largest leaf: then no sum of one of each tree exceeds LOGIT_BOUND."""
        return (LOGIT_BOUND - HALF) / self.trees

    def scale(self, rows: int) -> float:
        """A power of two that brings the least and the largest denominator equally far from 1."""
        return 2.0 ** -round(math.log2(self.penalty * (rows / 4 + self.penalty)) / 2)


@dataclass(frozen=True)
class Level:
    """The nodes of one depth: sums of both derivatives over each bin, (bins × nodes) and scaled."""

    first: Array
    second: Array


@dataclass(frozen=True)
class Chosen:
    """The split of each node, and what a leaf on either side of it would be, by nodes."""

    split: Array
    left: Array
    right: Array


@cache
def growing(
    parties: tuple[str, ...], buckets: Buckets, x: Layout, y: Layout, splits: Splits, rules: Rules
) -> Function:
    """One tree more: the margin of each row after it, and the tree as prediction takes it.

    `chosen` and `away` are (columns × nodes), `thresholds` (1 × nodes), in heap order; `leaves`
    (leaves × 1) from left to right.
    """

    def grow(**values: Array) -> dict[str, Array]:
        margin, event = values["margin"], y.joined(values)
        p = xp.sigmoid(margin)
        rows = Rows(p - event, p - xp.square(p))
        found: list[Chosen] = []
        for _ in range(rules.depth):
            level = rows.level(values, buckets, rules.scale(event.size))
            found.append(choose(level, splits, rules, event.size))
            rows.divide(goes_left(values, buckets, splits, found[-1].split))
        leaves = interleaved(found[-1].left, found[-1].right)
        split = xp.concat([one.split for one in found], axis=1)
        total = margin + rows.reached(leaves, rules.leaf)
        return {
            "margin": within(total, LOGIT_BOUND, "so many trees of such leaves"),
            "chosen": one_of(splits.chosen @ split, 0, 1),
            "away": one_of(splits.away @ split, 0, CODES),
            "thresholds": one_of(splits.thresholds @ split, 1, CODES),
            "leaves": xp.expand_dims(leaves, axis=1),
        }

    arguments = {**x.arguments, **y.arguments, **held(margin=LOGIT_BOUND)}
    names = ("margin", "chosen", "away", "thresholds", "leaves")
    return secured(parties, grow, arguments, kept(*names))


class Rows:
    """The rows' derivatives in each node of a depth, (rows × nodes), 0 where a row is not in it."""

    def __init__(self, first: Array, second: Array) -> None:
        self.sides = [xp.expand_dims(first, axis=1), xp.expand_dims(second, axis=1)]
        self.member: Array | None = None
        self.above: Level | None = None

    def level(self, values: Values, buckets: Buckets, scale: float) -> Level:
        """The sums over bins; of right children by subtraction."""
        nodes = self.sides[0].shape[1]
        some = [side[:, ::2] if self.above else side for side in self.sides]
        sums = buckets.sums(values, xp.concat(some, axis=1)) * scale
        half = nodes // 2 if self.above else nodes
        left = Level(sums[:, :half], sums[:, half:])
        if self.above is None:
            self.above = left
        else:
            firsts = interleaved(left.first, self.above.first - left.first)
            self.above = Level(firsts, interleaved(left.second, self.above.second - left.second))
        return self.above

    def divide(self, left: Array) -> None:
        """Each node becomes two; `left` (rows × nodes) says who goes left at it."""
        chosen = [side * left for side in self.sides]
        pairs = zip(chosen, self.sides, strict=True)
        self.sides = [interleaved(one, side - one) for one, side in pairs]
        inside = left if self.member is None else self.member * left
        outside = (1 if self.member is None else self.member) - inside
        self.member = interleaved(inside, outside)

    def reached(self, leaves: Array, most: float) -> Array:
        """The leaf that each row has come to."""
        if self.member is None:
            raise InternalError("a tree of no node")
        return within(self.member @ leaves, most, "one leaf a row")


def choose(level: Level, splits: Splits, rules: Rules, rows: int) -> Chosen:
    """The best split of each node, by the gain of Chen and Guestrin (2016, §2.2), first of equals.

    The first split, which sends all rows to the left, needs no least sum: it stands for none.
    """
    scale = rules.scale(rows)
    most = 1.01 * rows * scale
    first, second = (within(splits.left @ one, most, ONCE) for one in (level.first, level.second))
    other, rest = (within(one[:1] - one, most, ONCE) for one in (first, second))
    left, right = (_ratio(*pair, rules, rows) for pair in ((first, second), (other, rest)))
    gain = first * left + other * right
    least = rules.least * scale
    allowed = (second[1:] >= least) & (rest[1:] >= least)
    gains = xp.concat([gain[:1], xp.where(allowed, gain[1:], 0.0)], axis=0)
    best = xp.argmax(gains, axis=0)
    places = np.arange(len(splits.every))[:, None]
    split = words(xp.expand_dims(best, axis=0) == places)
    sides = (_leaf(xp.sum(split * one, axis=0), rules) for one in (left, right))
    return Chosen(split, *sides)


def _ratio(first: Array, second: Array, rules: Rules, rows: int) -> Array:
    """A leaf's value but for its sign and the rate: Σ first / (Σ second + penalty)."""
    scale = rules.scale(rows)
    sums = xp.clip(second, 0, (rows / 4 + 1) * scale)
    return xp.clip(first / (sums + rules.penalty * scale), -STEEPEST, STEEPEST)


def _leaf(ratio: Array, rules: Rules) -> Array:
    return xp.clip(-rules.rate * ratio, -rules.leaf, rules.leaf)


def goes_left(values: Values, buckets: Buckets, splits: Splits, split: Array) -> Array:
    """(rows × nodes) 1 for the rows that a node's split sends to the left."""
    bins = one_of(splits.left.T @ split, 0, 1)
    return one_of(buckets.spread(values, bins), 0, 1)


def interleaved(left: Array, right: Array) -> Array:
    """Children of nodes in order, along the last axis: the left and the right one of each."""
    both = xp.stack([left, right], axis=left.ndim)
    return xp.reshape(both, (*left.shape[:-1], 2 * left.shape[-1]))


def one_of(x: Array, low: int, high: int) -> Array:
    """Whole numbers that are picked by a one-hot."""
    return Array(proven(x.value, lo=low, hi=high, by="one split a node, one bin a column"))


def within(x: Array, size: float, by: str) -> Array:
    """Real numbers of at most this size, as `by` has it, however truncations before it round."""
    most = math.floor(size * 2.0**x.type.fraction)
    return Array(proven(x.value, lo=-most, hi=most, by=by))
