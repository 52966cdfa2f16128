"""Secure functions: what a signature says, what is refused, what each party brings and learns."""

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Kept, Results, Shared, To
from moiety.errors import DataError, UsageError
from moiety.lang.types import SHARED, Private
from moiety.ops import reals
from moiety.run import twin
from moiety.run.rehearsal import rehearse


@moiety.secure
def score(x: From("bank", low=-8, high=8), w: From("payco", low=-1, high=1), steps=2) -> To(
    "bank", exact=True
):
    return x @ w * 0.5**steps


def run(compiled, **arguments):
    plan = compiled.plan
    return twin.run(plan, twin.split(plan, compiled.encode_all(arguments))).results


def test_a_secure_function_is_still_a_function():
    assert score(np.eye(2), np.array([1.0, 2.0]))[1] == 0.5
    assert score.signature.parties == ("bank", "payco") and score.name == "score"


def test_each_party_brings_its_own_and_one_learns_the_result():
    compiled = score.compile({"x": (3, 2), "w": (2,), "steps": 1})
    x, w = np.arange(6.0).reshape(3, 2), np.array([0.5, -0.25])
    bank, payco = run(compiled, x=x, w=w)
    assert np.allclose(compiled.decode(bank)["result"], x @ w / 2, atol=1e-4) and payco == {}
    assert set(compiled.encode(0, {"x": x})) == {"x"}
    assert set(compiled.encode(1, {"w": w})) == {"w"}
    assert compiled.plan.receivers == {0}


def test_a_public_parameter_is_part_of_the_program():
    plans = {score.compile({"x": (3, 2), "w": (2,), "steps": n}).plan.hash for n in (0, 1, 2)}
    assert len(plans) == 3


BAD = {
    "another shape": ("x", np.zeros((2, 3)), "shape"),
    "NaN": ("x", np.array([[np.nan, 0], [0, 0], [0, 0]]), "not finite"),
    "infinite": ("x", np.array([[-np.inf, 0], [0, 0], [0, 0]]), "not finite"),
    "above": ("x", np.full((3, 2), 8.0000001), "declared bounds"),
    "below": ("w", np.array([-1.5, 0]), "declared bounds"),
    "text": ("w", np.array(["a", "b"]), "not numbers"),
    "half a count": ("n", np.array([0.5, 1]), "not whole"),
    "a count too large": ("n", np.array([3, 10]), "declared bounds"),
    "a label of 2": ("y", np.array([0, 2]), "other than 0 and 1"),
    "a label of -1": ("y", np.array([1, -1]), "other than 0 and 1"),
    "half a label": ("y", np.array([0.5, 1]), "other than 0 and 1"),
    "a missing label": ("y", np.array([np.nan, 1]), "not finite"),
}


@moiety.secure
def everything(
    x: From("a", low=-8, high=8),
    w: From("b", low=-1, high=1),
    n: From("a", low=0, high=9, dtype=int),
    y: From("b", dtype=bool),
) -> To("a", exact=True):
    return x @ w + xp.sum(n) + xp.sum(y)


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_without_being_shown(name):
    argument, data, match = BAD[name]
    compiled = everything.compile({"x": (3, 2), "w": (2,), "n": (2,), "y": (2,)})
    with pytest.raises(DataError, match=match) as caught:
        compiled.encode_one(argument, data)
    assert argument in str(caught.value) and "8.0000001" not in str(caught.value)


def test_labels_may_be_booleans_or_zeros_and_ones():
    compiled = everything.compile({"x": (3, 2), "w": (2,), "n": (2,), "y": (2,)})
    for labels in ([True, False], [1, 0], [1.0, 0.0]):
        assert compiled.encode_one("y", np.array(labels)).tolist() == [1, 0]


def test_results_may_be_several_kept_and_told_to_both():
    @moiety.secure
    def step(x: From("a", low=-1, high=1), w: Shared(low=-2, high=2)) -> Results(
        w=Kept(), most=To("b"), own=To("a"), public=Kept()
    ):
        return {"w": w + x, "most": xp.max(x), "own": x * 2, "public": x}

    compiled = step.compile({"x": (2,), "w": (2,)})
    types = {n: compiled.plan.nodes[i].type.owner for n, i in compiled.plan.outputs.items()}
    assert types == {"w": SHARED, "most": Private(1), "own": Private(0), "public": SHARED}
    a, b = run(compiled, x=[0.5, -0.5], w=[1, 2])
    assert compiled.decode({"w": a["w"] + b["w"]})["w"].tolist() == [1.5, 1.5]
    assert compiled.decode(b)["most"] == 0.5 and compiled.decode(a)["own"].tolist() == [1, -1]
    assert "most" not in a and "own" not in b


def test_state_is_carried_from_call_to_call_as_shares():
    @moiety.secure
    def descend(w: Shared(low=-4, high=4, coins=True), g: From("a", low=-1, high=1)) -> Kept():
        return xp.clip(w - 0.25 * g * w, -4, 4)

    compiled = descend.compile({"w": (3,), "g": (3,)})
    plan, state = compiled.plan, np.array([1.0, -2.0, 3.0])
    gradient = np.array([0.5, -0.5, 1.0])
    brought = twin.split(plan, compiled.encode_all({"w": state, "g": gradient}))
    for _ in range(5):
        results = twin.run(plan, brought).results
        for mine, result in zip(brought, results, strict=True):
            mine["w"] = result["result"]
        state = state - 0.25 * gradient * state
    found = compiled.decode({"result": brought[0]["w"] + brought[1]["w"]})["result"]
    assert np.abs(found - state).max() < 1e-3


def test_kept_coins_do_not_reach_a_reveal_unless_said():
    def made(coins):
        @moiety.secure
        def function(w: Shared(low=-4, high=4, coins=True)) -> To("a", coins=coins):
            return w * 0.3

        return function

    with pytest.raises(UsageError, match="coins") as caught:
        made(False).compile({"w": (2,)})
    assert "coins=True" in caught.value.hint
    assert made(True).compile({"w": (2,)}).plan.receivers == {0}


def test_a_third_owner_sends_shares():
    @moiety.secure
    def total(
        x: From("a", low=-1, high=1), y: From("b", low=-1, high=1), z: From("c", low=-1, high=1)
    ) -> To("a"):
        return x + y + z

    compiled = total.compile(dict.fromkeys("xyz", (2,)))
    assert compiled.plan.inputs["z"].owner == SHARED


def test_an_argument_that_every_party_knows_costs_nothing():
    @moiety.secure
    def shifted(x: From("a", low=-1, high=1), p: From("public", low=-3, high=3)) -> Kept():
        return x * p

    plan = shifted.compile({"x": (2,), "p": (2,)}).plan
    assert plan.inputs["p"].owner != SHARED and not plan.cost.rounds


def no_bounds(x: From("a")) -> To("a"):
    return x


def no_result(x: From("a", low=0, high=1)):
    return x


def wrong_names(x: From("a", low=0, high=1)) -> Results(y=To("a")):
    return {"z": x}


def constant(x: From("a", low=0, high=1)) -> To("a"):
    return 3


def third(
    x: From("a", low=0, high=1), y: From("b", low=0, high=1), z: From("c", low=0, high=1)
) -> To("c"):
    return x + y + z


SIGNATURES = {
    "no bounds": (no_bounds, "no bounds"),
    "no receiver": (no_result, "who learns"),
    "other results": (wrong_names, "its signature names"),
    "a constant": (constant, "does not depend"),
    "a third receiver": (third, "third party"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_that_do_not_say_enough_are_refused(name):
    function, match = SIGNATURES[name]
    with pytest.raises(UsageError, match=match):
        secure = moiety.secure(function)
        secure.compile(dict.fromkeys(secure.signature.arguments, (2,)))


def test_shapes_are_needed_and_names_checked():
    with pytest.raises(UsageError, match="shape of w"):
        score.compile({"x": (3, 2)})
    with pytest.raises(UsageError, match="no argument v"):
        score.compile({"x": (3, 2), "w": (2,), "v": (1,)})
    with pytest.raises(UsageError, match="needs the argument w"):
        score.compile({"x": (3, 2), "w": (2,)}).clear(x=np.zeros((3, 2)))


CURVES = {
    "sigmoid": [(-1, 1), (-6, 6), (-1000, 1000)],
    "tanh": [(-1, 1), (-50, 50)],
    "erf": [(-1, 1), (-9, 9)],
    "exp": [(-1, 1), (-30, 3), (18, 20)],
    "log": [(0.5, 1), (0.001, 100)],
    "sqrt": [(0, 1), (0.25, 1000)],
    "rsqrt": [(0.5, 1), (0.01, 100)],
    "reciprocal": [(0.5, 1), (0.01, 50), (-4, -0.5)],
}
CASES = [(name, *bounds) for name, spans in CURVES.items() for bounds in spans]


@pytest.mark.parametrize(("name", "low", "high"), CASES)
@pytest.mark.parametrize("coins", [False, True])
def test_approximated_functions_keep_their_stated_error(name, low, high, coins):
    def body(x: Shared(low=low, high=high), own: From("a", low=low, high=high)) -> Results(
        y=To("b", coins=coins), kept=Kept(), own=To("b", coins=coins)
    ):
        function = getattr(xp, name)
        return {"y": function(x), "kept": function(x) - 1, "own": function(own)}

    compiled = moiety.secure(body).compile({"x": (101,), "own": (101,)})
    data = dict.fromkeys(("x", "own"), np.linspace(low, high, 101))
    outcome = rehearse(compiled, data)
    for one in outcome.results:
        assert one.from_real <= one.bound
    assert compiled.explain(outcome.measured).data.rounds > 1
    told = {one.name: one.bound for one in outcome.results}
    assert told["own"] < told["y"], "whoever holds the argument computes without approximation"


STEEP = {
    "sigmoid": (-4, 4),
    "tanh": (-1, 1),
    "erf": (-3, 5),
    "exp": (-2, 1),
    "log": (0.5, 2),
    "sqrt": (0.25, 4),
    "rsqrt": (0.5, 4),
    "reciprocal": (0.5, 4),
}


@pytest.mark.parametrize("name", STEEP)
def test_approximated_functions_have_derivatives(name):
    low, high = STEEP[name]

    def body(x: Shared(low=low, high=high)) -> Kept():
        return xp.grad(lambda x: xp.sum(getattr(xp, name)(x) * 2))(x)

    compiled = moiety.secure(body).compile({"x": (20,)})
    assert compiled.plan.cost.rounds
    x, step = np.linspace(low + 0.01, high - 0.01, 20), 1e-6
    (outcome,) = rehearse(compiled, {"x": x}).results
    slope = (reals.FUNCTIONS[name](x + step) - reals.FUNCTIONS[name](x - step)) / step
    assert np.abs(outcome.value - slope).max() < 0.01


def test_a_quotient_of_secrets():
    @moiety.secure
    def ratio(x: From("a", low=-5, high=5), y: From("b", low=0.5, high=9)) -> Results(
        q=To("a"), r=To("b", coins=True)
    ):
        return {"q": x / y, "r": 2 / y}

    x, y = np.linspace(-5, 5, 30), np.linspace(9, 0.5, 30)
    compiled = ratio.compile({"x": (30,), "y": (30,)})
    for one in rehearse(compiled, {"x": x, "y": y}).results:
        assert one.from_real <= one.bound < 1e-3


IMPOSSIBLE = {
    "exp(50)": (lambda x: xp.exp(x), 0, 50),
    "exp of a million": (lambda x: xp.exp(x), -(10**6), 0),
    "1/1e-6": (lambda x: 1 / x, 1e-6, 1),
    "1/0": (lambda x: 1 / x, 0, 1),
    "1/x about 0": (lambda x: xp.reciprocal(x), -1, 1),
    "log of 0": (lambda x: xp.log(x), 0, 1),
    "root of -1": (lambda x: xp.sqrt(x), -1, 1),
    "a product past the word": (lambda x: x * x, -1e5, 1e5),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_right_is_refused_with_line_and_remedy(name):
    function, low, high = IMPOSSIBLE[name]

    def body(x: Shared(low=low, high=high), own: From("a", low=0, high=1)) -> To("b"):
        return function(x) + own

    with pytest.raises(UsageError) as caught:
        moiety.secure(body).compile({"x": (4,), "own": (4,)})
    assert caught.value.hint and str(caught.value).startswith("test_secure.py:")
