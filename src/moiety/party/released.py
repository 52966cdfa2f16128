"""What leaves an owner in a job that transforms rows: noisy points, each row charged to its person.

Points are kept in the job's folder, row by row. Whatever runs again, and in whichever order, a row
has the points that it had: noise is drawn, and its person charged, once.
"""

import hashlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.agreement.representation import Representation
from moiety.data.scales import Scale
from moiety.data.schema import ColumnSpec, Schema
from moiety.data.table import Table
from moiety.enclave.scoring import people
from moiety.errors import InternalError, PeerMisbehaved
from moiety.party.agree import now
from moiety.party.config import Party
from moiety.party.files import append, replace_file
from moiety.transform import Encoding, Guarantee, flip
from moiety.transform.mechanism import RADIUS, Mechanism, clipped
from moiety.transform.settings import Settings

Floats = npt.NDArray[np.float64]
WORD = np.dtype("<i4")
NAME = 32
"""Bytes of a row's name."""
_PROJECTION = "projection.npy"


@dataclass(frozen=True)
class Releases:
    """One party's releases in one job."""

    party: Party
    job: Job

    @property
    def told(self) -> Representation:
        """What the job says."""
        if self.job.representation is None:
            raise InternalError("a job that transforms no rows")
        return self.job.representation

    @property
    def folder(self) -> Path:
        """Where they are kept."""
        return self.party.job_folder(self.job)

    @cached_property
    def settings(self) -> Settings:
        """Owners of rows alike have one projection, which everybody can make; others their own."""
        told, job = self.told, self.job
        seed = self.party.signing_key.derive(b"projection" + job.hash)
        if job.model.horizontal:
            seed = hashlib.sha256(b"moiety projection\0" + job.hash).digest()
        return told.settings(seed[:16])

    def encoding(self, table: Table) -> Encoding:
        """How this party's columns become numbers: as agreed, else by declared bounds."""
        model, names = self.job.model, table.names
        scales = {name: (one[0], one[1]) for name, one in model.scales.items() if name in names}
        edges = {name: one for name, one in model.edges.items() if name in names}
        return Encoding.of(table.schema, scales=scales, edges=edges)

    def mechanism(self, table: Table) -> Mechanism:
        """The job's projection and noise; learnt from these rows, once, if the job says so."""
        encoding, settings = self.encoding(table), self.settings
        path = self.folder / _PROJECTION
        if path.exists():
            return settings.mechanism(np.load(path))
        settings.check(encoding.width)
        settings.mechanism(np.zeros((encoding.width, settings.dimensions)))
        rows = encoding.rows(table)
        if settings.learned.rho:
            self._charge(table, settings.learned, "projection")
        found = settings.fit([(rows, None)], encoding.width)
        written = io.BytesIO()
        np.save(written, found.projection)
        replace_file(path, written.getvalue())
        return found

    def of(self, table: Table, mechanism: Mechanism, what: str, *, labels: bool = False) -> bytes:
        """The points of a table's rows, and their labels if wanted: those kept, and new ones.

        Raises:
            PolicyRefused: somebody would overspend; nobody was charged, and nothing is to be sent.
        """
        kept = Kept(self.folder / "released.bin", size(self.told, 1, labels=labels))
        rows = self.encoding(table).rows(table)
        names = _names(table, rows, labels=labels)
        fresh = np.array([name not in kept for name in names], np.bool_)
        if fresh.any():
            some = table.take(np.flatnonzero(fresh))
            xi = self.told.labels if labels else 0.0
            number = self._charge(some, Guarantee(mechanism.rho, self.told.delta, xi), what)
            drawn = self._drawn(some, rows[fresh], mechanism, labels=labels)
            digest = hashlib.sha256(b"".join(drawn)).hexdigest()
            self.party.ledger.sent(number, digest)
            kept.add([name for name, new in zip(names, fresh, strict=True) if new], drawn)
        records = np.frombuffer(b"".join(kept[name] for name in names), np.uint8)
        records = records.reshape(table.rows, -1)
        cut = records.shape[1] - labels
        return records[:, :cut].tobytes() + records[:, cut:].tobytes()

    def _drawn(
        self, table: Table, rows: Floats, mechanism: Mechanism, *, labels: bool
    ) -> list[bytes]:
        """A record for each row: its points, and its label."""
        points = np.rint(mechanism.release(rows) / mechanism.step).astype(WORD)
        parts = [points.view(np.uint8).reshape(table.rows, -1)]
        if labels:
            flipped = flip(_known(table), self.told.labels).astype(np.uint8)
            parts.append(flipped[:, None])
        return [record.tobytes() for record in np.concatenate(parts, axis=1)]

    def agreed(self, table: Table) -> bytes:
        """A digest of how rows become numbers, which owners who pool them must have alike."""
        columns = self.encoding(table).columns
        told = {
            name: [one.centre, one.unit, one.missing]
            if isinstance(one, Scale)
            else [*one.bins.edges, one.missing, *one.bins.levels]
            for name, one in columns.items()
        }
        return hashlib.sha256(json.dumps(told).encode()).digest()

    def plain(self, table: Table, mechanism: Mechanism) -> Floats:
        """The points of this party's own rows, for itself: no noise."""
        rows = clipped(self.encoding(table).rows(table), mechanism.clip)
        return np.asarray(rows @ mechanism.projection)

    def _charge(self, table: Table, cost: Guarantee, what: str) -> int:
        name = f"{what} of job {self.job.hash.hex()[:16]}"
        return self.party.ledger.charge(table.ids.tolist(), cost, name=name, at=now().isoformat())


def size(told: Representation, rows: int, *, labels: bool = False) -> int:
    """How many bytes a release of so many rows has."""
    return rows * (told.dimensions * WORD.itemsize + labels)


def read(
    told: Representation, message: bytes, ids: Sequence[str], *, labels: bool = False
) -> Table:
    """A release as a table of numbers about these people.

    Raises:
        PeerMisbehaved: it is not of them.
    """
    rows = len(ids)
    if len(message) != size(told, rows, labels=labels):
        raise PeerMisbehaved(f"a release of {len(message)} bytes is not of {rows} rows")
    count = rows * told.dimensions * WORD.itemsize
    points = np.frombuffer(message[:count], WORD).reshape(rows, told.dimensions)
    flipped = np.frombuffer(message[count:], np.uint8) if labels else None
    if flipped is not None and flipped.size and int(flipped.max()) > 1:
        raise PeerMisbehaved("a release has a label other than 0 and 1")
    return as_table(points.astype(np.float64) * (told.clip / RADIUS), ids, flipped)


def as_table(
    points: Floats, ids: Sequence[str], label: npt.NDArray[np.uint8] | None = None
) -> Table:
    """Points as a table whose columns are called r0, r1 and so on."""
    names = [f"r{place}" for place in range(points.shape[1])]
    specs = [ColumnSpec(name, "float", -math.inf, math.inf) for name in names]
    columns = {name: np.ascontiguousarray(one) for name, one in zip(names, points.T, strict=True)}
    who = np.array(list(ids), dtype=np.str_)
    return Table("representation", Schema.of(specs), who, columns, label)


class Kept:
    """Records of one size by name, in a file that grows; one that was cut off is forgotten."""

    def __init__(self, path: Path, length: int) -> None:
        self._path, each = path, NAME + length
        data = path.read_bytes() if path.exists() else b""
        self._whole = len(data) - len(data) % each
        starts = range(0, self._whole, each)
        self._records = {data[at : at + NAME]: data[at + NAME : at + each] for at in starts}

    def __contains__(self, name: bytes) -> bool:
        return name in self._records

    def __getitem__(self, name: bytes) -> bytes:
        return self._records[name]

    def __repr__(self) -> str:
        return f"Kept({len(self._records)} rows)"

    def add(self, names: Sequence[bytes], records: Sequence[bytes]) -> None:
        """Writes records down; they are on the disk when this returns."""
        content = b"".join(a + b for a, b in zip(names, records, strict=True))
        append(self._path, content, after=self._whole)
        self._whole += len(content)
        self._records |= dict(zip(names, records, strict=True))


def _names(table: Table, rows: Floats, *, labels: bool) -> list[bytes]:
    """A name for each row of each person: a changed row is another one."""
    outcomes = _known(table).tolist() if labels else [0] * table.rows
    whole = zip(table.ids.tolist(), rows, outcomes, strict=True)
    return [
        hashlib.sha256(people([one]) + row.tobytes() + bytes([label])).digest()
        for one, row, label in whole
    ]


def _known(table: Table) -> npt.NDArray[np.uint8]:
    if table.label is None:
        raise InternalError("a table without labels")
    return table.label
