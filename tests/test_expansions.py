"""Expansions keep the error that they state, and a plan takes the one that its network wants."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.errors import UsageError
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, Private, words
from moiety.ops import reals
from moiety.ops.convert import reveal
from moiety.ops.expansions import Goal, approximation, families, tolerance
from moiety.ops.functions import FUNCTIONS
from moiety.ops.pieces import Intervals, interpolated, polynomials
from moiety.plan import accuracy
from moiety.plan.approximate import built, evaluated
from moiety.plan.network import network
from moiety.plan.pipeline import Target, compile
from moiety.protocols.additive import signed
from moiety.run import twin
from plan_kit import by_way, grid

FRACTION = 18
DOMAINS = {
    "sigmoid": (-60.0, 60.0),
    "tanh": (-30.0, 30.0),
    "erf": (-12.0, 12.0),
    "exp": (-12.0, 5.0),
    "log": (2.0**-8, 200.0),
    "sqrt": (0.0, 200.0),
    "rsqrt": (2.0**-6, 100.0),
    "reciprocal": (2.0**-5, 60.0),
}
CASES = [(name, place) for name in FUNCTIONS for place in range(len(families(name)))]


def values_of(plan, x):
    """The output y on shares; its type's bounds and the plan's price must hold."""
    transcript = twin.run(plan, twin.split(plan, {"x": x}))
    assert transcript.cost.rounds == plan.cost.rounds
    type = plan.program.nodes[plan.outputs["y"]].type
    word = signed(sum(result["y"] for result in transcript.results), type.ring).view(np.int64)
    assert word.min() >= type.lo and word.max() <= type.hi
    return np.ldexp(word.astype(np.float64), -type.fraction)


def exactly(function, x, fraction=FRACTION):
    return reals.FUNCTIONS[function](np.ldexp(x.view(np.int64).astype(np.float64), -fraction))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_doubles_are_right_without_a_library(name):
    x = np.linspace(*DOMAINS[name], 30_001)
    exact, found = reals.FUNCTIONS[name](x), FUNCTIONS[name].value(x)
    fine = np.isfinite(exact)
    assert np.abs(found - exact)[fine].max() <= 4e-15 * np.abs(exact[fine]).max()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes_and_bends_are_bounds(name):
    low, high = DOMAINS[name]
    ends = np.linspace(max(low, 2.0**-8) if low >= 0 else low, high, 60)
    for a, b in pairwise(ends):
        x = np.linspace(a, b, 101)
        slopes = np.diff(reals.FUNCTIONS[name](x)) / np.diff(x)
        assert np.abs(slopes).max() <= FUNCTIONS[name].slope(a, b) * (1 + 1e-9) + 1e-9
        bends = np.diff(slopes) / np.diff(x)[1:]
        assert np.abs(bends).max() <= FUNCTIONS[name].bend(a, b) * 1.001 + 1e-4


@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("name", ["sigmoid", "exp", "reciprocal"])
def test_polynomials_of_many_intervals_keep_their_bounds(name, degree):
    ends = np.linspace(0.5, 4.0, 9)
    intervals = Intervals.between(ends[:-1], ends[1:])
    found = interpolated(FUNCTIONS[name], intervals, degree)
    t = np.linspace(-1, 1, 5001)[np.newaxis] * np.ones((8, 1))
    off = np.abs(polynomials(found.coefficients, t) - reals.FUNCTIONS[name](intervals.reals(t)))
    worst = off.max(axis=1)
    assert (worst <= found.errors).all() and (0.9 * found.errors <= worst + 3e-5).all()


@pytest.mark.parametrize(("name", "place"), CASES)
@settings(max_examples=8)
@given(data=st.data())
def test_an_expansion_errs_by_no_more_than_it_states(name, place, data):
    """Dense, at the ends of random ranges, with few bytes and with few rounds."""
    low, high = DOMAINS[name]
    unit = 2.0**-FRACTION
    a = data.draw(st.floats(low, high - 0.5), label="low")
    b = min(a + data.draw(st.sampled_from([0.25, 1.0, 4.0, 30.0, 200.0]), label="width"), high)
    least, most = max(round(a / unit), 1 if low > 0 else -(2**30)), round(b / unit)
    x = grid(least * unit, most * unit, FRACTION, near=(0.0, 1.0, 4.0), count=600)
    type = words(x.shape, SHARED, (least, most), FRACTION)
    budget = tolerance(name, type, FRACTION) * data.draw(st.sampled_from([1.0, 3.0, 40.0]))
    goal = Goal(name, FRACTION, budget, exact=data.draw(st.booleans()))
    made = first(families(name)[place], type, goal)
    if made is None:
        return  # the range is not one for this family: the next test says that there are such
    one, stated = made
    assert stated <= budget
    for plan in by_way(lambda x: {"y": one.build(x, goal).value}, x=type):
        assert np.abs(values_of(plan, x) - exactly(name, x)).max() <= stated


def first(group, type, goal):
    for one in group:
        try:
            if one.least(type, goal) <= goal.error:
                stated = built(one, type, goal)[1]
                if stated <= goal.error:
                    return one, stated
        except UsageError as error:
            assert str(error)
    return None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_family_is_possible_somewhere(name):
    """So that the test above cannot pass by trying nothing."""
    type = words((7,), SHARED, (1 << 17, 1 << 19), FRACTION)
    possible = set()
    for error in (1e-2, 1e-3, 1e-4):
        made = (first(group, type, Goal(name, FRACTION, error)) for group in families(name))
        possible.update(place for place, one in enumerate(made) if one)
    assert possible == set(range(len(families(name))))


def test_a_table_of_whole_numbers_is_exact_to_rounding():
    type = words((200,), SHARED, (1, 200), 0)
    goal = Goal("log", FRACTION, 2.0**-18)
    (table,) = (one for group in families("log") for one in group if one.name == "table of 256")
    assert built(table, type, goal)[1] <= 2.0**-18.9
    x = np.arange(1, 201, dtype=np.uint64)
    (plan,) = by_way(lambda x: {"y": table.build(x, goal).value}, x=type)
    assert len(plan.cost.rounds) == 1
    assert np.abs(values_of(plan, x) - np.log(x)).max() <= 2.0**-18.9


# the pass


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
    assert network("wan").latency == 0.02


KINDS = ("sines", "polynomial", "lines", "splines of degree 3", "table of 256", "cubics", "octaves")
SHAPED = {"a number": ((), 1, 4 << 18, 18), "whole numbers": ((2, 3, 4), 1, 30, 0)}


@pytest.mark.parametrize("function", ["erf", "tanh", "log", "reciprocal"])
@pytest.mark.parametrize("kind", SHAPED)
def test_arguments_of_any_shape_and_scale(function, kind):
    shape, least, most, fraction = SHAPED[kind]
    type = words(shape, SHARED, (least << (fraction - 1) if fraction else least, most), fraction)
    generator = np.random.default_rng()
    x = generator.integers(type.lo, type.hi, shape, np.int64, endpoint=True)
    x = np.asarray(x).view(np.uint64)
    if function == "tanh" and not fraction:
        return  # one more fraction bit is asked of integers: see moiety.array
    program = trace(lambda x: {"y": approximation(x, function, FRACTION, 0.02)}, {"x": type})
    for name in KINDS:
        plan = compile(program, Target(network="wan", force=(name,)))
        found = values_of(plan, x)
        stated = plan.approximated[0].chosen.error
        assert np.abs(found - exactly(function, x, fraction)).max() <= stated <= 0.02
