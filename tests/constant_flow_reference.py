"""What `fit_constant_flow` means, in plain NumPy: rows are looked up, nodes hold lists of them."""

import math

import numpy as np

ONE, UNIT, MOST, STEPS = 2**20, 2.0**24, 30 * 2**24, 40
LOG2_E, LN_2 = 1.44269504088896340736, 0.69314718055994530942
INVERSE = [1 / math.factorial(n) for n in range(12)]


def sigmoid(x):
    twos = -x * LOG2_E
    whole = np.rint(twos)
    rest, series = (twos - whole) * LN_2, 0.0
    for term in reversed(INVERSE):
        series = series * rest + term
    return 1 / (1 + np.ldexp(1.0, whole.astype(int)) * series)


def base(y):
    share, odds = int(y.sum()) / len(y), np.float64(0)
    for _ in range(STEPS):
        p = sigmoid(odds)
        odds = odds - (p - share) / (p * (1 - p))
    return int(np.rint(odds * UNIT))


def worth(gradient, hessian):
    return float(gradient) * float(gradient) / float(hessian + ONE)


def best(table, counts, missing, slopes, least):
    """Column, threshold and missing_left of the rows' best split."""
    whole = slopes.sum(axis=0)
    found, split = worth(*whole[:2]), (0, 255, 1)
    for column, count in enumerate(counts):
        bins = np.zeros((count, 3), np.int64)
        np.add.at(bins, table[column], slopes)
        values = count - missing[column]
        for threshold in range(values):
            for missing_left in range(1 + missing[column]):
                left = bins[: threshold + 1].sum(axis=0) + missing_left * bins[values:].sum(axis=0)
                right = whole - left
                if min(left[2], right[2]) < least:
                    continue
                gain = worth(*left[:2]) + worth(*right[:2])
                if gain > found:
                    found, split = gain, (column, threshold, missing_left)
    return split


def grow(table, y, counts, missing, growth):
    """Nodes and leaves as `_core.grow_trees` gives them."""
    start = base(y)
    margins, forest = np.full(len(y), start, np.int64), []
    for tree in range(growth.trees):
        p = np.rint(sigmoid(np.clip(margins, -MOST, MOST) / UNIT) * ONE).astype(np.int64)
        slopes = np.column_stack([p - ONE * y.astype(np.int64), p * (ONE - p) // ONE, p * 0 + 1])
        nodes, level = [], [np.arange(len(y))]
        for _ in range(growth.depth):
            below = []
            for rows in level:
                part = table[:, rows]
                split = best(part, counts, missing, slopes[rows], max(growth.least, 1))
                column, threshold, missing_left = split
                gap = missing[column] & (part[column] == counts[column] - 1)
                left = np.where(gap, missing_left == 1, part[column] <= threshold)
                nodes.append(split)
                below += [rows[left], rows[~left]]
            level = below
        leaves = []
        for rows in level:
            gradient, hessian, _ = slopes[rows].sum(axis=0)
            leaf = int(np.rint(-growth.factor * float(gradient) / float(hessian + ONE) * UNIT))
            margins[rows] += leaf
            leaves.append((leaf + start * (tree == 0)) / UNIT)
        forest.append((nodes, leaves))
    return np.array([n for n, _ in forest], np.uint8), np.array([leaves for _, leaves in forest])
