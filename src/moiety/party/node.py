"""One party's node: the conductor of its part of a job, from agreement to report."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moiety.agreement.manifest import Job, Member, pin
from moiety.agreement.record import CLOSED, Record
from moiety.data.table import Table, load_schema
from moiety.enclave.handover import ModelShare, ask, receive_material, receive_share
from moiety.errors import AttestationFailed, ConfigError, MoietyError, PeerError, PolicyRefused
from moiety.party.agree import exchange, now, own_signature
from moiety.party.align import USES, Aligned, align, keep, kept
from moiety.party.attest import Attested, deliver, meet_enclave
from moiety.party.config import Party
from moiety.party.outcome import Facts, Outcome, conclude
from moiety.party.predict import Scores, Scoring, Timing, agree_unscored, batches
from moiety.party.seal import Binned, bin_columns, to_arrow
from moiety.party.spent import SpentIds
from moiety.run.session import Session
from moiety.run.steps import Listener, Steps
from moiety.wire.channel import Channel
from moiety.wire.tls import Options, connect, listen
from moiety.wire.watch import Watch

PATIENCE = 120.0


def run_job(party: Party, job: Job, listener: Listener) -> Outcome:
    """Runs this party's part of a signed job, and writes its record and report.

    Raises:
        PolicyRefused: this party did not sign the job, or a peer did not.
        DataError: a table does not hold what its schema declares.
        PeerLost: a peer or the enclave is gone; run the job again.
        AttestationFailed: the enclave is not acceptable; nothing was released.
    """
    signature = own_signature(party, job)
    steps = Steps(listener)
    with Watch(silence=party.silence) as watch, _record(party, job) as record:
        options = Options(watch=watch, progress=steps.note)
        try:
            return Node(party, job, steps, options, record).run(signature)
        except (PolicyRefused, AttestationFailed, PeerError) as error:
            watch.abort(str(error))
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
        session, agreed = self._agree(signature, earlier)
        train = self._align(session, tables["train"], "train", agreed)
        binned = bin_columns(self.job, self.member, tables["train"].take(train.rows))
        enclave = self._attest()
        self._deliver(enclave, binned)
        applicants = self._align(session, tables["score"], "score", agreed)
        chosen = tables["score"].take(applicants.rows)
        share, timings = self._predict(session, enclave, binned.recode(chosen), chosen)
        self.options.watch.finish()
        facts = Facts(
            party=self.party,
            job=self.job,
            train=tables["train"].take(train.rows),
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
    ) -> tuple[Session, dict[str, Aligned]]:
        """A session with the peer, and the alignments that both have kept."""
        with self.steps.step("agreement", "meeting the peer") as step:
            channel = self._peer()
            channel.step = "the agreement"
            mine = {use: found.digest for use, found in earlier.items() if found}
            theirs, digests = exchange(channel, self.job, signature, mine)
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
        return Session(channel, self.job.index(self.party.name)), agreed

    def _peer(self) -> Channel:
        peer = next(member for member in self.job.members if member.name != self.party.name)
        pinned = pin(peer.certificate)
        credentials = self.party.credentials
        if self.job.index(self.party.name) == 0:
            with listen(self.party.listen, credentials=credentials, options=self.options) as door:
                return door.accept({peer.name: pinned}, PATIENCE)
        return connect(
            self.party.peers[peer.name].address,
            peer.name,
            credentials=credentials,
            pinned=pinned,
            deadline=PATIENCE,
            options=self.options,
        )

    def _align(
        self, session: Session, table: Table, use: str, agreed: dict[str, Aligned]
    ) -> Aligned:
        self.options.watch.enter("alignment")
        what = {"train": "clients", "score": "applicants"}[use]
        with self.steps.step(f"align-{use}", f"aligning {what}") as step:
            found = agreed.get(use)
            if found is None:
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
        self, session: Session, enclave: Attested, binned: Binned, chosen: Table
    ) -> tuple[ModelShare, list[Timing]]:
        self.options.watch.enter("the hand-over")
        with self.steps.step("hand-over", "receiving a share of the model") as step:
            spent = SpentIds(self.folder, self.job.hash)
            rows = agree_unscored(session, chosen.ids, spent)[: self.job.predictions]
            sizes = batches(len(rows), self.job.model.kind)
            ask(enclave.channel, sizes)
            party = session.party
            share = receive_share(enclave.channel, self.job, party, enclave.signing_key)
            lots = [receive_material(enclave.channel) for _ in sizes]
            step.result = (
                f"a share of the model ({share.shape.kind}), trained on {share.rows:,} clients"
            )
        self.options.watch.enter("prediction")
        with self.steps.step("predict", f"scoring {len(rows):,} applicants") as step:
            scores = Scores(self.folder)
            scoring = Scoring(session, self.job, share, binned, chosen.ids, spent, scores)
            timings = scoring.run(rows, iter(lots), step.progress)
            done = len(chosen.ids) - len(rows)
            step.result = f"scored {len(rows):,} applicants on shares" + (
                f"; {done:,} had their score, or are beyond the job's number" if done else ""
            )
        digest = share.digest.hex()
        self._note("run", scored=len(rows), model=digest, simulated=share.simulated)
        return share, timings

    def _note(self, event: str, **body: str | int | bool) -> None:
        self.record.append(event, dict(body), now())

    def _conclude(self, facts: Facts) -> Outcome:
        with self.steps.step("report", "writing the report") as step:
            outcome = conclude(facts, self.record)
            step.result = f"report in {outcome.page}"
        return outcome
