"""Runs one party's part of a job, whichever way its model is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from moiety.agreement.manifest import Job
from moiety.agreement.record import CLOSED, Record
from moiety.errors import MoietyError, told
from moiety.party.agree import now, own_signature
from moiety.party.config import Party
from moiety.party.files import sole_run
from moiety.party.in_enclave import InEnclave
from moiety.party.meet import check_ready
from moiety.party.node import Node
from moiety.party.offline import Offline, Stocked
from moiety.party.on_shares import Contributing, Joint, OnShares
from moiety.party.outcome import Outcome
from moiety.party.spent import SpentIds
from moiety.party.through_enclave import ThroughEnclave
from moiety.party.transformed_columns import TransformedColumns
from moiety.party.transformed_rows import TransformedRows
from moiety.run.steps import Listener, Steps
from moiety.wire.channel import Heard
from moiety.wire.tls import Options
from moiety.wire.watch import Watch

N = TypeVar("N", bound=Node)
Runs = type[ThroughEnclave] | type[Joint] | type[TransformedColumns] | type[TransformedRows]


def run_job(party: Party, job: Job, listener: Listener, heard: Heard | None = None) -> Outcome:
    """Runs this party's part of a signed job, and writes its record and report.

    `heard` is told every message that this party receives: its whole view of the others.

    Raises:
        PolicyRefused: this party did not sign the job, or a peer did not.
        DataError: a table does not hold what its schema declares.
        PeerLost: a peer, the enclave or the dealer is gone; run the job again.
        AttestationFailed: the enclave is not acceptable; nothing was released.
    """
    with _node(party, job, listener, _kind(party, job), heard) as (node, signature):
        return node.run(signature)


def stock_job(party: Party, job: Job, listener: Listener) -> Stocked:
    """Gets what the next run of a job will need of its dealer, which then need not be there.

    Raises: as `run_job`.
    """
    with _node(party, job, listener, Offline) as (node, signature):
        return node.run(signature)


@contextmanager
def _node(
    party: Party, job: Job, listener: Listener, kind: type[N], heard: Heard | None = None
) -> Iterator[tuple[N, bytes]]:
    """A party's part of a job under way, and its signature; what ends it, all others are told."""
    signature = own_signature(party, job)
    check_ready(party, job)
    steps = Steps(listener)
    with (
        sole_run(party.job_folder(job)),
        Watch(silence=party.silence) as watch,
        _record(party, job) as record,
    ):
        options = Options(watch=watch, progress=steps.note, heard=heard)
        try:
            spent = SpentIds(party.job_folder(job), party.signing_key.derive(job.hash))
            yield kind(party, job, steps, options, record, spent), signature
        except BaseException as error:
            watch.abort(told(error))
            raise


def _kind(party: Party, job: Job) -> Runs:
    """How this party takes part."""
    if job.way == "transform":
        return TransformedRows if job.model.horizontal else TransformedColumns
    if job.way == "enclave":
        return InEnclave
    if job.way == "enclave-mpc":
        return ThroughEnclave
    return OnShares if party.name in job.computing else Contributing


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
