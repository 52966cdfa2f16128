"""Getting all lots of an algorithm ahead of its run, from public shapes alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from moiety.function.runner import Owned
from moiety.lang.primitive import Array
from moiety.lang.types import Type
from moiety.plan.bill import Bill
from moiety.plan.plan import Plan
from moiety.run.dealing import MaskUse, Material
from moiety.run.loop import Held, Run, Secure
from moiety.run.supply import Source


class Store(Protocol):
    """Where lots are kept until a run."""

    def put(self, bill: Bill, runs: int, masks: Mapping[str, MaskUse], material: Material) -> None:
        """Keeps a lot as what answers this question."""
        ...


@dataclass
class Gather(Secure):
    """A runner that runs nothing: it asks for each call's lot and puts it into a store."""

    party: int = field(kw_only=True)
    source: Source = field(kw_only=True)
    store: Store = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.here = (self.party,)

    def begin(self, plan: Plan, runs: int, masks: Mapping[str, MaskUse]) -> tuple[bytes, Run]:
        """See `Secure`."""
        nothing: Sequence[Held] = ({},)
        return self.get(plan, runs, masks), lambda _: nothing

    def get(self, plan: Plan, runs: int = 1, masks: Mapping[str, MaskUse] | None = None) -> bytes:
        """Gets one lot; returns its number."""
        used = masks or {}
        material = self.source.lot(plan.bill, runs, used)
        self.store.put(plan.bill, runs, used, material)
        return material.lot.lot

    def shared(self, owned: Owned, type: Type, words: Array | None) -> Sequence[Array | None]:
        """See `Secure`."""
        return (None,)
