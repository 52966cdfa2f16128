"""Complete trees: exactly LightGBM's scores, whatever the shape of its trees."""

import math

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bins_kit import encode, fit_bins
from moiety.data.credit import load_credit
from moiety.errors import DataError
from moiety.learn.metrics import auc
from moiety.learn.trees import Growth, fit_trees, pad

COUNTS = {"a": 9, "b": 4, "c": 30}


def made_up(seed, rows=3000, missing=()):
    """Codes with interactions and noise; missing `a` means event, missing `b` none."""
    draw = np.random.default_rng(seed)
    codes = {name: draw.integers(0, n, rows).astype(np.uint8) for name, n in COUNTS.items()}
    logit = 0.8 * (codes["a"] - 4.0) * (codes["b"] > 1) - 0.1 * codes["c"]
    for name, shift in (("a", 3.0), ("b", -3.0)):
        gap = codes[name] == COUNTS[name] - 1
        logit = np.where(gap & (name in missing), shift, logit)
    y = (draw.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.uint8)
    return codes, y


def raw(codes, y, growth, missing):
    """LightGBM's own model, trained and scored apart from the code under test."""
    table = np.column_stack(list(codes.values())).astype(float)
    for at, name in enumerate(codes):
        if name in missing:
            table[table[:, at] == COUNTS[name] - 1, at] = np.nan
    settings = {
        "objective": "binary",
        "learning_rate": growth.rate,
        "max_depth": growth.depth,
        "num_leaves": 2**growth.depth,
        "min_data_in_leaf": growth.least,
        "deterministic": True,
        "verbosity": -1,
        "num_threads": 1,
    }
    data = lightgbm.Dataset(table, y, params=settings)
    booster = lightgbm.train(settings, data, num_boost_round=growth.trees)
    return booster, table


@pytest.mark.parametrize("missing", [(), ("a",), ("b",), ("a", "b", "c")])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_equals_lightgbm(depth, missing):
    growth = Growth(trees=15, depth=depth, rate=0.3)
    codes, y = made_up(depth, missing=missing)
    booster, table = raw(codes, y, growth, missing)
    trees = pad(booster.dump_model(), COUNTS, growth, missing=missing)
    np.testing.assert_allclose(
        trees.logit(codes), booster.predict(table, raw_score=True), rtol=0, atol=1e-9
    )
    assert trees.leaves.shape == (15, 2**depth) and trees.depth == depth
    assert np.abs(trees.logit(codes)).max() <= trees.bound()


def test_both_missing_directions_are_met():
    growth = Growth(trees=15, depth=3, rate=0.3)
    missing = ("a", "b")
    codes, y = made_up(3, missing=missing)
    trees = pad(raw(codes, y, growth, missing)[0].dump_model(), COUNTS, growth, missing=missing)
    tested = (trees.threshold > 0) & (trees.feature < 2)
    assert set(trees.missing_left[tested].tolist()) == {True, False}


def test_missing_only_when_scored():
    growth = Growth(trees=10, depth=3, rate=0.3)
    codes, y = made_up(4)
    present = codes["a"] < COUNTS["a"] - 1
    seen = {name: column[present] for name, column in codes.items()}
    booster, _ = raw(seen, y[present], growth, ())
    trees = pad(booster.dump_model(), COUNTS, growth, missing=("a",))
    table = np.column_stack(list(codes.values())).astype(float)
    table[~present, 0] = np.nan
    np.testing.assert_allclose(
        trees.logit(codes), booster.predict(table, raw_score=True), atol=1e-9
    )


def leaf(value):
    return {"leaf_value": value}


def split(column, threshold, left, right, *, default_left=False, missing="NaN"):
    return {
        "split_feature": column,
        "threshold": threshold,
        "default_left": default_left,
        "missing_type": missing,
        "left_child": left,
        "right_child": right,
    }


def dumped(*roots):
    return {"tree_info": [{"tree_structure": root} for root in roots]}


def walk(node, values):
    """LightGBM's rule for one row, as its documentation states it; NaN is missing."""
    while "split_feature" in node:
        value = values[node["split_feature"]]
        if math.isnan(value) and node["missing_type"] != "NaN":
            value = 0.0
        left = node["default_left"] if math.isnan(value) else value <= node["threshold"]
        node = node["left_child"] if left else node["right_child"]
    return node["leaf_value"]


leaves = st.floats(-4, 4).map(leaf)
thresholds = st.integers(0, 29).map(lambda whole: whole + 0.5) | st.just(1e-35) | st.just(1e300)


def nodes(depth):
    if not depth:
        return leaves
    below = nodes(depth - 1)
    flags = {"default_left": st.booleans(), "missing": st.sampled_from(["NaN", "None"])}
    return leaves | st.builds(split, st.integers(0, 2), thresholds, below, below, **flags)


@given(
    st.lists(nodes(4), min_size=1, max_size=3),
    st.integers(0, 2**32),
    st.sets(st.sampled_from("abc")),
)
def test_any_shape_of_tree(roots, seed, missing):
    codes, _ = made_up(seed, rows=50)
    trees = pad(dumped(*roots), COUNTS, Growth(trees=4, depth=4), missing=missing)
    last = {name: count - 1 for name, count in COUNTS.items() if name in missing}
    rows = [
        [math.nan if codes[n][row] == last.get(n) else float(codes[n][row]) for n in COUNTS]
        for row in range(50)
    ]
    expected = [sum(walk(root, row) for root in roots) for row in rows]
    np.testing.assert_allclose(trees.logit(codes), expected, atol=1e-12)


def test_shape_tells_nothing():
    growth = Growth(trees=3, depth=2)
    full = split(1, 1.5, split(0, 2.5, leaf(1.0), leaf(2.0)), split(2, 7.5, leaf(3.0), leaf(4.0)))
    one, other = (pad(dumped(*roots), COUNTS, growth) for roots in ([leaf(0.5)], [full] * 3))
    for name in ("feature", "threshold", "missing_left", "leaves"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_array_equal(one.leaves, [[0.5] * 4, [0] * 4, [0] * 4])
    for trees in (one, other):
        np.testing.assert_array_equal(trees.selection().sum(axis=2), 1)
        assert trees.selection().shape == (3, 3, 3)
    assert other.selection()[0].argmax(axis=1).tolist() == [1, 0, 2]
    assert other.bound() == 12 and repr(other) == "PaddedTrees(3 trees, 4 leaves each, 3 columns)"


def test_nothing_to_learn_gives_the_base_rate():
    codes = {name: np.zeros(400, np.uint8) for name in COUNTS}
    y = np.repeat(np.array([0, 1], np.uint8), [300, 100])
    trees = fit_trees(codes, COUNTS, y, Growth(trees=5, depth=3))
    assert trees.leaves.shape == (5, 8)
    np.testing.assert_allclose(trees.logit(codes), math.log(1 / 3), atol=1e-6)


def test_missing_values_help_where_they_tell():
    missing = ("a", "b")
    codes, y = made_up(6, missing=missing)
    trees = fit_trees(codes, COUNTS, y, Growth(20, 3), missing=missing)
    gap = {name: column[codes["a"] == COUNTS["a"] - 1] for name, column in codes.items()}
    apart = gap["b"] < COUNTS["b"] - 1
    assert (trees.logit(gap)[apart] > 1).mean() > 0.95


def test_deterministic_over_threads_and_columns_named():
    codes, y = made_up(7)
    one, two = (fit_trees(codes, COUNTS, y, Growth(10, 3, threads=n)) for n in (1, 2))
    for name in ("feature", "threshold", "missing_left", "leaves"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    shuffled = {name: codes[name] for name in ("c", "a", "b")}
    np.testing.assert_array_equal(one.logit(codes), one.logit(shuffled))


def test_every_code_of_a_byte_is_its_own():
    codes = {"a": np.repeat(np.arange(255, dtype=np.uint8), 40)}
    y = (codes["a"] % 2 == 0).astype(np.uint8)
    trees = fit_trees(codes, {"a": 255}, y, Growth(200, 5, rate=0.5), missing=("a",))
    assert auc(y, trees.logit(codes)) > 0.999


@pytest.mark.parametrize(("trees", "depth", "least"), [(20, 3, 0.77), (50, 4, 0.77)])
def test_reaches_the_reference(trees, depth, least):
    table = load_credit()
    test = np.arange(30_000) % 5 == 0
    train, test = table.take(np.flatnonzero(~test)), table.take(np.flatnonzero(test))
    bins = fit_bins(train, 64)
    counts = {name: one.count for name, one in bins.items()}
    model = fit_trees(encode(train, bins), counts, train.label, Growth(trees, depth))
    assert auc(test.label, model.logit(encode(test, bins))) > least


@pytest.mark.parametrize("shape", [(0, 3), (10, 0), (10, 6)])
def test_shapes_refused(shape):
    with pytest.raises(DataError, match="of depth"):
        Growth(*shape)


def test_refusals():
    codes, y = made_up(8)
    with pytest.raises(DataError, match="alike"):
        fit_trees(codes, COUNTS, np.ones_like(y), Growth())
    with pytest.raises(DataError, match="not below"):
        fit_trees(codes, COUNTS | {"a": 3}, y, Growth())
    trees = fit_trees(codes, COUNTS, y, Growth(2, 2))
    with pytest.raises(DataError, match="not below"):
        trees.logit({name: np.array([200], np.uint8) for name in COUNTS})
