"""Projections: alike for alike seeds; learnt ones find their directions through enough noise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from moiety.errors import UsageError
from moiety.transform.mechanism import RADIUS, clipped, deviation, noise, on_grid
from moiety.transform.projection import (
    MOMENTS_RADIUS,
    principal_projection,
    random_projection,
    seed_of,
    supervised_projection,
)

SEED = bytes(range(16))


def orthonormal(matrix):
    return np.allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-12)


@given(st.binary(min_size=16, max_size=16), st.integers(2, 40), st.data())
def test_a_random_projection_follows_from_its_seed_and_shape(seed, columns, data):
    dimensions = data.draw(st.integers(1, columns - 1))
    found = random_projection(seed, columns, dimensions)
    assert found.shape == (columns, dimensions) and orthonormal(found)
    assert np.linalg.norm(found, 2) == pytest.approx(1.0)
    assert np.array_equal(found, random_projection(seed, columns, dimensions))
    assert not np.allclose(found, random_projection(seed_of(None), columns, dimensions))


def test_the_stream_of_a_seed_is_pinned():
    """Owners who pool rows need the same matrix, on every machine and in every version."""
    expected = [
        [-0.6631784193394201, 0.6687379800491197],
        [-0.19182429908930126, -0.5859584426378018],
        [0.7234623849249983, 0.4576485742808612],
    ]
    assert np.allclose(random_projection(SEED, 3, 2), expected, atol=1e-12)


def test_a_random_projection_prefers_no_direction():
    found = [random_projection(seed_of(None), 3, 1)[:, 0] for _ in range(3000)]
    for axis in np.transpose(found):
        assert stats.kstest(axis, "uniform", args=(-1, 2)).pvalue > 1e-6


def test_seeds_are_bytes_or_digits():
    assert seed_of(SEED) == seed_of(SEED.hex()) == SEED
    assert len({seed_of(None) for _ in range(20)}) == 20
    for wrong in (b"short", "zz" * 16, SEED + SEED, "", 7.5):
        with pytest.raises(UsageError, match="seed is not as it should be") as caught:
            seed_of(wrong)
        assert "32 hexadecimal digits" in caught.value.hint


def correlated(rows=4000, seed=2):
    """Rows whose main axis is (1, 1, 1, 1, 0, 0) / 2, and labels along (0, 0, 0, 0, 1, 0)."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    common = rng.uniform(-0.45, 0.45, (rows, 1)) * np.array([[1, 1, 1, 1, 0, 0]])
    found = common + rng.uniform(-0.05, 0.05, (rows, 6))
    found[:, 4] += 0.2 * (label - 0.5)
    return found, label


MAIN = np.array([1, 1, 1, 1, 0, 0]) / 2


@pytest.mark.parametrize("rho", [0.05, math.inf])
def test_the_main_axes_are_found_through_noise(rho):
    rows, _ = correlated()
    found = principal_projection([(rows[:1000], None), (rows[1000:], None)], 6, 2, 1.0, rho)
    assert orthonormal(found) and abs(found[:, 0] @ MAIN) > 0.99


@pytest.mark.parametrize("rho", [0.05, math.inf])
def test_both_labels_directions_are_found_through_noise(rho):
    rows, label = correlated()
    found = supervised_projection([(rows, label)], 6, 3, 1.0, rho, SEED)
    assert found.shape == (6, 3) and orthonormal(found)
    difference = np.eye(6)[4]
    kept = np.linalg.norm(found[:, :2].T @ difference)
    assert kept > (0.9 if rho == math.inf else 0.5)


@given(arrays(np.float64, (2, 4), elements=st.floats(-1, 1)))
def test_the_moments_of_one_row_move_by_no_more_than_is_noised(rows):
    """Σ (u uᵀ - v vᵀ)² ≤ 2R⁴, of the triangle that gets noise and of all."""
    u, v = on_grid(clipped(rows, 1.0), 1 / MOMENTS_RADIUS, MOMENTS_RADIUS)
    moved = np.outer(u, u) - np.outer(v, v)
    assert (moved[np.triu_indices(4)] ** 2).sum() <= (moved**2).sum() <= 2 * MOMENTS_RADIUS**4


def test_that_bound_is_reached_by_rows_at_right_angles():
    u, v = MOMENTS_RADIUS * np.eye(4, dtype=np.int64)[:2]
    moved = np.outer(u, u) - np.outer(v, v)
    assert (moved[np.triu_indices(4)] ** 2).sum() == 2 * MOMENTS_RADIUS**4


@given(
    arrays(np.float64, (2, 4), elements=st.floats(-1, 1)),
    st.tuples(st.integers(0, 1), st.integers(0, 1)),
)
def test_the_sums_of_both_labels_move_by_no_more_than_is_noised(rows, labels):
    points = on_grid(clipped(rows, 1.0), 1 / RADIUS, RADIUS)
    sums = np.zeros((2, 4), np.int64)
    for sign, point, label in zip((1, -1), points, labels, strict=True):
        sums[label] += sign * point
    assert (sums**2).sum() <= (2 * RADIUS) ** 2


def test_noise_is_drawn_for_every_number_that_is_learnt(monkeypatch):
    drawn = []

    def counted(size, count):
        drawn.append((size, count))
        return noise(size, count)

    monkeypatch.setattr("moiety.transform.projection.noise", counted)
    rows, label = correlated(50)
    principal_projection([(rows, None)], 6, 2, 1.0, 0.1)
    supervised_projection([(rows, label)], 6, 2, 1.0, 0.1, SEED)
    assert drawn == [
        (deviation(0.1, 2 * MOMENTS_RADIUS**4), 21),
        (deviation(0.1, (2 * RADIUS) ** 2), 12),
    ]
