"""A secure function run by all parties on one machine, against its meaning in the clear.

Whoever rehearses holds everybody's data: it shows results, errors and costs before a real run.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from moiety.function.function import Compiled
from moiety.lang.cost import Cost
from moiety.lang.primitive import Array
from moiety.lang.types import BIT, SHARED
from moiety.plan import accuracy
from moiety.plan.explain import Measured, Took
from moiety.plan.plan import Plan
from moiety.run import dealing, twin
from moiety.run.dealing import Material
from moiety.run.ledger import Row
from moiety.run.noise import drawn


@dataclass(frozen=True)
class Compared:
    """One result: as parties computed it, and how far from float64 and exact fixed point."""

    name: str
    receiver: str
    value: Array
    from_real: float
    from_clear: float
    bound: float


@dataclass(frozen=True)
class Outcome:
    """What a rehearsal gave, and what it took; `measured` is None for a run in the clear."""

    results: tuple[Compared, ...]
    measured: Measured | None


Ran = tuple[Sequence[Mapping[str, Array]], Sequence[Took]]
"""What each party holds at the end, and what each level took."""
Runner = Callable[[Compiled, Sequence[Mapping[str, Array]], tuple[Material, Material]], Ran]


def in_memory(
    compiled: Compiled,
    brought: Sequence[Mapping[str, Array]],
    material: tuple[Material, Material],
) -> Ran:
    """All parties in this thread."""
    transcript = twin.run(compiled.plan, brought, material)
    return transcript.results, by_level(compiled.plan, transcript.cost)


def by_level(plan: Plan, cost: Cost) -> list[Took]:
    """The measured rounds, level by level; rounds beyond the plan's are a level of their own."""
    ends = list(accumulate(len(level.cost.rounds) for level in plan.levels))
    spans = list(pairwise([0, *ends]))
    if len(cost.rounds) > ends[-1]:
        spans.append((ends[-1], len(cost.rounds)))
    found = [Cost(cost.rounds[begin:end]) for begin, end in spans]
    return [Took(len(one.rounds), one.link(0, 1), one.link(1, 0)) for one in found]


def by_ledger(rows: Sequence[Row]) -> list[Took]:
    """Each level from party 0's ledger of one run, which begins with the greeting."""
    return [
        Took(row.measured.rounds, row.measured.sent, row.measured.received, row.seconds)
        for row in rows[1:]
    ]


def rehearse(
    compiled: Compiled,
    arguments: Mapping[str, Any],
    runner: Runner | None = in_memory,
) -> Outcome:
    """Runs a compiled function with everybody's arguments; without a runner, in the clear."""
    noise = drawn(compiled.noise)
    words = {**compiled.encode_all(arguments), **noise}
    clear = compiled.plan.clear(words)
    real = compiled.real(**arguments, **compiled.decoded(noise))
    if runner is None:
        return Outcome(_compared(compiled, clear, clear, real), None)
    began = time.perf_counter()
    lots = dealing.deal(compiled.plan)
    held, levels = runner(compiled, twin.split(compiled.plan, words), lots)
    # processes take time to start: count what their levels took
    seconds = sum(took.seconds for took in levels) or time.perf_counter() - began
    found = {name: _joined(compiled, name, held) for name in clear}
    measured = Measured(levels, compiled.plan.bill.sizes[1], seconds)
    return Outcome(_compared(compiled, found, clear, real), measured)


def _joined(compiled: Compiled, name: str, held: Sequence[Mapping[str, Array]]) -> Array:
    """A result in the clear, from whoever holds it or all shares."""
    parts = [own[name] for own in held if name in own]
    type = compiled.plan.program.nodes[compiled.plan.outputs[name]].type
    if type.owner != SHARED:
        return parts[0]
    with np.errstate(over="ignore"):
        return np.asarray(parts[0] ^ parts[1] if type.kind == BIT else parts[0] + parts[1])


def _compared(
    compiled: Compiled,
    found: Mapping[str, Array],
    clear: Mapping[str, Array],
    real: Mapping[str, Array],
) -> tuple[Compared, ...]:
    bounds = accuracy.bounds(compiled.plan.program)
    values, exact = compiled.decode(found), compiled.decode(clear)
    return tuple(
        Compared(
            name,
            getattr(compiled.function.signature.results[name], "receiver", "kept as shares"),
            values[name],
            _distance(values[name], real[name]),
            _distance(values[name], exact[name]),
            bounds[compiled.plan.outputs[name]],
        )
        for name in values
    )


def _distance(a: Array, b: Array) -> float:
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(np.abs(difference).max(initial=0.0))
