"""Trees in constant flow: equal to the plain algorithm, as good as LightGBM, and walked alike."""

import gc
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constant_flow_reference as reference
from learn_kit import binned, credit
from moiety import _core
from moiety.enclave.job import fit, train
from moiety.errors import DataError
from moiety.learn.constant_flow import ConstantFlowTrees, fit_constant_flow
from moiety.learn.metrics import auc
from moiety.learn.public_shape import PublicShape
from moiety.learn.secret_model import of_trees
from moiety.learn.trees import Growth, PaddedTrees, fit_trees
from party_kit import columns, other_job

COUNTS = (9, 4, 30)
NAMES = ("a", "b", "c")
FLOWING = (
    ('kind = "scorecard"', 'kind = "trees"'),
    ('leakage = "fast"', 'leakage = "constant-flow"'),
)


def sample(rows=700, seed=1, counts=COUNTS):
    """Codes of some columns, and outcomes that depend on them together."""
    rng = np.random.default_rng(seed)
    table = np.stack([rng.integers(0, count, rows).astype(np.uint8) for count in counts])
    logit = 0.7 * (table[0] - 4.0) * (table[1] > 1) - 0.08 * table[2]
    return table, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.uint8)


def by_name(table, names=NAMES):
    return dict(zip(names, table, strict=True))


def assert_equal(table, y, counts, missing, growth):
    sizes = (growth.trees, growth.depth, growth.factor, growth.least)
    found = _core.grow_trees(table, y, (counts, missing), sizes)
    expected = reference.grow(table, y, counts, missing, growth)
    assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])
    return found


@pytest.mark.parametrize("missing", [(False, False, False), (True, False, False), (True,) * 3])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_trees_are_those_of_the_plain_algorithm(depth, missing):
    nodes, _ = assert_equal(*sample(), COUNTS, missing, Growth(6, depth, 0.3))
    assert len({tuple(node) for node in nodes.reshape(-1, 3)}) > 2


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_trees_of_any_small_table_are_those_of_the_plain_algorithm(data):
    counts = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    missing = tuple(data.draw(st.tuples(*[st.booleans()] * len(counts))))
    rows = data.draw(st.integers(2, 80))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    table = np.stack([rng.integers(0, count, rows).astype(np.uint8) for count in counts])
    y = (rng.random(rows) < 0.4).astype(np.uint8)
    y[:2] = 0, 1
    growth = Growth(3, data.draw(st.integers(1, 4)), 0.5, least=data.draw(st.integers(1, 9)))
    assert_equal(table, y, counts, missing, growth)


def test_more_rows_than_a_block_and_all_255_bins():
    table, y = sample(5000, counts=(255, 4, 30))
    assert_equal(table, y, (255, 4, 30), (True, False, False), Growth(2, 3, 0.3))


def test_one_event_among_many_has_its_log_odds():
    y = np.zeros(100_000, np.uint8)
    y[7] = 1
    forest = fit_constant_flow({"a": y * 0}, {"a": 1}, y, Growth(1, 1, 1e-9))
    assert forest.leaves[0, 0] == pytest.approx(np.log(1 / 99_999), abs=1e-6)


def test_the_order_of_rows_does_not_matter():
    table, y = sample()
    order = np.random.default_rng(3).permutation(len(y))
    first, second = (
        fit_constant_flow(by_name(t), by_name(COUNTS), labels, Growth(5, 3, 0.3))
        for t, labels in ((table, y), (np.ascontiguousarray(table[:, order]), y[order]))
    )
    assert np.array_equal(first.leaves, second.leaves)
    assert np.array_equal(first.feature, second.feature)


def test_a_forest_is_walked_as_padded_trees_are():
    table, y = sample()
    missing = ("a", "c")
    forest = fit_constant_flow(
        by_name(table), by_name(COUNTS), y, Growth(8, 4, 0.3), missing=missing
    )
    walked = PaddedTrees.logit(forest, by_name(table))
    assert np.array_equal(forest.logit(by_name(table)), walked) and np.ptp(walked) > 1
    assert forest.depth == 4 and np.abs(walked).max() <= forest.bound()


def test_any_nodes_are_walked_as_padded_trees_are():
    rng = np.random.default_rng(9)
    table, _ = sample(2500)
    trees, inner = 7, 31
    forest = ConstantFlowTrees(
        NAMES, COUNTS, (True, False, True),
        rng.integers(0, 3, (trees, inner)).astype(np.uint8),
        rng.integers(0, 256, (trees, inner)).astype(np.uint8),
        rng.integers(0, 2, (trees, inner)).astype(bool),
        rng.normal(size=(trees, inner + 1)),
    )  # fmt: skip
    assert np.array_equal(forest.logit(by_name(table)), PaddedTrees.logit(forest, by_name(table)))
    assert "7 trees" in repr(forest)


@pytest.mark.parametrize("trees", [5, 20])
def test_it_ranks_as_lightgbm_does(trees):
    _, y, train, test = credit()
    codes, counts = binned(64)
    names = [str(at) for at in range(codes.shape[1])]
    parts = [
        by_name(np.ascontiguousarray(codes[rows].T.astype(np.uint8)), names)
        for rows in (train, test)
    ]
    y, bins = y.astype(np.uint8), by_name(counts, names)
    aucs = [
        auc(y[test], grow(parts[0], bins, y[train], Growth(trees)).logit(parts[1]))
        for grow in (fit_trees, fit_constant_flow)
    ]
    assert abs(aucs[0] - aucs[1]) < 0.005 and aucs[1] > 0.75


def test_its_trees_can_be_shared():
    table, y = sample()
    forest = fit_constant_flow(by_name(table), by_name(COUNTS), y, Growth(4, 2, 0.3))
    counts, missing = (COUNTS[:1], COUNTS[1:]), ((False,), (False, False))
    shape = PublicShape("trees", counts, missing, trees=4, depth=2, hidden=0, clip=0)
    shared = of_trees(forest, shape)
    assert shared.arrays["thresholds"].shape == (1, 12)
    assert int(shared.arrays["thresholds"].max()) <= 256


def test_a_job_in_constant_flow_trains_so():
    flowing, fast = other_job(*FLOWING), other_job(FLOWING[0])
    models = [fit(of, columns(300, of)) for of in (flowing, fast)]
    assert [type(model) for model in models] == [ConstantFlowTrees, PaddedTrees]
    again = fit(flowing, columns(300, flowing))
    assert np.array_equal(models[0].leaves, again.leaves)


def path_of(job, seed):
    """Every line of Python that training and scoring inside run, in order, for some data."""
    rng, own, lines = np.random.default_rng(seed), columns(300, job), []
    for one in own.values():
        for name in one.codes:
            one.codes[name] = rng.integers(0, 4, 300).astype(np.uint8)
    own["lender"].label[:] = rng.integers(0, 2, 300)

    def note(frame, event, _):
        lines.append((frame.f_code.co_filename, frame.f_lineno, event))
        return note

    before = sys.gettrace()
    gc.disable()
    sys.settrace(note)
    try:
        trained = train(job, own)
        fit(job, own).logit(
            {f"{p}.{n}": codes for p, one in own.items() for n, codes in one.codes.items()}
        )
    finally:
        sys.settrace(before)
        gc.enable()
    assert trained.rows == 300
    return lines


def test_the_python_around_the_kernels_takes_one_path_whatever_the_rows_are():
    flowing, fast = other_job(*FLOWING), other_job(FLOWING[0])
    path_of(flowing, 0)
    first, second = path_of(flowing, 1), path_of(flowing, 2)
    assert first == second and len(first) > 300
    assert path_of(fast, 1) != path_of(fast, 2)


HOSTILE = {
    "labels alike": ({"y": np.zeros(700, np.uint8)}, "all labels are alike"),
    "a label of 2": ({"y": np.full(700, 2, np.uint8)}, "0 or 1"),
    "a code beyond": ({"counts": (9, 4, 2)}, "not below its bin count"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_does_not_fit_is_refused(name):
    changed, text = HOSTILE[name]
    table, y = sample()
    counts = by_name(changed.get("counts", COUNTS))
    with pytest.raises(DataError, match=text):
        fit_constant_flow(by_name(table), counts, changed.get("y", y), Growth(2))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"counts": (9, 4)}, "codes"),
        ({"counts": (9, 4, 256)}, r"bins: expected 1\.\.=255, found 256"),
        ({"missing": (True,)}, "missing"),
        ({"y": np.zeros(3, np.uint8)}, "labels"),
        ({"depth": 8}, "depth"),
        ({"depth": 0}, "depth"),
    ],
)
def test_the_kernel_refuses_sizes_that_do_not_fit(change, text):
    table, y = sample()
    sizes = (change.get("counts", COUNTS), change.get("missing", (False,) * 3))
    with pytest.raises(ValueError, match=text):
        _core.grow_trees(table, change.get("y", y), sizes, (1, change.get("depth", 2), 0.3, 5))


def test_trees_of_another_shape_are_not_walked():
    table, y = sample()
    forest = fit_constant_flow(by_name(table), by_name(COUNTS), y, Growth(2, 2))
    for part in ({"leaves": forest.leaves[:, :3].copy()}, {"leaves": forest.leaves[:1]}):
        with pytest.raises(ValueError, match=r"leaves|nodes"):
            replace(forest, **part).logit(by_name(table))
