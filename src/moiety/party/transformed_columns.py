"""Columns are divided: the party without outcomes sends points of common clients and applicants.

The receiver joins them with its own columns, which stay as they are: nothing of these leaves it.
"""

import numpy as np
import numpy.typing as npt

from moiety.data.table import Table
from moiety.errors import PolicyRefused
from moiety.party.coded import Coded, coded, freely
from moiety.party.costs import ALIGN, TRANSFORM
from moiety.party.outcome import Outcome
from moiety.party.predict import agree_unscored
from moiety.party.released import read, size
from moiety.party.spent import NOBODY
from moiety.party.transforming import Transforming
from moiety.run.session import Session

Rows = npt.NDArray[np.int64]


class TransformedColumns(Transforming):
    """One party's run of such a job."""

    def run(self, signature: bytes) -> Outcome:
        """All steps, in order."""
        tables = self.load()
        agreed, _ = self.agree(signature, tables)
        session = self.session
        train = self.align(session, tables["train"], "train", agreed)
        chosen = self.align(session, tables["score"], "score", agreed)
        before = len(session.ledger)
        clients, whole = tables["train"].take(train.rows), tables["score"].take(chosen.rows)
        asked = whole.take(self._unscored(session, whole))
        own = coded(self.job, clients) if self.receives else Coded({}, {})
        if self.receives:
            self._train(own, asked, *self._receive(session, clients, asked))
        else:
            self._send(session, clients, asked)
        ledger = {ALIGN: session.ledger[:before], TRANSFORM: session.ledger[before:]}
        aligned = {"train": train, "score": chosen}
        return self.ended(clients, whole, own, aligned, ledger, asked.rows)

    def _unscored(self, session: Session, whole: Table) -> Rows:
        """Whom the receiver has not scored; what was sent of them once may be sent again."""
        spent = self.spent if self.receives else NOBODY
        return agree_unscored(session, whole.ids, spent, self.job.predictions)

    def _count(self, asked: Table) -> None:
        """Writes down of whom points leave: never of more than the job states."""
        ids = asked.ids[~self.spent.among(asked.ids.tolist())].tolist()
        if len(self.spent) + len(ids) > self.job.predictions:
            raise PolicyRefused(
                f"points of {len(self.spent) + len(ids):,} applicants would leave; the job states "
                f"{self.job.predictions:,} predictions"
            )
        if ids:
            self.spent.spend(ids)

    def _send(self, session: Session, clients: Table, asked: Table) -> None:
        self.options.watch.enter("the transform")
        releases, told = self.releases, self.releases.told
        with self.steps.step("transform", "making noisy points of rows") as step:
            mechanism = releases.mechanism(clients)
            message = releases.of(clients, mechanism, "clients")
            if asked.rows:
                self._count(asked)
                message += releases.of(asked, mechanism, "applicants")
            self.carry(session, message, len(message), to_me=False)
            rows = clients.rows + asked.rows
            step.result = (
                f"sent {rows:,} rows as {told.dimensions} numbers each, with noise for "
                f"ε = {told.epsilon:g} at δ = {told.delta:g}"
            )
        self.note("release", rows=rows, bytes=len(message))

    def _receive(self, session: Session, clients: Table, asked: Table) -> list[Table]:
        """The other's clients and applicants, as points."""
        self.options.watch.enter("the transform")
        told, tables = self.releases.told, (clients, asked)
        with self.steps.step("transform", "receiving noisy points of rows") as step:
            sizes = [size(told, one.rows) for one in tables]
            message = self.carry(session, b"", sum(sizes), to_me=True)
            parts = message[: sizes[0]], message[sizes[0] :]
            named = zip(parts, tables, strict=True)
            found = [read(told, part, one.ids.tolist()) for part, one in named]
            rows = clients.rows + asked.rows
            step.result = f"{rows:,} rows of the other's as {told.dimensions} noisy numbers each"
        return found

    def _train(self, own: Coded, asked: Table, clients: Table, applicants: Table) -> None:
        mine, other = self.party.name, self.session.channel.peer
        theirs = freely(self.job.model, clients)
        chosen = {mine: own.recode(asked), other: theirs.recode(applicants)}
        self.scored({mine: own, other: theirs}, chosen, asked)
