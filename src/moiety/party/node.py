"""One party's part of a job, as far as all are alike: tables, agreement, alignment, parting."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job, Member
from moiety.agreement.record import Record
from moiety.data.table import Table
from moiety.errors import ConfigError, PolicyRefused
from moiety.party.agree import exchange, exchange_heads, now
from moiety.party.align import USES, Aligned, align, count_attempt, keep, kept
from moiety.party.attest import Attested, meet_enclave
from moiety.party.config import Party
from moiety.party.facts import Facts
from moiety.party.meet import meet_peers
from moiety.party.model import KeptModel, agreed_model, kept_model
from moiety.party.outcome import Outcome, conclude
from moiety.party.predict import Scoring, Timing
from moiety.party.spent import SpentIds
from moiety.run.session import Session
from moiety.run.steps import Steps
from moiety.wire.channel import Channel
from moiety.wire.tls import Options


@dataclass
class Node(ABC):
    """One run of one job at one party."""

    party: Party
    job: Job
    steps: Steps
    options: Options
    record: Record
    spent: SpentIds
    signatures: dict[str, bytes] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    others_keep_a_model: bool = False
    """At a party that does not compute: whether those who do have a model of an earlier run."""
    stocked: bool = False
    """Whether all correlated randomness was dealt ahead, to both who compute."""
    helper: Channel | None = None
    """The connection to the enclave or the dealer."""
    verb: ClassVar[bytes] = b"run"
    """What all parties must be about to do."""

    @property
    def member(self) -> Member:
        """This party, as the job describes it."""
        return self.job.member(self.party.name)

    @property
    def folder(self) -> Path:
        """Where this job's files are."""
        return self.party.job_folder(self.job)

    @property
    def index(self) -> int:
        """This party's place in the job."""
        return self.job.index(self.party.name)

    @cached_property
    def session(self) -> Session:
        """The session with the other computing party."""
        peer = self.job.computing[1 - self.index]
        return Session(self.channels[peer], self.index)

    @property
    def lines(self) -> list[Channel]:
        """All connections of this run so far."""
        return [*self.channels.values(), *([self.helper] if self.helper else [])]

    def enough(self, clients: Table) -> None:
        """Returns if this party brings as many people of its own as the job wants.

        Raises:
            PolicyRefused: it does not.
        """
        if clients.rows < self.job.min_common:
            raise PolicyRefused(
                f"{self.member.train} has {clients.rows:,} rows; "
                f"the job needs {self.job.min_common:,}"
            )

    @abstractmethod
    def run(self, signature: bytes) -> object:
        """All steps, in order; what comes of them."""

    def load(self) -> dict[str, Table]:
        """This party's tables by use, checked against schema, job and limits."""
        with self.steps.step("load", "reading tables") as step:
            tables = {"train": self._table(self.member.train, required=True)}
            if self.member.score:
                tables["score"] = self._table(self.member.score, required=False)
            rows = [f"{table.rows:,}" for table in tables.values()]
            step.result = f"read {' rows to train on and '.join(rows)} to score"
            if len(rows) == 1:
                step.result = f"read {rows[0]} rows to train on"
        return tables

    def _table(self, name: str, *, required: bool) -> Table:
        data = self.party.data_set(name)
        label = self.member.label
        if label is not None and data.label != label and (required or data.label is not None):
            raise ConfigError(
                f"[data.{name}] has label {data.label!r}, the job says '{label}'",
                hint="moiety data add --label names it",
            )
        table = data.load(self.member.columns, labelled=label is not None)
        if table.rows > self.member.max_rows:
            raise PolicyRefused(
                f"{name} has {table.rows:,} rows; the job allows {self.member.max_rows:,}",
                hint="propose a job with a larger max_rows",
            )
        return table

    def agree(
        self, signature: bytes, tables: dict[str, Table]
    ) -> tuple[dict[str, Aligned], KeptModel | None]:
        """Meets all parties; the alignments, and the model, that they and this one have kept."""
        earlier: dict[str, Aligned | None] = {}
        if not self.job.model.horizontal:
            earlier = {use: kept(self.folder, self.job, tables[use], use) for use in USES}
        model = kept_model(self.folder, self.job, self.index)
        with self.steps.step("agreement", "meeting the other parties") as step:
            self.channels = meet_peers(self.party, self.job, self.options)
            known = {use: found.digest for use, found in earlier.items() if found}
            known |= {"model": model.share.digest} if model else {}
            known |= {"verb": self.verb, **self.held()}
            digests = self._exchanged(signature, known)
            self.stocked = self._agreed_stock(known, digests)
            for name in self.job.names:
                text = self.signatures[name].hex()
                self.note("approval", party=name, signature=text)
            signers = ", ".join(self.job.names[:-1])
            step.result = (
                f"{signers} and {self.job.names[-1]} signed job {self.job.hash.hex()[:16]}"
            )
        agreed = {
            use: found
            for use, found in earlier.items()
            if found and all(theirs.get(use) == found.digest for theirs in digests.values())
        }
        theirs = [one.get("model") for name, one in digests.items() if name in self.job.computing]
        if self.job.way in ("enclave", "transform"):
            return agreed, None
        if self.party.name in self.job.computing:
            return agreed, agreed_model(model, theirs[0], self.spent)
        self.others_keep_a_model = theirs[0] is not None and len(set(theirs)) == 1
        return agreed, None

    def held(self) -> dict[str, bytes]:
        """Digests of what else this party has kept for this run."""
        return {}

    def _agreed_stock(self, known: dict[str, bytes], digests: dict[str, dict[str, bytes]]) -> bool:
        """Whether both who compute hold the same stock of lots."""
        computing = [
            (known if name == self.party.name else digests[name]).get("stock")
            for name in self.job.computing
        ]
        return computing[0] is not None and computing[0] == computing[1]

    def _exchanged(self, signature: bytes, known: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
        """What each peer has kept, once its signature on this very job is good."""
        self.signatures, digests = {self.party.name: signature}, {}
        for name, channel in self.channels.items():
            channel.step = "the agreement"
            self.signatures[name], digests[name] = exchange(channel, self.job, signature, known)
            if digests[name].get("verb") != self.verb:
                raise PolicyRefused(
                    f"{name} does not mean to {self.verb.decode()} the job now",
                    hint="all parties start `moiety run`, or all `moiety offline`",
                )
        return digests

    def align(
        self, session: Session, table: Table, use: str, agreed: dict[str, Aligned]
    ) -> Aligned:
        """Which of this party's rows the peer has too, as agreed before or found now."""
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
        self.note("alignment", use=use, kept=use in agreed, digest=found.digest.hex(), **sizes)
        return found

    def attest(self) -> Attested:
        """The job's enclave, accepted by this party's policy."""
        with self.steps.step("attestation", "judging the enclave's evidence") as step:
            enclave = meet_enclave(self.party, self.job, self.signatures, self.options)
            self.helper = enclave.channel
            authentic = enclave.accepted.authentic
            measured = authentic.evidence.report.measurement.hex()
            step.result = f"accepted the enclave {measured[:16]}, {authentic.tcb_status}"
        self.note(
            "evidence",
            tee=authentic.tee,
            measurement=measured,
            status=authentic.tcb_status,
            root=authentic.root_sha256.hex(),
            simulated=enclave.simulated,
        )
        if enclave.simulated:
            inside = "what it deals, and no row" if self.job.model.by_mpc else "everything in it"
            self.steps.note(f"SIMULATED enclave: whoever runs its host can see {inside}")
        return enclave

    def score(self, scoring: Scoring, rows: npt.NDArray[np.int64]) -> list[Timing]:
        """Scores these of the applicants on shares."""
        self.options.watch.enter("prediction")
        with self.steps.step("predict", f"scoring {len(rows):,} applicants") as step:
            timings = scoring.run(rows, step.progress)
            done = len(scoring.ids) - len(rows)
            step.result = f"scored {len(rows):,} applicants on shares" + (
                f"; {done:,} were scored before, or are beyond the job's number" if done else ""
            )
        share = scoring.share
        self.note("run", scored=len(rows), model=share.digest.hex(), simulated=share.simulated)
        return timings

    def part(self) -> None:
        """Ends the job with everybody; each keeps the heads of the others' records."""
        self.options.watch.enter("the end of the job")
        with self.steps.step("finish", "parting") as step:
            said = []
            for name, channel in self.channels.items():
                head, lines = exchange_heads(channel, self.record)
                self.note("peer-head", party=name, head=head, lines=lines)
                said.append(f"{name}'s record has {lines} lines")
            self.options.watch.finish()
            for channel in self.lines:
                went = channel.totals
                self.note(
                    "traffic", peer=channel.peer, sent=went.sent_bytes, received=went.received_bytes
                )
            step.result = f"all agree on all that was said; {', '.join(said)}"

    def note(self, event: str, **body: str | int | bool) -> None:
        """One more line of this run's record."""
        self.record.append(event, dict(body), now())

    def conclude(self, facts: Facts) -> Outcome:
        """The report and its digest in the record."""
        with self.steps.step("report", "writing the report") as step:
            outcome = conclude(facts, self.record)
            step.result = f"report in {outcome.page}"
        return outcome
