"""Bins: edges without the label, codes that any later value gets, labels for people."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moiety.data.bins import KEPT, Bins
from moiety.data.schema import ColumnSpec
from moiety.errors import DataError

AGE = ColumnSpec("age", "int", 18, 100)
values = st.floats(-1e9, 1e9)
columns = hnp.arrays(np.float64, st.integers(0, 200), elements=values)
with_gaps = hnp.arrays(np.float64, st.integers(0, 200), elements=values | st.just(math.nan))
most = st.integers(2, 254)


@given(with_gaps, most)
def test_codes_follow_the_definition(column, max_bins):
    bins = Bins.fit(column, max_bins)
    codes = bins.codes(column)
    assert codes.dtype == np.uint8 and bins.count <= max(max_bins, KEPT) + 1
    for value, code in zip(column, codes, strict=True):
        expected = sum(edge <= value for edge in bins.edges)
        assert code == (bins.count - 1 if math.isnan(value) else expected)
    assert bins.missing == bool(np.isnan(column).any())


@given(columns, columns, most)
def test_codes_keep_order_and_stay_in_range(column, later, max_bins):
    bins = Bins.fit(column, max_bins)
    codes = bins.codes(np.sort(later))
    assert (np.diff(codes.astype(int)) >= 0).all()
    assert not len(codes) or codes.max() < bins.count


@given(st.lists(values, min_size=1, max_size=KEPT, unique=True))
def test_few_values_are_kept_apart(few):
    bins = Bins.fit(np.array(few * 3), 2)
    assert bins.count == len(few)
    assert bins.codes(np.sort(np.array(few))).tolist() == list(range(len(few)))


def test_quantiles_share_the_rows():
    bins = Bins.fit(np.arange(1000), 10)
    assert np.bincount(bins.codes(np.arange(1000))).tolist() == [100] * 10
    assert bins.edges == (100, 200, 300, 400, 500, 600, 700, 800, 900)
    assert bins.codes(np.array([-5, 99, 99.5, 10**6])).tolist() == [0, 0, 0, 9]


def test_a_heavy_value_makes_no_empty_bin():
    column = np.concatenate([np.zeros(500), np.arange(500)])
    bins = Bins.fit(column, 10)
    assert np.bincount(bins.codes(column)).min() > 0


@given(hnp.arrays(np.int64, st.integers(1, 200), elements=st.integers(-1000, 1000)), most)
def test_edges_of_whole_numbers_are_whole(column, max_bins):
    bins = Bins.fit(column, max_bins)
    assert bins.whole and all(edge.is_integer() for edge in bins.edges)


@given(with_gaps, most, st.randoms())
def test_order_of_rows_is_irrelevant(column, max_bins, random):
    shuffled = column.tolist()
    random.shuffle(shuffled)
    assert Bins.fit(column, max_bins) == Bins.fit(np.array(shuffled), max_bins)


def test_missing_bin_is_as_declared():
    full = np.arange(20.0)
    gap = np.array([math.nan])
    declared = Bins.fit(full, 5, ColumnSpec("x", "float", 0, 100, missing=True))
    assert declared.missing and declared.codes(gap).tolist() == [declared.count - 1]
    with pytest.raises(DataError, match="1 values are missing"):
        Bins.fit(full, 5, ColumnSpec("x", "float", 0, 100)).codes(gap)
    empty = Bins.fit(np.array([math.nan] * 3), 5)
    assert empty.count == 2 and empty.codes(np.array([7.0, math.nan])).tolist() == [0, 1]


@pytest.mark.parametrize("max_bins", [-1, 0, 1, 255])
def test_max_bins_within_a_byte(max_bins):
    with pytest.raises(DataError, match="max_bins is"):
        Bins.fit(np.arange(9), max_bins)


def test_infinite_values_are_refused():
    with pytest.raises(DataError, match="infinite"):
        Bins.fit(np.array([1.0, math.inf]), 5)


def test_labels():
    ages = np.repeat(np.arange(20, 70), 2)
    assert Bins.fit(ages, 4, AGE).labels() == ("18–31", "32–44", "45–56", "57–100")
    assert Bins.fit(ages, 2).labels() == ("≤ 44", "≥ 45")
    few = ColumnSpec("months", "int", -2, 3, missing=True)
    assert Bins.fit(np.array([-2, 0, 1, 3]), 4, few).labels() == (
        "-2 to -1",
        "0",
        "1–2",
        "3",
        "missing",
    )
    money = Bins.fit(np.array([0.5, 1000.25]), 4)
    assert money.labels() == ("< 1,000.25", "≥ 1,000.25")
    assert Bins.fit(np.array([3.0]), 4).labels() == ("all",)
    home = ColumnSpec("home", "category", 0, 3, levels=("rent", "own", "kin", "none"))
    assert Bins.fit(np.array([0, 1, 3]), 4, home).labels() == ("rent", "own, kin", "none")


@given(with_gaps, most)
def test_json_and_back(column, max_bins):
    bins = Bins.fit(column, max_bins)
    assert Bins.from_dict(json.loads(json.dumps(bins.to_dict()))) == bins
    assert len(bins.labels()) == bins.count


GOOD = Bins((1.0, 2.0), True, True, 0.0, 5.0).to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [2.0, 1.0]},
        {"edges": [1.0, 1.0]},
        {"edges": [1.0, math.inf]},
        {"edges": [math.nan]},
        {"edges": ["a"]},
        {"edges": None},
        {"edges": list(range(256))},
        {"missing": "yes"},
        {"lower": "0"},
        {"levels": [1]},
        {"extra": 1},
    ],
)
def test_what_is_not_bins(change):
    with pytest.raises(DataError, match="not bins"):
        Bins.from_dict(GOOD | change)
    with pytest.raises(DataError, match="not bins"):
        Bins.from_dict({})
