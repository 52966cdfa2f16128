"""When each step runs: as soon as its operands are there, so rounds equal the longest chain.

In every round, all that independent steps open travels in one message per link. A level is a run
of rounds in which the same steps are under way; local steps follow the level that makes them ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from moiety.lang.cost import Cost


@dataclass(frozen=True)
class Task:
    """What a schedule needs of a node: its operands, whether it sends, and its price.

    `late` are the operands that it needs only once its first round is over.
    """

    operands: tuple[int, ...]
    interactive: bool
    cost: Cost
    step: bool = True
    late: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Level:
    """Interactive steps under way, for as many rounds as `cost` has; local steps after them."""

    interactive: tuple[int, ...]
    local: tuple[int, ...]
    cost: Cost


def levels(tasks: Sequence[Task]) -> tuple[Level, ...]:
    """The schedule; level 0 sends nothing."""
    ends = finishes(tasks)
    begins = [end - len(task.cost.rounds) for end, task in zip(ends, tasks, strict=True)]
    busy = [i for i, task in enumerate(tasks) if task.interactive]
    borders = sorted({0, *(begins[i] for i in busy), *(ends[i] for i in busy)})
    # a border is a round at which a step begins or ends; a local step is ready at one of them
    spans = [(0, 0), *pairwise(borders)]
    return tuple(_level(tasks, begins, ends, span) for span in spans)


def finishes(tasks: Sequence[Task]) -> list[int]:
    """After how many rounds each node's value is there."""
    ends: list[int] = []
    for task in tasks:
        ready = max((ends[i] - (i in task.late) for i in task.operands), default=0)
        ready = max(ready, 0)
        ends.append(ready + (len(task.cost.rounds) if task.interactive else 0))
    return ends


def _level(
    tasks: Sequence[Task], begins: Sequence[int], ends: Sequence[int], span: tuple[int, int]
) -> Level:
    first, last = span
    interactive, local, cost = [], [], Cost((({}),) * (last - first))
    for i, task in enumerate(tasks):
        if task.interactive and begins[i] <= first < last <= ends[i]:
            interactive.append(i)
            part = task.cost.rounds[first - begins[i] : last - begins[i]]
            # a correlation is dealt once: it is counted where its step begins
            cost |= replace(task.cost if begins[i] == first else Cost(), rounds=part)
        elif task.step and not task.interactive and ends[i] == last:
            local.append(i)
    return Level(tuple(interactive), tuple(local), cost)
