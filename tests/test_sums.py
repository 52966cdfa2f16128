"""Revealed sums: whose data a receiver could solve for, what is refused, and what is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moiety
import moiety.array as xp
from moiety import From, Kept, Shared, To
from moiety.errors import UsageError
from moiety.function.masks import OPAQUE
from moiety.function.sums import sums
from moiety.function.told import sources
from moiety.ops import reals

UNIT = {"low": -1, "high": 1}
OWNERS = ("bank", "payco", "third")
SELECT = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])


def compiled(body, result=None):
    """The function of three owners' tables x, y, z, flags f of payco, a model w and a public p."""
    told = To("bank") if result is None else result

    def function(
        x: From("bank", **UNIT),
        y: From("payco", **UNIT),
        z: From("third", **UNIT),
        f: From("payco", dtype=bool),
        w: Shared(**UNIT),
        p: From("public", **UNIT),
    ) -> told:
        return body(x, y, z, f, w, p)

    shapes = {**dict.fromkeys("xyzf", (3, 2)), "w": (2, 2), "p": (3, 3)}
    return moiety.secure(function).compile(shapes)


REFUSED = {
    "the rows": (lambda x, y, z, f, w, p: y, "1 contributor, payco"),
    "a row": (lambda x, y, z, f, w, p: y[1], "1 contributor, payco"),
    "a scaled row, turned": (lambda x, y, z, f, w, p: -(0.3 * y.T)[::-1], "1 contributor, payco"),
    "a third owner's rows": (lambda x, y, z, f, w, p: z + 1.5, "1 contributor, third"),
    "a sum of two": (lambda x, y, z, f, w, p: x + y, "2 contributors, bank and payco"),
    "a mean of others": (lambda x, y, z, f, w, p: xp.mean(y - z), "2 contributors, payco and th"),
    "running sums": (lambda x, y, z, f, w, p: xp.cumulative_sum(y), "1 contributor, payco"),
    "a product by numbers": (lambda x, y, z, f, w, p: SELECT @ y, "1 contributor, payco"),
    "numbers on the right": (lambda x, y, z, f, w, p: (x + y) @ SELECT.T[1:], "2 contributors"),
    "a public product": (lambda x, y, z, f, w, p: p @ y, "1 contributor, payco"),
    "rows side by side": (lambda x, y, z, f, w, p: xp.concat([x, y, z]), "1 contributor, "),
    "one sum too small": (
        lambda x, y, z, f, w, p: xp.stack([x + y + z, x + y]),
        "2 contributors, bank and payco",
    ),
    "numbers that leave one out": (
        lambda x, y, z, f, w, p: SELECT @ xp.stack([x[0], y[0], z[0]]),
        "2 contributors, payco and third",
    ),
    "a zero for one": (lambda x, y, z, f, w, p: x + y + z * 0.0, "2 contributors, bank and payco"),
    "the receiver's factors": (
        lambda x, y, z, f, w, p: xp.sum(x * y, axis=1),
        "2 contributors, bank and payco",
    ),
    "the receiver's matrix": (lambda x, y, z, f, w, p: x @ y.T, "2 contributors, bank and payco"),
    "what the receiver picks": (
        lambda x, y, z, f, w, p: x.T @ xp.concat([y[:2], z[:1]]),
        "in each of its parts, bank",
    ),
    "the receiver's choice": (
        lambda x, y, z, f, w, p: xp.where(x > 0, y, z),
        "in each of its parts, bank",
    ),
    "a public choice": (
        lambda x, y, z, f, w, p: xp.where(np.arange(2) > 0, y, x + y + z),
        "1 contributor, payco",
    ),
    "a choice by a public argument": (
        lambda x, y, z, f, w, p: xp.where(p[:, :1] > 0, y, x + y + z),
        "no contributor in common",
    ),
    "what is left where my factor is 0": (
        lambda x, y, z, f, w, p: y + x * (y + z),
        "no contributor in common",
    ),
    "a sum beside what my factor hides": (
        lambda x, y, z, f, w, p: y + x * (y * z),
        "1 contributor in each of its parts, payco",
    ),
    "my factors of two sums": (
        lambda x, y, z, f, w, p: x * (x + y + z) + p[:, :2] * (y + z),
        "no contributor in common",
    ),
    "a count": (lambda x, y, z, f, w, p: xp.sum(f), "1 contributor, payco"),
    "a chosen number": (lambda x, y, z, f, w, p: xp.where(f, 2.0, 5.0), "1 contributor, payco"),
    "what a bit chooses of mine": (
        lambda x, y, z, f, w, p: xp.sum(xp.where(f, x, -x)),
        "1 contributor, payco",
    ),
    "bits": (lambda x, y, z, f, w, p: ~f, "1 contributor, payco"),
    "a bit as a number": (
        lambda x, y, z, f, w, p: xp.where(f ^ ((z > 0) & (x > 0)), 1.0, 0.0),
        "1 contributor in each of its parts, payco",
    ),
    "my bits and theirs": (lambda x, y, z, f, w, p: f ^ (x > 0), "2 contributors, bank and payco"),
    "a clipped row beside a sum": (
        lambda x, y, z, f, w, p: xp.concat([xp.clip(y, -0.5, 0.5), x + z]),
        "2 contributors, bank and third",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_sum_with_too_few_contributors_is_refused(name):
    body, contributors = REFUSED[name]
    with pytest.raises(UsageError, match="could solve for others' data") as caught:
        compiled(body)
    text, hint = str(caught.value), caught.value.hint
    assert contributors in text and "result result of function" in text and "3 are due" in text
    assert "Kept()" in hint and "noise=" in hint and "exact=True" in hint and "further" in hint
    assert body.__code__.co_firstlineno <= _line(text) <= body.__code__.co_firstlineno + 2 or (
        name in ("the rows",)
    )


def _line(text):
    head = text.split(": ")[0]
    return int(head.removeprefix("test_sums.py:")) if head.startswith("test_sums.py:") else 0


ALLOWED = {
    "three contributors": lambda x, y, z, f, w, p: x + y + z,
    "a mean over everybody's rows": lambda x, y, z, f, w, p: xp.mean(xp.concat([x, y, z]), axis=0),
    "some rows of each": lambda x, y, z, f, w, p: xp.sum(xp.concat([x, y, z])[::3], axis=0),
    "sums of all by numbers": lambda x, y, z, f, w, p: np.ones((2, 9)) @ xp.concat([x, y, z]),
    "the receiver's own": lambda x, y, z, f, w, p: xp.mean(x) + p[0],
    "a product of others": lambda x, y, z, f, w, p: y * z,
    "a product with a model": lambda x, y, z, f, w, p: y @ w,
    "a model's sum": lambda x, y, z, f, w, p: xp.sum(y) + xp.sum(w),
    "my factor of a sum of all": lambda x, y, z, f, w, p: x * (x + y + z) + p[:, :2],
    "a score of mine by a model": lambda x, y, z, f, w, p: x @ w + w[0],
    "a score of both by a model": lambda x, y, z, f, w, p: x @ w + y @ w,
    "a public choice of sums": lambda x, y, z, f, w, p: xp.where(p[:, :1] > 0, x + y + z, 1.0),
    "a clipped row": lambda x, y, z, f, w, p: xp.clip(y, -0.5, 0.5),
    "a maximum": lambda x, y, z, f, w, p: xp.max(x + y),
    "a score": lambda x, y, z, f, w, p: xp.sigmoid(xp.sum(x * y, axis=1)),
    "a comparison": lambda x, y, z, f, w, p: x < y,
    "a square": lambda x, y, z, f, w, p: xp.square(y),
    "a count of three": lambda x, y, z, f, w, p: xp.sum(f) + xp.sum(x + z),
    "a choice by a comparison": lambda x, y, z, f, w, p: xp.where(x < y, 1.0, 0.0),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_no_sum_or_has_three_contributors_is_told(name):
    assert compiled(ALLOWED[name]).plan.outputs


@pytest.mark.parametrize("name", REFUSED)
def test_a_sum_is_kept_or_told_where_the_signature_says_so(name):
    body, _ = REFUSED[name]
    assert compiled(body, Kept()).plan.receivers == set()
    if name not in ("bits", "my bits and theirs"):
        assert "noise of scale" in str(compiled(body, To("bank", noise=2.0)).explain())
    page = str(compiled(body, To("bank", exact=True)).explain())
    assert "told exactly" in page and "contributor" in page


def test_the_page_says_whose_data_a_result_is_from():
    told = compiled(ALLOWED["three contributors"]).explain()
    assert "result → bank, from data of bank, payco, third: a sum with 3 contributors" in str(told)
    assert "3 contributors" in told._repr_html_()
    assert "result → bank, from data of payco, third\n" in str(
        compiled(ALLOWED["a product of others"]).explain()
    )


# ── against what numbers say ────────────────────────────────────────────────────────────────

STEPS = [
    lambda a, b: a + b,
    lambda a, b: a - 2 * b,
    lambda a, b: a[::-1],
    lambda a, b: a * np.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.0]]),
    lambda a, b: np.array([[1.0, 0, 0], [0, 0.5, 2.0], [0, 0, 0]]) @ a + b,
    lambda a, b: a @ np.array([[0, 1.0], [1.0, 0.25]]),
    lambda a, b: xp.concat([a[:1], b[1:]]),
    lambda a, b: xp.concat([a[:, :1], b[:, 1:]], axis=1),
    lambda a, b: a + xp.mean(b, axis=0),
    lambda a, b: xp.sum(a, axis=1, keepdims=True) + b,
    lambda a, b: xp.permute_dims(xp.reshape(a, (2, 3)), (1, 0)),
    lambda a, b: xp.cumulative_sum(a, axis=0),
    lambda a, b: xp.where(np.array([[True, False], [False, False], [True, True]]), a, b),
]


@settings(max_examples=150, deadline=None)
@given(
    recipe=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=6,
    )
)
def test_the_owners_of_each_element_are_those_on_whom_it_depends(recipe):
    """Owners found by structure are at least those found by changing their data."""

    @moiety.secure
    def function(
        x: From("bank", **UNIT), y: From("payco", **UNIT), z: From("third", **UNIT)
    ) -> Kept():
        values = [x, y, z]
        for step, first, second in recipe:
            values.append(step(values[first % len(values)], values[second % len(values)]))
        return values[-1]

    program = function.trace(dict.fromkeys("xyz", (3, 2)))
    found = sums(program.nodes, sources(function.signature))[program.outputs["result"]]
    masks = np.broadcast_to(found.masks, (3, 2))
    generator = np.random.default_rng(7)
    base = dict.fromkeys("xyz", np.zeros((3, 2)))
    for name, owner in zip("xyz", OWNERS, strict=True):
        bit = 1 << found.names.index(owner) if owner in found.names else 0
        moved = reals.evaluate(program, {**base, name: generator.uniform(0.5, 1, (3, 2))})["result"]
        still = reals.evaluate(program, base)["result"]
        depends = np.abs(moved - still) > 1e-9
        assert not (depends & ((masks & bit) == 0)).any()
        if not any(step is STEPS[1] for step, *_ in recipe):
            assert np.array_equal(depends, (masks & bit) != 0)


FACTORED = [
    lambda a, b, x: x * a,
    lambda a, b, x: a + x * b,
    lambda a, b, x: x @ (a.T @ np.ones((3, 2))) + b,
    lambda a, b, x: xp.where(x > 0, a, b),
    lambda a, b, x: xp.where(x[:, :1] < 0, a, 0.5) + b,
    lambda a, b, x: xp.sum(x * a, axis=0) + b,
    lambda a, b, x: xp.square(x) * a + x,
    lambda a, b, x: a + b,
    lambda a, b, x: xp.concat([a[:1], b[:1], x[:1]]),
    lambda a, b, x: xp.sum(a, axis=1, keepdims=True) * x,
]
MINE = [np.zeros((3, 2)), np.ones((3, 2)), -np.eye(3, 2), np.eye(3, 2) - 0.5]
MINE.append(np.array([[1.0, 0], [0, 0], [0, -1]]))


@settings(max_examples=150, deadline=None)
@given(
    recipe=st.lists(
        st.tuples(st.sampled_from(FACTORED), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=5,
    )
)
def test_what_certainly_enters_does_so_whatever_the_receiver_brings(recipe):
    """Whatever it brings: where it does not know a sum, all owners of the mask are in it."""

    @moiety.secure
    def function(
        x: From("bank", **UNIT), y: From("payco", **UNIT), z: From("third", **UNIT)
    ) -> Kept():
        values = [y, z, x]
        for step, first, second in recipe:
            values.append(step(values[first % len(values)], values[second % len(values)], x))
        return values[-1]

    program = function.trace(dict.fromkeys("xyz", (3, 2)), fraction=8)
    found = sums(program.nodes, sources(function.signature), "bank")[program.outputs["result"]]
    masks = np.broadcast_to(found.masks, (3, 2))
    generator = np.random.default_rng(5)
    for mine in MINE:
        base = {"x": mine, "y": np.zeros((3, 2)), "z": np.zeros((3, 2))}
        still = reals.evaluate(program, base)["result"]
        depends = {}
        for name, owner in (("y", "payco"), ("z", "third")):
            moved = {**base, name: generator.uniform(0.5, 1, (3, 2))}
            depends[owner] = np.abs(reals.evaluate(program, moved)["result"] - still) > 1e-12
        told = np.logical_or.reduce(list(depends.values())) & ((masks & OPAQUE) == 0)
        for owner, there in depends.items():
            bit = 1 << found.names.index(owner) if owner in found.names else 0
            assert not (told & ((masks & bit) != 0) & ~there).any()
