"""From a program to a plan: the passes in order, each verified after, timed, and skippable.

simplify place ranges scale tidy narrow    program to program; tidy is simplify once more
select                                     a way for each step; skipped: the cheapest by itself
schedule                                   in the plan itself: when each step runs
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import DEALER
from moiety.lang.program import Program
from moiety.plan.candidates import assemble, cheapest
from moiety.plan.hoist import hoist
from moiety.plan.narrow import narrow
from moiety.plan.network import MACHINE, Machine, Network
from moiety.plan.network import network as network_named
from moiety.plan.place import place
from moiety.plan.plan import Passed, Plan
from moiety.plan.ranges import ranges
from moiety.plan.scale import scale
from moiety.plan.select import select
from moiety.plan.simplify import simplify

PASSES: dict[str, Callable[[Program], Program]] = {
    "simplify": simplify,
    "place": place,
    "ranges": ranges,
    "scale": scale,
    "tidy": simplify,
    "narrow": narrow,
}
NAMES = (*PASSES, "select")


@dataclass(frozen=True)
class Target:
    """What a plan is made for; `clock` gives seconds for the passes' times.

    `masked` names inputs that are tables which their owners have masked before.
    """

    network: Network | str = "lan"
    profile: str = DEALER
    machine: Machine = MACHINE
    skip: Collection[str] = ()
    masked: Collection[str] = ()
    clock: Callable[[], float] = float


ANYWHERE = Target(skip=("select",))
"""For no network in particular: each step's way is the cheapest by itself, alike everywhere."""


def compile(program: Program, target: Target | None = None) -> Plan:
    """The plan of a program for a target."""
    target = target or Target()
    unknown = sorted(set(target.skip) - set(NAMES))
    if unknown:
        raise UsageError(f"there is no pass {unknown[0]!r}", hint=f"passes: {', '.join(NAMES)}")
    passed = []
    for name, transform in PASSES.items():
        if name not in target.skip:
            began, before = target.clock(), program
            program = verified(name, before, transform(before))
            seconds = target.clock() - began
            passed.append(Passed(name, len(before.nodes), len(program.nodes), seconds))
        if name == "place" and target.masked:
            program = hoist(program, target.masked)
    network = network_named(target.network)
    began = target.clock()
    plan = _selected(program, target, network)
    count = len(program.nodes)
    passed.append(Passed("select", count, count, target.clock() - began))
    return replace(plan, network=network, machine=target.machine, passed=tuple(passed))


def _selected(program: Program, target: Target, network: Network) -> Plan:
    if "select" in target.skip:
        return cheapest(program, target.profile)
    chosen = select(program, target.profile, network, target.machine)
    return assemble(program, target.profile, chosen)


def verified(name: str, before: Program, after: Program) -> Program:
    """The program after a pass, if it still takes and gives the same."""
    if after.inputs != before.inputs or set(after.outputs) != set(before.outputs):
        raise InternalError(f"the pass {name} changed the program's inputs or outputs")
    for output, index in before.outputs.items():
        old, new = before.nodes[index].type, after.nodes[after.outputs[output]].type
        if (old.shape, old.kind, old.owner) != (new.shape, new.kind, new.owner):
            raise InternalError(f"the pass {name} turned the output {output} from {old} to {new}")
    return after
