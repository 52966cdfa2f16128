"""What an attacker has before he sees representations, and the linear estimates that follow.

He has people of his own in the clear, of the same population; none of them is attacked. Of the map
from rows to representations he either knows all but the noise, or he has his people's values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from moiety.audit.learners import Predict, ridge
from moiety.audit.tables import Floats, table
from moiety.errors import DataError, UsageError

Map: TypeAlias = Floats | Callable[[Floats], Floats]

_TINY = 1e-9
"""Of a variance: what is added so that a matrix without noise has an inverse."""


@dataclass(frozen=True, eq=False, repr=False)
class Knowledge:
    """People of his own, and either the map, or what became of their rows under it.

    A linear regression is all that he makes of it: with a known linear map, Gaussian noise and a
    Gaussian prior of the people's mean and covariance, that is the posterior mean, and the best.
    """

    rows: Floats
    """(people × columns); for `link` these may be other columns than the map's own."""
    seen: Floats | None = None
    """(people × dimensions) their representations, as received: the map is not known."""
    known: Map | None = None
    """The map without its noise: a matrix (columns × dimensions), or a function of rows."""
    noise: float | Floats = 0.0
    """Of a known map, the standard deviation of its noise, or one for each dimension."""

    def __post_init__(self) -> None:
        if (self.seen is None) == (self.known is None):
            raise UsageError(
                "the attacker's knowledge is of the map, or of what it made of his people",
                hint="give known= (with noise=), or seen=",
            )
        rows = table("the attacker's rows", self.rows)
        object.__setattr__(self, "rows", rows)
        if self.seen is not None:
            object.__setattr__(self, "seen", table("what he saw", self.seen, len(rows)))
        if self.known is not None and not callable(self.known):
            matrix = table("the known map, by columns,", self.known, rows.shape[1])
            object.__setattr__(self, "known", lambda some: some @ matrix)

    def __repr__(self) -> str:
        what = "the map" if self.seen is None else "their representations"
        return f"Knowledge({len(self.rows)} people, {what})"

    @cached_property
    def expected(self) -> Predict:
        """From rows to the representation that he expects of them."""
        if self.seen is not None:
            return ridge(self.rows, self.seen)
        known: Any = self.known
        return lambda rows: table("representations by the known map", known(rows), len(rows))

    @cached_property
    def surprise(self) -> Floats:
        """The covariance (dimensions × dimensions) of representations about `expected`."""
        own = self.expected(self.rows)
        if self.seen is None:
            found = np.diag(np.square(self._noise(own.shape[1])))
        else:
            found = np.atleast_2d(np.cov(self.seen - own, rowvar=False))
        floor = _TINY * own.var(axis=0).mean() + np.finfo(np.float64).tiny
        return np.asarray(found + floor * np.eye(own.shape[1]))

    @cached_property
    def estimate(self) -> Predict:
        """From representations to the rows that he takes them to be of."""
        if self.seen is not None:
            return ridge(self.seen, self.rows)
        own, mean = self.expected(self.rows), self.rows.mean(axis=0)
        centre = own.mean(axis=0)
        joint = (own - centre).T @ (self.rows - mean) / len(own)
        spread = (own - centre).T @ (own - centre) / len(own) + self.surprise
        weights = np.linalg.solve(spread, joint)
        return lambda representation: mean + (representation - centre) @ weights

    def _noise(self, dimensions: int) -> Floats:
        noise = np.asarray(self.noise, np.float64)
        if noise.shape not in ((), (dimensions,)) or not (noise >= 0).all():
            what = f"noise of shape {noise.shape} for {dimensions} dimensions"
            raise DataError(what, hint="give one deviation, or one for each, of 0 or more")
        return np.broadcast_to(noise, dimensions)

    def fitting(
        self, representation: Floats, rows: Floats, *, strangers: bool = False
    ) -> tuple[Floats, Floats]:
        """Both as tables, as wide as the attacker's, of the same people or with strangers behind.

        Raises:
            DataError: they are wider or narrower, are no tables, or are of other people.
        """
        seen, given = table("representations", representation), table("rows", rows)
        due = len(self.surprise), self.rows.shape[1]
        fits = len(seen) <= len(given) if strangers else len(seen) == len(given)
        if (seen.shape[1], given.shape[1]) != due or not fits:
            raise DataError(
                f"representations {seen.shape} of rows {given.shape}, by an attacker who knows of "
                f"{due[0]} dimensions and {due[1]} columns",
                hint="give one representation a row, and the attacker the same columns",
            )
        return seen, given
