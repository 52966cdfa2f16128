"""Writes the demo's tables, each with its schema, as two institutions would have them.

    python examples/tables.py FOLDER

FOLDER/lender/clients.parquet and applicants.parquet, FOLDER/payco/clients.parquet.
"""

import sys
from pathlib import Path

from moiety.data.credit import split_credit

folder = Path(sys.argv[1])
data = split_credit("thin", overlap=0.8, seed=20)
for owner, name, rows in (
    ("lender", "clients", data.lender),
    ("lender", "applicants", data.applicants),
    ("payco", "clients", data.payco),
):
    (folder / owner).mkdir(parents=True, exist_ok=True)
    data.write(rows, folder / owner / f"{name}.parquet")
