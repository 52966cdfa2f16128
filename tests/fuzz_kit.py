"""One run of a compiled function on shares, compared with what it means, bounds and price."""

import numpy as np

from moiety.lang.types import BIT, SHARED, Masked
from moiety.ops import reals
from moiety.plan import accuracy
from moiety.protocols.additive import signed
from moiety.run import dealing, twin
from moiety.run.execute import Execution, Script


def inside(type, *held):
    """True if a value lies within its proven bounds, whatever coins fell."""
    if type.kind == BIT:
        return True
    parts = [data.reshape(-1) for data in held if data is not None]
    owner = type.owner.party if isinstance(type.owner, Masked) else 0
    words = parts[0] + parts[1] if type.owner == SHARED else parts[owner]
    found = signed(words, type.ring).view(np.int64)
    return not found.size or (type.lo <= found.min() and found.max() <= type.hi)


def opened(type, parts):
    """A result in the clear, from what the parties hold of it."""
    held = [part for part in parts if part is not None]
    if type.owner != SHARED:
        return held[0]
    return held[0] ^ held[1] if type.kind == BIT else held[0] + held[1]


def check(compiled, data):
    """Runs a function and checks every value, the traffic, and each result; returns the results."""
    plan = compiled.plan
    brought, lots = twin.split(plan, compiled.encode_all(data)), dealing.deal(plan)
    spent = [next(lot.spend(plan.bill, party)) for party, lot in enumerate(lots)]
    scripts = [Script(plan, party) for party in (0, 1)]
    parties = [Execution(scripts[p], scripts[p].bind(brought[p]), spent[p]) for p in (0, 1)]
    transcript = twin.lockstep([party.run() for party in parties])
    assert transcript.cost.rounds == tuple(map(dict, plan.cost.rounds))
    for index, node in enumerate(plan.nodes):
        assert inside(node.type, *(party.held(index) for party in parties)), node
    types = compiled.types
    words = {
        name: opened(type, [result.get(name) for result in transcript.results])
        for name, type in types.items()
    }
    found = compiled.decode(words)
    near(plan, found, reals.evaluate(compiled.meant, data))
    return found


def near(plan, found, real):
    """Every result is as near to its real value as the plan states; booleans are equal."""
    errors = accuracy.bounds(plan.program)
    for name, value in found.items():
        bound = errors[plan.outputs[name]]
        if value.dtype == np.bool_:
            assert bound or np.array_equal(value, real[name]), name
        else:
            off = np.abs(value - real[name]).max(initial=0.0)
            assert off <= bound * (1 + 1e-9) + 1e-9, (name, off, bound)
