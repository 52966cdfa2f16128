"""What one party holds at the end of a run, from which its report is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moiety.agreement.manifest import Job
from moiety.data.table import Table
from moiety.enclave.handover import ModelShare
from moiety.enclave.policy import Accepted
from moiety.party.align import Aligned
from moiety.party.coded import Coded
from moiety.party.config import Party
from moiety.party.costs import Ledger
from moiety.party.predict import Timing
from moiety.party.training import Shape


@dataclass(frozen=True, eq=False)
class Facts:
    """What one party holds at the end of a run."""

    party: Party
    job: Job
    train: Table
    chosen: Table
    aligned: Mapping[str, Aligned]
    coded: Coded
    enclave: Accepted | None
    """None where a dealer that is no enclave deals."""
    share: ModelShare | None
    """None at a party that does not compute."""
    timings: Sequence[Timing]
    ledger: Ledger
    seconds: Mapping[str, float]
    ahead: str = ""
    """The record of the run in which all randomness was dealt ahead."""
    shapes: Sequence[Shape] = ()
    """The public shapes of all parties' rows, where the model was trained on shares."""

    @property
    def simulated(self) -> bool:
        """Whether a simulated enclave had a part in it."""
        shared = self.share is not None and self.share.simulated
        return shared or (self.enclave is not None and not self.enclave.production)

    @property
    def receives(self) -> bool:
        """Whether this party receives the scores."""
        return self.job.scores_to == self.party.name
