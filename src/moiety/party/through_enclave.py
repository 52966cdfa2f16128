"""A job whose model an enclave trains: it shares the model and deals for the predictions."""

from moiety.data.table import Table
from moiety.enclave.handover import ModelShare, ask, receive_material, receive_share
from moiety.party.attest import Attested, consent, deliver
from moiety.party.coded import Coded, coded, recoded
from moiety.party.costs import ALIGN, PREDICT
from moiety.party.facts import Facts
from moiety.party.model import KeptModel, check_columns, keep_model
from moiety.party.node import Node
from moiety.party.outcome import Outcome
from moiety.party.predict import Scores, Scoring, Timing, agree_unscored, batches
from moiety.party.seal import to_arrow
from moiety.run.session import Session


class ThroughEnclave(Node):
    """One party's run of such a job."""

    def run(self, signature: bytes) -> Outcome:
        """All steps, in order."""
        tables = self.load()
        agreed, model = self.agree(signature, tables)
        session = self.session
        train = self.align(session, tables["train"], "train", agreed)
        clients = tables["train"].take(train.rows)
        own = recoded(model.codings, clients) if model else coded(self.job, clients)
        enclave = self.attest()
        if model is None:
            self._deliver(enclave, own)
        else:
            consent(self.party, enclave)
        applicants = self.align(session, tables["score"], "score", agreed)
        chosen = tables["score"].take(applicants.rows)
        rows, before = session.ledger, len(session.ledger)
        share, timings = self.predict(session, enclave, model, own, chosen)
        self.part()
        facts = Facts(
            party=self.party,
            job=self.job,
            train=clients,
            chosen=chosen,
            aligned={"train": train, "score": applicants},
            coded=own,
            enclave=enclave.accepted,
            share=share,
            timings=timings,
            ledger={ALIGN: rows[:before], PREDICT: rows[before:]},
            seconds=self.steps.seconds,
        )
        return self.conclude(facts)

    def _deliver(self, enclave: Attested, own: Coded) -> None:
        self.options.watch.enter("the sealed data's transfer")
        with self.steps.step("seal", "sealing the columns") as step:
            size = deliver(self.party, self.job, enclave, to_arrow(own))
            rows = own.rows
            step.result = (
                f"sealed {len(own.codes)} columns of {rows:,} rows as bin codes, {size:,} bytes"
            )
        self.note("release", data_set=self.member.train, rows=rows, bytes=size)

    def predict(
        self,
        session: Session,
        enclave: Attested,
        model: KeptModel | None,
        own: Coded,
        chosen: Table,
    ) -> tuple[ModelShare | None, list[Timing]]:
        """Scores the applicants on shares; this party's share of the model."""
        self.options.watch.enter("the hand-over")
        with self.steps.step("hand-over", "receiving a share of the model") as step:
            rows = agree_unscored(session, chosen.ids, self.spent, self.job.predictions)
            sizes = batches(len(rows))
            ask(enclave.channel, sizes, model.share if model else None)
            share = model.share if model else self._share(session, enclave, own)
            lots = iter([receive_material(enclave.channel) for _ in sizes])
            enclave.channel.finish()
            step.result = (
                f"a share of the model ({share.shape.kind}), trained on {share.rows:,} clients"
                + (" (kept from an earlier run)" if model else "")
            )
        applicants, scores = own.recode(chosen), Scores(self.folder)
        scoring = Scoring(
            session,
            self.job,
            share,
            applicants,
            chosen.ids,
            self.spent,
            scores,
            lambda _: next(lots),
        )
        return share, self.score(scoring, rows)

    def _share(self, session: Session, enclave: Attested, own: Coded) -> ModelShare:
        key = enclave.signing_key
        share = receive_share(enclave.channel, self.job, session.party, key)
        check_columns(share, session.party, own)
        keep_model(self.folder, share, key, own)
        return share
