"""Attacks on the models themselves, by their scores: who was trained on, and what they compute.

A score is the same whichever secure way computes it; where rows are transformed it is another
model's. The attackers have all columns of the people they ask about, which no party of a job has:
the receiver's own, and what the other brings to the model.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from moiety import audit
from moiety.agreement.manifest import Job
from moiety.audit import Finding
from moiety.enclave.inputs import Columns
from moiety.enclave.job import fit
from moiety.party.alone import Parts, fitted
from moiety.party.coded import Coded

Floats = npt.NDArray[np.float64]
Predict = Callable[[Floats], Floats]
Fit = Callable[[Floats, Floats], Predict]
SHADOWS = 16
QUERIES = 1000


def attacks(
    job: Job, trained: Parts, chosen: Parts, outcomes: npt.NDArray[np.uint8], against: str
) -> Iterator[Finding]:
    """Membership inference and extraction, against the model of a job's kind on these rows.

    `chosen` are people whom it was not trained on, with their outcomes.
    """
    known = _label(trained)
    logits = [fitted(job, trained, part) for part in (trained, chosen)]
    rows = np.concatenate([matrix(trained), matrix(chosen)])
    people = audit.People(rows, np.concatenate([known, outcomes]))
    member = np.arange(len(rows)) < len(known)
    scores = expit(np.concatenate(logits))
    learn = learner(job, trained)
    yield audit.membership(scores, people, member, fit=learn, shadows=SHADOWS, against=against)[0]
    wide = one_hot(chosen)
    told = {row.tobytes(): score for row, score in zip(wide, scores[~member], strict=True)}
    queries = min(QUERIES, len(wide) // 2)
    yield audit.extract(_looked_up(told), wide, [queries], against=against)[0]


def matrix(parts: Parts) -> Floats:
    """(rows × columns) all bin codes side by side."""
    columns = [one for own in parts.values() for one in own.codes.values()]
    return np.column_stack(columns).astype(np.float64)


def one_hot(parts: Parts) -> Floats:
    """(rows × bins) 1 where a row is in a bin."""
    blocks = [
        np.eye(count)[own.codes[name]]
        for own in parts.values()
        for name, count in zip(own.codings, own.counts, strict=True)
    ]
    return np.concatenate(blocks, axis=1)


def learner(job: Job, parts: Parts) -> Fit:
    """What trains a model of the job's kind on rows as `matrix` makes them."""

    def learn(rows: Floats, labels: Floats) -> Predict:
        model = fit(job, _columns(parts, rows, labels))
        return lambda some: np.asarray(expit(model.logit(_codes(parts, some))))

    return learn


def _columns(parts: Parts, rows: Floats, labels: Floats) -> dict[str, Columns]:
    codes, made = _codes(parts, rows), {}
    first = next(iter(parts))
    for name, own in parts.items():
        mine = {column: codes[f"{name}.{column}"] for column in own.codings}
        counts = dict(zip(own.codings, own.counts, strict=True))
        missing = dict(zip(own.codings, own.missing, strict=True))
        label = labels.astype(np.uint8) if name == first else None
        made[name] = Columns(mine, counts, missing, label)
    return made


def _codes(parts: Parts, rows: Floats) -> dict[str, npt.NDArray[np.uint8]]:
    names = [f"{name}.{column}" for name, own in parts.items() for column in own.codings]
    return {name: column.astype(np.uint8) for name, column in zip(names, rows.T, strict=True)}


def _label(parts: Mapping[str, Coded]) -> npt.NDArray[np.uint8]:
    found = next(iter(parts.values())).label
    return np.zeros(0, np.uint8) if found is None else found


def _looked_up(told: Mapping[bytes, float]) -> Predict:
    return lambda rows: np.array([told[row.tobytes()] for row in np.ascontiguousarray(rows)])
