"""Sums over the rows of each bin, and back, without telling anybody which rows those are.

Both forms are the same linear map, X for one-hot X, and its transpose. `Tables` multiplies by X
itself, which its owner masks. `Orders` brings rows in the order of their owner's bins, by a dealt
permutation, with a marker after each bin (Chase, Ghosh, Poburinnaya 2020): running sums at the
markers, brought back, are what lies in the bins up to there.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Protocol

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.runner import Runner
from moiety.function.signature import COMPUTING
from moiety.learn.binned import bring_bins, parts
from moiety.learn.columns import Columns
from moiety.learn.partition import Horizontal, Partition, Plain
from moiety.learn.program import Brought, Layout, Values, bring
from moiety.ops.order import sort_rows


class Buckets(Hashable, Protocol):
    """How a program sums over bins."""

    def sums(self, values: Values, rows: Array) -> Array:
        """(bins × w) the sums of rows (rows × w) in each bin."""
        ...

    def spread(self, values: Values, bins: Array) -> Array:
        """(rows × w) for each row the sum of what its bins (bins × w) have."""
        ...


@dataclass(frozen=True)
class Tables:
    """By products with the owners' one-hot tables."""

    layout: Layout

    def sums(self, values: Values, rows: Array) -> Array:
        """See `Buckets`."""
        return self.layout.joined(values).T @ rows

    def spread(self, values: Values, bins: Array) -> Array:
        """See `Buckets`."""
        return self.layout.joined(values) @ bins


@dataclass(frozen=True)
class Orders:
    """By the owners' orders; `rows` and `columns` are those of each owner's part, along `axis`."""

    layout: Layout
    axis: int
    rows: tuple[int, ...]
    columns: tuple[Columns, ...]

    def sums(self, values: Values, rows: Array) -> Array:
        """See `Buckets`."""
        found = [
            self._sums(at, keys, rows[self._own(at)])
            for at, keys in enumerate(self.layout.parts(values))
        ]
        return xp.concat(found, axis=0) if self.axis else reduce(Array.__add__, found)

    def spread(self, values: Values, bins: Array) -> Array:
        """See `Buckets`."""
        found = [
            self._spread(at, keys, bins[self._bins(at)])
            for at, keys in enumerate(self.layout.parts(values))
        ]
        return reduce(Array.__add__, found) if self.axis else xp.concat(found, axis=0)

    def _sums(self, at: int, keys: Array, rows: Array) -> Array:
        entries = xp.concat([rows] * len(self.columns[at].counts), axis=0)
        marked = xp.concat([entries, np.zeros((self.columns[at].bins, rows.shape[1]))], axis=0)
        back = sorted_by(keys, xp.cumulative_sum(sorted_by(keys, marked)), inverse=True)
        return differences(back[entries.shape[0] :])

    def _spread(self, at: int, keys: Array, bins: Array) -> Array:
        """Of all that follows a row in order, what its own bin has is left over."""
        columns, width = len(self.columns[at].counts), bins.shape[1]
        entries = np.zeros((columns * self.rows[at], width))
        falling = xp.flip(differences(xp.flip(bins, axis=0)), axis=0)
        order = sorted_by(keys, xp.concat([entries, falling], axis=0))
        following = xp.flip(xp.cumulative_sum(xp.flip(order, axis=0)), axis=0)
        back = sorted_by(keys, following, inverse=True)[: entries.shape[0]]
        return xp.sum(xp.reshape(back, (columns, self.rows[at], width)), axis=0)

    def _own(self, at: int) -> slice:
        """The rows of an owner's part."""
        return slice(None) if self.axis else _place(self.rows, at)

    def _bins(self, at: int) -> slice:
        """The bins of an owner's part."""
        return _place([part.bins for part in self.columns], at) if self.axis else slice(None)


def _place(sizes: Sequence[int], at: int) -> slice:
    """Where one of several parts is that lie one after the other."""
    return slice(sum(sizes[:at]), sum(sizes[: at + 1]))


def sorted_by(keys: Array, rows: Array, *, inverse: bool = False) -> Array:
    """The rows in the order of their owner's keys, or back from it."""
    return Array(sort_rows(keys.value, rows.value, inverse=inverse))


def differences(rows: Array) -> Array:
    """Each row less the one before."""
    return rows - xp.concat([np.zeros((1, rows.shape[1])), rows[:-1]], axis=0)


def tables(runner: Runner, whole: Partition, columns: Columns) -> tuple[Brought, Buckets]:
    """The form by products, and what it takes."""
    x = bring_bins(runner, whole, columns)
    return x, Tables(x.layout)


def orders(runner: Runner, whole: Partition, columns: Columns) -> tuple[Brought, Buckets]:
    """The form by orders, and what it takes.

    Raises:
        UsageError: an owner does not compute: only who computes can hold an order alone.
    """
    outside = [owner for owner in whole.owners if owner not in runner.parties[:COMPUTING]]
    if outside:
        raise UsageError(
            f"an order of {outside[0]}, which does not compute",
            hint='histogram="table": it sends shares of its table',
        )
    own = tuple(parts(columns, whole))
    keys = {
        part.owner: part.made((part.shape[0] * part.shape[1] + its.bins,), partial(_keys, its))
        for part, its in zip(whole.parts, own, strict=True)
    }
    x = bring(runner, Horizontal(**keys), "x", (0, 2 * columns.bins), int)
    rows = tuple(part.shape[0] for part in whole.parts)
    return x, Orders(x.layout, whole.axis, rows, own)


def _keys(columns: Columns, codes: Plain) -> Plain:
    """An even key for each row and column, by its bin; then an odd one to follow each bin."""
    bins = columns.checked(codes) + columns.starts
    return np.concatenate([2 * bins.T.reshape(-1), 2 * np.arange(columns.bins) + 1])


FORMS = {"table": tables, "order": orders}
