"""The demo's oracle: secure against plaintext scores. It holds both tables; the job did not."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from moiety.agreement.manifest import Job, load_job
from moiety.data.table import Table, load_schema
from moiety.enclave.job import fit
from moiety.errors import AccuracyError
from moiety.learn.metrics import auc
from moiety.learn.woe import Floats
from moiety.party.align import kept
from moiety.party.config import Party, load_party
from moiety.party.predict import Scores
from moiety.party.seal import Binned, bin_columns, columns_of
from moiety.report.content import Oracle
from moiety.report.page import write
from moiety.report.stored import from_json

BOUND = 1e-3
"""Secure and plaintext probabilities differ by less."""


def compare_with_plaintext(folder: Path) -> Oracle:
    """Fits the job's model on the joined rows in the clear, scores in the clear, compares.

    Also writes `report.html` in the demo's folder: the lender's page with this comparison.

    Raises:
        AccuracyError: a probability differs by more than BOUND.
    """
    job = load_job(folder / "job.toml")
    parties = {name: load_party(folder / name) for name in job.names}
    train = {name: _aligned(party, job, "train") for name, party in parties.items()}
    chosen = {name: _aligned(party, job, "score") for name, party in parties.items()}
    binned = {name: bin_columns(job, job.member(name), table) for name, table in train.items()}
    found = _compare(job, parties, binned, chosen)
    lender = parties[job.scores_to].job_folder(job)
    report = from_json((lender / "report.json").read_text(encoding="utf-8"))
    write(replace(report, oracle=found), folder / "report.html")
    if found.largest_difference > BOUND:
        raise AccuracyError(f"secure scores differ by {found.largest_difference} from plaintext")
    return found


def _aligned(party: Party, job: Job, use: str) -> Table:
    member = job.member(party.name)
    data = party.data_set(getattr(member, use))
    label = data.label if member.label else None
    table = Table.load(data.path, load_schema(data.schema), id=data.id, label=label)
    table = table.select(member.columns)
    found = kept(party.job_folder(job), job, table, use)
    if found is None:
        raise AccuracyError(f"{party.name} kept no alignment to compare with")
    return table.take(found.rows)


def _compare(
    job: Job, parties: dict[str, Party], binned: dict[str, Binned], chosen: dict[str, Table]
) -> Oracle:
    model = fit(job, {name: columns_of(own) for name, own in binned.items()})
    codes = {
        f"{name}.{column}": values
        for name, own in binned.items()
        for column, values in own.recode(chosen[name]).codes.items()
    }
    receiver = job.scores_to
    scores = Scores(parties[receiver].job_folder(job)).read()
    ids = chosen[receiver].ids.tolist()
    rows = [row for row, one in enumerate(ids) if one in scores]
    secure = _sigmoid(np.array([scores[ids[row]] for row in rows]))
    plain = _sigmoid(model.logit(codes)[rows])
    outcome = chosen[job.labelled.name].label
    difference = 0.0
    if outcome is not None:
        difference = auc(outcome[rows], secure) - auc(outcome[rows], plain)
    return Oracle(len(rows), float(np.abs(secure - plain).max()), difference, BOUND)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))
