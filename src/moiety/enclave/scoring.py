"""Applicants are scored inside, by the model that was trained there; one party gets the scores.

Over the attested channels come the bin codes of the same applicants in the same order, without
outcomes; the receiver gets a log-odds for each. The model leaves the enclave in no form. A digest
of the rows that it was trained on does, under salts of all parties: a job has one model, and each
party asks only that one.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.enclave.inputs import Codes, Columns, read_columns
from moiety.enclave.upload import largest_capsule
from moiety.errors import PeerMisbehaved, PolicyRefused
from moiety.learn.scale import LOGIT_BOUND, SCORE_BITS
from moiety.learn.scorecard import Scorecard
from moiety.learn.trees import PaddedTrees
from moiety.message import decode, encode
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

Floats = npt.NDArray[np.float64]
SALT = 32
_MARK = {"salt": bytes}
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


def rounded(logits: Floats) -> Floats:
    """Log-odds as they are told: in units of 2^-SCORE_BITS, cut to ±LOGIT_BOUND."""
    unit = 2.0**SCORE_BITS
    told: Floats = np.clip(np.rint(logits * unit) / unit, -LOGIT_BOUND, LOGIT_BOUND)
    return told


def ask_mark(channel: Channel, salt: bytes) -> bytes:
    """The digest of what the model was trained on, under this party's salt and the others'."""
    channel.send(Kind.MATERIAL, encode({"salt": salt}))
    return channel.receive(Kind.MODEL, hashlib.sha256().digest_size)


def ask_scores(channel: Channel, who: bytes, rows: int, table: bytes, *, mine: bool) -> Floats:
    """Sends a party's columns of some applicants; their log-odds, which only the receiver gets.

    After the last ones, none are asked for.

    Raises:
        PeerMisbehaved: the enclave scored another number of them.
    """
    channel.send(Kind.MATERIAL, encode({"people": who, "rows": rows, "table": table}))
    limit = 8 * rows + _SLACK
    said = decode(channel.receive(Kind.MODEL, limit), _SCORES, limit, sender="the enclave")
    due = 8 * rows if mine else 0
    if said["scored"] != rows or len(said["logits"]) != due:
        raise PeerMisbehaved(f"the enclave scored {said['scored']} of {rows} applicants")
    logits = np.frombuffer(said["logits"], "<f8")
    if not np.isfinite(logits).all():
        raise PeerMisbehaved("the enclave sent a score that is no number")
    return logits.astype(np.float64)


def score_inside(
    job: Job,
    model: Scorecard | PaddedTrees,
    trained: Mapping[str, Columns],
    channels: Mapping[str, Channel],
) -> int:
    """Marks the model, then scores applicants whom all parties name alike; returns how many.

    Raises:
        PolicyRefused: they name other people, or more than the job states.
        DataError: columns are not coded as those trained on.
    """
    _mark(trained, channels)
    scored = 0
    while rows := _batch(job, model, trained, channels, job.predictions - scored):
        scored += rows
    return scored


def _mark(trained: Mapping[str, Columns], channels: Mapping[str, Channel]) -> None:
    limit = SALT + _SLACK
    salts = [
        decode(channel.receive(Kind.MATERIAL, limit), _MARK, limit, sender=name)["salt"]
        for name, channel in channels.items()
    ]
    digest = hmac.digest(b"".join(salts), _rows(trained), "sha256")
    for channel in channels.values():
        channel.send(Kind.MODEL, digest)


def _rows(trained: Mapping[str, Columns]) -> bytes:
    """The rows trained on, in an order that does not depend on how they came."""
    columns = [codes for own in trained.values() for codes in own.codes.values()]
    columns += [own.label for own in trained.values() if own.label is not None]
    table = np.column_stack(columns)
    ordered = table[np.lexsort(table.T)]
    named = repr([(name, own.counts, own.missing) for name, own in trained.items()])
    return hashlib.sha256(named.encode() + np.ascontiguousarray(ordered).tobytes()).digest()


def _batch(
    job: Job,
    model: Scorecard | PaddedTrees,
    trained: Mapping[str, Columns],
    channels: Mapping[str, Channel],
    left: int,
) -> int:
    asked = {name: _asked(job, name, channel) for name, channel in channels.items()}
    rows = _agreed(job, list(asked.values()), left)
    codes: dict[str, Codes] = {}
    for name, one in asked.items():
        known = trained[name]
        if (one.columns.counts, one.columns.missing) != (known.counts, known.missing):
            raise PolicyRefused(f"{name} codes its applicants otherwise than its clients")
        codes |= {f"{name}.{column}": values for column, values in one.columns.codes.items()}
    logits = rounded(model.logit(codes)) if rows else np.zeros(0)
    for name, channel in channels.items():
        told = logits.astype("<f8").tobytes() if name == job.scores_to else b""
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


def _agreed(job: Job, asked: Sequence[Applicants], left: int) -> int:
    if len({(one.people, one.rows) for one in asked}) > 1:
        raise PolicyRefused("the parties ask for scores of different applicants")
    rows = asked[0].rows
    if rows > left:
        raise PolicyRefused(
            f"the parties ask for {job.predictions - left + rows} predictions; the job states "
            f"{job.predictions}",
            hint="score fewer applicants, or sign a job that states more",
        )
    return rows
