"""The ledger of a run as the report's tables: steps summed over batches, and latencies."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from moiety.party.predict import Timing
from moiety.report.cost import Latency, StepCost, Traffic
from moiety.run.ledger import Row
from moiety.run.ledger import Traffic as Metered

ALIGN, TRAIN, PREDICT = "aligning", "training", "scoring"
TRANSFORM = "transforming"
POINTS = "points of rows"
"""The step in which an owner sends them."""
Ledger = Mapping[str, Sequence[Row]]
"""What the steps of each part of a job took."""


def step_costs(ledger: Ledger, peer: str) -> tuple[StepCost, ...]:
    """One row for each kind of step of a part, in order of first use; batches are summed."""
    return tuple(cost for part, rows in ledger.items() for cost in _costs(part, rows, peer))


def _costs(part: str, ledger: Sequence[Row], peer: str) -> Iterator[StepCost]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in ledger:
        groups.setdefault((row.step, row.way), []).append(row)
    yield from (
        StepCost(
            name=f"{step} ({way})" + (f" ×{len(rows)}" if len(rows) > 1 else ""),
            peer=peer,
            measured=_sum([row.measured for row in rows]),
            predicted=_sum([row.predicted for row in rows]),
            seconds=sum(row.seconds for row in rows),
            part=part,
        )
        for (step, way), rows in groups.items()
    )


def latencies(timings: Sequence[Timing]) -> tuple[Latency, ...]:
    """How long a request for one score took, and one for many."""
    shown = []
    for size in sorted({timing.rows for timing in timings}):
        same = [timing for timing in timings if timing.rows == size]
        seconds = [timing.seconds for timing in same]
        what = "one applicant" if size == 1 else f"a batch of {size:,}"
        median = float(np.median(seconds))
        slow = float(np.quantile(seconds, 0.95)) if len(seconds) > 2 else None
        shown.append(Latency(what, size, same[0].rounds, median, slow))
    return tuple(shown)


def _sum(parts: Sequence[Metered]) -> Traffic:
    return Traffic(
        sum(part.rounds for part in parts),
        sum(part.sent for part in parts),
        sum(part.received for part in parts),
    )
