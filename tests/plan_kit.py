"""Functions of traced values, planned and run on shares, with real randomness."""

import numpy as np

from moiety.errors import UsageError
from moiety.lang.primitive import DEALER
from moiety.lang.trace import trace
from moiety.ops import reals
from moiety.plan import accuracy
from moiety.plan.candidates import assemble, candidates, cheapest
from moiety.protocols.additive import signed
from moiety.run import twin


def planned(function, **inputs):
    """The cheapest plan."""
    return cheapest(trace(function, inputs), DEALER)


def by_way(function, **inputs):
    """A plan with few bytes, and one with few rounds if it differs."""
    program = trace(function, inputs)
    options = {i: candidates(program, step, DEALER) for i, step in program.steps()}
    quick = {i: min(all, key=lambda c: len(c.cost.rounds)) for i, all in options.items()}
    plans = [cheapest(program, DEALER), assemble(program, DEALER, quick)]
    return plans if plans[0].text != plans[1].text else plans[:1]


def measured(plan, name, **inputs):
    """An output's real numbers, computed on shares, and the error bound that the plan states.

    The price is checked on the way.
    """
    transcript = twin.run(plan, twin.split(plan, inputs))
    assert transcript.cost.rounds == plan.cost.rounds
    type = plan.program.nodes[plan.outputs[name]].type
    total = sum(result[name] for result in transcript.results)
    word = signed(total, type.ring).view(np.int64)
    assert word.min() >= type.lo and word.max() <= type.hi
    stated = accuracy.bounds(plan.program)[plan.outputs[name]]
    return np.ldexp(word.astype(np.float64), -type.fraction), stated


def grid(lo, hi, fraction, near=(), count=20_001):
    """Words of a dense grid, its ends, and all words next to some points and their negatives."""
    words = np.rint(np.ldexp(np.linspace(lo, hi, count), fraction)).astype(np.int64)
    least, most = (int(np.ldexp(bound, fraction)) for bound in (lo, hi))
    points = [int(np.ldexp(sign * p, fraction)) for p in (*near, lo, hi) for sign in (1, -1)]
    close = [p + d for p in points for d in range(-3, 4) if least <= p + d <= most]
    return np.concatenate([words, np.array(close, np.int64)]).view(np.uint64)


def refused(function, **inputs):
    """The sentence with which a function is refused when it is traced."""
    try:
        planned(function, **inputs)
    except UsageError as error:
        return f"{error} ({error.hint})"
    raise AssertionError("not refused")


def values_of(plan, x):
    """The output y on shares; its type's bounds and the plan's price must hold."""
    transcript = twin.run(plan, twin.split(plan, {"x": x}))
    assert transcript.cost.rounds == plan.cost.rounds
    type = plan.program.nodes[plan.outputs["y"]].type
    word = signed(sum(result["y"] for result in transcript.results), type.ring).view(np.int64)
    assert word.min() >= type.lo and word.max() <= type.hi
    return np.ldexp(word.astype(np.float64), -type.fraction)


def exactly(function, x, fraction=18):
    return reals.FUNCTIONS[function](np.ldexp(x.view(np.int64).astype(np.float64), -fraction))
