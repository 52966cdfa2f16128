"""Pass 4. How each function of shared values is approximated, chosen together with all ways.

Each expansion that keeps the error budget is planned by itself for the operand's type; its exact
price is a candidate of the step that it would replace. The model that chooses ways chooses among
them: on a slow network few rounds win, in bulk few dealt bytes, off the longest chain the cheapest.
Skipped: the first expansion that keeps its budget, whatever it costs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from moiety.errors import UsageError
from moiety.lang.program import Input, Program, Step
from moiety.lang.trace import Trace, Value
from moiety.lang.types import SHARED, Type
from moiety.ops.approximate import ends, steepest
from moiety.ops.expansions import Expansion, Family, Goal, families
from moiety.ops.functions import FUNCTIONS
from moiety.plan.approximated import Approximated, Refused, Rival
from moiety.plan.candidates import Candidate, assemble
from moiety.plan.coins import exposed
from moiety.plan.narrow import narrow
from moiety.plan.network import Setting
from moiety.plan.rewrite import Rewrite, needed
from moiety.plan.scale import scale
from moiety.plan.select import Priced, estimate, fastest, priced, worthy
from moiety.plan.simplify import simplify


@dataclass(frozen=True)
class Tried:
    """An expansion that keeps the budget, and the error that it states."""

    expansion: Expansion
    error: float


Plans = tuple[Priced[Tried], ...]
"""The plans of one expansion by itself: with few rounds, and, if it is another, with few bytes."""
Found = tuple[tuple[Plans, ...], tuple[Refused, ...]]


def approximate(
    program: Program, setting: Setting, error: float | None = None, *, choose: bool = True
) -> tuple[Program, tuple[Approximated, ...]]:
    """The program with an expansion in each approximated step, and what was chosen among.

    Each keeps its step's error, and `error` if that is less.

    Raises:
        UsageError: no expansion keeps the error; with the step's line.
    """
    program = needed(program)
    asked = _asked(program)
    if not asked:
        return program, ()
    told = exposed(program)
    goals = {index: _goal(step, index in told, error) for index, step in asked.items()}
    found = {index: _found(program, step, goals[index], setting) for index, step in asked.items()}
    if choose:
        chosen = _chosen(program, {index: plans for index, (plans, _) in found.items()}, setting)
    else:
        chosen = {index: plans[0][0].choice for index, (plans, _) in found.items()}
    records = (
        Approximated(
            step.line,
            f"{step.parameters['function']} of {program.types(step)[0].span}",
            goals[index].error,
            *_rivals(found[index], chosen[index], setting),
        )
        for index, step in asked.items()
    )
    return _expanded(program, goals, chosen), tuple(records)


def _asked(program: Program) -> dict[int, Step]:
    """The steps that need an expansion: their operand is shared."""
    return {
        index: step
        for index, step in program.steps()
        if step.primitive.name == "approximated" and step.type.owner == SHARED
    }


def _goal(step: Step, told: bool, error: float | None) -> Goal:
    asked = step.parameters
    within = asked["error"] if error is None else min(error, asked["error"])
    return Goal(asked["function"], asked["fraction"], within, exact=told)


def _found(program: Program, step: Step, goal: Goal, setting: Setting) -> Found:
    (x,) = program.types(step)
    found = evaluated(x, goal, setting)
    if found[0]:
        return found
    (lo, hi), at = ends(x), f"{step.line}: " if step.line else ""
    reasons = "; ".join(f"{one.name}: {one.why}" for one in found[1])
    raise UsageError(
        f"{at}no expansion of {FUNCTIONS[goal.function].word} on [{lo:g}, {hi:g}] keeps an error "
        f"of {goal.error:.3g}: {reasons}",
        hint="allow a larger error, narrow the argument with clip, or use more fraction bits",
    )


@lru_cache(maxsize=1024)
def evaluated(x: Type, goal: Goal, setting: Setting) -> Found:
    """The expansions that keep a goal for x, with their plans, and those that do not."""
    groups = families(goal.function)
    forced = [tuple(one for one in group if setting.forces(one.name)) for group in groups]
    plans: list[Plans] = []
    refused: list[Refused] = []
    for wanted in ([group for group in forced if group], groups):
        for group in wanted:
            one, before = _least(x, goal, group)
            refused += before
            if one is not None:
                plans.append(_planned(one, x, goal, setting))
        if plans:
            break
    return tuple(plans), tuple(refused)


def _least(x: Type, goal: Goal, group: Family) -> tuple[Tried | None, list[Refused]]:
    """The first of a family that keeps the goal, and the last one before it, which does not."""
    refused: list[Refused] = []
    for one in group:
        try:
            error = one.least(x, goal)
            if error <= goal.error:
                error = built(one, x, goal)[1]
        except UsageError as reason:
            refused = [Refused(one.name, str(reason))]
            continue
        if error <= goal.error:
            return Tried(one, error), refused
        refused = [Refused(one.name, f"errs by {error:.2g}")]
    return None, refused


def built(one: Expansion, x: Type, goal: Goal) -> tuple[Program, float]:
    """An expansion as a program by itself, of x to y, and the error that it states."""
    trace = Trace()
    trace.line = ""
    found = one.build(trace.add(Input("x", x)), goal)
    return trace.program({"y": found.value}), found.error


def _planned(one: Tried, x: Type, goal: Goal, setting: Setting) -> Plans:
    alone, _ = built(one.expansion, x, goal)
    ready = narrow(simplify(scale(alone, told=("y",) if goal.exact else ())))
    options = {index: priced(ready, step, setting) for index, step in ready.steps()}
    patient = replace(
        setting,
        network=replace(setting.network, latency=0.0),
        machine=replace(setting.machine, round=0.0),
    )
    found = []
    for where in (setting, patient):
        best = fastest(ready, options, where)
        plan = assemble(ready, setting.profile, {i: each.choice for i, each in best.items()})
        found.append(Priced(one, plan.cost, math.fsum(each.work for each in best.values())))
    return tuple(worthy(found))


def _chosen(
    program: Program, plans: Mapping[int, Sequence[Plans]], setting: Setting
) -> dict[int, Tried]:
    """For each step the expansion with which the whole program is fastest."""
    trial = narrow(scale(program))
    places = dict(zip(_asked(trial), plans, strict=True))
    options: dict[int, list[Priced[Tried | Candidate]]] = {}
    for index, step in trial.steps():
        if index in places:
            offers = [one for each in plans[places[index]] for one in each]
            options[index] = worthy([Priced(one.choice, one.cost, one.work) for one in offers])
        else:
            ways = priced(trial, step, setting)
            options[index] = [Priced(one.choice, one.cost, one.work, one.late) for one in ways]
    best = fastest(trial, options, setting)
    chosen = {place: best[index].choice for index, place in places.items()}
    return {place: one for place, one in chosen.items() if isinstance(one, Tried)}


def _expanded(program: Program, goals: Mapping[int, Goal], chosen: Mapping[int, Tried]) -> Program:
    """The program with the chosen expansions, each known to lie where its step's result does."""

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value | None:
        if index not in chosen:
            return None
        (x,) = rewrite.operands(step)
        one, goal = chosen[index].expansion, goals[index]
        found = one.build(x, goal)
        known = rewrite.apply(
            "proven",
            found.value,
            lo=step.type.lo,
            hi=step.type.hi,
            by=f"{goal.function} within {goal.error:g}",
        )
        return rewrite.apply(
            "stands_for",
            known,
            x,
            function=goal.function,
            by=one.name,
            error=found.error,
            slope=steepest(x.type, goal.function),
        )

    return Rewrite(program).run(visit)


def _rivals(
    found: Found, chosen: Tried, setting: Setting
) -> tuple[Rival, tuple[Rival, ...], tuple[Refused, ...]]:
    """What was chosen, what else keeps the goal, and what does not."""
    plans, refused = found
    rivals = {
        each[0].choice.expansion.name: min(
            (_rival(one, setting) for one in each), key=lambda rival: rival.seconds
        )
        for each in plans
    }
    own = rivals.pop(chosen.expansion.name)
    return own, tuple(rivals.values()), refused


def _rival(one: Priced[Tried], setting: Setting) -> Rival:
    seconds = estimate(one.cost, one.work, setting).seconds
    return Rival(one.choice.expansion.name, one.choice.error, one.cost, seconds)
