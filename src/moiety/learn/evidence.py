"""Programs that train a scorecard on bins: weights of evidence, their Gram matrix, Newton's steps.

A logit is X · (woe · coefficient of the bin's column) for one-hot X, so nothing but products of the
owners' own tables with short shared vectors is needed; the features are never made, except those
of the narrower of two owners for the Gram matrix.
"""

from functools import cache, reduce

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.function.function import Function
from moiety.function.signature import To
from moiety.learn.columns import Columns
from moiety.learn.logistic import MOMENTUM
from moiety.learn.newton import SCALED, STEEPEST
from moiety.learn.program import Layout, held, kept, secured
from moiety.learn.scale import LOGIT_BOUND
from moiety.learn.secret_model import HALF

MOST = 8.0
"""The largest weight of evidence: a share 3,000 times the other."""
EVIDENCE = held(woe=MOST)


@cache
def evidence(
    parties: tuple[str, ...], x: Layout, y: Layout, columns: Columns, smoothing: float
) -> Function:
    """The weight of evidence of each bin, as `woe_table` has it; 0 for a bin without a row."""

    def weigh(**values: Array) -> dict[str, Array]:
        table, event = x.joined(values), y.joined(values)
        n = event.size
        both = table.T @ xp.stack([event, 1 - event], axis=1)
        used = xp.sum(both, axis=1) > 0
        smooth = both + smoothing
        shares = xp.where(xp.expand_dims(used, axis=1), smooth, 0.0)
        most = n + smoothing * max(columns.counts)
        totals = xp.clip(columns.membership @ shares, smoothing, most)
        logs = xp.log(smooth) - columns.membership.T @ xp.log(totals)
        return {"woe": xp.where(used, xp.clip(logs[:, 0] - logs[:, 1], -MOST, MOST), 0.0)}

    return secured(parties, weigh, {**x.arguments, **y.arguments}, kept("woe"))


class Blocks:
    """The features W = woe · membership of each owner of columns, in a program."""

    def __init__(self, woe: Array, parts: list[Columns]) -> None:
        ends = np.cumsum([part.bins for part in parts])
        self.woe = [woe[end - part.bins : end] for end, part in zip(ends, parts, strict=True)]
        self.member = [part.membership for part in parts]

    def weights(self, k: int) -> Array:
        """(bins × columns) the weights of evidence, each in its column."""
        return xp.expand_dims(self.woe[k], axis=1) * self.member[k].T

    def summed(self, k: int, matrix: Array) -> Array:
        """Wᵀ · matrix."""
        return xp.matmul(self.member[k], xp.expand_dims(self.woe[k], axis=1) * matrix)


@cache
def card_gram(
    parties: tuple[str, ...], x: Layout, columns: tuple[Columns, ...], rows: int, ridge: float
) -> Function:
    """The Gram matrix of the features and a column of ones, as `newton.gram_of` has it."""

    def products(**values: Array) -> dict[str, Array]:
        pairs = _by_rows if x.axis == 0 else _by_columns
        inner, means = pairs(x.parts(values), values["woe"], columns, 1.0 / rows)
        side = xp.concat(means, axis=0)
        above = [xp.concat([*line, one], axis=1) for line, one in zip(inner, means, strict=True)]
        below = xp.concat([xp.matrix_transpose(side), np.ones((1, 1))], axis=1)
        penalty = np.diag([ridge] * side.shape[0] + [0.0])
        most = gram_bound(ridge)
        return {"gram": xp.clip(xp.concat([*above, below], axis=0) + penalty, -most, most)}

    return secured(parties, products, {**x.arguments, **EVIDENCE}, kept("gram"))


def gram_bound(ridge: float) -> float:
    """The largest element of the Gram matrix."""
    return MOST**2 + ridge + 2.0**-8


def _by_rows(
    tables: list[Array], woe: Array, columns: tuple[Columns, ...], factor: float
) -> tuple[list[list[Array]], list[Array]]:
    """The features' products and means, from the sum of what owners of rows count."""
    blocks = Blocks(woe, [columns[0]])
    counts = reduce(Array.__add__, [(table.T @ table) * factor for table in tables])
    sizes = reduce(Array.__add__, [_mean(table, factor) for table in tables])
    return [[blocks.summed(0, counts @ blocks.weights(0))]], [blocks.summed(0, sizes)]


def _by_columns(
    tables: list[Array], woe: Array, columns: tuple[Columns, ...], factor: float
) -> tuple[list[list[Array]], list[Array]]:
    """The same, in a block for each pair of owners of columns."""
    blocks = Blocks(woe, list(columns))
    means = [blocks.summed(k, _mean(table, factor)) for k, table in enumerate(tables)]
    return _inner(tables, blocks, factor), means


def _mean(table: Array, factor: float) -> Array:
    """The share of rows in each bin, as a column."""
    return xp.expand_dims(xp.sum(table, axis=0) * factor, axis=1)


def _inner(tables: list[Array], blocks: Blocks, factor: float) -> list[list[Array]]:
    """The blocks of all pairs of owners."""
    found: dict[tuple[int, int], Array] = {}
    for k, table in enumerate(tables):
        own = (table.T @ table) * factor
        found[k, k] = blocks.summed(k, own @ blocks.weights(k))
        for other in range(k):
            wide, narrow = sorted((k, other), key=lambda at: -len(blocks.member[at]))
            features = tables[narrow] @ blocks.weights(narrow)
            pair = blocks.summed(wide, (tables[wide].T @ features) * factor)
            found[wide, narrow], found[narrow, wide] = pair, xp.matrix_transpose(pair)
    return [[found[i, j] for j in range(len(tables))] for i in range(len(tables))]


@cache
def card_step(
    parties: tuple[str, ...], x: Layout, y: Layout, columns: Columns, pace: tuple[float, float]
) -> Function:
    """A Newton step of the coefficients of columns of unit length; see `logistic.newton`."""
    bound, ridge = pace
    member = columns.membership

    def step(**values: Array) -> dict[str, Array]:
        w, scale, woe = values["w"], values["scale"], values["woe"]
        ahead = w + MOMENTUM * (w - values["before"])
        weights = ahead * scale
        table, event = x.joined(values), y.joined(values)
        logit = table @ (woe * (member.T @ weights[:-1])) + weights[-1:]
        miss = xp.sigmoid(logit) - event
        factor = 1.0 / event.size
        # a row has one bin of each column, so no slope is larger than a weight of evidence
        slopes = xp.clip(member @ (woe * ((table.T @ miss) * factor)), -1.1 * MOST, 1.1 * MOST)
        penalised = slopes + ridge * weights[:-1]
        every = xp.concat([penalised, xp.sum(miss, keepdims=True) * factor])
        rest = values["inverse"] @ (every * scale)
        return {"w": xp.clip(ahead - 4 * rest, -bound, bound), "before": w}

    state = held(w=bound, before=bound)
    arguments = {**x.arguments, **y.arguments, **EVIDENCE, **SCALED, **state}
    return secured(parties, step, arguments, kept("w", "before"))


@cache
def card_weights(parties: tuple[str, ...], columns: Columns, bound: float) -> Function:
    """The weight of each bin, the intercept last; and to both whether it is too large.

    It is where a logit could exceed LOGIT_BOUND: then prediction could not be right.
    """
    widest = max(columns.counts)
    places = columns.starts[:, None] + np.arange(widest)
    inside = np.arange(widest) < np.array(columns.counts)[:, None]

    def finish(w: Array, scale: Array, woe: Array) -> dict[str, Array]:
        weights = w * scale
        bins = woe * (columns.membership.T @ weights[:-1])
        sizes = xp.abs(xp.concat([bins, np.zeros(1)]))
        largest = xp.max(sizes[np.where(inside, places, columns.bins)], axis=1)
        beyond = xp.sum(largest) + xp.sum(xp.abs(weights[-1:])) > LOGIT_BOUND - HALF
        every = xp.concat([bins, weights[-1:]])
        constant = weights[-1:] + HALF
        return {"weights": every, "constant": constant, "first": beyond, "second": beyond}

    told = {"first": To(parties[0], coins=True), "second": To(parties[1], coins=True)}
    arguments = {**held(w=bound, scale=(0, STEEPEST)), **EVIDENCE}
    return secured(parties, finish, arguments, {**kept("weights", "constant"), **told})
