"""Drives one party's side of plans and protocols over a channel, and keeps the ledger."""

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Self, TypeVar

from moiety.errors import InternalError, MaterialError, PeerMisbehaved, PolicyRefused
from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import Array
from moiety.plan.plan import Plan
from moiety.protocols import intersection
from moiety.protocols.base import Protocol, Received, Tick
from moiety.protocols.intersection import Alignment, Limits
from moiety.run.dealing import LOT, Lot, Material, Spending
from moiety.run.execute import Execution, Script
from moiety.run.ledger import Row, Traffic
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
        inputs: Mapping[str, Array],
        material: Material,
        *,
        receivers: Collection[int],
        about: bytes = b"",
        agreed: Callable[[], None] = nothing,
    ) -> dict[str, Array]:
        """The outputs that this party holds; see `begin`. Inputs are checked before anything."""
        Script(plan, self.party).bind(inputs)
        series = self.begin(plan, material, receivers=receivers, about=about, agreed=agreed)
        with series:
            return series.run(inputs)

    def begin(
        self,
        plan: Plan,
        material: Material,
        *,
        receivers: Collection[int],
        about: bytes = b"",
        agreed: Callable[[], None] = nothing,
    ) -> "Series":
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
        return Series(self, Script(plan, self.party), spendings)

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
        result, rounds = self._complete(protocol)
        seconds, after = time.perf_counter() - began, self.channel.totals
        sent = after.sent_bytes - before.sent_bytes
        measured = Traffic(rounds, sent, after.received_bytes - before.received_bytes)
        row = Row(step, way, Traffic.of(predict(result), self.party), measured, seconds)
        row.check()
        self.ledger.append(row)
        return result

    def traffic(self, protocol: Protocol[None]) -> Traffic:
        """What a protocol without a result takes, as the channel counts it."""
        before = self.channel.totals
        _, rounds = self._complete(protocol)
        after = self.channel.totals
        sent = after.sent_bytes - before.sent_bytes
        return Traffic(rounds, sent, after.received_bytes - before.received_bytes)

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
        received = {self.peer: self.channel.exchange(tick.send.get(self.peer, b""), expected)}
        tick.check(received)
        return received

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


class Series:
    """Runs of one plan with one lot; as a context, it writes to the ledger what all of them took.

    Each run's rounds and bytes must be those predicted, level by level.
    """

    def __init__(self, session: Session, script: Script, spendings: Iterator[Spending]) -> None:
        self._session, self._script, self._spendings = session, script, spendings
        self._costs = [Traffic.of(level.cost, session.party) for level in script.plan.levels]
        self._seconds = [0.0] * len(self._costs)
        self._runs = 0
        self._ready: list[Spending] = []

    def prepare(self, runs: int = 1) -> None:
        """Fetches what is dealt for so many more runs, ahead of their inputs."""
        for _ in range(runs):
            self._ready.append(self._fetched())

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """One more run: the outputs that this party holds.

        Raises:
            MaterialError: the lot is for fewer runs.
        """
        values = self._script.bind(inputs)
        spending = self._ready.pop(0) if self._ready else self._fetched()
        execution = Execution(self._script, values, spending)
        for at, cost in enumerate(self._costs):
            began = time.perf_counter()
            measured = self._session.traffic(execution.level(at))
            self._seconds[at] += time.perf_counter() - began
            if measured != cost:
                raise InternalError(f"level {at}: predicted {cost}, measured {measured}")
        self._runs += 1
        return execution.outputs()

    def _fetched(self) -> Spending:
        spending = next(self._spendings, None)
        if spending is None:
            raise MaterialError(f"the lot of correlated randomness is for {self._runs} runs only")
        return spending

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Writes to the ledger what all runs took."""
        plan, runs = self._script.plan, self._runs
        for at, level in enumerate(plan.levels):
            steps = [step for index, step in plan.steps() if index in level.interactive]
            name = counted([step.primitive.name for step in steps]) or "prepare"
            way = counted([step.way.name for step in steps]) or "linear"
            total = self._costs[at].times(runs)
            row = Row(name, way, total, total, self._seconds[at])
            self._session.ledger.append(row)


def counted(names: Sequence[str]) -> str:
    """The names, each once, with its number if there are several."""
    numbers = {name: names.count(name) for name in names}
    return ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in numbers.items())
