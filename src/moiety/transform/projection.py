"""Projections of rows to few dimensions: random, or learnt from rows through noise.

A random one depends on a seed and on the shape alone: the keystream of the seed (AES-128 in counter
mode, `moiety.ring.Stream`) gives uniform words, their upper 53 bits Gaussian numbers by the inverse
of the normal distribution, these a matrix, and Gram–Schmidt (QR with a positive diagonal)
orthonormal columns. On every machine that is the same matrix, but for the last bits of a float.

What is learnt is charged to everybody in the table. Neighbours are tables that differ in one row,
so the number of rows is public.
"""

import secrets
from collections.abc import Iterable

import numpy as np
from scipy.special import ndtri

from moiety.errors import UsageError
from moiety.ring import KEY, Stream, derive
from moiety.sampling import Integers
from moiety.transform.mechanism import RADIUS, Floats, clipped, deviation, noise, on_grid

Rows = Iterable[tuple[Floats, Integers | None]]
"""A part at a time: rows, each number within [-1, 1], and labels, 0 or 1, if they have any."""

MOMENTS_RADIUS = 1 << 8
"""R where products of a row's numbers are summed up."""


def seed_of(given: bytes | str | None) -> bytes:
    """The 16 bytes of a seed, given as such or in hexadecimal; fresh ones where there is none.

    Raises:
        UsageError: it is neither.
    """
    if given is None:
        return secrets.token_bytes(KEY)
    try:
        seed = bytes.fromhex(given) if isinstance(given, str) else bytes(given)
    except (TypeError, ValueError):
        seed = b""
    if len(seed) != KEY:
        raise UsageError(
            "a projection's seed is not as it should be",
            hint=f"give {KEY} bytes, or {2 * KEY} hexadecimal digits, to all who pool rows",
        )
    return seed


def random_projection(seed: bytes, columns: int, dimensions: int) -> Floats:
    """(columns × dimensions) orthonormal columns, uniformly random, from a seed of 16 bytes."""
    return _orthonormal(_normals(seed, columns, dimensions))


def principal_projection(
    rows: Rows, columns: int, dimensions: int, clip: float, rho: float
) -> Floats:
    """(columns × dimensions) the main axes of the rows about 0, found with ρ-zCDP.

    Rows become integers u of norm at most R, as in `mechanism`. The upper triangle of A = Σ u uᵀ
    gets noise (Dwork, Talwar, Thakurta, Zhang, Analyze Gauss, STOC 2014). One row v instead of u
    changes A by D = u uᵀ - v vᵀ, and Σ D² = |u|⁴ + |v|⁴ - 2 (u·v)² ≤ 2R⁴; the triangle is a part
    of D, so its sensitivity is √2 · R².
    """
    sums = np.zeros((columns, columns), np.int64)
    for part, _ in rows:
        points = _points(part, clip, MOMENTS_RADIUS).astype(np.float64)
        sums += (points.T @ points).astype(np.int64)
    upper = np.triu_indices(columns)
    sums[upper] += noise(deviation(rho, 2 * MOMENTS_RADIUS**4), len(upper[0]))
    symmetric = np.triu(sums) + np.triu(sums, 1).T
    _, axes = np.linalg.eigh(symmetric.astype(np.float64))
    main: Floats = np.ascontiguousarray(axes[:, ::-1][:, :dimensions])
    return main


def supervised_projection(
    rows: Rows, columns: int, dimensions: int, clip: float, rho: float, seed: bytes
) -> Floats:
    """(columns × dimensions) the directions of both labels' rows, found with ρ-zCDP, and others.

    Rows become integers u of norm at most R, as in `mechanism`; those of each label are summed up,
    and noise is added. One row and label instead of others changes either one sum, by at most 2R,
    or both, by at most R each: the sensitivity is 2R. Whatever both labels' shares are, these two
    directions span the difference of their means. What is left is random, from the seed.

    Raises:
        UsageError: there are no labels.
    """
    sums = np.zeros((columns, 2), np.int64)
    for part, label in rows:
        if label is None:
            raise UsageError("rows without labels", hint="only they tell directions of labels")
        points = _points(part, clip, RADIUS)
        for event in (0, 1):
            sums[:, event] += points[label == event].sum(axis=0)
    sums += noise(deviation(rho, (2 * RADIUS) ** 2), sums.size).reshape(sums.shape)
    others = _normals(seed, columns, max(dimensions - 2, 0))
    return _orthonormal(np.column_stack([sums, others])[:, :dimensions])


def _points(part: Floats, clip: float, radius: int) -> Integers:
    return on_grid(clipped(part, clip), clip / radius, radius)


def _normals(seed: bytes, columns: int, dimensions: int) -> Floats:
    """Gaussian numbers of a seed."""
    words = Stream(derive(seed, b"projection"), 0).words(columns * dimensions)
    uniform = ((words >> np.uint64(11)) + 0.5) * 2.0**-53
    normals: Floats = ndtri(uniform).reshape(columns, dimensions)
    return normals


def _orthonormal(matrix: Floats) -> Floats:
    """The columns made orthonormal one after the other, each to the side where it was."""
    found, triangle = np.linalg.qr(matrix)
    signs = np.where(np.diag(triangle) < 0, -1.0, 1.0)
    turned: Floats = found * signs
    return turned
