"""What leaves an owner in a job that transforms rows: noisy points, each row charged to its person.

A release is kept in the job's folder. A run again sends the same bytes, which costs nobody more;
new noise on the same rows would.
"""

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.agreement.representation import Representation
from moiety.data.schema import ColumnSpec, Schema
from moiety.data.table import Table
from moiety.enclave.scoring import people
from moiety.errors import InternalError, PeerMisbehaved
from moiety.party.agree import now
from moiety.party.config import Party
from moiety.party.files import replace_file
from moiety.transform import Encoding, Guarantee, flip
from moiety.transform.mechanism import RADIUS, Mechanism, clipped
from moiety.transform.settings import Settings

Floats = npt.NDArray[np.float64]
WORD = np.dtype("<i4")
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
        return Settings(
            told.dimensions, told.epsilon, told.delta, told.clip, told.method, seed=seed[:16]
        )

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
        if settings.learned.rho:
            self._charge(table, settings.learned, "projection")
        found = settings.fit([(encoding.rows(table), None)], encoding.width)
        written = io.BytesIO()
        np.save(written, found.projection)
        replace_file(path, written.getvalue())
        return found

    def of(self, table: Table, mechanism: Mechanism, what: str, *, labels: bool = False) -> bytes:
        """The points of a table's rows, and their labels if wanted; the same for the same rows.

        Raises:
            PolicyRefused: somebody would overspend; nobody was charged, and nothing is to be sent.
        """
        rows = self.encoding(table).rows(table)
        path = self.folder / f"released-{_named(table, rows)}.bin"
        if path.exists():
            return path.read_bytes()
        xi = self.told.labels if labels else 0.0
        number = self._charge(table, Guarantee(mechanism.rho, self.told.delta, xi), what)
        points = mechanism.release(rows) / mechanism.step
        message = np.rint(points).astype(WORD).tobytes()
        if labels:
            message += flip(_known(table), self.told.labels).astype(np.uint8).tobytes()
        replace_file(path, message)
        self.party.ledger.sent(number, hashlib.sha256(message).hexdigest())
        return message

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


def _named(table: Table, rows: Floats) -> str:
    """A name for these rows of these people: changed rows are another release."""
    label = b"" if table.label is None else table.label.tobytes()
    return hashlib.sha256(people(table.ids.tolist()) + rows.tobytes() + label).hexdigest()[:32]


def _known(table: Table) -> npt.NDArray[np.uint8]:
    if table.label is None:
        raise InternalError("a table without labels")
    return table.label
