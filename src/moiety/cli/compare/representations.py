"""The points that the receiver was sent in a run, as its recorded view holds them."""

from dataclasses import dataclass

import numpy as np

from moiety.agreement.manifest import load_job
from moiety.audit import View
from moiety.cli.compare.plain import Floats, Joined
from moiety.cli.compare.task import Task
from moiety.cli.compare.ways import Run
from moiety.data.table import Table
from moiety.errors import InternalError
from moiety.party.align import kept
from moiety.party.alone import Parts
from moiety.party.coded import freely
from moiety.party.config import load_party
from moiety.party.predict import Scores
from moiety.party.released import Releases, read, size
from moiety.transform.mechanism import Mechanism

STEP = "the transform"


@dataclass(frozen=True, repr=False, eq=False)
class Represented:
    """The other party's clients and applicants as points, in the order of the joined tables."""

    clients: Table
    applicants: Table
    rows: Floats
    """(applicants × columns) what their owner made points of."""
    mechanism: Mechanism
    """By which: its projection counts as known to everybody."""

    def __repr__(self) -> str:
        return "Represented()"

    @property
    def points(self) -> Floats:
        """(applicants × dimensions) of the applicants."""
        return np.column_stack(list(self.applicants.columns.values()))

    def parts(self, task: Task, whole: tuple[Parts, Parts]) -> tuple[Parts, Parts]:
        """What the receiver's model is trained on, and its applicants: own columns and points."""
        mine, other = task.receiver.name, task.giver.name
        theirs = freely(task.job.model, self.clients)
        trained, chosen = whole
        return (
            {mine: trained[mine], other: theirs},
            {mine: chosen[mine], other: theirs.recode(self.applicants)},
        )


def represented(run: Run, task: Task, whole: Joined) -> Represented:
    """The points of all common people, from the receiver's view."""
    receiver = load_party(run.stage.homes[task.receiver.name])
    job = load_job(run.stage.job)
    told = job.representation
    (message,) = View.read(run.views[receiver.name]).only(step=STEP).payloads
    data = receiver.data_set(task.receiver.train)
    table = data.load(task.receiver.columns, labelled=True)
    aligned = kept(receiver.job_folder(job), job, table, "train")
    if told is None or aligned is None:
        raise InternalError("a run without a representation or an alignment")
    people = [table.ids[aligned.rows].tolist(), list(Scores(receiver.job_folder(job)).read())]
    cut = size(told, len(people[0]))
    parts = message[:cut], message[cut:]
    found = [read(told, part, ids) for part, ids in zip(parts, people, strict=True)]
    wanted = [next(iter(tables.values())) for tables in (whole.clients, whole.applicants)]
    clients, applicants = (_ordered(a, b) for a, b in zip(found, wanted, strict=True))
    releases = Releases(load_party(run.stage.homes[task.giver.name]), job)
    theirs = whole.applicants[task.giver.name]
    rows = releases.encoding(theirs).rows(theirs)
    mechanism = releases.mechanism(whole.clients[task.giver.name])
    return Represented(clients, applicants, rows, mechanism)


def _ordered(points: Table, like: Table) -> Table:
    """The rows in the order of another table of the same people."""
    places = {one: row for row, one in enumerate(points.ids.tolist())}
    return points.take(np.array([places[one] for one in like.ids.tolist()]))
