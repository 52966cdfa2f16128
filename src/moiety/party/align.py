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


def align(session: Session, job: Job, table: Table, *, use: str, progress: Progress) -> Aligned:
    """The rows of `table` that the peer's table has too, by private set intersection.

    Both parties learn which of their own ids are common and the size of the other's set.

    Raises:
        PolicyRefused: the peer brings more ids than the job allows, or too few are common.
    """
    peer = job.member(session.channel.peer)
    limits = Limits(max_peer=peer.max_rows, min_common=job.min_common)
    items = [one.encode() for one in table.ids.tolist()]
    found = session.intersect(items, _domain(job, use), limits, progress=progress)
    sizes = found.sizes if session.party == 0 else found.sizes[::-1]
    rows = np.asarray(found.rows, dtype=np.int64)
    return Aligned(use, rows, sizes[0], sizes[1], _digest(job, use, table, rows))


def keep(folder: Path, aligned: Aligned, table: Table) -> None:
    """Writes an alignment down for a later run of the same job."""
    facts = {"own_size": aligned.own_size, "peer_size": aligned.peer_size}
    body = {**facts, "table": _fingerprint(table), "rows": aligned.rows.tolist()}
    path = _path(folder, aligned.use)
    path.with_suffix(".tmp").write_text(json.dumps(body), encoding="utf-8")
    path.with_suffix(".tmp").replace(path)


def kept(folder: Path, job: Job, table: Table, use: str) -> Aligned | None:
    """The alignment that an earlier run kept, if it is of this very table."""
    path = _path(folder, use)
    if not path.exists():
        return None
    body = json.loads(path.read_text(encoding="utf-8"))
    if body["table"] != _fingerprint(table):
        return None
    rows = np.array(body["rows"], dtype=np.int64)
    digest = _digest(job, use, table, rows)
    return Aligned(use, rows, body["own_size"], body["peer_size"], digest)


def _path(folder: Path, use: str) -> Path:
    return folder / f"alignment-{use}.json"


def _domain(job: Job, use: str) -> bytes:
    return b"moiety alignment v1/" + use.encode() + b"/" + job.hash


def _digest(job: Job, use: str, table: Table, rows: npt.NDArray[np.int64]) -> bytes:
    listed = "\n".join(table.ids[rows].tolist()).encode()
    return hashlib.sha256(_domain(job, use) + b"\0" + listed).digest()


def _fingerprint(table: Table) -> str:
    return hashlib.sha256("\n".join(table.ids.tolist()).encode()).hexdigest()
