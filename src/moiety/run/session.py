"""Drives one party's side of plans and protocols over a channel, and keeps the ledger."""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from moiety.errors import MaterialError, PeerMisbehaved, PolicyRefused
from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import Array
from moiety.plan.plan import Plan
from moiety.protocols import intersection
from moiety.protocols.base import Protocol, Received, Tick
from moiety.protocols.intersection import Alignment, Limits
from moiety.ring import Reals
from moiety.run.dealing import LOT, Lot, Material
from moiety.run.execute import Script
from moiety.run.ledger import Row, Traffic
from moiety.run.series import Series
from moiety.wire.channel import Channel

T = TypeVar("T")
Progress = Callable[[int, int], None]
HASH = 32


def nothing() -> None:
    """Does nothing."""


def quiet(done: int, total: int) -> None:
    """Tells nobody."""


class Session:
    """One party's end of two-party runs over a channel to its peer; `party` is 0 or 1."""

    def __init__(self, channel: Channel, party: int) -> None:
        self.channel, self.party, self.peer = channel, party, 1 - party
        self.ledger: list[Row] = []
        self._lots: set[bytes] = set()

    def run(
        self,
        plan: Plan,
        inputs: Mapping[str, Array | Reals],
        material: Material,
        *,
        receivers: Collection[int],
        about: bytes = b"",
        agreed: Callable[[], None] = nothing,
    ) -> dict[str, Array]:
        """The outputs that this party holds; see `begin`. Inputs are checked before anything."""
        values = Script(plan, self.party).bind(inputs)
        series = self.begin(plan, material, receivers=receivers, about=about, agreed=agreed)
        with series:
            return series.follow(values)

    def begin(
        self,
        plan: Plan,
        material: Material,
        *,
        receivers: Collection[int],
        about: bytes = b"",
        agreed: Callable[[], None] = nothing,
    ) -> Series:
        """As many runs of a plan as its material is for.

        Before anything that depends on an input is sent: the plan may reveal to `receivers`
        only, the material is spent, and the peer shows the same plan, the same `about` (what
        both mean to compute on) and the same lot; then `agreed` is called.
        """
        strangers = plan.receivers - set(receivers)
        if strangers:
            raise PolicyRefused(f"the plan reveals to parties {sorted(strangers)}, unpermitted")
        lot = material.lot.lot
        if lot in self._lots:
            raise MaterialError("this lot of correlated randomness was used before in this session")
        spendings = material.spend(plan.bill, self.party)
        self._lots.add(lot)
        self._meet(hashlib.sha256(plan.hash + about).digest(), material.lot)
        agreed()
        return Series(self.channel, Script(plan, self.party), spendings, self.ledger)

    def intersect(
        self,
        items: Sequence[bytes],
        domain: bytes,
        limits: Limits,
        *,
        progress: Progress = quiet,
        threads: int = 1,
    ) -> Alignment:
        """This party's rows whose items the peer has too; see `protocols.intersection`."""
        protocol = intersection.intersect(
            self.party, items, domain, limits, progress=progress, threads=threads
        )
        return self.drive(
            protocol,
            step="align",
            way="ristretto255",
            predict=lambda found: Cost(tuple(intersection.rounds(found.sizes))),
        )

    def drive(
        self, protocol: Protocol[T], *, step: str, way: str, predict: Callable[[T], Cost]
    ) -> T:
        """The protocol's result; its traffic must be what `predict` says of the result's sizes."""
        began, before = time.perf_counter(), self.channel.totals
        with np.errstate(over="ignore"):
            result, rounds = self._complete(protocol)
        seconds = time.perf_counter() - began
        measured = Traffic.between(before, self.channel.totals, rounds)
        row = Row(step, way, Traffic.of(predict(result), self.party), measured, seconds)
        row.check()
        self.ledger.append(row)
        return result

    def _complete(self, protocol: Protocol[T]) -> tuple[T, int]:
        """The result, and the number of rounds that it took."""
        rounds, received = 0, None
        while True:
            try:
                tick = next(protocol) if received is None else protocol.send(received)
            except StopIteration as end:
                result: T = end.value
                return result, rounds
            received, rounds = self._exchange(tick), rounds + 1

    def _exchange(self, tick: Tick) -> Received:
        expected = tick.expect.get(self.peer, 0)
        return {self.peer: self.channel.tick(tick.send.get(self.peer, b""), expected)}

    def _meet(self, purpose: bytes, lot: Lot) -> None:
        """Both parties must be about to compute the same with parts of the same lot."""
        greeting = Cost((both_ways(8 * (HASH + LOT)),))
        theirs = self.drive(
            self._greet(purpose + lot.lot),
            step="agree on plan and lot",
            way="compare hashes",
            predict=lambda _: greeting,
        )
        if theirs[:HASH] != purpose:
            raise PeerMisbehaved(
                f"{self.channel.peer} is about to run another plan than ours, or on other rows",
                hint="compare the job's hash and the version of moiety on both sides",
            )
        if theirs[HASH:] != lot.lot:
            raise MaterialError(f"{self.channel.peer} holds another lot of correlated randomness")

    def _greet(self, message: bytes) -> Protocol[bytes]:
        received = yield Tick({self.peer: message}, {self.peer: len(message)})
        return received[self.peer]
