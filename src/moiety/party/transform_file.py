"""Transforms in files: fitted to a data set of a party, and applied to one.

A table may be larger than memory. It is read whole against its schema while its people are charged,
and once more while what leaves is written, beside its place: it takes it only if both times the
same people were read.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from moiety.agreement.fields import read_file, read_toml
from moiety.data.table import Table
from moiety.errors import ConfigError, UsageError
from moiety.party.agree import now
from moiety.party.config import Party
from moiety.party.files import replace_file, whole_file
from moiety.party.source import People, Progress, Source
from moiety.sampling import Integers
from moiety.transform.encoding import CUT, Encoding
from moiety.transform.labels import flip
from moiety.transform.settings import Settings
from moiety.transform.stored import Transform


@dataclass(frozen=True)
class Agreed:
    """What owners of such columns agreed on: centres and units, or cuts between levels."""

    scales: dict[str, tuple[float, float]] = field(default_factory=dict)
    edges: dict[str, tuple[float, ...]] = field(default_factory=dict)
    cut: float = CUT


@dataclass(frozen=True)
class Applied:
    """A release that was charged, written and noted; the digest is the file's SHA-256."""

    number: int
    rows: int
    digest: str


def read_agreed(path: Path) -> Agreed:
    """What a file with `[scales]`, `[edges]` and `cut` says.

    Raises:
        ConfigError: it says something else.
    """
    fields = read_toml(path)
    scales, edges = fields.table("scales", {}), fields.table("edges", {})
    cut = fields.real("cut", CUT)
    fields.done()
    pairs = {name: scales.numbers(name) for name in scales.unread()}
    for name, pair in pairs.items():
        if len(pair) != 2:
            raise ConfigError(
                f"{path} [scales]: {name} has {len(pair)} numbers", hint="[centre, unit]"
            )
    agreed = {name: (pair[0], pair[1]) for name, pair in pairs.items()}
    return Agreed(agreed, {name: edges.rising(name) for name in edges.unread()}, cut)


def fit_transform(
    party: Party, name: str, settings: Settings, agreed: Agreed, labels: float | None = None
) -> Transform:
    """A transform of the columns of a data set that the policy admits.

    Only a method that learns reads rows; everybody in them is charged before.

    Raises:
        PolicyRefused: no column is admitted, or somebody would overspend.
        UsageError: the table, the settings, or what was agreed does not fit.
    """
    supervised = settings.method == "supervised"
    source = Source.of(party, name, labelled=supervised or labels is not None)
    encoding = Encoding.of(source.schema, scales=agreed.scales, edges=agreed.edges, cut=agreed.cut)
    settings.check(encoding.width)
    settings.mechanism(np.zeros((encoding.width, settings.dimensions)))
    charged, learnt = People(), People()
    if settings.learned.rho:
        ids = _ids(charged.of(source.pieces()), encoding)
        party.ledger.charge(ids, settings.learned, f"{name}, learnt", now().isoformat())
    rows = ((encoding.rows(one), _label(one)) for one in learnt.of(source.pieces()))
    found = Transform(encoding, settings.fit(rows, encoding.width), settings.delta, labels)
    learnt.check(charged)
    return found


def check_free(out: Path) -> None:
    """Returns if a file can be made there: found out before anybody is charged.

    Raises:
        UsageError: it is there already, or its folder is not.
    """
    if out.exists():
        raise UsageError(f"{out} exists already", hint="to hand it out again costs nobody anything")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent} is no folder", hint="make it first: nobody was charged")


def save_transform(transform: Transform, path: Path) -> None:
    """Writes a transform for its owner only; it is on the disk when this returns."""
    replace_file(path, transform.to_json().encode())


def load_transform(path: Path) -> Transform:
    """The transform in a file.

    Raises:
        DataError: it holds none.
    """
    return Transform.from_json(read_file(path).decode("utf-8", "replace"))


def apply_transform(
    party: Party, name: str, transform: Transform, out: Path, progress: Progress = lambda _: None
) -> Applied:
    """Charges everybody in a data set, then writes what leaves: ids and noisy numbers, as Parquet.

    Whoever gets the file learns who is in it, and of each row what the noise leaves.

    Raises:
        PolicyRefused: a column is not admitted, or somebody would overspend; nothing was charged.
        UsageError: the table does not fit, or the file is there already; nothing was charged.
    """
    check_free(out)
    encoding = transform.encoding
    labelled = transform.labels is not None
    source = Source.of(party, name, columns=encoding.columns, labelled=labelled)
    charged, sent = People(progress), People(progress)
    ids = _ids(charged.of(source.pieces()), encoding)
    number = party.ledger.charge(ids, transform.cost, name, now().isoformat())
    with whole_file(out) as file:
        _write(file, (_leaving(transform, one) for one in sent.of(source.pieces())))
        sent.check(charged)
    with out.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    party.ledger.sent(number, digest)
    return Applied(number, sent.rows, digest)


def _ids(pieces: Iterable[Table], encoding: Encoding) -> Iterator[str]:
    """All ids, of rows that can be encoded: none is charged if one cannot."""
    for piece in pieces:
        encoding.rows(piece)
        yield from piece.ids.tolist()


def _label(piece: Table) -> Integers | None:
    return None if piece.label is None else piece.label.astype(np.int64)


def _leaving(transform: Transform, piece: Table) -> pa.Table:
    """What leaves of some rows, with fresh noise."""
    points = transform.mechanism.release(transform.encoding.rows(piece))
    columns = {"id": piece.ids.tolist(), **{f"t{k}": one for k, one in enumerate(points.T)}}
    if transform.labels is not None and piece.label is not None:
        columns["label"] = flip(piece.label, transform.labels)
    return pa.table(columns)


def _write(file: BinaryIO, groups: Iterator[pa.Table]) -> None:
    """Row groups, one after the other."""
    first = next(groups)
    with pq.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(group)
