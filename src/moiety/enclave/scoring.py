"""Applicants are scored inside, by the model that was trained there; one party gets the scores.

Over the attested channels come the bin codes of the same applicants in the same order, without
outcomes; the receiver gets a log-odds for each. The model leaves the enclave in no form.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.enclave.inputs import Codes, Columns, read_columns
from moiety.enclave.upload import largest_capsule
from moiety.errors import PeerMisbehaved, PolicyRefused
from moiety.learn.scorecard import Scorecard
from moiety.learn.trees import PaddedTrees
from moiety.message import decode, encode
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

Floats = npt.NDArray[np.float64]
_APPLICANTS = {"people": bytes, "rows": int, "table": bytes}
_SCORES = {"logits": bytes, "scored": int}
_SLACK = 4096


@dataclass(frozen=True)
class Applicants:
    """One party's columns of the applicants, and the digest of who they are."""

    people: bytes
    rows: int
    columns: Columns


def people(ids: Sequence[str]) -> bytes:
    """Names a list of ids: SHA-256 over them in order, which all parties must have alike."""
    whole = hashlib.sha256()
    for one in ids:
        whole.update(hashlib.sha256(one.encode()).digest())
    return whole.digest()


def ask_scores(channel: Channel, who: bytes, rows: int, table: bytes) -> Floats:
    """Sends a party's columns of the applicants; the log-odds, which only the receiver gets.

    Raises:
        PeerMisbehaved: the enclave scored another number of them.
    """
    channel.send(Kind.MATERIAL, encode({"people": who, "rows": rows, "table": table}))
    limit = 8 * rows + _SLACK
    said = decode(channel.receive(Kind.MODEL, limit), _SCORES, limit, sender="the enclave")
    logits = np.frombuffer(said["logits"], "<f8")
    if said["scored"] != rows or len(logits) not in (0, rows) or not np.isfinite(logits).all():
        raise PeerMisbehaved(f"the enclave scored {said['scored']} of {rows} applicants")
    return logits.astype(np.float64)


def score_inside(
    job: Job,
    model: Scorecard | PaddedTrees,
    trained: Mapping[str, Columns],
    channels: Mapping[str, Channel],
) -> int:
    """Scores the applicants that all parties name alike; returns how many.

    Raises:
        PolicyRefused: they name other people, or more than the job states.
        DataError: columns are not coded as those trained on.
    """
    asked = {name: _asked(job, name, channel) for name, channel in channels.items()}
    rows = _agreed(job, list(asked.values()))
    codes: dict[str, Codes] = {}
    for name, one in asked.items():
        if (one.columns.counts, one.columns.missing) != (
            trained[name].counts,
            trained[name].missing,
        ):
            raise PolicyRefused(f"{name} codes its applicants otherwise than its clients")
        codes |= {f"{name}.{column}": values for column, values in one.columns.codes.items()}
    logits = np.asarray(model.logit(codes), "<f8") if rows else np.zeros(0)
    for name, channel in channels.items():
        told = logits.tobytes() if name == job.scores_to else b""
        channel.send(Kind.MODEL, encode({"logits": told, "scored": rows}))
    return rows


def _asked(job: Job, name: str, channel: Channel) -> Applicants:
    member = replace(job.member(name), label=None)
    limit = largest_capsule(member)
    said = decode(channel.receive(Kind.MATERIAL, limit), _APPLICANTS, limit, sender=name)
    columns = read_columns(job, member, said["table"])
    if {len(codes) for codes in columns.codes.values()} != {said["rows"]}:
        raise PeerMisbehaved(f"{name}'s columns are not of {said['rows']} applicants")
    return Applicants(said["people"], said["rows"], columns)


def _agreed(job: Job, asked: Sequence[Applicants]) -> int:
    if len({(one.people, one.rows) for one in asked}) > 1:
        raise PolicyRefused("the parties ask for scores of different applicants")
    rows = asked[0].rows
    if rows > job.predictions:
        raise PolicyRefused(
            f"the parties ask for {rows} predictions; the job states {job.predictions}",
            hint="score fewer applicants, or sign a job that states more",
        )
    return rows
