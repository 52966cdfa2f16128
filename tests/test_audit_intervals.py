"""Intervals hold what they should, in 95 of 100 draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import roc_auc_score

from audit_kit import RUNS
from moiety.audit.intervals import area, largest_rate, least_rate, rate, resampled, spread

COVERED = binom.ppf(0.005, RUNS, 0.95), binom.ppf(0.995, RUNS, 0.95)


def covered(interval, truth):
    """Of as many draws as RUNS, the number whose interval holds the truth."""
    found = (interval(np.random.default_rng(seed)) for seed in range(RUNS))
    return sum(low <= truth <= high for low, high in found)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_rates_are_scipys(pair):
    theirs = binomtest(*pair).proportion_ci(0.95, "exact")
    assert rate(*pair) == pytest.approx((theirs.low, theirs.high))
    hits, trials = pair
    assert least_rate([hits], trials)[0] <= hits / trials <= largest_rate([hits], trials)[0]


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=4, max_size=60))
def test_areas_are_scikit_learns(rows):
    event, score = (np.array(some) for some in zip(*rows, strict=True))
    if 0 < event.sum() < len(event):
        value, parts = area(event, score.astype(float))
        assert value == pytest.approx(roc_auc_score(event, score))
        assert parts.sum() == pytest.approx(0, abs=1e-9)


def test_spreads_of_areas_are_delongs():
    random = np.random.default_rng(1)
    event = np.arange(300) % 3 == 0
    score = random.normal(size=300) + event
    value, parts = area(event, score)
    above = (score[event][:, None] > score[~event]) * 1.0
    variance = above.mean(1).var(ddof=1) / event.sum() + above.mean(0).var(ddof=1) / (~event).sum()
    assert spread(parts) == pytest.approx(1.96 * np.sqrt(variance), rel=0.01)
    assert value == pytest.approx(above.mean())


def test_areas_and_resampled_means_are_covered():
    def by_area(random):
        event = np.arange(200) % 2 == 0
        value, parts = area(event, random.normal(size=200) + event)
        return value - spread(parts), value + spread(parts)

    def by_resampling(random):
        values = random.exponential(size=200)
        return resampled(200, lambda counts: counts @ values / 200)[1]

    assert COVERED[0] <= covered(by_area, norm.cdf(np.sqrt(0.5))) <= COVERED[1]
    assert COVERED[0] <= covered(by_resampling, 1.0) <= COVERED[1]


def test_a_resampled_interval_holds_its_value():
    values = np.array([0.0] * 50 + [1000.0])
    value, (low, high) = resampled(51, lambda counts: (values * (counts == 1)).max(axis=1))
    assert low <= value == high == 1000
