"""exp, log, roots and quotients by octaves on shares: dense grids, bounds, refusals."""

import math
import re

import numpy as np
import pytest

from moiety.lang.primitive import DEALER
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, Private, words
from moiety.ops import chebyshev
from moiety.ops.expansions import approximation, quotient
from moiety.ops.octaves import DEGREES, OCTAVES
from moiety.plan import accuracy
from moiety.plan.approximate import approximate
from moiety.plan.candidates import cheapest
from moiety.plan.network import Setting
from moiety.plan.pipeline import Target, compile
from moiety.protocols.additive import signed
from moiety.run import twin
from plan_kit import by_way, grid, planned, refused

EXACT = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
}
KNOWN = (268107518, 186020025, 67103606, 15260794)
ON_THE_UNIT = {
    "exp2": lambda u: 2**u,
    "log": lambda u: np.log((u + 3) / 4),
    "reciprocal": lambda u: 4 / (u + 3),
    "sqrt": lambda u: np.sqrt((u + 3) / 4),
    "rsqrt": lambda u: 2 / np.sqrt(u + 3),
}


@pytest.mark.parametrize("degree", [3, 6, 9])
@pytest.mark.parametrize("name", ON_THE_UNIT)
def test_polynomials_keep_their_bound(name, degree):
    found = chebyshev.polynomial(name, degree, 28)
    u = np.linspace(-1, 1, 50_001)
    values = sum(c * 2.0**-28 * u**i for i, c in enumerate(found.coefficients))
    worst = np.abs(values - ON_THE_UNIT[name](u)).max()
    assert 0.9 * found.error < worst <= found.error


def test_polynomials_are_the_same_on_every_machine():
    assert chebyshev.polynomial("exp2", 3, 28).coefficients == KNOWN


RANGES = [
    ("exp", -14, 0, 18),
    ("exp", -1, 1, 18),
    ("exp", 0, 3, 24),
    ("exp", -20, 20, 18),
    ("exp", -90, 2, 18),
    ("log", 2**-10, 2**10, 18),
    ("log", 1, 2, 18),
    ("log", 2**-18, 2**20, 18),
    ("sqrt", 0, 100, 18),
    ("sqrt", 1, 2, 18),
    ("sqrt", 0, 2**30, 18),
    ("rsqrt", 2**-8, 2**8, 18),
    ("rsqrt", 2**-18, 2, 18),
    ("reciprocal", 0.5, 1, 18),
    ("reciprocal", 0.01, 100, 18),
    ("reciprocal", 2**-18, 1000, 18),
    ("reciprocal", -100, -0.01, 18),
]
POWERS = [2.0**k for k in range(-18, 31)]


def share_of(lo, hi, shape, fraction=18):
    bounds = int(np.ldexp(lo, fraction)), int(np.ldexp(hi, fraction))
    return words(shape, SHARED, bounds, fraction)


def octaves(name, fraction, **inputs):
    """A function by octaves as a program, and the error that it states."""
    errors = []

    def body(x):
        found = OCTAVES[name](x, fraction, DEGREES[name])
        errors.append(found.error)
        return {"y": found.value}

    return trace(body, inputs), errors[0]


def plans(program):
    """As written, with few bytes, and what the passes make of it where rounds are dear."""
    expanded, _ = approximate(program, Setting(DEALER), choose=False)
    return [cheapest(expanded, DEALER), compile(program, Target(network="wan"))]


def run(plan, **inputs):
    """The output y on shares; its type's bounds and the plan's price must hold."""
    transcript = twin.run(plan, twin.split(plan, inputs))
    assert transcript.cost.rounds == plan.cost.rounds
    type = plan.program.nodes[plan.outputs["y"]].type
    total = sum(result["y"] for result in transcript.results)
    word = signed(total, type.ring).view(np.int64)
    assert word.min() >= type.lo and word.max() <= type.hi
    return np.ldexp(word.astype(np.float64), -type.fraction)


@pytest.mark.parametrize(("name", "lo", "hi", "fraction"), RANGES)
def test_functions_on_shares_keep_their_bound(name, lo, hi, fraction):
    low, high = (int(np.ldexp(bound, 18)) / 2**18 for bound in (lo, hi))
    x = grid(low, high, 18, near=POWERS, count=4001)
    program, bound = octaves(name, fraction, x=share_of(low, high, x.shape))
    exact = EXACT[name](np.ldexp(x.view(np.int64).astype(np.float64), -18))
    assert bound <= 2e-6 * np.abs(exact).max() + 3 * 2**-fraction or name == "exp"
    assert bound <= 6e-4 * np.abs(exact).max() + 3 * 2**-fraction
    for plan in plans(program):
        assert np.abs(run(plan, x=x) - exact).max() <= bound


def test_every_word_of_a_small_range():
    """All 2^13 words, so that no cut between octaves is missed."""
    x = np.arange(1, 2**13, dtype=np.uint64)
    real = x.astype(np.float64) / 2**6
    for name in ("log", "sqrt", "rsqrt", "reciprocal"):
        type = words(x.shape, SHARED, (1, 2**13 - 1), 6)
        _, bound = octaves(name, 16, x=type)
        for plan in by_way(lambda x, n=name: {"y": OCTAVES[n](x, 16, DEGREES[n]).value}, x=type):
            errors = np.abs(run(plan, x=x) - EXACT[name](real))
            assert errors.max() <= bound < 7e-5


@pytest.mark.parametrize("numerator", [(-1000.0, 1000.0), (0.0, 1.0)])
def test_quotients(numerator):
    x = grid(*numerator, 18, count=3001)
    y = np.resize(grid(0.5, 64.0, 18, near=POWERS, count=997), x.shape)
    types = {"x": share_of(*numerator, x.shape), "y": share_of(0.5, 64.0, x.shape)}
    program = trace(lambda x, y: {"y": quotient(x, y, 18)}, types)
    exact = x.view(np.int64) / y.view(np.int64)
    for plan in plans(program):
        bound = accuracy.bounds(plan.program)[plan.outputs["y"]]
        assert np.abs(run(plan, x=x, y=y) - exact).max() <= bound < 3e-5 * numerator[1] + 3e-5


def test_exp_of_twenty_is_right_within_its_bound():
    """A peer answers -37,636,384."""
    x = np.array([20 << 18, 20 << 18], np.uint64)
    program, bound = octaves("exp", 18, x=share_of(-20.0, 20.0, (2,)))
    for plan in plans(program):
        found = run(plan, x=x)
        assert np.abs(found - math.exp(20)).max() <= bound < 6e-4 * math.exp(20)


def test_the_least_divisor_is_right_within_its_bound():
    """One unit of the last place, 3.8e-6: a peer answers 0 to 1 / 1e-6."""
    x = np.array([1, 2, 3, 1000 << 18], np.uint64)
    program, bound = octaves("reciprocal", 18, x=share_of(2**-18, 1000.0, (4,)))
    for plan in plans(program):
        assert np.abs(run(plan, x=x) - 2**18 / x).max() <= bound < 0.25


@pytest.mark.parametrize(
    ("function", "lo", "hi", "sentence"),
    [
        ("exp", 0.0, 44.0, "does not fit with 18 fraction bits"),
        ("exp", 0.0, 24.5, "leaves no room"),
        ("exp", -1000.0, 0.0, "spans 144. powers of two .*clip the argument to at least -18"),
        ("reciprocal", 0.0, 1.0, "1 / x of values that may be 0 .*at least 3.8147e-06"),
        ("reciprocal", -1.0, 1.0, "1 / x of values that may be -1"),
        ("log", 0.0, 1.0, "log of values that may be 0"),
        ("log", -3.0, -1.0, "log of values that may be -3"),
        ("sqrt", -0.5, 1.0, "√x of values that may be -0.5 .*at least 0"),
        ("rsqrt", 0.0, 1.0, "1 / √x of values that may be 0"),
    ],
)
def test_ranges_that_cannot_be_right_are_refused(function, lo, hi, sentence):
    told = refused(lambda x: {"y": approximation(x, function, 18)}, x=share_of(lo, hi, (4,)))
    assert re.search(sentence, told), told


def test_a_quotient_without_precision_is_refused():
    types = {"x": share_of(-(2.0**40), 2.0**40, (4,)), "y": share_of(2**-18, 1.0, (4,))}
    assert "narrow the bounds" in refused(lambda x, y: {"y": quotient(x, y, 18)}, **types)
    assert "division by" in refused(
        lambda x, y: {"y": quotient(x, y, 18)}, x=types["y"], y=share_of(-1.0, 1.0, (4,))
    )


def test_one_octave_needs_no_comparison():
    program, _ = octaves("reciprocal", 18, x=share_of(0.5, 0.999, (4,)))
    assert "less_than_each" not in program.text and "piecewise_linear" not in program.text


def test_whoever_holds_x_computes_alone():
    """And what nobody could compute on shares, such as exp over a thousand powers of two."""
    data = np.array([-1000 << 18, -1 << 17, 0, 3 << 18], np.int64).view(np.uint64)
    type = words((4,), Private(0), (-1000 << 18, 3 << 18), 18)
    plan = planned(lambda x: {"y": approximation(x, "exp", 18)}, x=type)
    assert not plan.cost.rounds
    found = plan.clear({"x": data})["y"].astype(np.float64) / 2**18
    assert np.abs(found - np.exp([-1000, -0.5, 0, 3])).max() <= 2**-19


@pytest.mark.parametrize("function", OCTAVES)
def test_the_passes_may_cut_every_truncation_cheaply(function):
    """A result that nobody is shown needs no exact truncation, not even for the floor in exp."""
    program, _ = octaves(function, 18, x=share_of(0.5, 4.0, (4,)))
    plan = compile(program, Target(network="wan"))
    assert "truncate_exact" in program.text and "truncate_exact" not in plan.text
    assert len(plan.cost.rounds) <= 15
