"""From a program to a plan: the passes in order, each verified after, timed, and skippable.

simplify place ranges    program to program
approximate              an expansion for each approximated function; skipped: the first that fits
scale tidy narrow        program to program; tidy is simplify once more
select                   a way for each step; skipped: the cheapest by itself
schedule                 in the plan itself: when each step runs
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from moiety.errors import InternalError, UsageError
from moiety.lang.primitive import DEALER
from moiety.lang.program import Program
from moiety.plan.approximate import approximate
from moiety.plan.approximated import Approximated
from moiety.plan.candidates import assemble, cheapest
from moiety.plan.forced import check_forced
from moiety.plan.hoist import hoist
from moiety.plan.narrow import narrow
from moiety.plan.network import MACHINE, Machine, Network, Setting
from moiety.plan.network import network as network_named
from moiety.plan.place import place
from moiety.plan.plan import Passed, Plan
from moiety.plan.ranges import ranges
from moiety.plan.scale import scale
from moiety.plan.select import select
from moiety.plan.simplify import simplify

Pass = Callable[[Program], Program]
BEFORE: dict[str, Pass] = {"simplify": simplify, "place": place, "ranges": ranges}
AFTER: dict[str, Pass] = {"scale": scale, "tidy": simplify, "narrow": narrow}
PASSES = {**BEFORE, **AFTER}
NAMES = (*BEFORE, "approximate", *AFTER, "select")


@dataclass(frozen=True)
class Target:
    """What a plan is made for; `clock` gives seconds for the passes' times.

    `masked` names inputs that are tables which their owners have masked before.
    Every approximation keeps `error`, in real units; None: each its own, see `ops.expansions`.
    `force` names ways and expansions, or parts of their names, that are taken where possible.
    """

    network: Network | str = "lan"
    profile: str = DEALER
    machine: Machine = MACHINE
    skip: Collection[str] = ()
    masked: Collection[str] = ()
    clock: Callable[[], float] = float
    error: float | None = None
    force: Collection[str] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.skip) - set(NAMES))
        if unknown:
            raise UsageError(f"there is no pass {unknown[0]!r}", hint=f"passes: {', '.join(NAMES)}")
        if self.error is not None and not 0 < self.error < float("inf"):
            raise UsageError(
                f"an error of {self.error} for approximations",
                hint="name a bound above 0, in the units of the results",
            )
        check_forced(self.force, self.profile)

    @property
    def setting(self) -> Setting:
        """Where and how the plan is to run."""
        network = network_named(self.network)
        return Setting(self.profile, network, self.machine, tuple(self.force))


ANYWHERE = Target(skip=("select",))
"""For no network in particular: each step's way is the cheapest by itself, alike everywhere."""


def compile(program: Program, target: Target | None = None) -> Plan:
    """The plan of a program for a target."""
    compiling = _Compiling(target or Target())
    for name, transform in BEFORE.items():
        program = compiling.passed(name, program, transform)
        if name == "place" and compiling.target.masked:
            program = hoist(program, compiling.target.masked)
    program = compiling.approximated(program)
    for name, transform in AFTER.items():
        program = compiling.passed(name, program, transform)
    return compiling.selected(program)


class _Compiling:
    """A target, and what the passes did so far."""

    def __init__(self, target: Target) -> None:
        self.target, self.setting = target, target.setting
        self.passes: list[Passed] = []
        self.records: tuple[Approximated, ...] = ()

    def passed(self, name: str, before: Program, transform: Pass) -> Program:
        """The program after one pass, unless that is skipped."""
        return before if name in self.target.skip else self._timed(name, before, transform)

    def approximated(self, before: Program) -> Program:
        """The program in which every function of shared values has an expansion."""

        def transform(program: Program) -> Program:
            choose = "approximate" not in self.target.skip
            after, self.records = approximate(
                program, self.setting, self.target.error, choose=choose
            )
            return after

        return self._timed("approximate", before, transform)

    def selected(self, program: Program) -> Plan:
        """The plan."""
        began = self.target.clock()
        plan = _selected(program, self.target, self.setting)
        self._note("select", program, program, began)
        return replace(
            plan,
            network=self.setting.network,
            machine=self.target.machine,
            passed=tuple(self.passes),
            approximated=self.records,
        )

    def _timed(self, name: str, before: Program, transform: Pass) -> Program:
        began = self.target.clock()
        after = verified(name, before, transform(before))
        self._note(name, before, after, began)
        return after

    def _note(self, name: str, before: Program, after: Program, began: float) -> None:
        seconds = self.target.clock() - began
        self.passes.append(Passed(name, len(before.nodes), len(after.nodes), seconds))


def _selected(program: Program, target: Target, setting: Setting) -> Plan:
    if "select" in target.skip:
        return cheapest(program, target.profile)
    return assemble(program, target.profile, select(program, setting))


def verified(name: str, before: Program, after: Program) -> Program:
    """The program after a pass, if it still takes and gives the same."""
    if after.inputs != before.inputs or set(after.outputs) != set(before.outputs):
        raise InternalError(f"the pass {name} changed the program's inputs or outputs")
    for output, index in before.outputs.items():
        old, new = before.nodes[index].type, after.nodes[after.outputs[output]].type
        if (old.shape, old.kind, old.owner) != (new.shape, new.kind, new.owner):
            raise InternalError(f"the pass {name} turned the output {output} from {old} to {new}")
    return after
