"""What a finished run means to its party: the report's content, from what this party holds."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.agreement.record import Record
from moiety.data.table import Table
from moiety.enclave.handover import ModelShare
from moiety.enclave.job import fit
from moiety.enclave.policy import Accepted
from moiety.party.agree import now
from moiety.party.align import Aligned
from moiety.party.config import Party
from moiety.party.costs import Ledger, latencies, step_costs
from moiety.party.files import replace_file
from moiety.party.predict import Scores, Timing
from moiety.party.seal import Binned, columns_of
from moiety.party.training import Shape
from moiety.report.assess import column_bins, compare, predictions
from moiety.report.content import (
    Check,
    Comparison,
    Distribution,
    Evidence,
    Header,
    Learned,
    PartyReport,
    PartyRole,
    RecordReference,
    Trust,
)
from moiety.report.page import write
from moiety.report.stored import to_json


@dataclass(frozen=True, eq=False)
class Facts:
    """What one party holds at the end of a run."""

    party: Party
    job: Job
    train: Table
    chosen: Table
    aligned: Mapping[str, Aligned]
    binned: Binned
    enclave: Accepted | None
    """None where a dealer that is no enclave deals."""
    share: ModelShare | None
    """None at a party that does not compute."""
    timings: Sequence[Timing]
    ledger: Ledger
    seconds: Mapping[str, float]
    ahead: str = ""
    """The record of the run in which all randomness was dealt ahead."""
    shapes: Sequence[Shape] = ()
    """The public shapes of all parties' rows, where the model was trained on shares."""

    @property
    def simulated(self) -> bool:
        """Whether a simulated enclave had a part in it."""
        shared = self.share is not None and self.share.simulated
        return shared or (self.enclave is not None and not self.enclave.production)

    @property
    def receives(self) -> bool:
        """Whether this party receives the scores."""
        return self.job.scores_to == self.party.name


@dataclass(frozen=True, eq=False)
class Outcome:
    """A run's result at one party: what its report says, and where the page is."""

    report: PartyReport
    page: Path


def conclude(facts: Facts, record: Record) -> Outcome:
    """Writes the page, its content as JSON, and their digests into the record."""
    folder = facts.party.job_folder(facts.job)
    scores = Scores(folder).read() if facts.receives else {}
    body = {"scores": len(scores), "simulated": facts.simulated}
    record.append("result", body, now())
    report = _report(facts, scores, record)
    page = folder / "report.html"
    write(report, page)
    replace_file(folder / "report.json", to_json(report).encode())
    digest = hashlib.sha256(page.read_bytes()).hexdigest()
    record.append("report", {"page": page.name, "sha256": digest}, now())
    return Outcome(report, page)


def _report(facts: Facts, scores: Mapping[str, float], record: Record) -> PartyReport:
    predicted, rows = _probabilities(facts, scores)
    return PartyReport(
        header=_header(facts),
        comparison=_comparison(facts, predicted, rows),
        scores=_distribution(predicted),
        columns=tuple(
            column_bins(name, _unit(facts, name), facts.binned.bins[name], codes, _outcomes(facts))
            for name, codes in facts.binned.codes.items()
        ),
        steps=step_costs(facts.ledger, _peer(facts)),
        learned=_learned(facts, len(scores)),
        trust=_trust(facts),
        latencies=latencies(facts.timings),
        record=RecordReference(
            record.path.name, facts.party.signing_key.public, record.head, record.lines
        ),
    )


def _peer(facts: Facts) -> str:
    return next(name for name in facts.job.names if name != facts.party.name)


def _unit(facts: Facts, name: str) -> str:
    return facts.train.schema.columns[name].unit


def _outcomes(facts: Facts) -> npt.NDArray[np.uint8] | None:
    return facts.binned.label


def _header(facts: Facts) -> Header:
    job = facts.job
    roles = []
    for member in job.members:
        words = ["label holder"] if member.label else []
        words += ["receives scores"] if job.scores_to == member.name else []
        words.append(f"brings {len(member.columns)} columns")
        roles.append(PartyRole(member.name, ", ".join(words)))
    does = "deals and sees no row" if job.model.by_mpc else "trains and deals"
    who = "enclave" if job.dealer_certificate is None else "dealer"
    roles.append(PartyRole(who, f"{does}; its host is {job.enclave_host}"))
    return Header(
        purpose=job.purpose,
        job_hash=job.hash.hex(),
        party=facts.party.name,
        label_holder=job.labelled.name,
        scores_to=job.scores_to,
        parties=tuple(roles),
        date=now(),
        model=job.model.kind,
        version=facts.share.digest.hex()[:16] if facts.share else "–",
        simulated=facts.simulated,
        on_shares=job.model.by_mpc,
        own_people=job.model.horizontal,
    )


def _probabilities(
    facts: Facts, scores: Mapping[str, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The receiver applies the sigmoid itself; rows are positions among the aligned applicants."""
    ids = facts.chosen.ids.tolist()
    rows = np.array([row for row, one in enumerate(ids) if one in scores], dtype=np.int64)
    logits = np.array([scores[ids[row]] for row in rows.tolist()], dtype=np.float64)
    return 1 / (1 + np.exp(-logits)), rows


def _distribution(predicted: npt.NDArray[np.float64]) -> Distribution | None:
    return predictions(predicted) if predicted.size else None


def _comparison(
    facts: Facts, predicted: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
) -> Comparison | None:
    """The label holder alone against the joint model, where outcomes became known."""
    label, outcome = facts.binned.label, facts.chosen.label
    if label is None or outcome is None or not rows.size:
        return None
    alone = fit(facts.job, {facts.party.name: columns_of(facts.binned)})
    codes = facts.binned.recode(facts.chosen.take(rows)).codes
    named = {f"{facts.party.name}.{name}": column for name, column in codes.items()}
    own = 1 / (1 + np.exp(-alone.logit(named)))
    return compare(outcome[rows], own, predicted, holder=facts.party.name.capitalize())


def _learned(facts: Facts, scores: int) -> tuple[Learned, ...]:
    job, rows = facts.job, []
    for use, aligned in facts.aligned.items():
        what = {"train": "clients", "score": "applicants"}[use]
        for name in job.names:
            other = next(each for each in job.names if each != name)
            rows.append(
                Learned(
                    name,
                    f"which of its {what} {other} has too",
                    len(aligned.rows),
                    "rows must be the same people in the same order",
                )
            )
            sizes = {facts.party.name: aligned.peer_size}
            size = sizes.get(name, aligned.own_size)
            rows.append(Learned(name, f"how many {what} {other} brought", 1, f"{size:,}: public"))
    receives = job.scores_to
    known = scores if facts.receives else sum(timing.rows for timing in facts.timings)
    rows.append(Learned(receives, "a score for each applicant", known, "the job's purpose"))
    rows += _of_shapes(facts)
    if facts.share is not None:
        rows += _of_share(job, facts.share)
    return tuple(rows)


def _of_shapes(facts: Facts) -> Iterator[Learned]:
    """What parties told each other before they computed on shares."""
    for shape in facts.shapes:
        for name in facts.job.names:
            if name != shape.party:
                what = f"how many rows {shape.party} brought to train on"
                yield Learned(name, what, 1, f"{shape.rows:,}: public")


def _of_share(job: Job, share: ModelShare) -> Iterator[Learned]:
    """What each party learned of the model, and the enclave of its training."""
    shape = sum(len(counts) for counts in share.shape.counts)
    for name in job.computing:
        yield Learned(name, "the bins of every column", shape, "the model's public shape")
        weights = sum(words.size for words in share.arrays.values())
        what = "one share of the model: uniformly random alone"
        yield Learned(name, what, weights, "to predict")
        if job.model.by_mpc:
            why = "a scorecard beyond that is refused"
            if job.model.kind == "scorecard":
                yield Learned(name, "that no logit can exceed 16", 1, why)
    if not job.model.by_mpc:
        what = "bin codes and labels of common clients"
        yield Learned("enclave", what, share.rows, "to train")


def _trust(facts: Facts) -> Trust:
    accepted, rules = facts.enclave, facts.party.rules.enclave.policy
    if facts.ahead:
        check = Check("randomness", "dealt ahead by a dealer checked then", facts.ahead, True)
        return Trust(facts.job.enclave_host, None, (check,), _weights(facts))
    if accepted is None:
        pinned = facts.job.dealer_certificate or ""
        check = Check("dealer's certificate", "one that the policy lists", pinned[:23], True)
        return Trust(facts.job.enclave_host, None, (check,), _weights(facts))
    authentic = accepted.authentic
    measured = authentic.evidence.report.mr_enclave.hex()
    evidence = Evidence(
        tee=authentic.tee,
        measurement=measured,
        root=authentic.root_sha256.hex(),
        tcb_status=authentic.tcb_status,
        advisories=authentic.advisories,
        verified_at=datetime.fromtimestamp(authentic.verified_at, UTC),
    )
    age = (authentic.verified_at - authentic.collateral_issued) // 86400
    days = (rules.max_age or 0) // 86400
    checks = (
        Check("measurement", f"one of {len(rules.measurements)} admitted", measured[:16], True),
        Check("TCB status", ", ".join(sorted(rules.tcb_statuses)), authentic.tcb_status, True),
        Check("collateral's age", f"at most {days} days", f"{age} days", True),
        Check("debug enclave", "never", "no", True),
        Check(
            "simulation",
            "admitted, its root pinned" if rules.allow_simulation else "never",
            "SIMULATED" if not authentic.production else "hardware",
            True,
        ),
    )
    return Trust(facts.job.enclave_host, evidence, checks, _weights(facts))


def _weights(facts: Facts) -> int | None:
    """The number of a scorecard's weights."""
    if facts.share is None or facts.share.shape.kind != "scorecard":
        return None
    return sum(sum(counts) for counts in facts.share.shape.counts)
