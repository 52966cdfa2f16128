"""Passes: text in, text out."""

import numpy as np
import pytest

import moiety
from moiety import Kept, Shared
from moiety import array as xp
from moiety.errors import InternalError, UsageError
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, Private, words
from moiety.ops.compare import select
from moiety.ops.convert import reveal, truncate, truncate_exact
from moiety.ops.local import concat, reshape, take, transpose, within
from moiety.plan import pipeline
from moiety.plan.pipeline import PASSES, Target

S = words((4,), SHARED, (-100, 100))
F = words((4,), SHARED, (-(2**20), 2**20), 18)
T = words((4, 2), Private(0), (-9, 9))
U = words((4, 3), Private(1), (-9, 9))
W = words((5, 1), SHARED, (-9, 9))


def after(name, function, **inputs):
    """The steps of a program after one pass, without the header and the inputs."""
    text = PASSES[name](trace(function, inputs)).text
    return [line for line in text.splitlines()[1:] if " = input " not in line]


def test_simplify_computes_constants_and_runs_equal_steps_once():
    def function(x):
        unused = x * 7
        y = (x + 0) * 1 + (np.array(2) * np.array(3) - (x - x).type.size + 4)
        z = x * x + within(x * x, lo=-(10**6), hi=10**6, by="us")
        flat = reshape(reshape(transpose(transpose(x)), shape=(2, 2)), shape=(4,))
        return {"z": z, "y": y, "f": take(flat, indices=range(4), axis=0), "u": unused * 0 + x}

    assert after("simplify", function, x=S) == [
        "%1 = constant 7: int[] public in [7, 7]",
        "%2 = multiply(%0, %1): int[4] shared in [-700, 700]",
        "%3 = constant 6: int[] public in [6, 6]",
        "%4 = add(%0, %3): int[4] shared in [-94, 106]",
        "%5 = multiply(%0, %0): int[4] shared in [-10000, 10000]",
        "%6 = add(%5, %5): int[4] shared in [-20000, 20000]",
        "%7 = constant 0: int[] public in [0, 0]",
        "%8 = multiply(%2, %7): int[4] shared in [0, 0]",
        "%9 = add(%8, %0): int[4] shared in [-100, 100]",
        "return z = %6",
        "return y = %4",
        "return f = %0",
        "return u = %9",
    ]


def test_a_choice_has_room_for_the_difference_of_what_it_chooses_from():
    def most(x, y):
        return {"y": reveal(select(x < y, y, x), to=0)}

    assert any("mod 2^9" in line for line in after("narrow", most, x=S, y=S))


def test_place_keeps_each_owners_columns_in_the_clear():
    lines = after("place", lambda t, u, w: {"y": concat(t, u, axis=1) @ w}, t=T, u=U, w=W)
    assert lines == [
        "%3 = take(%2, indices=range(0, 2), axis=0): int[2, 1] shared in [-9, 9]",
        "%4 = mask(%0): int[4, 2] masked(0) in [-9, 9]",
        "%5 = masked_matmul(%4, %3): int[4, 1] shared in [-162, 162]",
        "%6 = take(%2, indices=range(2, 5), axis=0): int[3, 1] shared in [-9, 9]",
        "%7 = mask(%1): int[4, 3] masked(1) in [-9, 9]",
        "%8 = masked_matmul(%7, %6): int[4, 1] shared in [-243, 243]",
        "%9 = add(%5, %8): int[4, 1] shared in [-405, 405]",
        "return y = %9",
    ]


R = words((4, 1), SHARED, (-9, 9))
ROWS = words((6, 2), Private(1), (-9, 9))
V = words((2, 1), SHARED, (-9, 9))
PLACED = {
    "columns turned": (
        lambda t, u, r: transpose(concat(t, u, axis=1)) @ r,
        {"t": T, "u": U, "r": R},
    ),
    "rows": (lambda t, p, v: concat(t, p, axis=0) @ v, {"t": T, "p": ROWS, "v": V}),
    "rows turned": (
        lambda t, p, r: transpose(concat(t, p, axis=0)) @ r,
        {"t": T, "p": ROWS, "r": words((10, 1), SHARED, (-9, 9))},
    ),
    "a table on the right": (lambda r, t: transpose(r) @ t, {"r": R, "t": T}),
    "tables on the right": (
        lambda r, t, u: transpose(r) @ concat(t, u, axis=1),
        {"r": R, "t": T, "u": U},
    ),
}


@pytest.mark.parametrize("name", PLACED)
def test_place_leaves_no_product_of_a_shared_table(name):
    function, inputs = PLACED[name]
    before = trace(lambda **kw: {"y": function(*kw.values())}, inputs)
    program = PASSES["place"](before)
    plan = pipeline.compile(program)
    ways = {s.way.name for _, s in plan.steps() if "matmul" in s.primitive.name}
    assert ways == {"masked table"}
    generator = np.random.default_rng()
    data = {
        name: generator.integers(-9, 10, type.shape).astype(np.int64).view(np.uint64)
        for name, type in inputs.items()
    }
    assert np.array_equal(program.clear(data)["y"], before.clear(data)["y"])


def test_ranges_prove_more_than_each_step_alone():
    known = np.array([[3], [-2]])

    def function(x, y, t):
        return {
            "square": x * x,
            "none": x - x,
            "least": select(x < y, x, y),
            "most": select(x < y, y, x),
            "known": t @ known,
        }

    y = words((4,), SHARED, (-5, 500))
    t = words((4, 2), SHARED, (-10, 100))
    bounds = [line.split(" in ")[-1] for line in after("ranges", function, x=S, y=y, t=t)]
    program = PASSES["ranges"](trace(function, {"x": S, "y": y, "t": t}))
    found = {name: program.nodes[at].type for name, at in program.outputs.items()}
    spans = {name: (type.lo, type.hi) for name, type in found.items()}
    assert spans == {
        "square": (0, 10000),
        "none": (0, 0),
        "least": (-100, 100),
        "most": (-5, 500),
        "known": (-230, 320),
    }
    assert bounds and "by=a square" in program.text


def test_scale_cuts_a_sum_once_and_a_comparison_never():
    def function(x, y):
        p, q = (truncate_exact(v * v, shift=18) for v in (x, y))
        return {"sum": p + q + x, "less": truncate_exact(x * y, shift=18) < y}

    names = [line.split(" = ")[1].split("(")[0] for line in after("scale", function, x=F, y=F)[:-2]]
    assert names.count("truncate") == 1 and names.count("truncate_exact") == 0
    assert names[-1] == "truncate"


def test_scale_is_exact_where_a_result_is_told():
    def function(x):
        kept = truncate_exact(x * x, shift=18)
        told = truncate_exact(kept * x, shift=18)
        return {"kept": truncate_exact(kept * 3, shift=1), "told": reveal(told, to=0)}

    lines = after("scale", function, x=words((4,), SHARED, (-(2**19), 2**19), 18))
    exact = [line for line in lines if "truncate_exact(" in line]
    cheap = [line for line in lines if "truncate(" in line]
    assert len(exact) == 2 and len(cheap) == 1
    free = after(
        "scale",
        lambda x: {"told": reveal(truncate_exact(x * x, shift=18), to=0, coins_too=True)},
        x=F,
    )
    assert any("truncate(" in line for line in free)


def test_narrow_sends_no_more_bits_than_matter():
    lines = after("narrow", lambda x, y: {"c": x * y < 7}, x=S, y=S)
    assert lines[:3] == [
        "%2 = narrow(%0, ring=15): int[4] shared in [-100, 100] mod 2^15",
        "%3 = narrow(%1, ring=15): int[4] shared in [-100, 100] mod 2^15",
        "%4 = multiply(%2, %3): int[4] shared in [-10000, 10000] mod 2^15",
    ]
    kept = after("narrow", lambda x, y: {"p": x * y}, x=S, y=S)
    assert not any("narrow" in line for line in kept)


def test_narrow_cuts_for_nothing_what_is_taken_in_few_bits_and_widens_the_rest():
    def names(function):
        lines = after("narrow", function, x=F, y=F)
        return [line.split(" = ")[1].split("(")[0] for line in lines if "(" in line]

    def compared(x, y):
        return {"c": truncate(x * x, shift=18) < y}

    def kept(x, y):
        return {"t": truncate(x * x, shift=18)}

    def both(x, y):
        cut = truncate(x * x, shift=18)
        return {"c": cut < y, "t": cut}

    assert names(compared) == ["narrow", "multiply", "shorten", "less_than"]
    assert names(kept) == ["narrow", "multiply", "widen"]
    assert names(both) == ["narrow", "multiply", "shorten", "widen", "less_than"]
    plan = pipeline.compile(trace(both, {"x": F, "y": F}), Target(network="wan"))
    assert len(plan.cost.rounds) == 2, "a comparison does not wait for the widened value"


def test_scale_cuts_a_product_and_not_its_factors():
    def function(x, y):
        return {"p": truncate(truncate(x * x, shift=18) * y, shift=18)}

    small = words((4,), SHARED, (-(2**18), 2**18), 18)
    lines = after("scale", function, x=small, y=small)
    (line,) = [line for line in lines if "truncate(" in line]
    assert "shift=36" in line
    apart = after("scale", function, x=F, y=words((4,), SHARED, (-(2**30), 2**30), 18))
    assert sum("truncate(" in line for line in apart) == 2, "a word holds no more"


def test_a_clip_opens_its_value_once():
    @moiety.secure
    def clipped(x: Shared(low=-100, high=100)) -> Kept():
        return xp.clip(x, -3, 9)

    compiled = clipped.compile({"x": (4,)}, target=Target(network="wan"))
    plan = compiled.plan
    names = [step.primitive.name for _, step in plan.steps() if not step.way.local]
    assert names == ["less_than_each", "piecewise_linear"] and len(plan.cost.rounds) == 2
    result = plan.nodes[plan.outputs["result"]].type
    assert (result.lo, result.hi, result.error) == (-3 << 18, 9 << 18, 0)
    x = np.array([-100, 5.5, 100, 9])
    assert np.array_equal(compiled.clear(x=x)["result"], np.clip(x, -3, 9))


def test_a_pass_that_changes_what_a_program_gives_is_caught():
    before = trace(lambda x: {"y": x + 1}, {"x": S})
    with pytest.raises(InternalError, match="inputs or outputs"):
        pipeline.verified("bad", before, trace(lambda x: {"z": x + 1}, {"x": S}))
    with pytest.raises(InternalError, match="turned the output"):
        pipeline.verified("bad", before, trace(lambda x: {"y": x < 1}, {"x": S}))


def test_unknown_passes_and_networks_are_refused():
    program = trace(lambda x: {"y": x + 1}, {"x": S})
    with pytest.raises(UsageError, match="no pass"):
        pipeline.compile(program, Target(skip=("nothing",)))
    with pytest.raises(UsageError, match="network"):
        pipeline.compile(program, Target(network="moon"))
