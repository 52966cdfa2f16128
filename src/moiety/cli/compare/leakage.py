"""Attacks on what the receiver, or a party that computes, really got in a run: its recorded view.

The receiver attacks the other party's columns of its applicants. Of half of them it knows these
columns already, and learns from them; the other half is judged. What it got of each applicant is a
score and, where rows are transformed, a representation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moiety import audit
from moiety.audit import Finding, View
from moiety.cli.compare.plain import Joined
from moiety.cli.compare.representations import Represented
from moiety.cli.compare.task import Task
from moiety.data.table import Table
from moiety.transform.mechanism import clipped

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
LINKED = 100
"""So many candidates stand beside each other when rows are linked."""
BLOCKS, LARGE, SLACK = 64, 1 << 14, 1 << 10
"""The last LARGE bytes of a message are cut into so many blocks, which stand for repeated runs."""
ON_SHARES = ("training on shares", "the hand-over", "prediction")
"""What is said in these steps is masked words and dealt randomness."""
MASKED = "uniformity of messages"
MESSAGES = 8
"""The largest messages of a view, of which uniformity is tested, and that of each two together."""


@dataclass(frozen=True, eq=False, repr=False)
class Received:
    """What the receiver got of each applicant, by row of `people`, and what it knows itself."""

    people: npt.NDArray[np.intp]
    """Rows of the joined applicants."""
    told: Floats
    """(people × numbers) scores, representations: all that depends on the other's columns."""

    def __repr__(self) -> str:
        return f"Received({self.told.shape})"


def attacks(task: Task, whole: Joined, got: Received, against: str) -> Iterator[Finding]:
    """What the receiver finds out about the other's columns from what it got."""
    secret = numbers(whole.applicants[task.giver.name])[got.people]
    own = numbers(whole.applicants[task.receiver.name])[got.people]
    learn, judge = _halves(len(secret))
    knows = audit.Knowledge(secret[learn], seen=got.told[learn])
    yield _reconstructed(secret, own, got.told, against)
    some = judge[:LINKED]
    yield audit.link(got.told[some], secret[some], knows, against=against)
    target = _most_telling(task, whole, got.people)
    yield audit.infer_attribute(got.told, target, own, against=against)


def _reconstructed(secret: Floats, own: Floats, told: Floats, against: str) -> Finding:
    """From all that the receiver has; the guess is what its own columns alone restore."""
    learn, judge = _halves(len(secret))

    def restored(seen: Floats) -> Finding:
        knows = audit.Knowledge(secret[learn], seen=seen[learn])
        return audit.reconstruct(seen[judge], secret[judge], knows, against=against)

    return replace(restored(np.column_stack([own, told])), guess=restored(own).value)


def knowing(seen: Represented, against: str) -> Iterator[Finding]:
    """The same by who knows the projection, as the guarantee supposes, and the noise's size."""
    learn, judge = _halves(len(seen.rows))
    made, points = seen.mechanism, seen.points
    knows = audit.Knowledge(
        seen.rows[learn],
        known=lambda rows: clipped(rows, made.clip) @ made.projection,
        noise=made.sigma,
    )
    found = (
        audit.reconstruct(points[judge], seen.rows[judge], knows, against=against),
        audit.link(points[judge[:LINKED]], seen.rows[judge[:LINKED]], knows, against=against),
    )
    yield from (replace(one, attack=f"{one.attack}, projection known") for one in found)


def _halves(people: int) -> tuple[Rows, Rows]:
    """Whom the attacker knows already, and who is judged: every other one."""
    return np.arange(0, people, 2), np.arange(1, people, 2)


def numbers(table: Table) -> Floats:
    """A table's columns as numbers of mean 0 and deviation 1; missing ones are the mean."""
    columns = [np.asarray(table[name], np.float64) for name in table.names]
    filled = [np.where(np.isnan(one), np.nanmean(one), one) for one in columns]
    whole = np.column_stack(filled)
    spread = whole.std(axis=0)
    standard: Floats = (whole - whole.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return standard


def of_messages(view: View, against: str) -> tuple[Finding, ...]:
    """Whether the large messages of a view are uniform, each, and each two together.

    Blocks of a message stand for runs of it: of its end, for what is dealt begins with a header;
    without the last byte, which bits may not fill.
    """
    masked = (one for one in view if one.step in ON_SHARES and one.kind in ("tick", "material"))
    large = sorted((one.payload for one in masked if one.size > LARGE + SLACK), key=len)[-MESSAGES:]
    if not large:
        return ()
    runs = [[_block(one, at) for one in large] for at in range(BLOCKS)]
    return tuple(replace(one, attack=MASKED) for one in audit.uniform(runs, against=against))


def _block(message: bytes, at: int) -> bytes:
    size = LARGE // BLOCKS
    begin = len(message) - 1 - LARGE + at * size
    return message[begin : begin + size]


def _most_telling(task: Task, whole: Joined, people: npt.NDArray[np.intp]) -> Floats:
    """The other's column that goes most with the outcome: above its median, or not."""
    table, outcome = whole.applicants[task.giver.name], whole.outcomes
    columns = numbers(table)
    with np.errstate(invalid="ignore"):
        told = np.abs([np.corrcoef(one, outcome)[0, 1] for one in columns.T])
    found: Floats = columns[people, int(np.nanargmax(told))]
    return found
