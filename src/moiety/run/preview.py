"""What an algorithm will cost, and which lots it will ask for, before any party runs it.

A preview follows every call and computes nothing: plans depend on shapes alone, so its rounds and
bytes are those of the real run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moiety.function.runner import Owned
from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import Array
from moiety.lang.types import Type
from moiety.plan.bill import Bill
from moiety.plan.plan import Plan
from moiety.run.dealing import LOT, MaskUse
from moiety.run.loop import Held, Run, Secure
from moiety.run.session import HASH

GREETING = Cost((both_ways(8 * (HASH + LOT)),))
"""What it takes to agree on a plan and a lot."""


@dataclass(frozen=True)
class Asked:
    """A lot that will be asked for; `masks` names earlier lots by their number."""

    bill: Bill
    runs: int
    masks: Mapping[str, tuple[int, tuple[int, ...]]]


@dataclass(frozen=True)
class Totals:
    """Rounds, bytes from party 0 to 1 and back, and dealt bytes (to party 1, and to party 0)."""

    rounds: int
    sent: int
    received: int
    dealt: int
    common: int


@dataclass
class Preview(Secure):
    """A runner that runs nothing, and keeps what a run would take."""

    here = (0, 1)
    plans: list[tuple[Plan, int]] = field(default_factory=list, init=False, repr=False)
    asked: list[Asked] = field(default_factory=list, init=False, repr=False)

    def begin(self, plan: Plan, runs: int, masks: Mapping[str, MaskUse]) -> tuple[bytes, Run]:
        """See `Secure`; a lot's number stands for the lot."""
        number = len(self.asked)
        named = {name: (int.from_bytes(use.lot, "little"), use.rows) for name, use in masks.items()}
        self.asked.append(Asked(plan.bill, runs, named))
        self.plans.append((plan, runs))
        nothing: Sequence[Held] = ({}, {})
        return number.to_bytes(LOT, "little"), lambda _: nothing

    def shared(self, owned: Owned, type: Type, words: Array | None) -> Sequence[Array | None]:
        """See `Secure`."""
        return (None, None)

    @property
    def totals(self) -> Totals:
        """What all calls take together."""
        costs = [(plan.cost, runs) for plan, runs in self.plans]
        rounds = [(GREETING, 1)] * len(costs) + costs
        return Totals(
            sum(len(cost.rounds) * runs for cost, runs in rounds),
            sum(cost.link(0, 1) * runs for cost, runs in rounds),
            sum(cost.link(1, 0) * runs for cost, runs in rounds),
            sum(cost.dealt * runs for cost, runs in costs),
            sum(cost.common * runs for cost, runs in costs),
        )
