"""Rows are divided: all others send the receiver points of their clients, and flipped labels.

All project alike, or pooling would mean nothing. The receiver's own rows and applicants, which do
not leave it, get no noise.
"""

import numpy as np

from moiety.data.table import Table
from moiety.errors import PeerMisbehaved
from moiety.party.coded import Coded, freely
from moiety.party.costs import TRANSFORM
from moiety.party.outcome import Outcome
from moiety.party.released import as_table, read, size
from moiety.party.transforming import Transforming
from moiety.run.session import Session
from moiety.transform.labels import chance
from moiety.transform.mechanism import Mechanism

COUNT = "how many rows, and how they are encoded"
_COUNT, _ABOUT = 8, 40


class TransformedRows(Transforming):
    """One party's run of such a job."""

    def run(self, signature: bytes) -> Outcome:
        """All steps, in order."""
        tables = self.load()
        clients = tables["train"]
        self.enough(clients)
        self.agree(signature, tables)
        mechanism = self.releases.mechanism(clients)
        if not self.receives:
            sent = self._send(clients, mechanism)
            nobody = clients.take(np.arange(0))
            return self.ended(clients, nobody, Coded({}, {}), {}, {TRANSFORM: sent.ledger})
        applicants, own = tables["score"], freely(self.job.model, clients)
        sessions = [self._with(name) for name in self.channels]
        whole = self._pooled(clients, mechanism, sessions)
        asked = self._unscored(applicants)
        self._train(whole, asked, mechanism, 1 - clients.rows / whole.rows)
        ledger = {TRANSFORM: [row for one in sessions for row in one.ledger]}
        return self.ended(clients, applicants, own, {}, ledger, asked.rows)

    def _with(self, name: str) -> Session:
        return Session(self.channels[name], int(self.job.index(name) < self.index))

    def _send(self, clients: Table, mechanism: Mechanism) -> Session:
        self.options.watch.enter("the transform")
        told, session = self.releases.told, self._with(self.job.scores_to)
        with self.steps.step("transform", "making noisy points of rows") as step:
            message = self.releases.of(clients, mechanism, "clients", labels=True)
            about = clients.rows.to_bytes(_COUNT, "little") + self.releases.agreed(clients)
            self.carry(session, about, _ABOUT, to_me=False, step=COUNT)
            self.carry(session, message, len(message), to_me=False)
            step.result = (
                f"sent {clients.rows:,} rows as {told.dimensions} numbers and a label each, with "
                f"noise for ε = {told.epsilon:g} and {told.labels:g} at δ = {told.delta:g}"
            )
        self.note("release", rows=clients.rows, bytes=len(message))
        return session

    def _pooled(self, clients: Table, mechanism: Mechanism, sessions: list[Session]) -> Table:
        """Own points and all others', with labels."""
        self.options.watch.enter("the transform")
        with self.steps.step("transform", "receiving noisy points of rows") as step:
            own = as_table(self.releases.plain(clients, mechanism), clients.ids.tolist())
            agreed = self.releases.agreed(clients)
            tables = [self._received(session, agreed) for session in sessions]
            points = [np.column_stack(list(one.columns.values())) for one in (own, *tables)]
            labels = [one.label for one in (clients, *tables) if one.label is not None]
            ids = [name for one in (own, *tables) for name in one.ids.tolist()]
            step.result = f"{len(ids):,} rows, own ones included"
        return as_table(np.concatenate(points), ids, np.concatenate(labels))

    def _received(self, session: Session, agreed: bytes) -> Table:
        name, told = session.channel.peer, self.releases.told
        about = self.carry(session, b"", _ABOUT, to_me=True, step=COUNT)
        count = int.from_bytes(about[:_COUNT], "little")
        if about[_COUNT:] != agreed:
            raise PeerMisbehaved(
                f"{name} turns its columns into other numbers than I do",
                hint="the same levels, edges and scales, and missing values in none or in all",
            )
        most = self.job.member(name).max_rows
        if not self.job.min_common <= count <= most:
            least = self.job.min_common
            raise PeerMisbehaved(f"{name} sends {count:,} rows; due are {least:,} to {most:,}")
        length = size(told, count, labels=True)
        message = self.carry(session, b"", length, to_me=True)
        return read(told, message, [f"{name}/{row}" for row in range(count)], labels=True)

    def _unscored(self, applicants: Table) -> Table:
        fresh = np.flatnonzero(~self.spent.among(applicants.ids.tolist()))
        return applicants.take(fresh[: max(self.job.predictions - len(self.spent), 0)])

    def _train(self, whole: Table, asked: Table, mechanism: Mechanism, others: float) -> None:
        """Others' labels, that share of all, are flipped with a chance that everybody knows."""
        flips = others * float(chance(self.releases.told.labels))
        name, trained = self.party.name, freely(self.job.model, whole)
        points = as_table(self.releases.plain(asked, mechanism), asked.ids.tolist())
        self.scored({name: trained}, {name: trained.recode(points)}, asked, flips)
