"""What releases cost: published conversions, composition, and labels that are flipped."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from moiety.errors import DataError, UsageError
from moiety.transform import Guarantee, flip
from moiety.transform.labels import UNITS, chance

DELTAS = st.floats(1e-12, 0.01)
RHOS = st.floats(1e-6, 100)


def renyi(rho, delta, order):
    """Proposition 12 of Canonne, Kamath, Steinke (2020), for a Rényi divergence of rho · order."""
    return rho * order + math.log(1 / (order * delta)) / (order - 1) + math.log1p(-1 / order)


@given(RHOS, DELTAS)
def test_epsilon_is_the_best_of_published_bounds(rho, delta):
    """Bun, Steinke (2016), proposition 1.3; Mironov (2017), proposition 3; proposition 12 above."""
    epsilon = Guarantee(rho, delta).epsilon
    assert epsilon <= rho + 2 * math.sqrt(rho * math.log(1 / delta))
    for order in (1.5, 2.0, 8.0, 64.0):
        assert epsilon <= rho * order + math.log(1 / delta) / (order - 1) + 1e-3
    best = optimize.minimize_scalar(
        lambda log: renyi(rho, delta, 1 + math.exp(log)), bounds=(-4, 14), method="bounded"
    ).fun
    assert max(best, 0) * (1 - 1e-6) <= epsilon <= max(best, 0) * 1.01 + 1e-9


@pytest.mark.parametrize(
    ("rho", "delta", "epsilon"),
    [
        (0.5, 1e-5, 0.5 + math.sqrt(2 * math.log(1e5))),
        (2.0, 1e-6, 2 + 2 * math.sqrt(2 * math.log(1e6))),
    ],
)
def test_known_values_of_proposition_1_3_are_upper_bounds_by_little(rho, delta, epsilon):
    assert 0.8 * epsilon < Guarantee(rho, delta).epsilon < epsilon


def gaussian_delta(epsilon, mean):
    """The least delta of a Gaussian whose means lie so many deviations apart (Balle, Wang 2018)."""
    upper = stats.norm.cdf(mean / 2 - epsilon / mean)
    return upper - math.exp(epsilon) * stats.norm.cdf(-mean / 2 - epsilon / mean)


@given(RHOS, DELTAS)
def test_epsilon_is_no_less_than_the_best_attack_on_gaussian_noise(rho, delta):
    """A wide discrete Gaussian is as good as a continuous one, whose epsilon is known exactly."""
    epsilon = Guarantee(rho, delta).epsilon
    assert gaussian_delta(epsilon, math.sqrt(2 * rho)) <= delta * (1 + 1e-9)


@given(st.floats(0.001, 1000), DELTAS)
def test_noise_is_made_for_an_epsilon_and_keeps_it(epsilon, delta):
    made = Guarantee.of(epsilon, delta)
    assert made.epsilon <= epsilon
    assert Guarantee(made.rho * (1 + 1e-6), delta).epsilon > epsilon * (1 - 1e-7)


@given(st.floats(0.01, 100), st.floats(0.01, 100), DELTAS)
def test_more_rho_is_more_epsilon_and_a_smaller_delta_too(one, other, delta):
    less, more = sorted((one, other))
    assert Guarantee(less, delta).epsilon <= Guarantee(more, delta).epsilon
    assert Guarantee(one, delta).epsilon <= Guarantee(one, delta / 10).epsilon
    assert Guarantee.of(less, delta).rho <= Guarantee.of(more, delta).rho


@given(st.lists(RHOS, min_size=1, max_size=5), DELTAS)
def test_releases_add_up(rhos, delta):
    total = sum((Guarantee(rho, delta) for rho in rhos), Guarantee(0.0, delta))
    assert total.rho == pytest.approx(sum(rhos)) and total.delta == delta
    apart = sum(Guarantee(rho, delta / len(rhos)).epsilon for rho in rhos)
    assert total.epsilon <= apart + 1e-9
    halves = total.part(0.25) + total.part(0.75)
    assert halves.rho == pytest.approx(total.rho)


def test_flipped_labels_are_in_the_same_account():
    both = Guarantee.of(3.0, 1e-6) + Guarantee(0.0, 1e-6, xi=1.0)
    assert both.epsilon == pytest.approx(4.0, abs=0.01)
    assert Guarantee(0.0, 1e-6, xi=2.0).epsilon <= 2.0
    assert (both + Guarantee(0.0, 1e-8)).delta == 1e-8


def test_nothing_is_guaranteed_without_noise():
    none = Guarantee.of(math.inf, 1e-6)
    assert none.rho == none.epsilon == math.inf and none.part(0.0).rho == 0
    assert (none + Guarantee.of(1.0, 1e-6)).epsilon == math.inf
    assert Guarantee(0.0, 1e-6).epsilon == 0


@pytest.mark.parametrize("epsilon", [0, -1, 1e-4, 1e6, math.nan, -math.inf])
def test_an_epsilon_that_means_nothing_is_refused(epsilon):
    with pytest.raises(UsageError, match="epsilon is") as caught:
        Guarantee.of(epsilon, 1e-6)
    assert "inf" in caught.value.hint


@pytest.mark.parametrize(
    ("rho", "delta", "xi"), [(-1, 1e-6, 0), (1, 0, 0), (1, 1, 0), (1, 0.1, -1)]
)
def test_a_guarantee_that_means_nothing_is_refused(rho, delta, xi):
    with pytest.raises(UsageError, match="a guarantee of rho"):
        Guarantee(rho, delta, xi)


# ── labels ──────────────────────────────────────────────────────────────────────────────────


@given(st.floats(1e-6, 60))
def test_the_chance_of_a_flip_keeps_epsilon(epsilon):
    found = chance(epsilon)
    ratio = (1 - found) / found
    assert math.log(ratio.numerator) - math.log(ratio.denominator) <= epsilon
    assert found <= Fraction(1, 2) and found - Fraction(1 / (1 + math.exp(epsilon))) < Fraction(
        3, UNITS
    )


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_labels_are_flipped_as_often_as_stated(epsilon):
    labels = np.arange(100_000) % 2
    found = flip(labels, epsilon)
    for event in (0, 1):
        flips = int((found != labels)[labels == event].sum())
        assert stats.binomtest(flips, 50_000, 1 / (1 + math.exp(epsilon))).pvalue > 1e-6
    assert not np.array_equal(found, flip(labels, epsilon))


def test_an_attack_on_flipped_labels_proves_no_more_than_epsilon():
    ones, zeros = (int(flip(np.full(200_000, label), 1.0).sum()) for label in (1, 0))
    low = stats.beta.ppf(1e-6, ones, 200_001 - ones)
    high = stats.beta.ppf(1 - 1e-6, zeros + 1, 200_000 - zeros)
    assert 0.95 < math.log(low / high) < 1.0


def test_labels_keep_their_type_and_nothing_is_flipped_for_an_infinite_epsilon():
    labels = np.array([0, 1, 1, 0], np.uint8)
    assert flip(labels, 1.0).dtype == np.uint8 and flip([0, 1], 1.0).shape == (2,)
    kept = flip(labels, math.inf)
    assert np.array_equal(kept, labels) and kept is not labels
    assert np.isin(flip([False, True] * 50, 0.5), (0, 1)).all()


@pytest.mark.parametrize("epsilon", [0, -2.0, math.nan])
def test_flips_for_no_epsilon_are_refused(epsilon):
    with pytest.raises(UsageError, match="labels flipped for epsilon"):
        flip([0, 1], epsilon)


@pytest.mark.parametrize("labels", [[0, 2], [0.5], ["secret"], [math.nan]])
def test_labels_of_another_kind_are_refused_and_not_shown(labels):
    with pytest.raises(DataError, match="labels are 0 and 1") as caught:
        flip(labels, 1.0)
    assert "secret" not in str(caught.value)
