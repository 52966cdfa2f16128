"""Inside the enclave: a capsule's plaintext becomes checked columns, or the job is refused."""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from moiety.agreement.manifest import Job, Member
from moiety.errors import DataError

LABEL = "label"
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Columns:
    """One party's sealed columns: codes, bins of each, and whether the last bin means missing."""

    codes: dict[str, Codes]
    counts: dict[str, int]
    missing: dict[str, bool]
    label: Codes | None

    def __repr__(self) -> str:
        return f"Columns({len(self.codes)} columns)"


def read_columns(job: Job, member: Member, plaintext: bytes) -> Columns:
    """The columns in a capsule, checked against the job.

    Raises:
        DataError: another column than the job's, a code beyond its bins, a label not 0 or 1.
    """
    table = _table(member, plaintext)
    expected = list(member.columns) + ([LABEL] if member.label else [])
    if table.schema.names != expected:
        raise DataError(f"{member.name}'s capsule does not hold exactly the job's columns")
    arrays = {name: _codes(member, table.column(name)) for name in expected}
    label = arrays.pop(LABEL, None)
    counts = {name: _fact(table, name, b"bins", 255) for name in arrays}
    missing = {name: bool(_fact(table, name, b"missing", 1)) for name in arrays}
    for name, codes in arrays.items():
        if (codes >= counts[name]).any():
            raise DataError(f"{member.name}'s {name} has a code beyond its {counts[name]} bins")
    if label is not None and (label > 1).any():
        raise DataError(f"{member.name}'s label has a value other than 0 and 1")
    return Columns(arrays, counts, missing, label)


def _table(member: Member, plaintext: bytes) -> pa.Table:
    try:
        for message in pa.ipc.MessageReader.open_stream(plaintext):
            check_message(message, member.max_rows)
        with pa.ipc.open_stream(plaintext) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError, struct.error) as error:
        raise DataError(f"{member.name}'s capsule holds no Arrow table") from error
    return table


def check_message(message: pa.ipc.Message, most: int) -> None:
    """Refuses what would grow beyond the capsule's size when read: it is read from outside.

    A record batch may not be compressed nor have more than `most` rows; there are no dictionaries.
    Of the batch's metadata (Arrow columnar format, Message.fbs) only two fields are looked at.
    """
    if message.type not in ("schema", "record batch"):
        raise ValueError("a message that is no table")
    if message.type == "record batch":
        metadata = message.metadata.to_pybytes()
        batch = _child(metadata, struct.unpack_from("<I", metadata)[0], 2)
        at = _place(metadata, batch, 0)
        rows = struct.unpack_from("<q", metadata, at)[0] if at else 0
        if _place(metadata, batch, 3) or not 0 <= rows <= most:
            raise ValueError("a compressed batch, or one with too many rows")


def _place(data: bytes, table: int, field: int) -> int:
    """Where a flatbuffer's table keeps a field; 0 where it has none."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    slot = 4 + 2 * field
    if slot >= struct.unpack_from("<H", data, fields)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, fields + slot)[0]
    return table + offset if offset else 0


def _child(data: bytes, table: int, field: int) -> int:
    at = _place(data, table, field)
    if not at:
        raise ValueError("a message without its header")
    offset: int = struct.unpack_from("<I", data, at)[0]
    return at + offset


def _codes(member: Member, column: pa.ChunkedArray) -> Codes:
    if column.type != pa.uint8() or column.null_count:
        raise DataError(f"{member.name}'s capsule has a column that is not of bin codes")
    return np.ascontiguousarray(column.to_numpy(), dtype=np.uint8)


def _fact(table: pa.Table, name: str, key: bytes, most: int) -> int:
    text = (table.schema.field(name).metadata or {}).get(key, b"")
    value = int(text) if text.isdigit() and len(text) < 4 else -1
    if not 0 <= value <= most:
        raise DataError(f"{name}'s {key.decode()} is not told in its capsule")
    return value
