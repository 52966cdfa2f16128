"""A party's reals, whose words are made in passing: the same is sent, and the same comes out."""

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Kept, Shared, ring
from moiety.errors import DataError
from moiety.ring import Reals
from moiety.run import twin
from moiety.run.execute import Script
from moiety.run.loop import brought

SEED = bytes(16)
RNG = np.random.default_rng(5)
X, Y = RNG.uniform(-1, 1, (300, 7)), RNG.uniform(-1, 1, (7, 3))


@moiety.secure
def column(x: From("a", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y[:, 0]


@moiety.secure
def several(x: From("b", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y


@moiety.secure
def both_ways(x: From("a", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x.T @ (x @ y)


@moiety.secure
def in_the_clear_too(x: From("a", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return (x * x) @ y + xp.sum(x)


@moiety.secure
def used_twice(x: From("a", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y + xp.sum(x)


FUNCTIONS = (column, several, both_ways, in_the_clear_too, used_twice)
LAZY = (column, several, both_ways)


def runs(function):
    """The plan, and what the parties bring with the table as words and as reals."""
    compiled = function.compile({"x": X.shape, "y": Y.shape})
    words = twin.split(compiled.plan, compiled.encode_all({"x": X, "y": Y}))
    owner = compiled.plan.inputs["x"].owner.party
    reals = [dict(held) for held in words]
    reals[owner]["x"] = brought(compiled, "x", X)
    return compiled.plan, words, reals, owner


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.name)
def test_reals_are_sent_and_multiplied_as_their_words(function):
    plan, words, reals, _ = runs(function)
    expected, found = (twin.run(plan, held, dealer=twin.replayed(SEED)) for held in (words, reals))
    assert found.rounds == expected.rounds
    for one, other in zip(found.results, expected.results, strict=True):
        assert np.array_equal(one["result"], other["result"])


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.name)
def test_a_table_that_is_only_masked_stays_reals(function):
    plan, _, reals, owner = runs(function)
    values = Script(plan, owner).bind(reals[owner])
    kept = any(isinstance(value, Reals) for value in values.values())
    assert kept == (function in LAZY)
    assert "words" not in vars(reals[owner]["x"]) or function not in LAZY


def test_reals_of_wider_bounds_or_another_shape_are_refused():
    plan, _, reals, owner = runs(column)
    script = Script(plan, owner)
    for wrong, match in (
        (Reals(X, 18, -1, 1.001), "declared bounds"),
        (Reals(X, 19, -1, 1), "declared bounds"),
        (Reals(X[1:], 18, -1, 1), "shape"),
    ):
        with pytest.raises(DataError, match=match):
            script.bind({**reals[owner], "x": wrong})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.0000001, -1.0000001])
def test_reals_out_of_their_bounds_are_refused_without_being_shown(value):
    x = X.copy()
    x[-1, -1] = value
    with pytest.raises(DataError, match=r"not in \[-1, 1\]") as caught:
        Reals(x, 18, -1, 1)
    assert "0000001" not in str(caught.value)


def test_reals_that_no_word_holds_are_refused_whatever_the_bounds():
    assert Reals([np.nextafter(2.0**44, 0)], 18, -(2.0**60), 2.0**60).words.size == 1
    for value in (2.0**44, -(2.0**44)):
        with pytest.raises(DataError, match=r"not below 1\.75922e\+13 with 18 fraction bits"):
            Reals([value], 18, -(2.0**60), 2.0**60)


@pytest.mark.parametrize("x", [X, np.asfortranarray(X), X[::2, ::-1], X.astype(np.float32)])
def test_reals_are_multiplied_however_they_lie(x):
    reals, words = Reals(x, 18, -1, 1), ring.encode(x, 18)
    y = ring.encode(Y, 18)
    assert np.array_equal(reals.times(y[:, 1:2]), ring.matmul(words, y[:, 1:2]))
    assert "words" not in vars(reals)
    assert np.array_equal(reals.times(y), ring.matmul(words, y))
    assert np.array_equal(reals.words, words) and reals.shape == words.shape
    assert repr(reals) == f"Reals{x.shape}"
