"""One party's node: the conductor of its part of a job, from agreement to report."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moiety.agreement.manifest import Job, Member
from moiety.agreement.record import CLOSED, Record
from moiety.data.table import Table, load_schema
from moiety.enclave.handover import ModelShare, ask, receive_material, receive_share
from moiety.errors import ConfigError, MoietyError, PolicyRefused, told
from moiety.party.agree import exchange, exchange_heads, now, own_signature
from moiety.party.align import USES, Aligned, align, count_attempt, keep, kept
from moiety.party.attest import Attested, consent, deliver, meet_enclave
from moiety.party.config import Party
from moiety.party.files import sole_run
from moiety.party.meet import check_ready, meet_peers
from moiety.party.model import KeptModel, agreed_model, check_bins, keep_model, kept_model
from moiety.party.outcome import Facts, Outcome, conclude
from moiety.party.predict import Scores, Scoring, Timing, agree_unscored, batches
from moiety.party.seal import Binned, bin_columns, to_arrow
from moiety.party.spent import SpentIds
from moiety.run.session import Session
from moiety.run.steps import Listener, Steps
from moiety.wire.tls import Options
from moiety.wire.watch import Watch


def run_job(party: Party, job: Job, listener: Listener) -> Outcome:
    """Runs this party's part of a signed job, and writes its record and report.

    Raises:
        PolicyRefused: this party did not sign the job, or a peer did not.
        DataError: a table does not hold what its schema declares.
        PeerLost: a peer or the enclave is gone; run the job again.
        AttestationFailed: the enclave is not acceptable; nothing was released.
    """
    signature = own_signature(party, job)
    check_ready(party)
    steps = Steps(listener)
    with (
        sole_run(party.job_folder(job)),
        Watch(silence=party.silence) as watch,
        _record(party, job) as record,
    ):
        options = Options(watch=watch, progress=steps.note)
        try:
            spent = SpentIds(party.job_folder(job), party.signing_key.derive(job.hash))
            return Node(party, job, steps, options, record, spent).run(signature)
        except BaseException as error:
            watch.abort(told(error))
            raise


@contextmanager
def _record(party: Party, job: Job) -> Iterator[Record]:
    """This run's own record; what ends the run is its last line."""
    folder, key = party.job_folder(job), party.signing_key.private
    number = 1 + sum(1 for _ in folder.glob("record-*.jsonl"))
    path = folder / f"record-{number}.jsonl"
    with Record.create(path, party.name, key, job.hash, now()) as record:
        record.append("proposal", {"purpose": job.purpose, "model": job.model.kind}, now())
        try:
            yield record
        except MoietyError as error:
            record.append("failure", {"class": type(error).__name__}, now())
            record.append(CLOSED, {"completed": False}, now())
            raise
        record.append(CLOSED, {"completed": True}, now())


@dataclass
class Node:
    """One run of one job at one party."""

    party: Party
    job: Job
    steps: Steps
    options: Options
    record: Record
    spent: SpentIds
    signatures: dict[str, bytes] = field(default_factory=dict)

    @property
    def member(self) -> Member:
        """This party, as the job describes it."""
        return self.job.member(self.party.name)

    @property
    def folder(self) -> Path:
        """Where this job's files are."""
        return self.party.job_folder(self.job)

    def run(self, signature: bytes) -> Outcome:
        """All steps, in order."""
        tables = self._load()
        earlier = {use: kept(self.folder, self.job, tables[use], use) for use in USES}
        session, agreed, model = self._agree(signature, earlier)
        train = self._align(session, tables["train"], "train", agreed)
        clients = tables["train"].take(train.rows)
        fresh = bin_columns(self.job, self.member, clients)
        binned = Binned(model.bins, {}, None).recode(clients) if model else fresh
        enclave = self._attest()
        if model is None:
            self._deliver(enclave, binned)
        else:
            consent(self.party, enclave)
        applicants = self._align(session, tables["score"], "score", agreed)
        chosen = tables["score"].take(applicants.rows)
        share, timings = self._predict(session, enclave, model, binned, chosen)
        self._part(session)
        facts = Facts(
            party=self.party,
            job=self.job,
            train=clients,
            chosen=chosen,
            aligned={"train": train, "score": applicants},
            binned=binned,
            enclave=enclave.accepted,
            share=share,
            timings=timings,
            ledger=session.ledger,
            seconds=self.steps.seconds,
        )
        return self._conclude(facts)

    def _load(self) -> dict[str, Table]:
        with self.steps.step("load", "reading tables") as step:
            tables = {"train": self._table(self.member.train, required=True)}
            tables["score"] = self._table(self.member.score, required=False)
            rows = [table.rows for table in tables.values()]
            step.result = f"read {rows[0]:,} rows to train on and {rows[1]:,} to score"
        return tables

    def _table(self, name: str, *, required: bool) -> Table:
        data = self.party.data_set(name)
        label = self.member.label
        if label is not None and data.label != label and (required or data.label is not None):
            raise ConfigError(
                f"[data.{name}] has label {data.label!r}, the job says '{label}'",
                hint="moiety data add --label names it",
            )
        wanted = data.label if label is not None else None
        table = Table.load(data.path, load_schema(data.schema), id=data.id, label=wanted)
        if table.rows > self.member.max_rows:
            raise PolicyRefused(
                f"{name} has {table.rows:,} rows; the job allows {self.member.max_rows:,}",
                hint="propose a job with a larger max_rows",
            )
        return table.select(self.member.columns)

    def _agree(
        self, signature: bytes, earlier: dict[str, Aligned | None]
    ) -> tuple[Session, dict[str, Aligned], KeptModel | None]:
        """A session with the peer, and the alignments and the model that both have kept."""
        mine = self.job.index(self.party.name)
        model = kept_model(self.folder, self.job, mine)
        with self.steps.step("agreement", "meeting the peer") as step:
            (channel,) = meet_peers(self.party, self.job, self.options).values()
            channel.step = "the agreement"
            known = {use: found.digest for use, found in earlier.items() if found}
            known |= {"model": model.share.digest} if model else {}
            theirs, digests = exchange(channel, self.job, signature, known)
            self.signatures = {self.party.name: signature, channel.peer: theirs}
            for name in self.job.names:
                text = self.signatures[name].hex()
                self._note("approval", party=name, signature=text)
            step.result = f"{' and '.join(self.job.names)} signed job {self.job.hash.hex()[:16]}"
        agreed = {
            use: found
            for use, found in earlier.items()
            if found and digests.get(use) == found.digest
        }
        model = agreed_model(model, digests.get("model"), self.spent)
        return Session(channel, mine), agreed, model

    def _align(
        self, session: Session, table: Table, use: str, agreed: dict[str, Aligned]
    ) -> Aligned:
        self.options.watch.enter("alignment")
        what = {"train": "clients", "score": "applicants"}[use]
        with self.steps.step(f"align-{use}", f"aligning {what}") as step:
            found = agreed.get(use)
            if found is None:
                count_attempt(self.folder, self.job, use)
                found = align(session, self.job, table, use=use, progress=step.progress)
                keep(self.folder, found, table)
            step.result = (
                f"{len(found.rows):,} common {what} of my {found.own_size:,}; "
                f"{session.channel.peer} has {found.peer_size:,}"
                + (" (kept from an earlier run)" if use in agreed else "")
            )
        sizes = {"own": found.own_size, "peer": found.peer_size, "common": len(found.rows)}
        self._note("alignment", use=use, kept=use in agreed, digest=found.digest.hex(), **sizes)
        return found

    def _attest(self) -> Attested:
        with self.steps.step("attestation", "judging the enclave's evidence") as step:
            enclave = meet_enclave(self.party, self.job, self.signatures, self.options)
            authentic = enclave.accepted.authentic
            measured = authentic.evidence.report.mr_enclave.hex()
            step.result = f"accepted the enclave {measured[:16]}, {authentic.tcb_status}"
        self._note(
            "evidence",
            tee=authentic.tee,
            measurement=measured,
            status=authentic.tcb_status,
            root=authentic.root_sha256.hex(),
            simulated=enclave.simulated,
        )
        if enclave.simulated:
            self.steps.note("SIMULATED enclave: whoever runs its host can see everything in it")
        return enclave

    def _deliver(self, enclave: Attested, binned: Binned) -> None:
        self.options.watch.enter("the sealed data's transfer")
        with self.steps.step("seal", "sealing the columns") as step:
            size = deliver(self.party, self.job, enclave, to_arrow(binned))
            rows = len(next(iter(binned.codes.values())))
            step.result = (
                f"sealed {len(binned.codes)} columns of {rows:,} rows as bin codes, {size:,} bytes"
            )
        self._note("release", data_set=self.member.train, rows=rows, bytes=size)

    def _predict(
        self,
        session: Session,
        enclave: Attested,
        model: KeptModel | None,
        binned: Binned,
        chosen: Table,
    ) -> tuple[ModelShare, list[Timing]]:
        self.options.watch.enter("the hand-over")
        with self.steps.step("hand-over", "receiving a share of the model") as step:
            rows = agree_unscored(session, chosen.ids, self.spent, self.job.predictions)
            sizes = batches(len(rows))
            ask(enclave.channel, sizes, model.share if model else None)
            share = model.share if model else self._share(session, enclave, binned)
            lots = [receive_material(enclave.channel) for _ in sizes]
            enclave.channel.finish()
            step.result = (
                f"a share of the model ({share.shape.kind}), trained on {share.rows:,} clients"
                + (" (kept from an earlier run)" if model else "")
            )
        self.options.watch.enter("prediction")
        with self.steps.step("predict", f"scoring {len(rows):,} applicants") as step:
            scores = Scores(self.folder)
            codes = binned.recode(chosen)
            scoring = Scoring(session, self.job, share, codes, chosen.ids, self.spent, scores)
            timings = scoring.run(rows, iter(lots), step.progress)
            done = len(chosen.ids) - len(rows)
            step.result = f"scored {len(rows):,} applicants on shares" + (
                f"; {done:,} were scored before, or are beyond the job's number" if done else ""
            )
        digest = share.digest.hex()
        self._note("run", scored=len(rows), model=digest, simulated=share.simulated)
        return share, timings

    def _share(self, session: Session, enclave: Attested, binned: Binned) -> ModelShare:
        key = enclave.signing_key
        share = receive_share(enclave.channel, self.job, session.party, key)
        check_bins(share, session.party, binned)
        keep_model(self.folder, share, key, binned)
        return share

    def _part(self, session: Session) -> None:
        self.options.watch.enter("the end of the job")
        with self.steps.step("finish", "parting") as step:
            peer = session.channel.peer
            head, lines = exchange_heads(session.channel, self.record)
            self._note("peer-head", party=peer, head=head, lines=lines)
            self.options.watch.finish()
            step.result = f"both agree on all that was said; {peer}'s record has {lines} lines"

    def _note(self, event: str, **body: str | int | bool) -> None:
        self.record.append(event, dict(body), now())

    def _conclude(self, facts: Facts) -> Outcome:
        with self.steps.step("report", "writing the report") as step:
            outcome = conclude(facts, self.record)
            step.result = f"report in {outcome.page}"
        return outcome
