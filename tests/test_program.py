"""Programs: types and refusals, text and hash, levels, and the meaning as an oracle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.errors import (
    InternalError,
    UsageError,
)
from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import DEALER
from moiety.lang.program import Program, Step
from moiety.lang.trace import trace
from moiety.lang.types import PUBLIC, SHARED, Private, bits, broadcast, signed_bits, words
from moiety.ops.compare import logical_and, select
from moiety.ops.convert import bit_to_word, reveal, truncate, truncate_exact
from moiety.ops.local import concat, narrow, reshape, sum_over, take, within
from moiety.plan.candidates import cheapest
from moiety.plan.plan import Plan
from moiety.run import twin

SMALL = words((4,), SHARED, (-100, 100))


def of(function, **inputs):
    return trace(function, inputs)


def plan_of(function, **inputs):
    return cheapest(of(function, **inputs), DEALER)


def product(x, y):
    return {"z": x * y}


def revealed_product(x, y):
    return {"z": reveal(x * y, to=0)}


def plain(name, program, results):
    type = program.nodes[program.outputs[name]].type
    assert type.owner == SHARED
    return results[0][name] + results[1][name]


# types and rules


def test_types_know_their_width():
    assert [signed_bits(*b) for b in ((0, 0), (-1, 0), (0, 1), (-128, 127), (0, 255))] == [
        1,
        1,
        2,
        8,
        9,
    ]
    assert words((2, 3), SHARED, (-5, 7), 4, ring=9).size == 6
    assert (
        str(words((2,), Private(1), (0, 3), 4, ring=9)) == "fixed4[2] private(1) in [0, 3] mod 2^9"
    )
    assert str(bits((2,), PUBLIC)) == "bit[2] public"
    assert broadcast((3, 1), (4,)) == (3, 4) and broadcast((), (2,)) == (2,)


@pytest.mark.parametrize("bounds", [(0, 2**63), (-(2**63) - 1, 0), (3, 2)])
def test_a_type_that_does_not_fit_is_refused(bounds):
    with pytest.raises(UsageError, match="does not fit"):
        words((1,), SHARED, bounds)


WIDE = words((4,), SHARED, (-(2**62), 2**62 - 1), 30)
HALF = words((4,), SHARED, (-100, 100), 1)
BITS = bits((4,), SHARED)
REFUSED = {
    "a product that overflows": (lambda x: x * x, WIDE),
    "a sum that overflows": (lambda x: x + x + x, WIDE),
    "a comparison that overflows": (lambda x: x < 2**62 + 1, WIDE),
    "two scales": (lambda x: x + truncate_exact(x, shift=1), HALF),
    "a word where a bit is due": (lambda x: logical_and(x, x), SMALL),
    "a bit where a word is due": (lambda x: x + x, BITS),
    "fewer fraction bits than none": (lambda x: truncate_exact(x, shift=2), HALF),
    "an approximate truncation of 63 bits": (lambda x: truncate(x + x, shift=1), WIDE),
    "an approximate truncation of narrow shares": (
        lambda x: truncate(narrow(x, ring=9), shift=1),
        HALF,
    ),
    "a floor without room": (lambda x: truncate_exact(narrow(x, ring=8), shift=1), HALF),
    "a ring that is too narrow": (lambda x: narrow(x, ring=8) + x, SMALL),
    "a reveal of coins": (lambda x: reveal(truncate(x, shift=1), to=0), HALF),
    "a reveal of coins after exact floor": (
        lambda x: reveal(truncate_exact(truncate(x, shift=1), shift=1), to=0),
        replace(WIDE, lo=-9, hi=9),
    ),
    "a comparison of coins": (lambda x: reveal(truncate(x, shift=1) < 3, to=0), WIDE),
    "a reveal of what is not shared": (lambda x: reveal(reveal(x, to=0), to=1), SMALL),
    "shapes that do not broadcast": (lambda x: x + np.arange(3), SMALL),
    "an axis that is not there": (lambda x: sum_over(x, axis=1), SMALL),
    "an index that is not there": (lambda x: take(x, indices=(4,), axis=0), SMALL),
    "another number of elements": (lambda x: reshape(x, shape=(3,)), SMALL),
    "parts that do not meet": (lambda x: concat(x, reshape(x, shape=(2, 2)), axis=0), SMALL),
    "a matrix product of vectors": (lambda x: x @ x, SMALL),
    "a real constant": (lambda x: x + 0.5, SMALL),
    "a decision on a secret": (lambda x: x + 1 if x < 3 else x, SMALL),
}


@pytest.mark.parametrize("name", REFUSED)
def test_programs_that_could_go_wrong_are_refused_when_written(name):
    function, type = REFUSED[name]
    with pytest.raises(UsageError):
        of(lambda x: {"y": function(x)}, x=type)


def test_coins_may_be_revealed_by_saying_so():
    program = of(lambda x: {"y": reveal(truncate(x, shift=1), to=0, coins_too=True)}, x=HALF)
    assert "coins_too=True" in program.text and "±1 ulp" in program.text


def test_bounds_errors_and_rings_are_carried():
    def function(x, w):
        y = truncate(x * 3, shift=1)
        return {"y": y * y, "z": narrow(w, ring=20) * 2 + 1, "b": within(w, lo=0, hi=5, by="us")}

    types = {
        name: program.nodes[index].type
        for program in [of(function, x=HALF, w=SMALL)]
        for name, index in program.outputs.items()
    }
    assert (types["y"].lo, types["y"].hi, types["y"].error) == (-22650, 22801, 303)
    assert (types["z"].lo, types["z"].hi, types["z"].ring) == (-199, 201, 20)
    assert (types["b"].lo, types["b"].hi) == (0, 5)


def test_ways_are_chosen_by_how_operands_are_held():
    table = words((4, 4), Private(0), (0, 9))

    def ways(x, y):
        plan = plan_of(lambda x, y: {"z": x @ y}, x=x, y=y)
        return [
            (
                step.way.name,
                *(a != b for a, b in zip(step.types, plan.program.types(step), strict=True)),
            )
            for _, step in plan.steps()
        ]

    shared, public = replace(table, owner=SHARED), replace(table, owner=PUBLIC)
    assert ways(table, shared) == [("Beaver matrix triple", True, False)]
    assert ways(table, replace(table, owner=Private(1))) == [("Beaver matrix triple", True, True)]
    assert ways(table, table) == ways(table, public) == [("in the clear", False, False)]
    assert ways(shared, shared) == [("Beaver matrix triple", False, False)]
    assert ways(public, shared) == [("public factor", False, False)]


# text, hash, levels


TEXT = """\
moiety program 1
%0 = input x: int[4] shared in [-100, 100]
%1 = input y: int[4] shared in [-100, 100]
%2 = multiply(%0, %1): int[4] shared in [-10000, 10000]
%3 = reveal(%2, to=0): int[4] private(0) in [-10000, 10000]
return z = %3"""
PLAN = """\
moiety plan 1, profile dealer
%0 = input x: int[4] shared in [-100, 100]
%1 = input y: int[4] shared in [-100, 100]
%2 = multiply(%0, %1): int[4] shared in [-10000, 10000] by Beaver triple
%3 = reveal(%2, to=0): int[4] private(0) in [-10000, 10000] by send the share
return z = %3"""


def test_the_text_says_everything_and_the_hash_follows_it():
    program = of(revealed_product, x=SMALL, y=SMALL)
    plan = cheapest(program, DEALER)
    assert program.text == TEXT and plan.text == PLAN and plan.receivers == {0}
    assert plan.hash != program.hash and program.nodes[2].line.startswith("test_program.py:")
    hashes = {
        of(revealed_product, x=SMALL, y=SMALL).hash,
        of(revealed_product, x=SMALL, y=replace(SMALL, hi=99)).hash,
        of(lambda x: {"z": x + np.array([1, 2, 3, 4])}, x=SMALL).hash,
        of(lambda x: {"z": x + np.array([1, 2, 3, 3])}, x=replace(SMALL, hi=99)).hash,
        of(lambda x: {"z": x + np.array([1, 2, 4, 4])}, x=replace(SMALL, hi=99)).hash,
    }
    assert len(hashes) == 5 and program.hash in hashes


def test_independent_steps_share_rounds():
    def function(x, y):
        return {"z": (x * y) * (y * y), "c": x < y}

    plan = plan_of(function, x=SMALL, y=SMALL)
    first, second = plan.levels[1:3]
    assert len(first.cost.rounds) == len(second.cost.rounds) == 1
    assert len(first.interactive) == 3 and len(second.interactive) in (1, 2)
    assert plan.cost.rounds[0] == Cost((both_ways(512, 512, 4 * 9),)).rounds[0]


def test_a_long_step_does_not_hold_up_a_chain_of_short_ones():
    def function(x, y):
        z = x * y
        return {"c": x < y, "p": z * x * y}

    plan = plan_of(function, x=SMALL, y=SMALL)
    assert len(plan.cost.rounds) == 3
    inputs = {name: np.array([3, 4, 5, 6], np.uint64) for name in "xy"}
    transcript = twin.run(plan, twin.split(plan, inputs))
    assert transcript.cost.rounds == plan.cost.rounds
    assert np.array_equal(plain("p", plan, transcript.results), plan.clear(inputs)["p"])


@pytest.mark.parametrize("change", ["operands", "type"])
def test_a_program_that_was_tampered_with_is_refused(change):
    program = of(revealed_product, x=SMALL, y=SMALL)
    step = program.nodes[2]
    assert isinstance(step, Step)
    other = {"operands": (0, 2), "type": replace(step.type, hi=5)}[change]
    bad = replace(step, **{change: other})
    with pytest.raises(InternalError):
        Program((*program.nodes[:2], bad, program.nodes[3]), program.outputs)


@pytest.mark.parametrize("change", ["operands", "type", "types", "way", "profile"])
def test_a_plan_that_was_tampered_with_is_refused(change):
    plan = plan_of(revealed_product, x=SMALL, y=SMALL)
    step = plan.nodes[2]
    changes = {
        "operands": {"operands": (0, 0)},
        "type": {"type": replace(step.type, hi=5)},
        "types": {"types": (SMALL, replace(SMALL, hi=99))},
        "way": {"way": step.primitive.in_the_clear("dealer")},
        "profile": {"way": replace(step.way, profile="two")},
    }
    bad = replace(step, **changes[change])
    with pytest.raises(InternalError):
        Plan("dealer", plan.program, (*plan.nodes[:2], bad, plan.nodes[3]))


def test_an_output_must_be_a_value():
    program = of(revealed_product, x=SMALL, y=SMALL)
    with pytest.raises(InternalError):
        Program(program.nodes, {"z": 9})


def test_values_of_two_programs_do_not_mix():
    kept = []
    of(lambda x: kept.append(x) or {"y": x}, x=SMALL)
    with pytest.raises(InternalError):
        of(lambda x: {"y": x + kept[0]}, x=SMALL)


# the same program in the clear and on shares


def everything(x, y, p, q, b):
    """Uses every way of combining owners and kinds."""
    m = p @ q + x
    c = (m < y) ^ (b & (y > m)) | (5 - x < 0)
    n = select(c, m, y - 3) + bit_to_word(~c) * x
    s = sum_over(concat(n, -n * 2, axis=0), axis=1) - np.arange(6)
    return {"s": s, "r": reveal(s, to=1)}


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.booleans())
def test_shares_give_what_the_meaning_gives(numbers, flip):
    shapes = {"x": (3, 5), "y": (3, 5), "p": (3, 4), "q": (4, 5), "b": (3, 1)}
    owners = {"x": Private(0), "y": SHARED, "p": Private(1), "q": Private(0), "b": SHARED}
    types = {
        name: bits(shape, SHARED) if name == "b" else words(shape, owners[name], (-1000, 1000))
        for name, shape in shapes.items()
    }
    program = cheapest(trace(everything, types), DEALER)
    data = {
        name: np.resize(np.array(numbers), shape).astype(np.int64) for name, shape in shapes.items()
    }
    inputs = {name: array.view(np.uint64) for name, array in data.items()}
    inputs["b"] = np.full((3, 1), flip, np.uint8)
    expected = program.clear(inputs)
    transcript = twin.run(program, twin.split(program, inputs))
    assert np.array_equal(plain("s", program, transcript.results), expected["s"])
    assert np.array_equal(transcript.results[1]["r"], expected["r"])
    assert "r" not in transcript.results[0]


def test_type_errors_of_calls_outside_a_program_say_what_to_do():
    with pytest.raises(TypeError, match=r"reveal\.meaning"):
        reveal(np.zeros(4, np.uint64), to=0)
