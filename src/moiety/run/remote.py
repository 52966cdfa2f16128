"""A runner between institutions: one party's side of every call, over a session to its peer."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moiety.function.runner import Owned
from moiety.lang.primitive import Array
from moiety.lang.types import Type
from moiety.plan.plan import Plan
from moiety.run.contribute import Contributors
from moiety.run.dealing import MaskUse
from moiety.run.loop import Brought, Held, Run, Secure
from moiety.run.session import Progress, Session, quiet
from moiety.run.supply import Source


@dataclass
class Remote(Secure):
    """One computing party. All parties make the same calls in the same order.

    `receivers` are the parties to whom calls may reveal; `about` is what all mean to compute on.
    """

    session: Session = field(kw_only=True)
    source: Source = field(kw_only=True)
    receivers: Collection[int] = ()
    about: bytes = b""
    contributors: Contributors = field(default_factory=Contributors)
    progress: Progress = quiet

    def __post_init__(self) -> None:
        super().__post_init__()
        self.here = (self.session.party,)
        self._course = hashlib.sha256(self.about)

    @property
    def course(self) -> bytes:
        """SHA-256 of all that was begun so far: alike at both parties, or they are refused."""
        return self._course.digest()

    def begin(self, plan: Plan, runs: int, masks: Mapping[str, MaskUse]) -> tuple[bytes, Run]:
        """See `Secure`. What was computed before, and with which masks, both must mean alike."""
        self._course.update(plan.hash + runs.to_bytes(8, "little"))
        for name, use in sorted(masks.items()):
            rows = np.array(use.rows, "<u8").tobytes()
            self._course.update(use.lot + name.encode() + hashlib.sha256(rows).digest())
        material = self.source.lot(plan.bill, runs, masks)
        series = self.session.begin(plan, material, receivers=self.receivers, about=self.course)
        done = 0

        def run(inputs: Sequence[Brought]) -> Sequence[Held]:
            nonlocal done
            result = series.run(inputs[0])
            done += 1
            self.progress(done, runs)
            if done == runs:
                series.close()
            return [result]

        return material.lot.lot, run

    def agree(self, name: str, words: Array) -> None:
        """See `Secure`."""
        self._course.update(name.encode() + hashlib.sha256(words.tobytes()).digest())

    def announced(self, owner: str, mark: bytes) -> None:
        """See `Secure`."""
        self.contributors.hear(owner, mark)

    def shared(self, owned: Owned, type: Type, words: Array | None) -> Sequence[Array]:
        """See `Secure`: what the array's owner sends of it."""
        return [self.contributors.share(owned.owner, type, self.session.party)]
