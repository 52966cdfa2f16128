"""The two ends of the comparison: a model of own columns alone, and one of all rows pooled."""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.cli.compare.task import Task, load_task
from moiety.data.table import Table
from moiety.errors import DataError
from moiety.party.alone import fitted
from moiety.party.coded import Coded, coded

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Joined:
    """All parties' rows of the same people in the same order: what no party of a job ever has."""

    clients: dict[str, Table]
    applicants: dict[str, Table]

    def __repr__(self) -> str:
        return "Joined()"

    def parts(self, task: Task, names: list[str]) -> tuple[dict[str, Coded], dict[str, Coded]]:
        """Rows to train on, and applicants, coded as the job's model takes them."""
        trained = {name: coded(task.job, self.clients[name]) for name in names}
        return trained, {name: trained[name].recode(self.applicants[name]) for name in names}

    @property
    def outcomes(self) -> npt.NDArray[np.uint8]:
        """Of the applicants, as they became known."""
        found = next((one.label for one in self.applicants.values() if one.label is not None), None)
        if found is None:
            raise DataError(
                "the outcomes of the applicants are not in their table",
                hint="compare on a job whose table to score has the label, too: moiety data add",
            )
        return found


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """Applicants' log-odds by a model in the clear, and what it took."""

    logits: Floats
    seconds: float
    processor: float
    memory: int


def joined(task: Task) -> Joined:
    """The tables of a task, joined by id in the clear; receiver first."""
    names = [task.receiver.name, task.giver.name]
    uses = {}
    for use in ("train", "score"):
        tables = {name: _table(task, name, use) for name in names}
        uses[use] = _common(tables)
    return Joined(uses["train"], uses["score"])


def pooled(task: Task) -> Fitted:
    """By all columns of both, in one place."""
    return _apart(task, [task.receiver.name, task.giver.name])


def local(task: Task) -> Fitted:
    """By the receiver's columns alone."""
    return _apart(task, [task.receiver.name])


def _apart(task: Task, names: list[str]) -> Fitted:
    """The fit in a process of its own, whose memory is then its own, too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_fit, task.path, task.folder, names).result()


def _fit(path: Path, folder: Path, names: list[str]) -> Fitted:
    task, began = load_task(path, folder), time.perf_counter()
    trained, chosen = joined(task).parts(task, names)
    logits = fitted(task.job, trained, chosen)
    seconds, usage = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return Fitted(logits, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _table(task: Task, name: str, use: str) -> Table:
    member, party = task.job.member(name), task.parties[name]
    data = party.data_set(getattr(member, use))
    return data.load(member.columns, labelled=member.label is not None)


def _common(tables: dict[str, Table]) -> dict[str, Table]:
    """The rows of people whom all have, in the order of the first table."""
    places = {
        name: {one: row for row, one in enumerate(table.ids.tolist())}
        for name, table in tables.items()
    }
    first, *others = places.values()
    people = [one for one in first if all(one in known for known in others)]
    rows = {name: np.array([known[one] for one in people]) for name, known in places.items()}
    return {name: table.take(rows[name]) for name, table in tables.items()}
