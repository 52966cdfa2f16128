"""Columns as numbers within [-1, 1]: by declared bounds or by what was agreed, never by data."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.data.schema import ColumnSpec, Schema
from moiety.data.table import Table
from moiety.errors import DataError
from moiety.transform import Encoding

SCHEMA = Schema.of(
    [
        ColumnSpec("age", "int", 18, 98),
        ColumnSpec("income", "float", 0, 1e6, missing=True),
        ColumnSpec("home", "category", 0, 2, levels=("rented", "owned", "other")),
        ColumnSpec("job", "category", 1, 2, missing=True),
        ColumnSpec("member", "bool", 0, 1),
        ColumnSpec("fixed", "int", 7, 7),
    ]
)
COLUMNS = {
    "age": np.array([18, 58, 98]),
    "income": np.array([0.0, math.nan, 1e6]),
    "home": np.array([0, 2, 1]),
    "job": np.array([1.0, math.nan, 2.0]),
    "member": np.array([0, 1, 0]),
    "fixed": np.array([7, 7, 7]),
}


def table(schema=SCHEMA, **changes):
    columns = {**COLUMNS, **changes}
    ids = np.array(["a", "b", "c"])
    return Table("people", schema, ids, {name: columns[name] for name in schema.names}, None)


def test_numbers_go_by_their_bounds_and_categories_by_their_levels():
    encoding = Encoding.of(SCHEMA)
    expected = [
        [-1, -1, 0, 1, 0, 0, 1, 0, 0, -1, 0],
        [0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0],
        [1, 1, 0, 0, 1, 0, 0, 1, 0, -1, 0],
    ]
    assert encoding.width == 11
    assert np.array_equal(encoding.rows(table()), expected)


def test_numbers_go_by_an_agreed_scale_and_are_cut():
    encoding = Encoding.of(SCHEMA.select(["age", "income"]), scales={"age": (58, 10)}, cut=2.0)
    found = encoding.rows(table(SCHEMA.select(["age", "income"])))
    assert np.array_equal(found[:, 0], [-1, 0, 1])
    ages = table(SCHEMA.select(["age", "income"]), age=np.array([48, 63, 90]))
    assert np.array_equal(encoding.rows(ages)[:, 0], [-0.5, 0.25, 1])


def test_agreed_edges_make_levels_and_a_missing_value_is_one_more():
    agreed = {"income": [2.5e5, 5e5], "home": [1.0], "age": ()}
    encoding = Encoding.of(SCHEMA.select(agreed), edges=agreed)
    found = encoding.rows(table(SCHEMA.select(agreed)))
    assert np.array_equal(found[:, :4], [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    assert np.array_equal(found[:, 4:6], [[1, 0], [0, 1], [0, 1]])
    assert np.array_equal(found[:, 6:], [[1], [1], [1]])


@given(st.data())
def test_whatever_a_schema_admits_lies_within_one(data):
    lower = data.draw(st.floats(-1e15, 1e15))
    upper = data.draw(st.floats(lower, 1e15))
    schema = Schema.of([ColumnSpec("x", "float", lower, upper)])
    values = np.array(data.draw(st.lists(st.floats(lower, upper), min_size=3, max_size=3)))
    found = Encoding.of(schema).rows(table(schema, x=values))
    assert (np.abs(found) <= 1).all() and np.isfinite(found).all()


def test_it_says_nothing_of_the_rows_that_it_encodes():
    encoding = Encoding.of(SCHEMA)
    before = encoding.to_dict()
    encoding.rows(table(age=np.array([20, 21, 22])))
    assert encoding.to_dict() == before


def test_it_is_kept_as_plain_values():
    encoding = Encoding.of(SCHEMA, scales={"age": (40, 10)}, edges={"income": [1e5]})
    again = Encoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    assert again == encoding
    for wrong in (
        {},
        {"age": 3},
        {"age": {"kind": "magic"}},
        {"age": {"kind": "bins", "edges": []}},
    ):
        with pytest.raises(DataError):
            Encoding.from_dict(wrong)


WRONG = {
    "a scale of nobody": ({"scales": {"wage": (0, 1)}}, "not declared: wage"),
    "edges of nobody": ({"edges": {"wage": (0, 1)}}, "not declared: wage"),
    "a scale of a category": ({"scales": {"home": (0, 1)}}, "home: a scale of centre 0"),
    "no unit": ({"scales": {"age": (40, 0)}}, "age: a scale"),
    "an endless centre": ({"scales": {"age": (math.inf, 1)}}, "age: a scale"),
    "no cut": ({"scales": {"age": (40, 1)}, "cut": 0}, "cut at 0"),
    "edges that fall": ({"edges": {"age": (40, 30)}}, "age: edges that do not rise"),
    "edges without end": ({"edges": {"age": (40, math.inf)}}, "age: edges that do not rise"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_the_columns_is_refused(name):
    agreed, words = WRONG[name]
    with pytest.raises(DataError, match=words) as caught:
        Encoding.of(SCHEMA, **agreed)
    assert caught.value.hint


def test_a_table_that_is_declared_otherwise_is_refused():
    encoding = Encoding.of(SCHEMA)
    with pytest.raises(DataError, match="not declared: income"):
        encoding.rows(table(SCHEMA.select(["age"])))
    other = Schema.of(
        ColumnSpec("home", "category", 0, 2, levels=("owned", "rented", "other"))
        if name == "home"
        else spec
        for name, spec in SCHEMA.columns.items()
    )
    with pytest.raises(DataError, match="home has other levels"):
        encoding.rows(table(other))
    always = Schema.of([ColumnSpec("income", "float", 0, 1e6)])
    with pytest.raises(DataError, match="values are missing"):
        Encoding.of(always).rows(table(SCHEMA.select(["income"])))
