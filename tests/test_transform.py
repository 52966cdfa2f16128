"""The mechanism: its bound holds in integers, its noise is as stated, an attack finds no more."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import moiety.transform
from moiety.errors import DataError, UsageError
from moiety.transform import Guarantee
from moiety.transform.mechanism import RADIUS, Mechanism, clipped, deviation, noise, on_grid
from moiety.transform.projection import MOMENTS_RADIUS, random_projection
from moiety.transform.settings import Settings

SEED = bytes(range(16))
CLAIM = Guarantee.of(3.0, 1e-6)
FINITE = st.floats(-1e6, 1e6)


def mechanism(columns=5, dimensions=3, clip=1.0, claim=CLAIM):
    return Mechanism.of(random_projection(SEED, columns, dimensions), clip, claim)


def test_the_names_of_the_package_are_loaded_when_used():
    assert set(moiety.transform.__all__) >= {"PrivateTransform", "Guarantee", "Ledger", "flip"}
    assert all(getattr(moiety.transform, name) for name in moiety.transform.__all__)
    with pytest.raises(AttributeError, match="no attribute"):
        _ = moiety.transform.Inverse


# ── the bound ───────────────────────────────────────────────────────────────────────────────


@given(arrays(np.float64, (4, 3), elements=FINITE), st.floats(1e-6, 1e6), st.integers(1, 5000))
def test_no_row_on_the_grid_is_longer_than_the_radius(points, step, radius):
    """Whatever came before, be it rows that were never clipped."""
    whole = on_grid(points, step, radius)
    assert all(sum(int(one) ** 2 for one in row) <= radius**2 for row in whole)
    assert (np.abs(whole) <= np.abs(points) / step).all()
    assert (whole * np.sign(points) >= 0).all()


@given(arrays(np.float64, (2, 5), elements=FINITE), st.floats(1e-3, 1e3))
def test_two_rows_are_at_most_twice_the_radius_apart(rows, clip):
    made = mechanism(clip=clip)
    one, other = on_grid(clipped(rows, clip) @ made.projection, made.step, RADIUS).tolist()
    assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) <= (2 * RADIUS) ** 2


def test_a_row_within_the_norm_loses_less_than_a_step():
    rows = np.random.default_rng(1).uniform(-0.4, 0.4, (500, 5))
    made = mechanism(claim=Guarantee(math.inf, 1e-6))
    assert np.array_equal(clipped(rows, 1.0), rows)
    off = made.release(rows) - rows @ made.projection
    assert np.abs(off).max() < made.step * (1 + 1e-9)
    long = clipped(10 * rows, 1.0)
    assert np.linalg.norm(long, axis=1) == pytest.approx(1.0)


def test_the_noise_is_the_least_that_keeps_rho():
    for rho in (1e-5, 0.185, 1.0, 40.0):
        for sensitivity2 in ((2 * RADIUS) ** 2, 2 * MOMENTS_RADIUS**4):
            found = deviation(rho, sensitivity2)
            assert Fraction(sensitivity2, 2 * found**2) <= Fraction(rho)
            assert found == 1 or Fraction(sensitivity2, 2 * (found - 1) ** 2) > Fraction(rho)


def test_a_release_costs_what_its_noise_says_and_no_more_than_was_asked_for():
    made = mechanism(clip=2.5)
    exact = Fraction((2 * RADIUS) ** 2, 2 * made.deviation**2)
    assert exact <= Fraction(made.rho) <= exact * (1 + Fraction(1, 2**50))
    assert made.rho <= CLAIM.rho and made.rho == pytest.approx(CLAIM.rho, rel=1e-3)
    assert made.sigma == pytest.approx(2.5 * math.sqrt(2 / made.rho))
    assert made.step == 2.5 / RADIUS


def test_noise_that_cannot_be_drawn_exactly_is_refused():
    with pytest.raises(UsageError, match="noise of more than") as caught:
        deviation(1e-12, (2 * RADIUS) ** 2)
    assert "epsilon" in caught.value.hint
    with pytest.raises(UsageError, match="noise of more than"):
        deviation(0.0, 1)


def test_what_is_released_is_on_the_grid_with_fresh_noise_of_the_stated_size():
    made, rows = mechanism(), np.zeros((30_000, 5))
    found = made.release(rows) / made.step
    assert np.array_equal(found, np.rint(found))
    assert abs(found.std() / made.deviation - 1) < 0.02
    assert stats.kstest(found.ravel() / made.deviation, "norm").pvalue > 1e-6
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.03
    assert not np.array_equal(found, made.release(rows) / made.step)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(wrong):
    rows = np.zeros((3, 5))
    rows[1, 2] = wrong
    with pytest.raises(DataError, match="not finite"):
        mechanism().release(rows)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_projection_by_which_points_are_endless_is_refused(wrong):
    """As an integer such a point would have any norm, and pass as none."""
    made = mechanism()
    spoilt = Mechanism(made.projection * wrong, made.clip, made.deviation)
    with np.errstate(all="ignore"), pytest.raises(DataError, match="not finite"):
        spoilt.release(np.ones((3, 5)))


def test_nothing_of_a_projection_or_a_seed_is_shown():
    assert repr(mechanism()) == "Mechanism(5 columns to 3, noise of 3.28784)"
    assert SEED.hex() not in repr(Settings(seed=SEED)) + repr(Settings(seed=SEED.hex()))


# ── an attack ───────────────────────────────────────────────────────────────────────────────

DRAWS = 400_000
CONFIDENCE = 1e-6


def attacked(release, claim):
    """The largest epsilon, less those claimed, that the best test of two opposite rows proves.

    The rows are 2R apart along one axis, where the likelihood ratio rises with the coordinate: a
    threshold is the best test. Thresholds are fixed; bounds are Clopper and Pearson's.
    """
    axis = release.projection[:, :1].T * release.clip
    far, near = (release.release(np.repeat(row, DRAWS, 0))[:, 0] for row in (axis, -axis))
    found = -math.inf
    for at in np.linspace(-1, 4, 26) * release.sigma:
        hits = [int((points > at).sum()) for points in (far, near)]
        low = stats.beta.ppf(CONFIDENCE, hits[0], DRAWS - hits[0] + 1) if hits[0] else 0.0
        high = stats.beta.ppf(1 - CONFIDENCE, hits[1] + 1, DRAWS - hits[1])
        for delta in (1e-6, 1e-4, 1e-2):
            if low > delta:
                proved = math.log((low - delta) / high)
                found = max(found, proved - Guarantee(claim.rho, delta).epsilon)
    return found


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 8.0])
def test_the_best_attack_proves_no_more_than_is_claimed(epsilon):
    claim = Guarantee.of(epsilon, 1e-6)
    assert attacked(mechanism(claim=claim), claim) < 0


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 8.0])
def test_the_attack_finds_noise_that_is_too_small(epsilon):
    claim = Guarantee.of(epsilon, 1e-6)
    made = mechanism(claim=claim)
    weak = Mechanism(made.projection, made.clip, made.deviation // 3)
    assert attacked(weak, claim) > 0


def test_the_attack_finds_rows_that_are_not_clipped(monkeypatch):
    monkeypatch.setattr("moiety.transform.mechanism.on_grid", lambda x, step, radius: x / step)
    monkeypatch.setattr("moiety.transform.mechanism.clipped", lambda rows, clip: 3 * rows)
    monkeypatch.setattr(
        "moiety.transform.mechanism.noise",
        lambda size, count: noise(size, count).astype(np.float64),
    )
    assert attacked(mechanism(), CLAIM) > 0
