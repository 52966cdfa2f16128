"""Aligned rows: which of this party's rows the peer has too, in an order both agree on.

A finished alignment is kept, so that a run that was cut short goes on after it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.data.table import Table
from moiety.errors import PolicyRefused
from moiety.party.files import append, replace_file
from moiety.protocols.intersection import Limits
from moiety.run.session import Progress, Session

USES = ("train", "score")


@dataclass(frozen=True, eq=False)
class Aligned:
    """Common rows of one use (train or score), by position in this party's table."""

    use: str
    rows: npt.NDArray[np.int64]
    own_size: int
    peer_size: int
    digest: bytes
    """The same at both parties for the same rows in the same order."""

    def __repr__(self) -> str:
        return f"Aligned({self.use}: {len(self.rows)} common of {self.own_size})"


def count_attempt(folder: Path, job: Job, use: str) -> None:
    """Writes one more attempt to align down, before anything is sent.

    Each attempt tells the peer how many of the ids it brings are here; another table, another ask.

    Raises:
        PolicyRefused: the job's attempts are used up.
    """
    path = folder / f"attempts-{use}"
    done = path.stat().st_size if path.exists() else 0
    if done >= job.attempts:
        raise PolicyRefused(
            f"this job's tables to {use} were aligned {done} times; the job allows no more",
            hint="propose a new job, which all parties sign",
        )
    append(path, b".", after=done)


def align(session: Session, job: Job, table: Table, *, use: str, progress: Progress) -> Aligned:
    """The rows of `table` that the peer's table has too, by private set intersection.

    Both parties learn which of their own ids are common and the size of the other's set.

    Raises:
        PolicyRefused: the peer brings more ids than the job allows, or too few are common.
    """
    peer = job.member(session.channel.peer)
    least = {"train": job.min_common, "score": job.min_applicants}[use]
    limits = Limits(max_peer=peer.max_rows, min_common=least)
    items = [one.encode() for one in table.ids.tolist()]
    found = session.intersect(items, _domain(job, use), limits, progress=progress)
    sizes = found.sizes if session.party == 0 else found.sizes[::-1]
    rows = np.asarray(found.rows, dtype=np.int64)
    return Aligned(use, rows, sizes[0], sizes[1], _digest(job, use, table, rows))


def keep(folder: Path, aligned: Aligned, table: Table) -> None:
    """Writes an alignment down for a later run of the same job."""
    facts = {"own_size": aligned.own_size, "peer_size": aligned.peer_size}
    body = {**facts, "table": _fingerprint(table), "rows": aligned.rows.tolist()}
    replace_file(_path(folder, aligned.use), json.dumps(body).encode())


def kept(folder: Path, job: Job, table: Table, use: str) -> Aligned | None:
    """The alignment that an earlier run kept, if it is whole and of this very table."""
    try:
        body = json.loads(_path(folder, use).read_bytes())
        if body["table"] != _fingerprint(table):
            return None
        rows = np.array(body["rows"], dtype=np.int64)
        sizes = int(body["own_size"]), int(body["peer_size"])
        return Aligned(use, rows, *sizes, _digest(job, use, table, rows))
    except (FileNotFoundError, ValueError, TypeError, KeyError, IndexError):
        return None


def _path(folder: Path, use: str) -> Path:
    return folder / f"alignment-{use}.json"


def _domain(job: Job, use: str) -> bytes:
    return b"moiety alignment v1/" + use.encode() + b"/" + job.hash


def _digest(job: Job, use: str, table: Table, rows: npt.NDArray[np.int64]) -> bytes:
    listed = "\n".join(table.ids[rows].tolist()).encode()
    return hashlib.sha256(_domain(job, use) + b"\0" + listed).digest()


def _fingerprint(table: Table) -> str:
    return hashlib.sha256("\n".join(table.ids.tolist()).encode()).hexdigest()
