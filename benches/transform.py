"""What transformed rows are worth: a lender's model with and without a payment company's points.

    python benches/transform.py

The credit table as the demo divides it (`thin`): the lender has five columns and the outcomes, the
payment company eighteen others. Scales and cuts are agreed by hand, nothing is taken from data.
Logistic regression on the lender's numbers and the points of common clients, judged on common
applicants: AUC and KS, the mean and the range of several draws of noise and projection.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from moiety.data.credit import ID, LABEL, split_credit
from moiety.data.schema import load_schema
from moiety.data.table import Table
from moiety.learn.metrics import auc, ks
from moiety.transform import Encoding, PrivateTransform

EPSILONS = (0.5, 1.0, 3.0, 8.0, 30.0, math.inf)
DIMENSIONS = (2, 4, 8, 16)
METHODS = ("random", "pca")
DRAWS = 5
SCALES = {
    **{f"pay_{month}": (0.0, 1.0) for month in (0, 2, 3, 4, 5, 6)},
    **{f"bill_amt{month}": (50_000.0, 50_000.0) for month in range(1, 7)},
    **{f"pay_amt{month}": (5_000.0, 5_000.0) for month in range(1, 7)},
}
"""Agreed: delays in months, bills and payments in units that anybody could name."""


def measure():
    """A row for each method, epsilon and number of dimensions; and both ends of the scale."""
    train, test = people()
    rows = [
        {"method": method, "epsilon": epsilon, "dimensions": dimensions, **cell}
        for method in METHODS
        for epsilon in EPSILONS
        for dimensions in DIMENSIONS
        for cell in [drawn(train, test, method, epsilon, dimensions)]
    ]
    for row in rows:
        row["epsilon"] = row["epsilon"] if math.isfinite(row["epsilon"]) else None
    return {
        "clients": len(train.label),
        "applicants": len(test.label),
        "draws": DRAWS,
        "alone": judged(train, test, lambda side: side.own),
        "joint": judged(train, test, lambda side: np.column_stack([side.own, side.other])),
        "rows": rows,
    }


class Side:
    """Common people: the lender's numbers, the payment company's, and outcomes."""

    def __init__(self, lender, payco):
        place = {one: row for row, one in enumerate(payco.ids.tolist())}
        common = np.array([row for row, one in enumerate(lender.ids.tolist()) if one in place])
        lender = lender.take(common)
        payco = payco.take(np.array([place[one] for one in lender.ids.tolist()]))
        self.own = Encoding.of(lender.schema).rows(lender)
        self.other = Encoding.of(payco.schema, scales=SCALES).rows(payco)
        self.label = lender.label


def people():
    """Clients to train on, applicants to judge by."""
    split = split_credit("thin", overlap=0.8)
    with tempfile.TemporaryDirectory() as folder:
        lender, applicants = (
            table(split, rows, Path(folder), LABEL) for rows in (split.lender, split.applicants)
        )
        payco = table(split, split.payco, Path(folder), None)
    return Side(lender, payco), Side(applicants, payco)


def table(split, rows, folder, label):
    path = folder / "table.parquet"
    return Table.load(path, load_schema(split.write(rows, path)), id=ID, label=label)


def drawn(train, test, method, epsilon, dimensions):
    """The mean and the range of what several draws give."""
    found, sigma = [], 0.0
    for _ in range(DRAWS):
        made = PrivateTransform(dimensions, epsilon, method=method).fit(train.other)
        points = {id(side): made.transform(side.other) for side in (train, test)}
        found.append(
            judged(train, test, lambda side: np.column_stack([side.own, points[id(side)]]))  # noqa: B023
        )
        sigma = made.sigma_
    cell = {"sigma": sigma}
    for name in ("auc", "ks"):
        values = [one[name] for one in found]
        cell[name] = {"mean": sum(values) / DRAWS, "least": min(values), "most": max(values)}
    return cell


def judged(train, test, columns):
    """AUC and KS of a logistic regression on the applicants."""
    x = columns(train)
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    model = LogisticRegression(solver="newton-cholesky").fit((x - mean) / spread, train.label)
    scores = model.decision_function((columns(test) - mean) / spread)
    return {"auc": auc(test.label, scores), "ks": ks(test.label, scores).value}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
