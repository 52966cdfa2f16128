"""Boosted trees whose training reads memory in an order that no row decides.

The leakage profile `constant-flow`: complete trees, grown by level (Chen and Guestrin 2016, §2) in
compiled kernels that compare every row with every bin, node and column (Ohrimenko et al. 2016).
Whoever sees memory addresses and branches of these kernels learns their public shape: rows,
columns, bins of each and which can be missing, trees, depth. Sums are in fixed point, so the same
rows in any order make the same trees. Not covered: how long divisions take.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety.learn.trees import Growth, PaddedTrees
from moiety.learn.woe import Codes, Floats, check_codes, check_labels


@dataclass(frozen=True, repr=False, eq=False)
class ConstantFlowTrees(PaddedTrees):
    """Complete trees that are also walked by comparing every row with every node."""

    def logit(self, codes: Mapping[str, Codes]) -> Floats:
        """The log-odds of the event for each row; memory is read as shapes alone decide.

        Raises:
            DataError: the codes are not of these trees' columns and bins.
        """
        check_codes(codes, dict(zip(self.columns, self.counts, strict=True)))
        table = np.stack([codes[name] for name in self.columns])
        nodes = np.stack([self.feature, self.threshold, self.missing_left], axis=-1, dtype=np.uint8)
        return _core.score_trees(table, (self.counts, self.missing), nodes, self.leaves)


def fit_constant_flow(
    codes: Mapping[str, Codes],
    bin_counts: Mapping[str, int],
    y: Codes,
    growth: Growth,
    *,
    missing: Collection[str] = (),
) -> ConstantFlowTrees:
    """Trees fitted to bin codes and labels, as `fit_trees` fits them, but in constant flow.

    A node that no split improves sends all rows to the left. Leaves are multiples of 2^-24.

    Raises:
        DataError: codes, counts and labels do not fit each other, or all labels are alike.
    """
    check_labels(y, check_codes(codes, bin_counts))
    counts = tuple(bin_counts[name] for name in codes)
    gaps = tuple(name in missing for name in codes)
    sizes = (growth.trees, growth.depth, growth.factor, growth.least)
    nodes, leaves = _core.grow_trees(np.stack(list(codes.values())), y, (counts, gaps), sizes)
    return ConstantFlowTrees(
        columns=tuple(codes),
        counts=counts,
        missing=gaps,
        feature=nodes[..., 0],
        threshold=nodes[..., 1],
        missing_left=nodes[..., 2].astype(np.bool_),
        leaves=leaves,
    )
