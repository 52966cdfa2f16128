"""What all parties of a job that transforms rows have in common."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from moiety.data.table import Table
from moiety.enclave.scoring import rounded
from moiety.lang.cost import Cost
from moiety.party.align import Aligned
from moiety.party.alone import Floats, Parts, fitted
from moiety.party.coded import Coded
from moiety.party.costs import POINTS, Ledger
from moiety.party.facts import Facts
from moiety.party.node import Node
from moiety.party.outcome import Outcome
from moiety.party.predict import Scores, Timing
from moiety.party.released import Releases
from moiety.protocols.base import Message, Protocol, Tick
from moiety.run.session import Session

LEAST = 1e-6
"""Of a probability, once flips are taken back."""


class Transforming(Node):
    """One party's run; the receiver trains anew in each, on what was released once."""

    @property
    def receives(self) -> bool:
        """Whether this party trains and scores."""
        return self.job.scores_to == self.party.name

    @cached_property
    def releases(self) -> Releases:
        """This party's own."""
        return Releases(self.party, self.job)

    def carry(
        self,
        session: Session,
        message: bytes,
        length: int,
        *,
        to_me: bool,
        step: str = POINTS,
    ) -> bytes:
        """One message one way, of a length that both know; empty at who sent it."""
        mine, theirs = (length, 0) if not to_me else (0, length)
        links = {(session.party, session.peer): mine, (session.peer, session.party): theirs}

        def protocol() -> Protocol[bytes]:
            sent: dict[int, Message] = {} if to_me else {session.peer: message}
            received = yield Tick(sent, {session.peer: theirs} if theirs else {})
            return received.get(session.peer, b"")

        price = Cost(({link: size for link, size in links.items() if size},))
        return session.drive(protocol(), step=step, way="one message", predict=lambda _: price)

    def scored(self, trained: Parts, chosen: Parts, asked: Table, flips: float = 0.0) -> None:
        """Trains on what is here, where that share of labels was flipped, and scores."""
        self.options.watch.enter("training")
        kind = self.job.model.kind
        with self.steps.step("train", f"training the model ({kind})") as step:
            if asked.rows:
                logits = rounded(unflipped(fitted(self.job, trained, chosen), flips))
                ids = asked.ids.tolist()
                self.spent.spend(ids)
                Scores(self.folder).append(ids, logits)
            step.result = f"trained the model ({kind}) and scored {asked.rows:,} applicants"
        self.note("run", scored=asked.rows, model="at the receiver", simulated=False)

    def ended(
        self,
        clients: Table,
        chosen: Table,
        own: Coded,
        aligned: Mapping[str, Aligned],
        ledger: Ledger,
        scored: int = 0,
    ) -> Outcome:
        """Parting, and the report; so many applicants were scored in this run."""
        self.part()
        facts = Facts(
            party=self.party,
            job=self.job,
            train=clients,
            chosen=chosen,
            aligned=aligned,
            coded=own,
            enclave=None,
            share=None,
            timings=[Timing(scored, 1, 0.0)] if scored else [],
            ledger=ledger,
            seconds=self.steps.seconds,
        )
        return self.conclude(facts)


def unflipped(logits: Floats, flips: float) -> Floats:
    """Log-odds of the true label, from those of one that is flipped with this probability."""
    if not flips:
        return logits
    true = np.clip((expit(logits) - flips) / (1 - 2 * flips), LEAST, 1 - LEAST)
    found: Floats = logit(true)
    return found
