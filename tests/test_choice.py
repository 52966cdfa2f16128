"""A plan takes the expansion that its network wants, within the error that was accepted."""

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Kept, Shared, To
from moiety.errors import UsageError
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, Private, words
from moiety.ops.convert import reveal
from moiety.ops.expansions import approximation
from moiety.plan import accuracy
from moiety.plan.approximate import evaluated
from moiety.plan.pipeline import Target, compile
from plan_kit import exactly, grid, values_of

FRACTION = 18


def planned(network_name, shape, low=-8.0, high=8.0, function="sigmoid", **target):
    type = words(shape, SHARED, (int(low * 2**18), int(high * 2**18)), FRACTION)
    program = trace(lambda x: {"y": approximation(x, function, FRACTION)}, {"x": type})
    return compile(program, Target(network=network_name, **target))


def chosen(plan):
    return [one.chosen.name for one in plan.approximated]


def test_networks_want_other_expansions():
    """Few rounds where rounds are dear and rows few; few dealt bytes in bulk."""
    single = planned("wan", (1,), 0.5, 4.0, "reciprocal")
    bulk = planned("lan", (100_000,), 0.5, 4.0, "reciprocal")
    assert chosen(single) != chosen(bulk)
    assert len(single.cost.rounds) < len(bulk.cost.rounds)
    assert single.cost.dealt > bulk.cost.dealt / 100_000


@moiety.secure
def step(
    w: Shared(low=-4, high=4, coins=True),
    x: From("bank", low=-1, high=1),
    y: From("payco", dtype=bool),
) -> Kept():
    residual = xp.sigmoid(x @ w) - xp.where(y, 1.0, 0.0)
    return xp.clip(w - x.T @ residual / x.shape[0], -4, 4)


@moiety.secure
def classes(w: Shared(low=-2, high=2), x: From("bank", low=-1, high=1)) -> To("bank", coins=True):
    risen = xp.exp(xp.clip(x @ w, -8.0, 0.0))
    return risen / xp.sum(risen)


def test_training_near_training_far_and_one_row_far_get_plans_of_their_own():
    batch = {"w": (20,), "x": (1000, 20), "y": (1000,)}
    near, far = (step.compile(batch, target=Target(network=n)).plan for n in ("lan", "wan"))
    row = classes.compile({"w": (20, 3), "x": (1, 20)}, target=Target(network="wan")).plan
    bulk = classes.compile({"w": (20, 3), "x": (2000, 20)}, target=Target(network="lan")).plan
    sent = {
        name: {s.way.name for _, s in plan.steps() if not s.way.local}
        for name, plan in (("near", near), ("far", far), ("row", row))
    }
    assert "dealt sines, clamped by digit tables" in sent["near"] - sent["far"]
    assert "dealt sines, clamped by DPF" in sent["far"] - sent["near"]
    assert "dealt rotated table" in sent["row"] - sent["far"]
    assert len(far.cost.rounds) < len(near.cost.rounds) and far.cost.dealt > near.cost.dealt
    assert chosen(row)[0] != chosen(bulk)[0]


def test_a_range_within_reach_needs_no_clamp():
    assert chosen(planned("wan", (5,), -4.0, 4.0)) == ["5 sines"]
    assert chosen(planned("wan", (5,), -400.0, 400.0)) == ["8 sines, clamped"]


@pytest.mark.parametrize("error", [1e-2, 1e-3, 1e-4, 2e-5])
@pytest.mark.parametrize("span", [3.0, 40.0])
def test_a_budget_is_kept_and_a_smaller_one_costs_more(error, span):
    x = grid(-span, span, FRACTION, count=2000)
    plan = planned("lan", x.shape, -span, span, error=error)
    found = values_of(plan, x)
    assert np.abs(found - exactly("sigmoid", x)).max() <= plan.approximated[0].chosen.error
    assert plan.approximated[0].chosen.error <= error
    (step,) = (s for _, s in plan.program.steps() if s.primitive.name == "stands_for")
    assert step.parameters["by"] == plan.approximated[0].chosen.name


def test_a_larger_budget_is_never_dearer():
    costs = []
    for error in (1e-2, 1e-3, 1e-4):
        type = words((1000,), SHARED, (-(4 << 18), 4 << 18), FRACTION)
        program = trace(lambda x, e=error: {"y": approximation(x, "tanh", 18, e)}, {"x": type})
        costs.append(compile(program).approximated[0].chosen.seconds)
    assert costs == sorted(costs)


def test_a_family_goes_on_where_its_first_is_too_coarse():
    """3 sines for erf to 3 are refused as useless; 8 are not."""
    assert chosen(planned("wan", (5,), -3.0, 3.0, "erf")) == ["8 sines"]


def test_more_fraction_bits_than_sines_have():
    type = words((3,), SHARED, (-(2 << 44), 2 << 44), 44)
    program = trace(lambda x: {"y": approximation(x, "sigmoid", 44)}, {"x": type})
    (one,) = compile(program).approximated
    assert "sines" not in one.chosen.name
    assert "at most 40 fraction bits" in one.refused[0].why


def test_a_budget_that_nothing_keeps_is_refused_in_a_sentence():
    with pytest.raises(
        UsageError, match=r"no expansion of exp on \[-1, 1\] keeps .* 1e-09"
    ) as told:
        planned("lan", (4,), -1.0, 1.0, "exp", error=1e-9)
    assert "octaves of degree 9: errs by" in str(told.value) and "larger error" in told.value.hint
    with pytest.raises(UsageError, match="for approximations"):
        Target(error=-1.0)


def test_a_told_result_has_no_coin():
    type = words((50,), SHARED, (-(8 << 18), 8 << 18), FRACTION)

    def function(x):
        return {"y": reveal(approximation(x, "sigmoid", FRACTION), to=0)}

    for name in ("lan", "wan"):
        plan = compile(trace(function, {"x": type}), Target(network=name))
        assert "truncate(" not in plan.text and "widen(%" not in plan.text.replace(" by wrap", "")


def test_an_argument_in_the_clear_is_not_approximated():
    type = words((9,), Private(1), (-(2**30), 2**30), FRACTION)
    program = trace(lambda x: {"y": approximation(x, "tanh", FRACTION)}, {"x": type})
    plan = compile(program)
    assert not plan.approximated and not plan.cost.rounds
    assert accuracy.bounds(plan.program)[plan.outputs["y"]] < 2.0**-17


def test_the_plan_is_the_same_when_it_is_made_again():
    texts = []
    for _ in range(2):
        evaluated.cache_clear()
        texts.append(planned("wan", (100,), 0.5, 4.0, "reciprocal").text)
    assert texts[0] == texts[1]


def test_off_the_longest_chain_an_expansion_has_time():
    """Beside a chain of many rounds, the expansion that moves fewer bytes is taken."""
    type = words((10,), SHARED, (1 << 17, 1 << 20), FRACTION)

    def alone(x):
        return {"y": approximation(x, "reciprocal", FRACTION)}

    def beside(x, z):
        for _ in range(40):
            z = z * z
        return {"y": approximation(x, "reciprocal", FRACTION), "z": z}

    far = Target(network="wan")
    single = compile(trace(alone, {"x": type}), far)
    z = words((1,), SHARED, (0, 1))
    both = compile(trace(beside, {"x": type, "z": z}), far)
    assert len(both.cost.rounds) == 40
    assert both.approximated[0].chosen.cost.dealt <= single.approximated[0].chosen.cost.dealt
    assert chosen(both) != chosen(single)


@pytest.mark.parametrize("name", ["splines of degree 2", "table of 64 parabolas", "12 sines"])
def test_an_expansion_can_be_forced(name):
    x = grid(-4.0, 4.0, FRACTION, count=300)
    plan = planned("lan", x.shape, -4.0, 4.0, force=(name,))
    assert name in chosen(plan)[0]
    assert np.abs(values_of(plan, x) - exactly("sigmoid", x)).max() <= 1e-3


def test_a_forced_way_is_taken_wherever_it_is_possible():
    x = grid(-400.0, 400.0, FRACTION, count=300)
    for way in ("DPF", "digit tables"):
        plan = planned("lan", x.shape, -400.0, 400.0, force=(way,))
        ways = [s.way.name for _, s in plan.steps() if "clamped" in s.way.name]
        assert ways and all(way in one for one in ways)
        assert np.abs(values_of(plan, x) - exactly("sigmoid", x)).max() <= 1e-3


def test_a_forced_name_that_nothing_has_is_refused():
    with pytest.raises(UsageError, match="no way and no expansion called 'magic'") as told:
        Target(force=("magic",))
    assert "DPF prefix parity" in told.value.hint and "8 sines" in told.value.hint


def test_without_the_pass_the_first_that_fits_is_taken():
    plan = planned("wan", (1,), 0.5, 4.0, "reciprocal", skip=("approximate",))
    assert chosen(plan)[0].startswith("octaves")
