"""The one model of a job: this party's share of it, and the bins in which it reads its columns.

Kept before the first score is computed. A job in which somebody was scored has no second model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moiety.agreement.manifest import Job
from moiety.data.bins import Bins
from moiety.enclave.handover import ModelShare, read_share
from moiety.errors import MoietyError, PolicyRefused, UsageError
from moiety.message import decode, encode
from moiety.party.files import replace_file
from moiety.party.seal import Binned
from moiety.party.spent import SpentIds

_SCHEMA: dict[str, Any] = {"key": str, "message": bytes, "bins": str}
_LIMIT = 1 << 29


@dataclass(frozen=True)
class KeptModel:
    """What a party keeps of the job's model."""

    share: ModelShare
    bins: dict[str, Bins]


def keep_model(folder: Path, share: ModelShare, signing_key: str, binned: Binned) -> None:
    """Writes the share and the bins down; they are on the disk when this returns."""
    bins = json.dumps({name: cut.to_dict() for name, cut in binned.bins.items()})
    body = {"key": signing_key, "message": share.message, "bins": bins}
    replace_file(_path(folder), encode(body))


def kept_model(folder: Path, job: Job, party: int) -> KeptModel | None:
    """The share and bins of an earlier run of this job.

    Raises:
        UsageError: somebody changed the file.
    """
    path = _path(folder)
    if not path.exists():
        return None
    try:
        body = decode(path.read_bytes(), _SCHEMA, _LIMIT)
        share = read_share(body["message"], job, party, body["key"])
        bins = {name: Bins.from_dict(cut) for name, cut in json.loads(body["bins"]).items()}
    except (MoietyError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not as it was written", hint="restore it") from error
    return KeptModel(share, bins)


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


def check_bins(share: ModelShare, party: int, binned: Binned) -> None:
    """Refuses a model that reads this party's columns in other bins than it has.

    Raises:
        PolicyRefused: the counts differ.
    """
    if share.shape.counts[party] != binned.counts:
        raise PolicyRefused("the enclave's model does not read my columns in my bins")


def _path(folder: Path) -> Path:
    return folder / "model.share"
