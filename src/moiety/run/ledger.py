"""The ledger of a run: what each step was predicted to send, what it sent, how long it took."""

from dataclasses import dataclass

from moiety.errors import InternalError
from moiety.lang.cost import Cost
from moiety.wire.totals import Totals


@dataclass(frozen=True, slots=True)
class Traffic:
    """Rounds, and payload bytes as one party sees them; without frames and TLS."""

    rounds: int
    sent: int
    received: int

    @classmethod
    def of(cls, cost: Cost, party: int) -> "Traffic":
        """A cost, seen by one party."""
        return cls(len(cost.rounds), cost.sent(party), cost.received(party))

    @classmethod
    def between(cls, before: Totals, after: Totals, rounds: int) -> "Traffic":
        """What a channel counted in so many rounds."""
        sent = after.sent_bytes - before.sent_bytes
        return cls(rounds, sent, after.received_bytes - before.received_bytes)

    def times(self, runs: int) -> "Traffic":
        """That of so many equal runs."""
        return Traffic(runs * self.rounds, runs * self.sent, runs * self.received)


@dataclass(frozen=True, slots=True)
class Row:
    """One step of a run, or the steps of one level, which share rounds."""

    step: str
    way: str
    predicted: Traffic
    measured: Traffic
    seconds: float

    def check(self) -> None:
        """Traffic depends on public sizes alone, so another amount than predicted is a fault."""
        if self.predicted != self.measured:
            raise InternalError(
                f"{self.step}: predicted {self.predicted}, measured {self.measured}"
            )
