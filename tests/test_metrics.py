"""Figures of merit against scikit-learn, scipy and values by hand, with ties everywhere."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score, roc_curve

from moiety.errors import DataError
from moiety.learn.metrics import auc, groups, ks, roc, stability

samples = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-6, 6) | st.floats(-9, 9)), min_size=2, max_size=80
).filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))


def unzip(rows):
    y, score = zip(*rows, strict=True)
    return np.array(y), np.array(score, dtype=float)


@given(samples)
def test_auc_and_curve_are_scikit_learns(rows):
    y, score = unzip(rows)
    assert auc(y, score) == pytest.approx(roc_auc_score(y, score))
    curve = roc(y, score)
    false, true, thresholds = roc_curve(y, score, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive, false)
    np.testing.assert_allclose(curve.true_positive, true)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


@given(samples)
def test_ks_is_scipys_and_is_where_it_says(rows):
    y, score = unzip(rows)
    found = ks(y, score)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # about its p-value
        theirs = ks_2samp(score[y == 1], score[y == 0]).statistic
    assert found.value == pytest.approx(theirs)
    flagged = score >= found.threshold
    assert abs(flagged[y == 1].mean() - flagged[y == 0].mean()) == pytest.approx(found.value)


@given(samples)
def test_turning_the_sign(rows):
    y, score = unzip(rows)
    assert auc(y, -score) == pytest.approx(1 - auc(y, score))
    assert ks(y, -score).value == pytest.approx(ks(y, score).value)


@given(samples, st.integers(2, 12), st.randoms())
def test_groups_partition_the_rows(rows, count, random):
    y, score = unzip(rows)
    table = groups(y, score, count)
    assert len(table.rows) <= count and table.rows.min() > 0
    assert table.rows.sum() == len(y) and table.events.sum() == y.sum()
    assert (table.lowest <= table.highest).all() and (table.lowest[:-1] > table.highest[1:]).all()
    assert table.captured[-1] == pytest.approx(1)
    for low, high, size, events in zip(
        table.lowest, table.highest, table.rows, table.events, strict=True
    ):
        inside = (low <= score) & (score <= high)
        assert inside.sum() == size and y[inside].sum() == events
    random.shuffle(rows)
    again = groups(*unzip(rows), count)
    np.testing.assert_array_equal(table.events, again.events)


def test_gains_by_hand():
    y = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    table = groups(y, np.arange(10, 0, -1.0), 5)
    assert table.rows.tolist() == [2] * 5 and table.events.tolist() == [2, 1, 1, 0, 0]
    np.testing.assert_allclose(table.rates, [1, 0.5, 0.5, 0, 0])
    np.testing.assert_allclose(table.lift, [2.5, 1.25, 1.25, 0, 0])
    np.testing.assert_allclose(table.captured, [0.5, 0.75, 1, 1, 1])
    np.testing.assert_allclose(table.mean, [9.5, 7.5, 5.5, 3.5, 1.5])
    assert table.highest.tolist() == [10, 8, 6, 4, 2] and table.lowest.tolist() == [9, 7, 5, 3, 1]


def test_ties_stay_together():
    table = groups(np.array([1, 0, 1, 0, 0, 0]), np.array([5, 5, 5, 5, 2, 1.0]), 3)
    assert table.rows.tolist() == [4, 2] and table.events.tolist() == [2, 0]
    wide = groups(np.array([1, 0, 1, 0, 0, 0]), np.array([9, 5, 5, 5, 5, 1.0]), 2)
    assert wide.rows.tolist() == [5, 1]


def test_ks_by_hand():
    y = np.array([1, 1, 0, 1, 0, 0])
    found = ks(y, np.array([9, 8, 7, 6, 5, 4.0]))
    assert (found.value, found.threshold) == (pytest.approx(2 / 3), 8)
    assert ks(y, np.zeros(6)).value == 0 and auc(y, np.zeros(6)) == 0.5
    assert ks(y, y.astype(float)).value == 1 and auc(y, y.astype(float)) == 1


def test_stability_by_hand():
    expected = np.repeat([1.0, 2.0], [50, 50])
    actual = np.repeat([1.0, 2.0], [80, 20])
    by_hand = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    assert stability(expected, actual, 2) == pytest.approx(by_hand)
    assert stability(expected, expected) == 0
    one_sided = stability(expected, np.ones(100), 2)
    assert one_sided == pytest.approx(0.5 * np.log(2) + (0.005 - 0.5) * np.log(0.005 / 0.5))


def test_stability_of_one_population_is_small():
    draw = np.random.default_rng(5)
    assert stability(draw.normal(size=5000), draw.normal(size=5000)) < 0.02
    assert stability(draw.normal(size=5000), draw.normal(1, size=5000)) > 0.25


@pytest.mark.parametrize(
    ("y", "score"),
    [
        ([1, 1], [1.0, 2.0]),
        ([0, 0], [1.0, 2.0]),
        ([0, 2], [1.0, 2.0]),
        ([0, 1], [1.0]),
        ([0, 1], [1.0, np.nan]),
        ([], []),
    ],
)
def test_refusals(y, score):
    for measure in (auc, ks, roc, groups):
        with pytest.raises(DataError):
            measure(np.array(y), np.array(score))
    with pytest.raises(DataError):
        stability(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(DataError):
        stability(np.array([1.0]), np.array([]))
