"""Boosted trees among parties: the algorithm that is meant, in the clear, on shares, and scored."""

import numpy as np
import pytest

from learn_kit import (
    KINDS,
    PARTIES,
    binned,
    credit,
    divided,
    opened,
    order,
    reached,
    runner,
    scored,
    thin,
)
from moiety.errors import DataError, UsageError
from moiety.function.runner import Owned
from moiety.function.signature import From
from moiety.learn.boosting import BoostedTreesClassifier
from moiety.learn.buckets import FORMS
from moiety.learn.columns import Columns
from moiety.learn.growing import Rules
from moiety.learn.partition import table
from moiety.learn.program import kept, secured
from moiety.learn.scale import LOGIT_BOUND, SCORE_BITS
from moiety.learn.secret_model import HALF
from moiety.learn.splits import Splits

COUNTS = (3, 5, 2, 4)
GAPS = (False, True, False, False)
SMALL = {"bins": COUNTS, "missing": (1,), "n_estimators": 3, "max_depth": 2}


def sample(rows=400, seed=6):
    """Codes of four columns; where the second has no value, the event is likelier."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, count, rows) for count in COUNTS])
    effect = np.array([1.5, -1.0, 0.4, 0.7, 1.2])[codes[:, 1]] + (codes[:, 0] == 1) - 1.0
    return codes, (rng.uniform(size=rows) < 1 / (1 + np.exp(-effect))).astype(np.int64)


def by_hand(codes, y, rules, splits):
    """Trees grown one node after the other, row by row; the logit of each row."""
    margin = np.zeros(len(y))
    for _ in range(rules.trees):
        p = 1 / (1 + np.exp(-margin))
        g, h = p - y, p * (1 - p)
        nodes = [np.ones(len(y), bool)]
        for _ in range(rules.depth):
            nodes = [side for rows in nodes for side in best(codes, g, h, rows, rules, splits)]
        for rows in nodes:
            value = -rules.rate * g[rows].sum() / (h[rows].sum() + rules.penalty)
            margin[rows] += np.clip(value, -rules.leaf, rules.leaf)
    return margin


def best(codes, g, h, rows, rules, splits):
    found, side = -np.inf, None
    for column, threshold, missing_left in splits.every:
        code = codes[:, column]
        gaps = np.array(splits.missing)[column] & (code == COUNTS[column] - 1)
        left = rows & np.where(gaps, missing_left, code < threshold)
        right = rows & ~left
        weights = [h[one].sum() for one in (left, right)]
        if threshold <= 255 and min(weights) < rules.least:
            continue
        gain = sum(
            g[one].sum() ** 2 / (weight + rules.penalty)
            for one, weight in zip((left, right), weights, strict=True)
        )
        if gain > found + 1e-12:
            found, side = gain, (left, right)
    return side


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_in_the_clear_they_grow_as_by_hand(kind, depth):
    codes, y = sample()
    columns, labels = divided(kind, codes, y)
    model = BoostedTreesClassifier(runner("clear"), **{**SMALL, "max_depth": depth})
    found = model.fit(columns, labels).decision_function(columns)
    rules = Rules(3, depth, 0.3, 1.0, 1.0)
    assert np.abs(found - by_hand(codes, y, rules, Splits(Columns(COUNTS), GAPS))).max() < 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("histogram", FORMS)
def test_on_shares_they_are_as_in_the_clear(kind, histogram):
    if kind == "three columns" and histogram == "order":
        pytest.skip("a party that does not compute holds no order alone")
    codes, y = sample()
    if kind == "horizontal" and histogram == "order":
        columns, labels = divided(kind, codes, y)
        columns = type(columns)(bank=columns.parts[0], payco=columns.parts[1])
        labels = type(labels)(bank=labels.parts[0], payco=labels.parts[1])
    else:
        columns, labels = divided(kind, codes, y)
    logits = [
        BoostedTreesClassifier(runner(name), **SMALL, histogram=histogram)
        .fit(columns, labels)
        .decision_function(columns)
        for name in ("clear", "twin")
    ]
    assert np.abs(logits[0] - logits[1]).max() < 0.005 < np.abs(logits[0]).max()


@pytest.mark.parametrize("name", ["clear", "twin"])
@pytest.mark.parametrize("kind", ["vertical", "horizontal"])
@pytest.mark.parametrize("histogram", FORMS)
def test_sums_over_bins_and_back_are_exact(name, kind, histogram):
    codes, _ = sample(40)
    run, columns = runner(name), Columns(COUNTS)
    whole = table(run, divided(kind, codes, codes[:, 0])[0])
    if kind == "horizontal":
        parts = dict(zip(PARTIES, (codes[:10], codes[10:]), strict=False))
        whole = type(whole)(**parts)
    x, buckets = FORMS[histogram](run, whole, columns)
    rng = np.random.default_rng(2)
    rows, bins = rng.integers(-9, 9, (40, 3)), rng.integers(-9, 9, (columns.bins, 2))

    def both(**values):
        forward = buckets.sums(values, values["rows"])
        return {"sums": forward, "spread": buckets.spread(values, values["bins"])}

    given = {n: From("bank", -9.0, 9.0, int) for n in ("rows", "bins")}
    function = secured(PARTIES, both, {**x.layout.arguments, **given}, kept("sums", "spread"))
    owned = {"rows": Owned.of("bank", rows), "bins": Owned.of("bank", bins)}
    found = run.call(function, **x.given, **owned)
    hot = columns.one_hot(codes)
    assert np.array_equal(opened(found["sums"]), hot.T @ rows)
    assert np.array_equal(opened(found["spread"]), hot @ bins)


def test_no_bucket_size_is_told_by_what_is_sent():
    """The traffic is that of the plan, which was made from shapes alone."""
    codes, y = sample(120)
    costs = []
    for one in (codes, np.zeros_like(codes)):
        model = BoostedTreesClassifier(type(runner())(PARTIES), **SMALL, histogram="order")
        costs.append(model.fit(*divided("vertical", one, y)).runner.spent["grow"])
    assert costs[0] == costs[1]


def test_their_shares_are_scored_by_the_program_that_scores_an_enclaves_model():
    codes, y = sample()
    columns, labels = divided("vertical", codes, y)
    model = BoostedTreesClassifier(runner(), **SMALL).fit(columns, labels)
    score = scored(model, len(codes), 1, own={1: codes[:, :2], 0: codes[:, 2:]})
    assert np.abs(score - model.decision_function(columns)).max() <= 2**-SCORE_BITS
    shape = model.model().shape
    assert (shape.kind, shape.trees, shape.depth) == ("trees", 3, 2)
    assert shape.counts == (COUNTS[2:], COUNTS[:2]) and shape.missing == (GAPS[2:], GAPS[:2])


def test_trees_grown_on_rows_score_the_rows_of_either_party():
    codes, y = sample()
    model = BoostedTreesClassifier(runner(), **SMALL).fit(*divided("horizontal", codes, y))
    for party, owner in enumerate(("bank", "payco")):
        score = scored(model, len(codes), 0, owner, {party: codes})
        assert np.abs(score - model.decision_function(codes)).max() <= 2**-SCORE_BITS


def test_a_row_without_a_value_goes_where_it_fits_better():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (300, 1))
    for high in (True, False):
        y = np.where(codes[:, 0] == 3, high, codes[:, 0] >= 1).astype(np.int64)
        model = BoostedTreesClassifier(
            runner(), bins=4, missing=(0,), n_estimators=2, max_depth=1, min_child_weight=0.1
        ).fit(codes, y)
        assert np.array_equal(model.predict(codes), y)


def test_where_no_split_is_worth_it_all_rows_stay_together():
    codes, y = sample(60)
    model = BoostedTreesClassifier(runner(), **SMALL, min_child_weight=1e3).fit(codes, y)
    logit, one = model.decision_function(codes), 0.0
    for _ in range(3):
        p = 1 / (1 + np.exp(-one))
        one += 0.3 * (y - p).sum() / (len(y) * p * (1 - p) + 1)
    assert np.ptp(logit) == 0 and abs(logit[0] - one) < 1e-3
    assert np.all(opened(model.thresholds_) == 256)


def test_no_logit_can_be_too_large():
    codes = np.repeat([[0], [1]], 200, axis=0)
    model = BoostedTreesClassifier(
        runner("clear"), bins=2, n_estimators=4, max_depth=1, learning_rate=50.0
    ).fit(codes, codes[:, 0])
    logit = model.decision_function(codes)
    assert np.abs(logit).max() <= LOGIT_BOUND - HALF
    assert np.abs(opened(model.leaves_)).max() <= (LOGIT_BOUND - HALF) / 4


def test_the_splits_are_what_their_matrices_say():
    splits = Splits(Columns(COUNTS), GAPS)
    for at, (column, threshold, missing_left) in enumerate(splits.every):
        first = splits.columns.starts[column]
        bins = splits.left[at, first : first + COUNTS[column]]
        codes = np.arange(COUNTS[column])
        gaps = GAPS[column] & (codes == COUNTS[column] - 1)
        assert np.array_equal(bins, np.where(gaps, missing_left, codes < threshold))
        assert splits.left[at].sum() == bins.sum()
        assert splits.chosen[:, at].argmax() == column and splits.chosen[:, at].sum() == 1
        assert splits.away[:, at].sum() == (0 if missing_left else 256)
        assert splits.thresholds[0, at] == threshold


HOSTILE = {
    "a histogram that does not exist": ({"histogram": "sketch"}, UsageError, "sketch"),
    "no trees": ({"n_estimators": 0}, UsageError, "n_estimators = 0"),
    "too deep": ({"max_depth": 9}, UsageError, "depth"),
    "no penalty": ({"reg_lambda": 0.0}, UsageError, "penalty"),
    "other bins": ({"bins": (3, 5)}, DataError, "columns"),
    "fewer bins": ({"bins": 3}, DataError, "count of bins"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_does_not_fit_is_refused(name):
    settings, kind, match = HOSTILE[name]
    with pytest.raises(kind, match=match):
        BoostedTreesClassifier(runner("clear"), **{**SMALL, **settings}).fit(*sample(60))


def test_an_order_of_who_does_not_compute_is_refused():
    model = BoostedTreesClassifier(runner("clear"), **SMALL, histogram="order")
    with pytest.raises(UsageError, match="order of union") as caught:
        model.fit(*divided("three columns", *sample(60)))
    assert "table" in caught.value.hint


@pytest.mark.parametrize("trees", [1, 3, 6])
def test_the_convergence_table_is_the_same_on_shares(trees):
    _, y, train, test = credit()
    codes, counts = binned(16)
    train, test = train[:1500], test[:1500]
    settings = {"bins": [counts[at] for at in order()], "n_estimators": trees}
    aucs = [
        reached(
            BoostedTreesClassifier(runner(name), **settings).fit(
                thin(codes, train), Owned.of("bank", y[train])
            ),
            thin(codes, test),
            y[test],
        )
        for name in ("clear", "twin")
    ]
    assert abs(aucs[0] - aucs[1]) < 0.005 and aucs[1] > 0.7
