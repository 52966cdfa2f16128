"""Columns are divided: the party without outcomes sends points of common clients and applicants.

The receiver joins them with its own columns, which stay as they are: nothing of these leaves it.
"""

from moiety.data.table import Table
from moiety.party.coded import Coded, coded, freely
from moiety.party.costs import ALIGN, TRANSFORM
from moiety.party.outcome import Outcome
from moiety.party.predict import agree_unscored
from moiety.party.released import read, size
from moiety.party.transforming import Transforming
from moiety.run.session import Session


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
        rows = agree_unscored(session, whole.ids, self.spent, self.job.predictions)
        asked = whole.take(rows)
        own = coded(self.job, clients) if self.receives else Coded({}, {})
        if self.receives:
            self._train(own, asked, *self._receive(session, clients, asked))
        else:
            self._send(session, clients, asked)
        ledger = {ALIGN: session.ledger[:before], TRANSFORM: session.ledger[before:]}
        return self.ended(clients, whole, own, {"train": train, "score": chosen}, ledger)

    def _send(self, session: Session, clients: Table, asked: Table) -> None:
        self.options.watch.enter("the transform")
        releases, told = self.releases, self.releases.told
        with self.steps.step("transform", "making noisy points of rows") as step:
            mechanism = releases.mechanism(clients)
            message = releases.of(clients, mechanism, "clients")
            if asked.rows:
                message += releases.of(asked, mechanism, "applicants")
                self.spent.spend(asked.ids.tolist())
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
