"""The demo's oracle: secure against plaintext scores. It holds everybody's tables; no job does."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moiety.agreement.manifest import Job, load_job
from moiety.data.table import Table
from moiety.enclave.job import fit
from moiety.errors import AccuracyError
from moiety.learn.metrics import auc
from moiety.learn.scale import SCORE_BITS
from moiety.learn.shared_model import SharedModel
from moiety.learn.woe import Floats
from moiety.party.align import kept
from moiety.party.coded import Coded, coded
from moiety.party.config import Party, load_party
from moiety.party.predict import Scores
from moiety.party.seal import columns_of
from moiety.party.training import joined, shape_of, train
from moiety.report.content import Oracle
from moiety.report.page import write
from moiety.report.stored import from_json
from moiety.ring import decode, encode
from moiety.run.local import Clear

BOUND = 1e-3
"""Secure and plaintext probabilities of a model from an enclave differ by less."""
TRAINED = {"scorecard": 2e-2, "logistic": 2e-2, "perceptron": 1e-1, "trees": 1.0}
"""The same for models trained on shares: rounding goes into training, too, and among trees nearly
equal splits may fall otherwise."""
RANKED = 3e-3
"""The AUC of any model differs by less."""


@dataclass(frozen=True, eq=False)
class Whole:
    """All that all parties brought: by party, its rows to train on and its applicants, coded."""

    job: Job
    clients: dict[str, Coded]
    applicants: dict[str, Coded]
    chosen: Table
    """The receiver's applicants."""


def compare_with_plaintext(folder: Path) -> Oracle:
    """Fits the job's model on the joined rows in the clear, scores in the clear, compares.

    Also writes `report.html` in the demo's folder: the receiver's page with this comparison.

    Raises:
        AccuracyError: a probability differs by more than BOUND, or TRAINED, or the AUC by RANKED.
    """
    job = load_job(folder / "job.toml")
    parties = {name: load_party(folder / name) for name in job.names}
    plain = _twin if job.model.by_mpc else _fitted
    bound = TRAINED[job.model.kind] if job.model.by_mpc else BOUND
    whole = _whole(job, parties)
    receiver = parties[job.scores_to].job_folder(job)
    found = _compared(whole, plain(whole), Scores(receiver).read(), bound)
    report = from_json((receiver / "report.json").read_text(encoding="utf-8"))
    write(replace(report, oracle=found), folder / "report.html")
    if found.largest_difference > bound or abs(found.auc_difference) > RANKED:
        raise AccuracyError(
            f"secure scores differ by {found.largest_difference:.1e} from plaintext, and their AUC "
            f"by {found.auc_difference:+.1e}"
        )
    return found


def _whole(job: Job, parties: dict[str, Party]) -> Whole:
    tables = {name: _table(party, job, "train") for name, party in parties.items()}
    clients = {name: coded(job, table) for name, table in tables.items()}
    scored = [job.scores_to] if job.model.horizontal else list(job.names)
    chosen = {name: _table(parties[name], job, "score") for name in scored}
    applicants = {name: clients[name].recode(table) for name, table in chosen.items()}
    return Whole(job, clients, applicants, chosen[job.scores_to])


def _table(party: Party, job: Job, use: str) -> Table:
    member = job.member(party.name)
    data = party.data_set(getattr(member, use))
    table = data.load(member.columns, labelled=member.label is not None)
    if job.model.horizontal:
        return table
    found = kept(party.job_folder(job), job, table, use)
    if found is None:
        raise AccuracyError(f"{party.name} kept no alignment to compare with")
    return table.take(found.rows)


def _fitted(whole: Whole) -> Floats:
    """The applicants' logits by the model that the enclave trains."""
    model = fit(whole.job, {name: columns_of(own) for name, own in whole.clients.items()})
    codes = {
        f"{name}.{column}": values
        for name, own in whole.applicants.items()
        for column, values in own.codes.items()
    }
    return model.logit(codes)


def _twin(whole: Whole) -> Floats:
    """The applicants' logits by the parties' own algorithm in the clear, in float64."""
    job = whole.job
    shapes = [shape_of(name, own) for name, own in whole.clients.items()]
    table = joined(job, shapes, whole.clients)
    return _scored(whole, train(job, Clear(job.names), shapes, *table))


def _scored(whole: Whole, model: SharedModel) -> Floats:
    job, rows = whole.job, whole.chosen.rows
    program = model.shape.program(rows, job.index(job.scores_to))
    inputs = {
        name: encode(np.asarray(secret.parts[0]), program.inputs[name].fraction)
        for name, secret in model.arrays.items()
    }
    for place, name in enumerate(job.computing):
        if name in whole.applicants:
            codes = whole.applicants[name].codes
            inputs[f"features_{place}"] = model.shape.features(place, codes)
    return decode(program.clear(inputs)["score"].reshape(-1), SCORE_BITS)


def _compared(whole: Whole, logits: Floats, scores: dict[str, float], bound: float) -> Oracle:
    ids = whole.chosen.ids.tolist()
    rows = [row for row, one in enumerate(ids) if one in scores]
    secure = _sigmoid(np.array([scores[ids[row]] for row in rows]))
    plain, outcome = _sigmoid(logits[rows]), whole.chosen.label
    difference = 0.0
    if outcome is not None:
        difference = auc(outcome[rows], secure) - auc(outcome[rows], plain)
    return Oracle(len(rows), float(np.abs(secure - plain).max()), difference, bound)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))
