"""What a finished run means to its party: the report's content, from what this party holds."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.record import Record
from moiety.agreement.representation import Representation
from moiety.data.scales import Levels, Scale
from moiety.party.agree import now
from moiety.party.alone import alone
from moiety.party.costs import latencies, step_costs
from moiety.party.facts import Facts
from moiety.party.files import replace_file
from moiety.party.learned import learned
from moiety.party.predict import Scores
from moiety.report.assess import column_bins, column_numbers, compare, predictions
from moiety.report.content import (
    Check,
    ColumnBins,
    ColumnNumbers,
    Comparison,
    Distribution,
    Evidence,
    Header,
    PartyReport,
    PartyRole,
    RecordReference,
    Trust,
)
from moiety.report.page import write
from moiety.report.stored import to_json

HELPS = {
    "enclave-mpc": "trains and deals",
    "enclave": "trains and scores",
    "mpc": "deals and sees no row",
}
"""What the enclave or the dealer does."""


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
        columns=tuple(_binned(facts)),
        numbers=tuple(_scaled(facts)),
        steps=step_costs(facts.ledger, _peer(facts)),
        learned=learned(facts, len(scores)),
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


def _binned(facts: Facts) -> Iterator[ColumnBins]:
    """Own columns that were cut into bins, and categories that became numbers by levels."""
    for name, coding in facts.coded.codings.items():
        if not isinstance(coding, Scale):
            bins = coding.bins if isinstance(coding, Levels) else coding
            codes = bins.codes(facts.train[name])
            yield column_bins(name, _unit(facts, name), bins, codes, facts.coded.label)


def _scaled(facts: Facts) -> Iterator[ColumnNumbers]:
    """Own columns that are numbers."""
    for name, coding in facts.coded.codings.items():
        if isinstance(coding, Scale):
            clip = facts.job.model.clip
            yield column_numbers(name, _unit(facts, name), coding, facts.train[name], clip)


def _header(facts: Facts) -> Header:
    job = facts.job
    roles = []
    for member in job.members:
        words = ["label holder"] if member.label else []
        words += ["receives scores"] if job.scores_to == member.name else []
        words.append(f"brings {len(member.columns)} columns")
        roles.append(PartyRole(member.name, ", ".join(words)))
    does = HELPS.get(job.way, "")
    who = "enclave" if job.dealer_certificate is None else "dealer"
    if job.helped:
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
        way=job.way,
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
    label, outcome, party = facts.coded.label, facts.chosen.label, facts.party.name
    if label is None or outcome is None or not rows.size:
        return None
    chosen = facts.coded.recode(facts.chosen.take(rows))
    own = 1 / (1 + np.exp(-alone(facts.job, party, facts.coded, chosen)))
    return compare(outcome[rows], own, predicted, holder=party.capitalize())


def _budget_checks(facts: Facts, told: Representation) -> tuple[Check, ...]:
    """What an owner's policy says of what its people are charged; the receiver charges nobody."""
    if facts.receives:
        return ()
    budget = facts.party.rules.transform
    most = f"at most {budget.max_epsilon:g} in all releases"
    return (
        Check("ε of a row, this release", most, f"{told.epsilon:g}", True),
        Check("δ", f"at most {budget.delta:g}", f"{told.delta:g}", True),
    )


def _leakage_checks(facts: Facts) -> tuple[Check, ...]:
    if facts.job.model.training != "enclave":
        return ()
    admitted = f"one of {', '.join(facts.party.rules.enclave.leakage)}"
    return (Check("leakage profile", admitted, facts.job.leakage, True),)


def _trust(facts: Facts) -> Trust:
    accepted, rules = facts.enclave, facts.party.rules.enclave.policy
    weights = sum(facts.share.shape.dims) if facts.share and facts.job.model.linear else None
    if facts.job.representation is not None:
        return Trust("", None, _budget_checks(facts, facts.job.representation), None)
    if facts.ahead:
        check = Check("randomness", "dealt ahead by a dealer checked then", facts.ahead, True)
        return Trust(facts.job.enclave_host, None, (check,), weights)
    if accepted is None:
        pinned = facts.job.dealer_certificate or ""
        check = Check("dealer's certificate", "one that the policy lists", pinned[:23], True)
        return Trust(facts.job.enclave_host, None, (check,), weights)
    authentic = accepted.authentic
    measured = authentic.evidence.report.measurement.hex()
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
        *_leakage_checks(facts),
    )
    return Trust(facts.job.enclave_host, evidence, checks, weights, facts.job.leakage)
