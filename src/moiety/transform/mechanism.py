"""Rows become noisy points of few dimensions: clipped, projected, put on a grid, drowned in noise.

A row x is clipped to a Euclidean norm of C, so the projection P (orthonormal columns, spectral norm
1) takes it to xP of norm at most C. That is written in steps of C / R as integers z, and it is z
that is checked: Σ z² ≤ R². Two rows' z therefore lie at most 2R apart, whatever rounding went on
before. Each coordinate gets discrete Gaussian noise of deviation σ steps, σ whole, which gives
ρ-zCDP with ρ = (2R)² / (2σ²) (Canonne, Kamath, Steinke, NeurIPS 2020, section 2).

The guarantee rests on this noise alone. P counts as known to everybody: that it has no inverse, for
there are fewer dimensions than columns, is not what protects a row.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
import numpy.typing as npt

from moiety.errors import DataError, UsageError
from moiety.sampling import DEVIATION, Integers, gaussian
from moiety.transform.account import Guarantee

Floats = npt.NDArray[np.float64]

RADIUS = 1 << 12
"""R: a row of norm C has this many steps. A coordinate loses less than one of them."""


@dataclass(frozen=True, repr=False, eq=False)
class Mechanism:
    """A projection (columns × dimensions), the largest norm of a row, and the noise."""

    projection: Floats
    clip: float
    deviation: int
    """Of the noise, in steps; 0 is none."""

    @classmethod
    def of(cls, projection: Floats, clip: float, guarantee: Guarantee) -> Self:
        """That with the least noise that keeps the guarantee's rho."""
        return cls(projection, clip, deviation(guarantee.rho, (2 * RADIUS) ** 2))

    def __repr__(self) -> str:
        columns, dimensions = self.projection.shape
        return f"Mechanism({columns} columns to {dimensions}, noise of {self.sigma:g})"

    @property
    def step(self) -> float:
        """The grid on which all that is released lies."""
        return self.clip / RADIUS

    @property
    def sigma(self) -> float:
        """The deviation of the noise of one coordinate, in the units of rows."""
        return self.deviation * self.step

    @property
    def rho(self) -> float:
        """What one release costs a person; infinite without noise."""
        return spent(self.deviation, (2 * RADIUS) ** 2)

    def release(self, rows: Floats) -> Floats:
        """(rows × dimensions) the noisy points of rows (rows × columns); drawn anew in each call.

        Whoever gets them learns of each row what ρ-zCDP leaves, and how many rows there are.

        Raises:
            DataError: a number is not finite.
        """
        points = on_grid(clipped(rows, self.clip) @ self.projection, self.step, RADIUS)
        points += noise(self.deviation, points.size).reshape(points.shape)
        return points.astype(np.float64) * self.step


def clipped(rows: Floats, clip: float) -> Floats:
    """The rows, those with a larger norm shortened to it.

    Raises:
        DataError: a number is not finite.
    """
    _check_finite(rows, "row")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    shortened: Floats = rows * (clip / np.maximum(norms, clip))
    return shortened


def _check_finite(values: Floats, what: str) -> None:
    if not np.isfinite(values).all():
        raise DataError(
            f"a {what} with a number that is not finite", hint="fill in what is missing"
        )


def on_grid(points: Floats, step: float, radius: int) -> Integers:
    """Points in steps, rounded towards 0, none with a norm above radius: exact integers.

    Raises:
        DataError: a point is not finite: as an integer it could be anything.
    """
    _check_finite(points, "point")
    whole = np.clip(np.trunc(points / step), -radius, radius).astype(np.int64)
    while (beyond := (whole * whole).sum(axis=1) > radius * radius).any():
        whole[beyond] -= np.sign(whole[beyond])
    return whole


def deviation(rho: float, sensitivity2: int) -> int:
    """The smallest whole deviation of noise with ρ-zCDP for integers that far apart, squared.

    Raises:
        UsageError: it is more than can be drawn exactly.
    """
    if rho == math.inf:
        return 0
    found = math.isqrt(math.ceil(sensitivity2 / (2 * Fraction(rho))) - 1) + 1 if rho else DEVIATION
    if found >= DEVIATION:
        raise UsageError(
            f"rho = {rho:g} needs noise of more than {DEVIATION - 1:,} steps",
            hint="release less often, with a larger epsilon",
        )
    return found


def spent(deviation: int, sensitivity2: int) -> float:
    """The ρ of noise of that deviation, rounded up; infinite without noise."""
    if not deviation:
        return math.inf
    return math.nextafter(float(Fraction(sensitivity2, 2 * deviation**2)), math.inf)


def noise(deviation: int, count: int) -> Integers:
    """So many integers of discrete Gaussian noise, zeros where the deviation is 0."""
    return gaussian(Fraction(deviation**2), count) if deviation else np.zeros(count, np.int64)
