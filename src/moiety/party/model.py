"""The one model of a job: this party's share of it, and how it reads its columns.

Kept before the first score is computed. A job in which somebody was scored has no second model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moiety.agreement.manifest import Job
from moiety.data.codings import Codings, from_dict, to_dict
from moiety.enclave.handover import ModelShare, arrays, check_shape, read_share
from moiety.errors import MoietyError, PolicyRefused, UsageError
from moiety.learn.public_shape import SHAPE_SCHEMA, PublicShape
from moiety.learn.shared_model import SharedModel
from moiety.message import decode, encode
from moiety.party.coded import Coded
from moiety.party.files import replace_file
from moiety.party.spent import SpentIds

_SCHEMA: dict[str, Any] = {"key": str, "message": bytes, "codings": str}
_TRAINED: dict[str, Any] = {"header": bytes, "arrays": dict[str, bytes]}
_FACTS: dict[str, Any] = {
    "job": bytes,
    "shape": SHAPE_SCHEMA,
    "rows": int,
    "simulated": bool,
    "course": bytes,
}
_LIMIT = 1 << 29


@dataclass(frozen=True)
class KeptModel:
    """What a party keeps of the job's model."""

    share: ModelShare
    codings: Codings


def keep_model(folder: Path, share: ModelShare, signing_key: str, own: Coded) -> None:
    """Writes the share and the codings down; they are on the disk when this returns."""
    codings = json.dumps(to_dict(own.codings))
    body = {"key": signing_key, "message": share.message, "codings": codings}
    replace_file(_path(folder), encode(body))


def kept_model(folder: Path, job: Job, party: int) -> KeptModel | None:
    """The share and codings of an earlier run of this job.

    Raises:
        UsageError: somebody changed the file.
    """
    path = _path(folder)
    if not path.exists():
        return None
    try:
        body = decode(path.read_bytes(), _SCHEMA, _LIMIT)
        opened = read_share if body["key"] else _trained
        share = opened(body["message"], job, party, body["key"])
        codings = from_dict(json.loads(body["codings"]))
    except (MoietyError, ValueError) as error:
        raise UsageError(f"{path} is not as it was written", hint="restore it") from error
    return KeptModel(share, codings)


def trained_share(job: Job, model: SharedModel, facts: Mapping[str, Any]) -> ModelShare:
    """This party's share of a model that the parties trained on shares, under a header of facts.

    `facts` are alike at both parties: rows, simulated, and the course of their computation.
    """
    header = encode({"job": job.hash, "shape": model.shape.to_fields(), **facts})
    held = {name: secret.parts[0] for name, secret in model.arrays.items()}
    packed = {name: words.tobytes() for name, words in held.items() if words is not None}
    return _trained(encode({"header": header, "arrays": packed}), job, 0, "")


def _trained(message: bytes, job: Job, party: int, key: str) -> ModelShare:
    said = decode(message, _TRAINED, _LIMIT)
    facts = decode(said["header"], _FACTS, _LIMIT)
    shape = PublicShape.from_fields(facts["shape"])
    check_shape(shape, job)
    if facts["job"] != job.hash:
        raise UsageError("a share of another job's model")
    found = arrays(said["arrays"], shape, job)
    return ModelShare(said["header"], shape, facts["rows"], facts["simulated"], found, message)


def agreed_model(kept: KeptModel | None, theirs: bytes | None, spent: SpentIds) -> KeptModel | None:
    """The model that both parties have, or None if a first one is to be trained.

    Raises:
        PolicyRefused: somebody was scored in this job, and not with a model that both still have.
    """
    if kept is not None and theirs == kept.share.digest:
        return kept
    if len(spent):
        raise PolicyRefused(
            f"{len(spent):,} applicants were scored in this job with a model that one party lacks",
            hint="a job has one model: propose a new job, which all parties sign",
        )
    return None


def check_columns(share: ModelShare, party: int, own: Coded) -> None:
    """Refuses a model that reads this party's columns otherwise than it codes them.

    Raises:
        PolicyRefused: the counts differ.
    """
    if share.shape.counts[party] != own.counts:
        raise PolicyRefused("the model does not read my columns as I code them")


def _path(folder: Path) -> Path:
    return folder / "model.share"
