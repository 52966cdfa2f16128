"""Runs of one plan with one lot, one after the other: metered round by round."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np

from moiety.errors import InternalError, MaterialError
from moiety.lang.cost import Cost
from moiety.lang.primitive import Array
from moiety.protocols.base import Protocol, Received, Tick
from moiety.ring import Reals
from moiety.run.dealing import Spending
from moiety.run.execute import Execution, Script, Values
from moiety.run.ledger import Row, Traffic
from moiety.wire.channel import Channel
from moiety.wire.totals import Totals

Sizes = tuple[int, int]
"""The bytes that a party sends and receives in a round."""


class Series:
    """Runs of one plan with one lot; as a context, it writes to the ledger what all of them took.

    Each round's bytes must be those predicted, and in each run the channel must count as many, and
    a message where any are due.
    """

    def __init__(
        self,
        channel: Channel,
        script: Script,
        spendings: Iterator[Spending],
        ledger: list[Row],
    ) -> None:
        self._channel, self._script = channel, script
        self._spendings, self._ledger = spendings, ledger
        plan, party = script.plan, script.party
        self._peer = 1 - party
        self._rounds = [_sizes(level.cost, party) for level in plan.levels]
        self._due = _totals([each for rounds in self._rounds for each in rounds])
        self._seconds = [0.0] * len(plan.levels)
        self._runs = 0
        self._ready: deque[Spending] = deque()

    def prepare(self, runs: int = 1) -> None:
        """Fetches what is dealt for so many more runs, ahead of their inputs."""
        for _ in range(runs):
            spending = self._fetched()
            spending.complete()
            self._ready.append(spending)

    def run(self, inputs: Mapping[str, Array | Reals]) -> dict[str, Array]:
        """One more run: the outputs that this party holds.

        Raises:
            MaterialError: the lot is for fewer runs.
        """
        return self.follow(self._script.bind(inputs))

    def follow(self, values: Values) -> dict[str, Array]:
        """One more run from inputs that were checked, see `Script.bind`."""
        spending = self._ready.popleft() if self._ready else self._fetched()
        execution, before = Execution(self._script, values, spending), self._channel.totals
        with np.errstate(over="ignore"):
            for at, rounds in enumerate(self._rounds):
                began = time.perf_counter()
                self._level(execution.level(at), rounds)
                self._seconds[at] += time.perf_counter() - began
        spending.complete()
        found = _difference(before, self._channel.totals)
        if found != self._due:
            raise InternalError(f"a run: predicted {self._due}, counted {found}")
        self._runs += 1
        return execution.outputs()

    def _level(self, level: Protocol[None], rounds: Sequence[Sizes]) -> None:
        """Drives one level, whose rounds must be exactly those predicted."""
        tick = _resumed(level, None)
        for due in rounds:
            if tick is None:
                raise InternalError("a level ended before its predicted last round")
            tick = _resumed(level, self._exchange(tick, due))
        if tick is not None:
            raise InternalError("a level goes on after its predicted last round")

    def _exchange(self, tick: Tick, due: Sizes) -> Received:
        peer = self._peer
        # taken out, so that it is forgotten once it is sent
        message, expected = tick.send.pop(peer, b""), tick.expect.get(peer, 0)
        if (len(message), expected) != due:
            raise InternalError(f"a round: predicted {due}, found {len(message), expected}")
        return {peer: self._channel.tick(message, expected)}

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
        plan, party = self._script.plan, self._script.party
        for level, seconds in zip(plan.levels, self._seconds, strict=True):
            steps = [step for index, step in plan.steps() if index in level.interactive]
            name = counted([step.primitive.name for step in steps]) or "prepare"
            way = counted([step.way.name for step in steps]) or "linear"
            total = Traffic.of(level.cost, party).times(self._runs)
            self._ledger.append(Row(name, way, total, total, seconds))


def _resumed(protocol: Protocol[None], received: Received | None) -> Tick | None:
    """The next tick; None at the end."""
    try:
        return protocol.send(received)  # type: ignore[arg-type]
    except StopIteration:
        return None


def _sizes(cost: Cost, party: int) -> list[Sizes]:
    """A cost, round by round, as one party sees it."""
    there, back = (party, 1 - party), (1 - party, party)
    return [(each.get(there, 0), each.get(back, 0)) for each in cost.rounds]


def _totals(rounds: Sequence[Sizes]) -> Totals:
    """What a channel counts in these rounds: no message where nothing is due."""
    sent, received = zip(*rounds, strict=True) if rounds else ((), ())
    return Totals(sum(map(bool, sent)), sum(sent), sum(map(bool, received)), sum(received))


def _difference(before: Totals, after: Totals) -> Totals:
    return Totals(*(late - early for early, late in zip(before, after, strict=True)))


def counted(names: Sequence[str]) -> str:
    """The names, each once, with its number if there are several."""
    numbers = {name: names.count(name) for name in names}
    return ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in numbers.items())
