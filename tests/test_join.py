"""The join inside an enclave: as a dict joins, padded, in an order that tells nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety import _core
from moiety.enclave.join import Side, fixed_width, join
from moiety.errors import DataError

ID = 6


def side(ids, width, seed=0):
    """A table of these ids; each row is made of its id, so that a wrong one is seen."""
    rows = np.random.default_rng(seed).integers(0, 256, (len(ids), width)).astype(np.uint8)
    return Side(fixed_width(ids, ID), rows)


def by_dict(sides):
    """The joined rows as plain Python joins them, in no order."""
    tables = [
        {bytes(one): bytes(row) for one, row in zip(table.ids, table.rows, strict=True)}
        for table in sides
    ]
    common = set(tables[0]).intersection(*tables[1:])
    return sorted(b"".join(table[one] for table in tables) for one in common)


def assert_joined(sides):
    found, expected = join(sides), by_dict(sides)
    assert found.count == len(expected)
    assert len(found.rows) == min(len(one.ids) for one in sides)
    assert sorted(bytes(row) for row in found.rows[: found.count]) == expected
    assert not found.rows[found.count :].any()
    return found


names = st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(names, st.integers(0, 20)), min_size=1, max_size=4))
def test_any_tables_are_joined_as_by_a_dict(tables):
    assert_joined([side(ids, width, at) for at, (ids, width) in enumerate(tables)])


@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (2, 1), (127, 129), (1000, 700), (513, 4096)])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_tables_of_any_size_are_joined(sizes, share):
    rng = np.random.default_rng(sum(sizes))
    names = [f"p{n}" for n in range(sum(sizes))]
    first, common = names[: sizes[0]], int(share * min(sizes))
    second = first[:common] + names[sizes[0] :][: sizes[1] - common]
    sides = [side(rng.permutation(first).tolist(), 9), side(rng.permutation(second).tolist(), 3, 1)]
    assert assert_joined(sides).count == common


def test_three_tables_have_only_the_ids_of_all_three():
    lists = (["a", "b", "c", "d"], ["b", "c", "d", "e"], ["d", "b", "x"])
    assert assert_joined([side(ids, 4, at) for at, ids in enumerate(lists)]).count == 2


def test_the_order_is_fresh_each_time_and_that_of_no_table():
    ids = [f"p{n:03}" for n in range(200)]
    sides = [side(ids, 8), side(ids[::-1], 8, 1)]
    first, second = (join(sides).rows for _ in range(2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[:, :8], sides[0].rows)


@pytest.mark.parametrize("at", [0, 1])
def test_an_id_twice_in_one_table_is_refused(at):
    lists = [["a", "b", "c"], ["c", "d", "e"]]
    lists[at].append(lists[at][0])
    with pytest.raises(DataError, match="has an id twice") as caught:
        join([side(ids, 2) for ids in lists])
    assert caught.value.hint and "'a'" not in str(caught.value)


def test_ids_that_differ_in_padding_alone_cannot_be_made():
    with pytest.raises(DataError, match="a zero byte"):
        fixed_width(["a\0"], 4)
    with pytest.raises(DataError, match="more than 4 bytes"):
        fixed_width(["abcd", "abcde"], 4)
    assert fixed_width([], 4).shape == (0, 4)
    assert bytes(fixed_width(["é"], 4)) == b"\xc3\xa9\0\0"


@pytest.mark.parametrize(
    ("sides", "text"),
    [
        ([], "one width"),
        ([side(["a"], 2), Side(fixed_width(["a"], 5), np.zeros((1, 2), np.uint8))], "one width"),
        ([Side(fixed_width(["a"], 5), np.zeros((2, 2), np.uint8))], "a row for each"),
        ([Side(np.zeros((1, 0), np.uint8), np.zeros((1, 2), np.uint8))], "two dimensions"),
        ([Side(fixed_width(["a"], 5), np.zeros(1, np.uint8))], "two dimensions"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sides, text):
    with pytest.raises(DataError, match=text):
        join(sides)


def test_the_kernel_refuses_what_does_not_fit():
    ids, rows = np.zeros((2, 4), np.uint8), np.zeros((1, 4), np.uint8)
    for key, tables in ((bytes(31), []), (bytes(32), []), (bytes(32), [(ids, rows)])):
        with pytest.raises(ValueError, match=r"key|tables|rows"):
            _core.join_rows(key, tables)


def test_nothing_of_a_table_is_in_a_repr():
    table = side(["a"], 2)
    assert repr(table) == "Side(1 rows)" and repr(join([table])) == "Joined(1 places)"
