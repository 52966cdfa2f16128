"""Inside the enclave: tables of several owners joined by id, in an order that no id decides."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moiety import _core
from moiety.errors import DataError

Bytes = npt.NDArray[np.uint8]
KEY = 32


@dataclass(frozen=True, repr=False, eq=False)
class Side:
    """One owner's table: ids of equally many bytes, and the row of each, as bytes."""

    ids: Bytes
    """(rows × bytes of an id)"""
    rows: Bytes
    """(rows × bytes of a row)"""

    def __repr__(self) -> str:
        return f"Side({len(self.ids)} rows)"


@dataclass(frozen=True, repr=False, eq=False)
class Joined:
    """The rows of the ids that all tables have, and zeros up to the size of the smallest table.

    `rows` tells nothing by its size. How many of them are rows is for the job to tell, or to keep.
    """

    rows: Bytes
    """(rows of the smallest table × bytes of all rows of an id, in the tables' order)"""
    count: int

    def __repr__(self) -> str:
        return f"Joined({len(self.rows)} places)"


def join(sides: Sequence[Side]) -> Joined:
    """The tables joined by id, in an order that is fresh each time and tells nothing.

    Ids are compared by 128 bits of BLAKE3 under a key that is drawn here. All rows go through one
    sorting network and one compaction, so whoever sees memory addresses and branches of the
    compiled kernel learns the numbers of rows and bytes alone. Source: the sort-merge join of
    Opaque (Zheng et al. 2017, §5.2).

    Raises:
        DataError: a table has an id twice, or the sizes do not fit each other.
    """
    _check(sides)
    tables = [(np.ascontiguousarray(one.ids), np.ascontiguousarray(one.rows)) for one in sides]
    try:
        rows, count = _core.join_rows(secrets.token_bytes(KEY), tables)
    except ValueError as error:
        hint = "a table has one row for each id: its owner merges the rows"
        raise DataError("a table that is to be joined has an id twice", hint=hint) from error
    return Joined(rows, count)


def fixed_width(ids: Sequence[str], width: int) -> Bytes:
    """Ids in UTF-8, each padded with zero bytes to `width`.

    For their owner, before it seals them: how long this takes, and what it reads, depends on them.

    Raises:
        DataError: an id is longer, or has a zero byte, so that another could look like it.
    """
    texts = [text.encode() for text in ids]
    if any(len(text) > width or b"\0" in text for text in texts):
        raise DataError(f"an id has more than {width} bytes, or a zero byte in it")
    padded = b"".join(text.ljust(width, b"\0") for text in texts)
    return np.frombuffer(padded, np.uint8).reshape(len(texts), width)


def _check(sides: Sequence[Side]) -> None:
    widths = {one.ids.shape[1:] for one in sides}
    if len(widths) != 1 or any(len(one.ids) != len(one.rows) for one in sides):
        raise DataError("tables to be joined have ids of one width, and a row for each")
    if widths == {(0,)} or any(one.ids.ndim != 2 or one.rows.ndim != 2 for one in sides):
        raise DataError("ids and rows to be joined are bytes in two dimensions")
