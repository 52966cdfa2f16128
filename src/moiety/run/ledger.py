"""The ledger of a run: what each step was predicted to send, what it sent, how long it took."""

from dataclasses import dataclass

from moiety.errors import InternalError
from moiety.lang.cost import Cost


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
