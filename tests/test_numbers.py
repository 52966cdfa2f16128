"""Columns as numbers: scales by mean and deviation or as agreed, levels, missing values, JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moiety.data.scales import MOST, Levels, Scale
from moiety.data.schema import ColumnSpec
from moiety.errors import DataError

INCOME = ColumnSpec("income", "float", -1e15, 1e15)
GAPPY = ColumnSpec("income", "float", -1e15, 1e15, missing=True)
HOME = ColumnSpec("home", "category", 0, 2, levels=("rent", "own", "kin"))
GRADE = ColumnSpec("grade", "category", 3, 6, missing=True)
values = st.floats(-1e15, 1e15)
columns = hnp.arrays(np.float64, st.integers(1, 100), elements=values)
with_gaps = hnp.arrays(np.float64, st.integers(0, 100), elements=values | st.just(math.nan))


@given(columns)
def test_own_values_have_mean_0_and_deviation_1_or_are_all_alike(column):
    scale = Scale.fit(column, INCOME)
    found = scale.codes(column)
    assert found.shape == (len(column), 1) and scale.count == 1 and not scale.missing
    assert np.isfinite(found).all()
    if scale.unit == 1.0 and column.std() <= max(2**-40 * np.abs(column).max(), 2.0**-400):
        assert np.abs(found).max() <= 2**-40 * max(np.abs(column).max(), 1.0) * 2
    else:
        assert abs(found.mean()) < 1e-3 and found.std() == pytest.approx(1, rel=1e-6)


@given(with_gaps)
def test_a_missing_value_is_the_mean_and_told_apart(column):
    scale = Scale.fit(column, GAPPY)
    found, gaps = scale.codes(column), np.isnan(column)
    assert scale.count == 2 and scale.missing and found.shape == (len(column), 2)
    assert np.array_equal(found[:, 1], gaps) and (found[gaps, 0] == 0).all()
    assert np.array_equal(found[~gaps, 0], (column[~gaps] - scale.centre) / scale.unit)


def test_by_hand():
    scale = Scale.fit(np.array([1, 3, 3, 5]), INCOME)
    assert (scale.centre, scale.unit) == (3.0, math.sqrt(2))
    assert scale.codes(np.array([3, 5]))[:, 0].tolist() == [0.0, pytest.approx(math.sqrt(2))]
    assert Scale.fit(np.array([0.1] * 9), INCOME).unit == 1.0
    assert Scale.fit(np.array([math.nan]), GAPPY) == Scale(0.0, 1.0, True)
    for size in (1e-150, 1e-300):
        tiny = Scale.fit(np.array([size, 2 * size]), INCOME)
        assert np.isfinite(tiny.codes(np.array([1e15]))).all()


def test_what_was_declared_whole_may_have_no_gap():
    with pytest.raises(DataError, match="1 values are missing"):
        Scale.fit(np.array([1.0, 2.0]), INCOME).codes(np.array([math.nan, 2.0]))


def test_an_agreed_scale():
    scale = Scale.agreed(10.0, 2.0, INCOME)
    assert scale.codes(np.array([10, 14])).tolist() == [[0.0], [2.0]]
    for spec, words in ((HOME, "is a category"), (GAPPY, "may have missing values")):
        with pytest.raises(DataError, match=words):
            Scale.agreed(10.0, 2.0, spec)


def test_levels_are_the_declared_ones_whether_a_row_has_them_or_not():
    home = Levels.of(HOME)
    assert home.count == 3 and home.bins.labels() == ("rent", "own", "kin")
    assert home.codes(np.array([1, 0])).tolist() == [[0, 1, 0], [1, 0, 0]]
    grade = Levels.of(GRADE)
    assert (grade.count, grade.missing) == (5, True)
    assert grade.codes(np.array([math.nan, 3, 6])).argmax(axis=1).tolist() == [4, 0, 3]
    assert grade.bins.labels() == ("3", "4", "5", "6", "missing")


@given(st.integers(1, 40), st.data())
def test_each_row_has_exactly_one_level(count, data):
    levels = Levels.of(ColumnSpec("c", "category", 0, count - 1))
    rows = data.draw(st.lists(st.integers(0, count - 1), max_size=30))
    found = levels.codes(np.array(rows, np.int64))
    assert found.shape == (len(rows), count) and (found.sum(axis=1) == 1).all()
    assert found.argmax(axis=1).tolist() == rows


def test_too_many_levels_are_refused_with_a_way_out():
    Levels.of(ColumnSpec("zip", "category", 0, MOST - 1))
    for last in (MOST, 2**53):
        with pytest.raises(DataError, match="declared levels") as caught:
            Levels.of(ColumnSpec("zip", "category", 0, last))
        assert "scorecard or trees" in caught.value.hint


def test_agreed_levels_group_values():
    levels = Levels.agreed((2.0, 4.0), ColumnSpec("grade", "category", 0, 6))
    assert levels.codes(np.array([0, 1, 2, 5])).argmax(axis=1).tolist() == [0, 0, 1, 2]
    with pytest.raises(DataError, match="may have missing values"):
        Levels.agreed((2.0, 4.0), GRADE)


@given(with_gaps)
def test_json_and_back(column):
    scale = Scale.fit(column, GAPPY)
    assert Scale.from_dict(json.loads(json.dumps(scale.to_dict()))) == scale
    for spec in (HOME, GRADE):
        levels = Levels.of(spec)
        assert Levels.from_dict(json.loads(json.dumps(levels.to_dict()))) == levels


@pytest.mark.parametrize(
    "change",
    [
        {"centre": math.nan},
        {"centre": "0"},
        {"centre": 10**400},
        {"unit": 0.0},
        {"unit": -1.0},
        {"unit": math.inf},
        {"unit": None},
        {"missing": 1},
        {"extra": 1},
    ],
)
def test_what_is_no_scale(change):
    with pytest.raises(DataError, match="no scale"):
        Scale.from_dict(Scale(1.0, 2.0).to_dict() | change)
    with pytest.raises(DataError, match="no scale"):
        Scale.from_dict({})
