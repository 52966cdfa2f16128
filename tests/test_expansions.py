"""Expansions keep the error that they state, and a plan takes the one that its network wants."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.errors import UsageError
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, words
from moiety.ops import reals
from moiety.ops.expansions import Goal, approximation, families, tolerance
from moiety.ops.functions import FUNCTIONS
from moiety.ops.pieces import Intervals, interpolated, polynomials
from moiety.plan.approximate import built
from moiety.plan.pipeline import Target, compile
from plan_kit import by_way, exactly, grid, values_of

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
