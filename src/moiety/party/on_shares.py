"""A job whose model its parties train on shares: nobody ever sees the rows of two parties.

The first two parties compute; further ones, in a horizontal job, send them shares of their rows.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from moiety.data.table import Table
from moiety.enclave.handover import ModelShare
from moiety.enclave.policy import Accepted
from moiety.errors import PolicyRefused
from moiety.function.runner import Runner
from moiety.learn.shared_model import SharedModel
from moiety.party.align import Aligned
from moiety.party.attest import consent, meet_dealer
from moiety.party.costs import ALIGN, PREDICT, TRAIN
from moiety.party.model import KeptModel, check_bins, keep_model, trained_share
from moiety.party.node import Node
from moiety.party.outcome import Facts, Outcome
from moiety.party.predict import Scores, Scoring, Timing, agree_unscored
from moiety.party.seal import Binned, bin_agreed, bin_columns
from moiety.party.shapes import exchange_shapes
from moiety.party.training import Shape, joined, shape_of, train
from moiety.plan.pipeline import Target
from moiety.run import memory
from moiety.run.contribute import Contribution, Contributors
from moiety.run.remote import Remote
from moiety.run.session import Session
from moiety.run.supply import RemoteDealer
from moiety.wire.channel import Channel


@dataclass
class Prepared:
    """What a party brings to the computation, once all know each other's shapes."""

    clients: Table
    binned: Binned
    aligned: dict[str, Aligned]
    shapes: list[Shape]
    applicants: Table | None
    names: list[str] = field(default_factory=list)


class Shares(Node):
    """What computing and contributing parties have in common."""

    accepted: Accepted | None = None

    def run(self, signature: bytes) -> Outcome:
        """All steps, in order."""
        memory.keep()
        tables = self.load()
        agreed, model = self.agree(signature, tables)
        prepared = self._prepared(tables, agreed, model)
        dealer = self._dealer()
        return self.compute(prepared, dealer, model)

    def compute(self, prepared: Prepared, dealer: Channel, model: KeptModel | None) -> Outcome:
        """From the shapes to the report."""
        raise NotImplementedError

    def _prepared(
        self, tables: dict[str, Table], agreed: dict[str, Aligned], model: KeptModel | None
    ) -> Prepared:
        if self.job.model.horizontal:
            return self._of_own_people(tables)
        session = self.session
        train = self.align(session, tables["train"], "train", agreed)
        chosen = self.align(session, tables["score"], "score", agreed)
        clients = tables["train"].take(train.rows)
        binned = bin_columns(self.job, self.member, clients)
        if model:
            binned = Binned(model.bins, {}, None).recode(clients)
        shapes, _ = self._shapes(binned, [])
        applicants = tables["score"].take(chosen.rows)
        names = applicants.ids.tolist()
        return Prepared(
            clients, binned, {"train": train, "score": chosen}, shapes, applicants, names
        )

    def _of_own_people(self, tables: dict[str, Table]) -> Prepared:
        clients, applicants = tables["train"], tables.get("score")
        least = self.job.min_common
        if clients.rows < least:
            raise PolicyRefused(
                f"{self.member.train} has {clients.rows:,} rows; the job needs {least:,}"
            )
        binned = bin_agreed(self.job, self.member, clients)
        own = [] if applicants is None else self.spent.blinded(applicants.ids.tolist())
        shapes, names = self._shapes(binned, own)
        return Prepared(clients, binned, {}, shapes, applicants, names)

    def _shapes(self, binned: Binned, applicants: list[str]) -> tuple[list[Shape], list[str]]:
        self.options.watch.enter("the exchange of shapes")
        with self.steps.step("shapes", "telling sizes") as step:
            own = shape_of(self.party.name, binned)
            shapes, names = exchange_shapes(self.channels, self.job, own, applicants)
            told = ", ".join(f"{one.party} {one.rows:,}" for one in shapes)
            step.result = f"rows to train on: {told}"
        return shapes, names

    def _dealer(self) -> Channel:
        """The dealer: an attested enclave that sees no row, or the one that the job pins."""
        if self.job.dealer_certificate is None:
            enclave = self.attest()
            self.accepted = enclave.accepted
            consent(self.party, enclave)
            return enclave.channel
        with self.steps.step("dealer", "meeting the dealer") as step:
            channel = meet_dealer(self.party, self.job, self.signatures, self.options)
            step.result = f"met the dealer of {self.job.enclave_host}, which the job pins"
        self.note("dealer", certificate=self.job.dealer_certificate)
        return channel

    def trained(self, runner: Runner, prepared: Prepared) -> SharedModel:
        """The model, as the shares that are held here."""
        self.options.watch.enter("training on shares")
        kind = self.job.model.kind
        with self.steps.step("train", f"training the {kind} on shares") as step:
            own = {self.party.name: prepared.binned}
            brought = joined(self.job, prepared.shapes, own)
            model = train(self.job, runner, prepared.shapes, *brought)
            step.result = f"trained the {kind}: nobody has seen it"
        return model

    def facts(self, prepared: Prepared, **found: object) -> Facts:
        """What the report is made from."""
        chosen = prepared.applicants
        return Facts(
            party=self.party,
            job=self.job,
            train=prepared.clients,
            chosen=chosen if chosen is not None else prepared.clients.take(np.arange(0)),
            aligned=prepared.aligned,
            shapes=prepared.shapes,
            binned=prepared.binned,
            enclave=self.accepted,
            seconds=self.steps.seconds,
            **found,  # type: ignore[arg-type]
        )


class OnShares(Shares):
    """One computing party's run."""

    def compute(self, prepared: Prepared, dealer: Channel, model: KeptModel | None) -> Outcome:
        """Training, if there is no model yet, and prediction."""
        session = self.session
        rows, marks = session.ledger, [len(session.ledger)]
        source = RemoteDealer(dealer, session.party)
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

    def _runner(self, session: Session, source: RemoteDealer) -> Remote:
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
            "simulated": self.accepted is not None and not self.accepted.production,
            "course": runner.course,
        }
        share = trained_share(self.job, model, facts)
        if not self.job.model.horizontal:
            check_bins(share, self.index, prepared.binned)
        keep_model(self.folder, share, "", prepared.binned)
        return share

    def _rows(self, prepared: Prepared) -> int:
        rows = [shape.rows for shape in prepared.shapes]
        return sum(rows) if self.job.model.horizontal else rows[0]

    def _predict(
        self, session: Session, source: RemoteDealer, share: ModelShare, prepared: Prepared
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

    def _applicants(self, prepared: Prepared) -> tuple[Binned, npt.NDArray[np.str_] | None]:
        """This party's columns of the applicants, and its ids where the peer knows none."""
        chosen, horizontal = prepared.applicants, self.job.model.horizontal
        if chosen is None or (horizontal and self.job.scores_to != self.party.name):
            return Binned(prepared.binned.bins, {}, None), None
        return prepared.binned.recode(chosen), chosen.ids if horizontal else None


class Contributing(Shares):
    """The run of a party that does not compute."""

    def compute(self, prepared: Prepared, dealer: Channel, model: KeptModel | None) -> Outcome:
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
