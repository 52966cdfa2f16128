"""Who learned what in a job, as one party can tell: a list for its report."""

from collections.abc import Iterator

from moiety.agreement.manifest import Job
from moiety.agreement.representation import Representation
from moiety.enclave.handover import ModelShare
from moiety.party.costs import POINTS, TRANSFORM
from moiety.party.facts import Facts
from moiety.party.released import size
from moiety.report.content import Learned

_BINS = "the bins of every column"


def learned(facts: Facts, scores: int) -> tuple[Learned, ...]:
    """One row for each party and thing; `scores` is how many the receiver has by now."""
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
    if job.representation is not None:
        rows += _of_points(facts, job.representation)
    if job.way == "enclave":
        rows += _of_inside(facts)
    if job.model.training == "enclave":
        rows.append(_of_host(job, len(facts.aligned["train"].rows)))
    return tuple(rows)


def _of_shapes(facts: Facts) -> Iterator[Learned]:
    """What parties told each other before they computed on shares."""
    for shape in facts.shapes:
        for name in facts.job.names:
            if name != shape.party:
                what = f"how many rows {shape.party} brought to train on"
                yield Learned(name, what, 1, f"{shape.rows:,}: public")


def _of_points(facts: Facts, told: Representation) -> Iterator[Learned]:
    """What the receiver got where others transform their rows."""
    job = facts.job
    labels = f", and a label flipped for ε = {told.labels:g}" if job.model.horizontal else ""
    what = f"{told.dimensions} noisy numbers of each row of the others{labels}"
    why = f"to train; ε = {told.epsilon:g} at δ = {told.delta:g} for each row"
    sizes = [
        row.measured.sent + row.measured.received
        for row in facts.ledger[TRANSFORM]
        if row.step == POINTS
    ]
    each = size(told, 1, labels=job.model.horizontal)
    values = told.dimensions + job.model.horizontal
    yield Learned(job.scores_to, what, sum(sizes) // each * values, why)


def _of_inside(facts: Facts) -> Iterator[Learned]:
    """What the enclave learned where everything happens in it."""
    clients = len(facts.aligned["train"].rows)
    yield Learned("enclave", "bin codes and labels of common clients", clients, "to train")
    scored = sum(timing.rows for timing in facts.timings)
    yield Learned("enclave", "bin codes and scores of applicants", scored, "to predict")


def _of_host(job: Job, clients: int) -> Learned:
    """What the enclave's host may learn by watching it train, by the job's leakage profile."""
    why = f"leakage = {job.leakage}"
    if job.leakage == "fast":
        what = "where training reads memory: depends on rows and labels"
        return Learned(job.enclave_host, what, clients, why)
    what = "where training reads memory: its kernels, as sizes alone decide"
    return Learned(job.enclave_host, what, 0, why)


def _of_share(job: Job, share: ModelShare) -> Iterator[Learned]:
    """What each party learned of the model, and the enclave of its training."""
    columns = sum(len(counts) for counts in share.shape.counts)
    becomes = "how many numbers each column becomes" if job.model.numeric else _BINS
    for name in job.computing:
        yield Learned(name, becomes, columns, "the model's public shape")
        weights = sum(words.size for words in share.arrays.values())
        what = "one share of the model: uniformly random alone"
        yield Learned(name, what, weights, "to predict")
        if job.model.by_mpc and job.model.kind == "scorecard":
            why = "a scorecard beyond that is refused"
            yield Learned(name, "that no logit can exceed 16", 1, why)
    if not job.model.by_mpc:
        what = "bin codes and labels of common clients"
        yield Learned("enclave", what, share.rows, "to train")
