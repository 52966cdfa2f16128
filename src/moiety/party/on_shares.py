"""A job whose model its parties train on shares: the runs of those who compute, and of others."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from moiety.enclave.handover import ModelShare
from moiety.party.coded import Coded
from moiety.party.costs import ALIGN, PREDICT, TRAIN
from moiety.party.model import KeptModel, check_columns, keep_model, trained_share
from moiety.party.outcome import Outcome
from moiety.party.predict import Scores, Scoring, Timing, agree_unscored
from moiety.party.shares import Prepared, Shares
from moiety.party.stock import Stock
from moiety.plan.pipeline import Target
from moiety.ring import keep_memory
from moiety.run.contribute import Contribution, Contributors
from moiety.run.remote import Remote
from moiety.run.session import Session
from moiety.run.supply import RemoteDealer, Source
from moiety.wire.channel import Channel


class Joint(Shares):
    """A run up to the report, whatever this party does in the computation."""

    def run(self, signature: bytes) -> Outcome:
        """All steps, in order."""
        keep_memory()
        tables = self.load()
        agreed, model = self.agree(signature, tables)
        prepared = self.prepared(tables, agreed, model)
        dealer = None if self.stocked else self.dealer()
        return self.compute(prepared, dealer, model)

    def compute(
        self, prepared: Prepared, dealer: Channel | None, model: KeptModel | None
    ) -> Outcome:
        """From the shapes to the report; without a dealer if all was dealt ahead."""
        raise NotImplementedError


class OnShares(Joint):
    """One computing party's run."""

    def held(self) -> dict[str, bytes]:
        """See `Node`."""
        label = self.stock.label()
        return {"stock": label.seen} if label else {}

    @cached_property
    def stock(self) -> Stock:
        """What was dealt ahead."""
        return Stock(self.folder / "stock", self.index)

    def compute(
        self, prepared: Prepared, dealer: Channel | None, model: KeptModel | None
    ) -> Outcome:
        """Training, if there is no model yet, and prediction."""
        session = self.session
        rows, marks = session.ledger, [len(session.ledger)]
        source = self._source(dealer)
        runner = self._runner(session, source)
        share = model.share if model else self._share(runner, prepared)
        marks.append(len(rows))
        timings = self._predict(session, source, share, prepared)
        source.finish()
        self.part()
        ledger = {
            ALIGN: rows[: marks[0]],
            TRAIN: rows[marks[0] : marks[1]],
            PREDICT: rows[marks[1] :],
        }
        found = {"share": share, "timings": timings, "ledger": ledger}
        return self.conclude(self.facts(prepared, **found))

    def _source(self, dealer: Channel | None) -> Source:
        """Where lots come from; a stock that is not used now is never used."""
        if dealer is None:
            self.ahead = self.stock.label()
            self.stock.open()
            return self.stock
        self.stock.clear()
        return RemoteDealer(dealer, self.session.party)

    def _runner(self, session: Session, source: Source) -> Remote:
        others = {n: c for n, c in self.channels.items() if n not in self.job.computing}
        return Remote(
            self.job.names,
            Target(network=self.job.network),
            session=session,
            source=source,
            receivers=(0, 1),
            about=self.job.hash,
            contributors=Contributors(others),
            progress=self.steps.progress,
        )

    def _share(self, runner: Remote, prepared: Prepared) -> ModelShare:
        model = self.trained(runner, prepared)
        facts = {
            "rows": self._rows(prepared),
            "simulated": self.simulated,
            "course": runner.course,
        }
        share = trained_share(self.job, model, facts)
        if not self.job.model.horizontal:
            check_columns(share, self.index, prepared.coded)
        keep_model(self.folder, share, "", prepared.coded)
        return share

    def _rows(self, prepared: Prepared) -> int:
        rows = [shape.rows for shape in prepared.shapes]
        return sum(rows) if self.job.model.horizontal else rows[0]

    def _predict(
        self, session: Session, source: Source, share: ModelShare, prepared: Prepared
    ) -> list[Timing]:
        names = np.array(prepared.names, dtype=np.str_)
        rows = agree_unscored(session, names, self.spent, self.job.predictions)
        codes, own = self._applicants(prepared)
        scoring = Scoring(
            session,
            self.job,
            share,
            codes,
            names,
            self.spent,
            Scores(self.folder),
            lambda plan: source.lot(plan.bill, 1, {}),
            own,
        )
        return self.score(scoring, rows)

    def _applicants(self, prepared: Prepared) -> tuple[Coded, npt.NDArray[np.str_] | None]:
        """This party's columns of the applicants, and its ids where the peer knows none."""
        chosen, horizontal = prepared.applicants, self.job.model.horizontal
        if chosen is None or (horizontal and self.job.scores_to != self.party.name):
            return Coded(prepared.coded.codings, {}), None
        return prepared.coded.recode(chosen), chosen.ids if horizontal else None


class Contributing(Joint):
    """The run of a party that does not compute."""

    def compute(
        self, prepared: Prepared, dealer: Channel | None, model: KeptModel | None
    ) -> Outcome:
        """Sends shares for training."""
        channels = [self.channels[name] for name in self.job.computing]
        runner = Contribution(
            self.job.names,
            Target(network=self.job.network),
            name=self.party.name,
            channels=channels,
        )
        if not self.others_keep_a_model:
            self.trained(runner, prepared)
        self.part()
        return self.conclude(self.facts(prepared, share=None, timings=[], ledger={}))
