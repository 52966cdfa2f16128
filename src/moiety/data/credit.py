"""Real data for demonstrations: 30,000 credit card clients, divided among two made-up parties.

The table is UCI's `default of credit card clients` (Yeh & Lien 2009, CC BY 4.0); see
`credit/ATTRIBUTION.md`. Who is whose client, and every client number, is made up.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from moiety.data.schema import Schema, load_schema
from moiety.data.table import Table
from moiety.errors import DataError

Rows = npt.NDArray[np.int64]

TABLE = Path(__file__).parent / "credit" / "credit.parquet"
SCHEMA = TABLE.with_suffix(".toml")
ID, LABEL = "id", "default"

_APPLICATION = ("limit_bal", "sex", "education", "marriage", "age")
_STATUS = tuple(f"pay_{month}" for month in (0, 2, 3, 4, 5, 6))
_BILLS = tuple(f"bill_amt{month}" for month in range(1, 7))
_PAYMENTS = tuple(f"pay_amt{month}" for month in range(1, 7))
COLUMNS = (*_APPLICATION, *_STATUS, *_BILLS, *_PAYMENTS)

SPLITS = {
    "thin": _APPLICATION,
    "bills": (*_APPLICATION, *_BILLS),
    "strong": (*_APPLICATION, "pay_0", "bill_amt1"),
    "fate": ("pay_6", *_BILLS, *_PAYMENTS),
}
"""The lender's columns; the payment company has the others. `fate` is the vertical split that the
FATE project publishes for this table (its guest is the lender)."""
APPLICANTS = 5
"""One in so many of the lender's people is a new applicant, not yet a client."""


@dataclass(frozen=True, repr=False, eq=False)
class CreditSplit:
    """What each party has before they meet: tables to be written as files.

    `lender` (id, the lender's columns, label) are booked clients; `applicants` (the same columns)
    are new, and their label is what became known later: for evaluation only. `payco` (id, the
    other columns) are the payment company's clients, without a label.
    """

    lender: pa.Table
    applicants: pa.Table
    payco: pa.Table

    @property
    def lender_columns(self) -> tuple[str, ...]:
        """The lender's columns, without id and label."""
        return _features(self.lender)

    @property
    def payco_columns(self) -> tuple[str, ...]:
        """The payment company's columns, without the id."""
        return _features(self.payco)

    @staticmethod
    def of_rows(rows: Rows, names: tuple[str, ...]) -> pa.Table:
        """Some rows of the table with these columns, and made-up client numbers as ids."""
        with pq.ParquetFile(TABLE) as file:
            table = file.read()
        ids = np.array([_as_lender(number) for number in _numbers(table.num_rows, 0)])
        return _part(table, rows, ids, names)

    @staticmethod
    def write(rows: pa.Table, path: Path) -> Path:
        """Writes one of the tables as Parquet, its schema beside it; returns the schema's path."""
        pq.write_table(rows, path)
        schema = path.with_suffix(".schema.toml")
        declared = credit_schema().select(name for name in rows.column_names if name != ID)
        schema.write_text(declared.to_toml(), encoding="utf-8")
        return schema


def load_credit() -> Table:
    """All 30,000 rows with all 23 columns, the label, and UCI's row numbers as ids."""
    return Table.load(TABLE, credit_schema(), id=ID, label=LABEL)


def credit_rows(purpose: str) -> Rows:
    """All rows in an order that depends on the purpose alone."""
    return np.argsort(_digests(load_count(), 0, purpose))


def load_count() -> int:
    """How many rows the table has."""
    with pq.ParquetFile(TABLE) as file:
        return int(file.metadata.num_rows)


@cache
def credit_schema() -> Schema:
    """The declared kinds and bounds of the 23 columns and the label."""
    return load_schema(SCHEMA)


def split_credit(split: str, *, overlap: float = 0.8, seed: int = 0) -> CreditSplit:
    """The table divided between a lender and a payment company, the same for the same seed.

    Both have equally many people, `overlap` is the share of them that the other has too, and
    everybody is somebody's. A fifth of the lender's people, common or not, are applicants. Rows
    are in unrelated orders, and each party writes ids in its own way.

    Raises:
        DataError: no such split, or an overlap outside 0..1.
    """
    if split not in SPLITS:
        raise DataError(f"no split '{split}'", hint=f"one of {', '.join(SPLITS)}")
    if not 0 < overlap <= 1:
        raise DataError(f"overlap is {overlap}", hint="a share above 0 and at most 1")
    with pq.ParquetFile(TABLE) as file:
        table = file.read()
    lenders = SPLITS[split]
    paycos = tuple(name for name in COLUMNS if name not in lenders)
    clients, applicants, customers = _people(table.num_rows, overlap, seed)
    numbers = _numbers(table.num_rows, seed)
    at_lender = np.array([_as_lender(number) for number in numbers])
    at_payco = np.array([_as_payco(number) for number in numbers])
    return CreditSplit(
        lender=_part(table, clients, at_lender, (*lenders, LABEL)),
        applicants=_part(table, applicants, at_lender, (*lenders, LABEL)),
        payco=_part(table, customers, at_payco, paycos),
    )


def _people(count: int, overlap: float, seed: int) -> list[Rows]:
    """Rows of clients, applicants and customers, each in its own order."""
    order = np.argsort(_digests(count, seed, "people"))
    each = round(count / (2 - overlap))
    common, alone, customers = np.split(order, [2 * each - count, each])
    known = (common, alone)
    groups = {
        "clients": [rows[len(rows) // APPLICANTS :] for rows in known],
        "applicants": [rows[: len(rows) // APPLICANTS] for rows in known],
        "customers": [common, customers],
    }
    return [_shuffled(np.concatenate(rows), seed, name) for name, rows in groups.items()]


def _shuffled(rows: Rows, seed: int, purpose: str) -> Rows:
    return np.sort(rows)[np.argsort(_digests(len(rows), seed, purpose))]


def _digests(count: int, seed: int, purpose: str) -> npt.NDArray[np.uint64]:
    """Hashes that stand in for random numbers: the same on every machine."""
    texts = (f"{purpose}/{seed}/{row}" for row in range(count))
    return np.frombuffer(
        b"".join(hashlib.sha256(text.encode()).digest()[:8] for text in texts), "<u8"
    )


def _numbers(count: int, seed: int) -> list[str]:
    """Different made-up client numbers of eight digits, in no order."""
    digests = _digests(count, seed, "numbers")
    ranks = np.argsort(np.argsort(digests))
    step = 10**8 // count
    return [f"{number:08d}" for number in ranks * step + (digests % step).astype(np.int64)]


def _as_lender(number: str) -> str:
    return f"C-{number}"


def _as_payco(number: str) -> str:
    """One of four spellings, as years of systems leave behind."""
    head, tail = number[:4], number[4:]
    wide = number.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    spellings = (f" c{number} ", f"c {head} {tail}", f"C{head}-{tail}", f"c{wide}")
    return spellings[int(number) % len(spellings)]


def _part(
    table: pa.Table, rows: Rows, ids: npt.NDArray[np.str_], names: tuple[str, ...]
) -> pa.Table:
    part = table.select(names).take(pa.array(rows))
    return part.add_column(0, ID, pa.array(ids[rows].tolist()))


def _features(table: pa.Table) -> tuple[str, ...]:
    return tuple(name for name in table.column_names if name not in (ID, LABEL))
