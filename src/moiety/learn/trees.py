"""Gradient-boosted trees on bin codes, as complete trees of one shape.

LightGBM (Ke et al. 2017) trains; its trees, of any shape, are then padded to complete ones, so that
the shape is known before training and says nothing about the data.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from moiety.errors import DataError
from moiety.learn.woe import Codes, Floats, check_codes, check_labels

MAX_DEPTH = 5
MOST = 255


@dataclass(frozen=True)
class Growth:
    """The public shape of a forest, and how it is grown."""

    trees: int = 20
    depth: int = 3
    rate: float | None = None
    """Shrinkage of each tree; unset, min(0.3, 6 / trees)."""
    least: int = 20
    """No leaf stands for fewer training rows."""
    threads: int = 1

    def __post_init__(self) -> None:
        if self.trees < 1 or not 1 <= self.depth <= MAX_DEPTH:
            what = f"{self.trees} trees of depth {self.depth}"
            raise DataError(what, hint=f"at least one tree, of depth 1 to {MAX_DEPTH}")

    @property
    def factor(self) -> float:
        """What the leaves of each tree are multiplied by."""
        return self.rate or min(0.3, 6 / self.trees)


@dataclass(frozen=True, repr=False, eq=False)
class PaddedTrees:
    """`T` complete trees of depth `D`; a row's logit is the sum of the leaves it reaches.

    Node n has children 2n+1 (left) and 2n+2; a row goes left at it if its code in the node's
    column is at most the threshold, or, where the code is the column's missing code, if
    `missing_left`. Below a leaf that LightGBM put higher up, nodes test column 0 and all leaves
    carry that leaf's value: secret-shared, they look like any other.
    """

    columns: tuple[str, ...]
    counts: tuple[int, ...]
    """Bins of each column."""
    missing: tuple[bool, ...]
    """For each column, whether its last code means a missing value."""
    feature: npt.NDArray[np.uint8]
    """(T, 2^D - 1) position of the tested column."""
    threshold: npt.NDArray[np.uint8]
    """(T, 2^D - 1)"""
    missing_left: npt.NDArray[np.bool_]
    """(T, 2^D - 1)"""
    leaves: Floats
    """(T, 2^D) from left to right."""

    def __repr__(self) -> str:
        trees, leaves = self.leaves.shape
        return f"PaddedTrees({trees} trees, {leaves} leaves each, {len(self.columns)} columns)"

    @property
    def depth(self) -> int:
        """The number of tests on the way to a leaf."""
        return int(self.leaves.shape[1]).bit_length() - 1

    def selection(self) -> npt.NDArray[np.uint8]:
        """(T, 2^D - 1, columns): 1 at the column that the node tests, 0 elsewhere."""
        one_hot = self.feature[..., None] == np.arange(len(self.columns))
        return np.asarray(one_hot, np.uint8)

    def bound(self) -> float:
        """No logit exceeds this in absolute value, whatever the row."""
        return float(np.abs(self.leaves).max(axis=1).sum())

    def logit(self, codes: Mapping[str, Codes]) -> Floats:
        """The log-odds of the event for each row.

        Raises:
            DataError: the codes are not of these trees' columns and bins.
        """
        rows = check_codes(codes, dict(zip(self.columns, self.counts, strict=True)))
        table = np.stack([codes[name] for name in self.columns])
        last = np.array(self.counts) - 1
        missing = (table == last[:, None]) & np.array(self.missing)[:, None]
        total = np.zeros(rows)
        for tree in range(len(self.leaves)):
            total += self.leaves[tree, self._leaf(tree, table, missing)]
        return total

    def _leaf(
        self, tree: int, table: Codes, missing: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64]:
        row, node = np.arange(table.shape[1]), np.zeros(table.shape[1], dtype=np.int64)
        for _ in range(self.depth):
            column = self.feature[tree, node]
            below = table[column, row] <= self.threshold[tree, node]
            left = np.where(missing[column, row], self.missing_left[tree, node], below)
            node = 2 * node + 2 - left
        return np.asarray(node - self.feature.shape[1])


def fit_trees(
    codes: Mapping[str, Codes],
    bin_counts: Mapping[str, int],
    y: Codes,
    growth: Growth,
    *,
    missing: Collection[str] = (),
) -> PaddedTrees:
    """Trees fitted to bin codes and labels (1 = the event); the same for the same input.

    `missing` names the columns whose last code means a missing value: at each node such rows go
    to the side that fits better. Where LightGBM finds no more to split, trees of zeros follow.

    Raises:
        DataError: codes, counts and labels do not fit each other, or all labels are alike.
    """
    rows = check_codes(codes, bin_counts)
    check_labels(y, rows)
    table = np.column_stack([_with_gaps(codes[n], bin_counts[n], n in missing) for n in codes])
    settings = _settings(growth, rows)
    data = lightgbm.Dataset(table, y, params=settings)
    booster = lightgbm.train(settings, data, num_boost_round=growth.trees)
    counts = {name: bin_counts[name] for name in codes}
    return pad(booster.dump_model(), counts, growth, missing=missing)


def pad(
    model: Mapping[str, Any],
    counts: Mapping[str, int],
    growth: Growth,
    *,
    missing: Collection[str] = (),
) -> PaddedTrees:
    """The trees of LightGBM's dumped model, made complete; see `PaddedTrees`."""
    inner, leaves = 2**growth.depth - 1, 2**growth.depth
    trees = PaddedTrees(
        columns=tuple(counts),
        counts=tuple(counts.values()),
        missing=tuple(name in missing for name in counts),
        feature=np.zeros((growth.trees, inner), np.uint8),
        threshold=np.zeros((growth.trees, inner), np.uint8),
        missing_left=np.zeros((growth.trees, inner), np.bool_),
        leaves=np.zeros((growth.trees, leaves)),
    )
    for index, tree in enumerate(model["tree_info"]):
        _place(trees, index, 0, tree["tree_structure"])
    return trees


def _place(trees: PaddedTrees, tree: int, slot: int, node: Mapping[str, Any]) -> None:
    """Writes a node of LightGBM's, and all below it, at a slot of a complete tree."""
    inner = trees.feature.shape[1]
    if slot >= inner:
        trees.leaves[tree, slot - inner] = node["leaf_value"]
        return
    below = [node, node]
    if "split_feature" in node:
        trees.feature[tree, slot] = node["split_feature"]
        trees.threshold[tree, slot] = min(math.floor(node["threshold"]), MOST)
        trees.missing_left[tree, slot] = node["default_left"] or node["missing_type"] != "NaN"
        below = [node["left_child"], node["right_child"]]
    _place(trees, tree, 2 * slot + 1, below[0])
    _place(trees, tree, 2 * slot + 2, below[1])


def _with_gaps(codes: Codes, count: int, missing: bool) -> npt.NDArray[np.float32]:
    values = codes.astype(np.float32)
    return np.where(codes == count - 1, np.float32(np.nan), values) if missing else values


def _settings(growth: Growth, rows: int) -> dict[str, Any]:
    """LightGBM's parameters: exact bins, no sampling, no bundling, so nothing is left to chance."""
    return {
        "objective": "binary",
        "learning_rate": growth.factor,
        "max_depth": growth.depth,
        "num_leaves": 2**growth.depth,
        "lambda_l2": 1.0,
        "min_data_in_leaf": growth.least,
        "max_bin": MOST + 2,
        "min_data_in_bin": 1,
        "bin_construct_sample_cnt": rows,
        "enable_bundle": False,
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": growth.threads,
        "verbosity": -1,
    }
