"""The demonstrations' casts: who has which part of real data, and what they want of each other.

All from one table of 30,000 real clients; that it is several institutions' is made up.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from moiety.agreement.model import NUMERIC
from moiety.cli.stage import Actor, Terms
from moiety.data.credit import COLUMNS, LABEL, CreditSplit, credit_rows

WAYS = ("enclave-mpc", "enclave", "transform")
"""Of the credit story; `lending` tells of MPC throughout."""
LENDING = "joint lending: one bank's applications, the other's accounts"
RURAL = "a rural credit union learns with two larger lenders"

EDGES: dict[str, tuple[float, ...]] = {
    "limit_bal": (30e3, 50e3, 80e3, 120e3, 160e3, 210e3, 270e3, 360e3),
    "age": (25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 60.0),
    "sex": (2.0,),
    "education": (1.0, 2.0, 3.0, 4.0),
    "marriage": (1.0, 2.0, 3.0),
    **{f"pay_{month}": (-1.0, 0.0, 1.0, 2.0, 3.0) for month in (0, 2, 3, 4, 5, 6)},
    **{f"bill_amt{month}": (1.0, 2e3, 1e4, 2e4, 5e4, 1e5, 2e5) for month in range(1, 7)},
    **{f"pay_amt{month}": (1.0, 1e3, 2e3, 5e3, 1e4, 2e4) for month in range(1, 7)},
}
"""Round numbers that anybody could agree on without looking at anybody's clients."""


SCALES: dict[str, tuple[float, float]] = {
    "limit_bal": (150e3, 130e3),
    "age": (35.0, 10.0),
    **{f"pay_{month}": (0.0, 1.0) for month in (0, 2, 3, 4, 5, 6)},
    **{f"bill_amt{month}": (4e4, 6e4) for month in range(1, 7)},
    **{f"pay_amt{month}": (5e3, 15e3) for month in range(1, 7)},
}
"""The same as centres and units, of the columns that are numbers."""


def credit(data: CreditSplit, names: tuple[str, str] = ("lender", "payco")) -> tuple[Actor, ...]:
    """Two parties with other columns of common people, one with the outcomes."""
    booked, new = data.lender.num_rows, data.applicants.num_rows
    lender = Actor(
        names[0],
        {"clients": data.lender, "applicants": data.applicants},
        data.lender_columns,
        train="clients",
        score="applicants",
        label=LABEL,
        about=f"{booked:,} booked clients with outcomes, {new:,} applicants; "
        + ", ".join(data.lender_columns),
    )
    payco = Actor(
        names[1],
        {"clients": data.payco},
        data.payco_columns,
        train="clients",
        score="clients",
        about=f"{data.payco.num_rows:,} clients, no outcomes; {', '.join(data.payco_columns)}",
    )
    return lender, payco


def _agreed(columns: Iterable[str], *, numbers: bool) -> dict[str, Any]:
    """Edges of columns; or, as `numbers`, scales of those that have one, and edges of others."""
    names = list(columns)
    scales = {name: SCALES[name] for name in names if numbers and name in SCALES}
    return {"scales": scales, "edges": {name: EDGES[name] for name in names if name not in scales}}


def credit_terms(
    model: str,
    way: str,
    *,
    payco: tuple[str, ...],
    epsilon: float = math.inf,
    leakage: str = "fast",
) -> Terms:
    """What lender and payment company sign, for one of WAYS."""
    if way != "transform":
        scored_by = "enclave" if way == "enclave" else "mpc"
        return Terms(model=model, scored_by=scored_by, leakage=leakage)
    return Terms(
        model=model,
        training="transform",
        **_agreed(payco, numbers=True),
        transform={"dimensions": 8, "epsilon": epsilon, "delta": 1e-6},
    )


def lending(data: CreditSplit) -> tuple[Actor, ...]:
    """Two banks: `bank` has applications and outcomes, `partner` keeps the accounts."""
    return credit(data, ("bank", "partner"))


def lending_terms(model: str, *, dealer: bool, **sizes: int) -> Terms:
    """What the banks sign: nobody, no enclave either, sees rows of both."""
    given = {"model": model, "purpose": LENDING, "scores_to": "bank", "dealer": dealer, **sizes}
    return Terms(training="mpc", **given)  # type: ignore[arg-type]


def rural(*, union: int = 500, lender: int = 6000, applicants: int = 3000) -> tuple[Actor, ...]:
    """A credit union with few clients and some applicants, and two lenders with many clients."""
    rows = credit_rows("rural")
    ends = np.cumsum([union, applicants, lender, lender])
    own, new, first, second = np.split(rows, ends)[:4]
    columns = tuple(sorted(EDGES, key=COLUMNS.index))

    def part(chosen: np.ndarray) -> pa.Table:
        return CreditSplit.of_rows(chosen, (*columns, LABEL))

    def lends(name: str, chosen: np.ndarray) -> Actor:
        about = f"{len(chosen):,} clients with outcomes"
        tables = {"clients": part(chosen)}
        return Actor(name, tables, columns, train="clients", label=LABEL, about=about)

    about = f"{union:,} clients with outcomes, {applicants:,} applicants"
    tables = {"clients": part(own), "applicants": part(new)}
    small = Actor("union", tables, columns, "clients", "applicants", LABEL, about)
    return small, lends("lender", first), lends("saver", second)


def rural_terms(model: str, *, dealer: bool, **sizes: int) -> Terms:
    """What the three sign: each has people of its own; bins and scales are agreed round numbers."""
    given = {"model": model, "purpose": RURAL, "scores_to": "union", "dealer": dealer, **sizes}
    agreed = _agreed(EDGES, numbers=model in NUMERIC)
    return Terms(training="mpc", horizontal=True, **agreed, **given)  # type: ignore[arg-type]


def rural_transform(model: str, *, epsilon: float, **sizes: int) -> Terms:
    """The same where the lenders send noisy points of rows, and labels flipped for ε = 2."""
    table = {"dimensions": 8, "epsilon": epsilon, "delta": 1e-6, "labels_epsilon": 2.0}
    terms = rural_terms(model, dealer=False, **sizes)
    agreed = _agreed(EDGES, numbers=True)
    return replace(terms, training="transform", transform=table, **agreed)
