"""Weights of evidence and the scorecard: hand values, scikit-learn, and a published reference."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from bins_kit import encode, fit_bins
from moiety.data.credit import load_credit
from moiety.errors import DataError
from moiety.learn.metrics import auc, ks
from moiety.learn.scorecard import Points, fit_scorecard
from moiety.learn.woe import woe_table


def codes(*values):
    return np.array(values, dtype=np.uint8)


@pytest.fixture(scope="module")
def credit():
    table = load_credit()
    train, test = train_test_split(
        np.arange(30_000), test_size=0.2, stratify=table.label, random_state=42
    )
    train, test = table.take(train), table.take(test)
    bins = fit_bins(train, 10)
    counts = {name: one.count for name, one in bins.items()}
    return encode(train, bins), counts, train.label, encode(test, bins), test.label


def test_woe_by_hand():
    table = woe_table("x", codes(0, 0, 0, 1, 1), 2, codes(1, 0, 0, 1, 1), smoothing=0.5)
    assert table.rows.tolist() == [3, 2] and table.events.tolist() == [1, 2]
    bad, good = np.array([1.5, 2.5]) / 4, np.array([2.5, 0.5]) / 3
    np.testing.assert_allclose(table.woe, np.log(bad / good))
    assert table.information == pytest.approx(((bad - good) * np.log(bad / good)).sum())
    np.testing.assert_allclose(table.rates, [1 / 3, 1])


def test_an_unused_bin_changes_nothing():
    x, y = codes(0, 0, 0, 2, 2), codes(1, 0, 0, 1, 1)
    with_gap = woe_table("x", x, 4, y, smoothing=0.5)
    without = woe_table("x", x // 2, 2, y, smoothing=0.5)
    np.testing.assert_allclose(with_gap.woe, [without.woe[0], 0, without.woe[1], 0])
    assert with_gap.information == pytest.approx(without.information)
    assert math.isnan(with_gap.rates[1])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=1), st.floats(0.01, 5))
def test_swapping_the_event_turns_the_sign(pairs, smoothing):
    x, y = (codes(*column) for column in zip(*pairs, strict=True))
    one = woe_table("x", x, 6, y, smoothing=smoothing)
    other = woe_table("x", x, 6, 1 - y, smoothing=smoothing)
    np.testing.assert_allclose(one.woe, -other.woe, atol=1e-12)
    assert one.information == pytest.approx(other.information) and one.information >= -1e-12


def test_reaches_the_reference(credit):
    train, counts, y, test, y_test = credit
    score = fit_scorecard(train, counts, y).logit(test)
    assert auc(y_test, score) == pytest.approx(0.76458, abs=0.002)
    assert ks(y_test, score).value == pytest.approx(0.40446, abs=0.002)


def test_equals_scikit_learn_on_woe(credit):
    train, counts, y, test, _ = credit
    card = fit_scorecard(train, counts, y, c=0.1)
    evidence = np.column_stack([card.tables[name].woe[train[name]] for name in train])
    fit = LogisticRegression(C=0.1, solver="newton-cg", tol=1e-10).fit(evidence, y)
    np.testing.assert_allclose(list(card.coefficients.values()), fit.coef_[0], atol=1e-4)
    test_evidence = np.column_stack([card.tables[name].woe[test[name]] for name in test])
    np.testing.assert_allclose(card.logit(test), fit.decision_function(test_evidence), atol=1e-3)


def test_logit_is_the_sum_of_weights_within_the_bound(credit):
    train, counts, y, test, _ = credit
    card = fit_scorecard(train, counts, y)
    row = {name: column[:1] for name, column in test.items()}
    parts = [card.weights[name][row[name][0]] for name in card.weights]
    assert card.logit(row)[0] == pytest.approx(card.intercept + math.fsum(parts))
    worst = {n: np.abs(w).argmax(keepdims=True).astype(np.uint8) for n, w in card.weights.items()}
    assert np.abs(card.logit(worst))[0] <= card.bound()
    assert np.abs(card.logit(test)).max() <= card.bound() < 20
    assert card.counts == counts
    assert repr(card) == f"Scorecard(23 columns, {sum(counts.values())} bins)"


def test_bound_holds_for_rows_never_seen():
    draw = np.random.default_rng(3)
    x = {name: draw.integers(0, 3, 500).astype(np.uint8) for name in "ab"}
    y = (draw.random(500) < 0.02 + 0.02 * x["a"]).astype(np.uint8)
    card = fit_scorecard(x, {"a": 3, "b": 3}, y)
    every = {"a": np.repeat(codes(0, 1, 2), 3), "b": np.tile(codes(0, 1, 2), 3)}
    most = np.abs(card.logit(every)).max()
    assert most <= card.bound() <= most + 2 * np.abs(card.weights["b"]).max()


def test_same_input_same_scorecard(credit):
    train, counts, y, _, _ = credit
    one, same = fit_scorecard(train, counts, y), fit_scorecard(train, counts, y)
    assert one.intercept == same.intercept and one.coefficients == same.coefficients


def test_points_follow_the_convention(credit):
    scale = Points(base=600, pdo=50, odds=1 / 19)
    logits = np.log(np.array([1 / 19, 2 / 19, 1 / 38]))
    np.testing.assert_allclose(scale.of(logits), [600, 550, 650])
    train, counts, y, test, _ = credit
    card = fit_scorecard(train, counts, y)
    points = card.points(scale)
    total = sum(points[name][test[name]] for name in points)
    np.testing.assert_allclose(total, scale.of(card.logit(test)))


X, Y = {"x": codes(0, 1, 0, 1)}, codes(0, 1, 1, 0)
REFUSED = [
    (X, {"x": 1}, Y, "not below its bin count 1"),
    (X, {"z": 2}, Y, "do not fit counts"),
    ({}, {}, Y, "do not fit counts"),
    (X | {"z": codes(0, 1)}, {"x": 2, "z": 2}, Y, r"uint8\(2,\), not uint8\(4,\)"),
    ({"x": np.array([0, 1, 0, 1])}, {"x": 2}, Y, "int64"),
    (X, {"x": 2}, codes(0, 1, 1), "labels are not 4"),
    (X, {"x": 2}, codes(0, 1, 1, 2), "labels are not 4"),
    (X, {"x": 2}, codes(1, 1, 1, 1), "alike"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[3])
def test_refusals(case):
    x, counts, y, message = case
    with pytest.raises(DataError, match=message):
        fit_scorecard(x, counts, y)


def test_smoothing_must_be_positive():
    with pytest.raises(DataError, match="smoothing is 0"):
        fit_scorecard(X, {"x": 2}, Y, smoothing=0)


def test_scoring_refuses_other_codes():
    card = fit_scorecard(X, {"x": 2}, Y)
    for wrong in ({"x": codes(2)}, {"z": codes(0)}, {}):
        with pytest.raises(DataError):
            card.logit(wrong)
