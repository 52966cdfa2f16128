"""What is compared: the task of a vertical job, by somebody who has the tables of all its parties.

No job may do this. It is for public data, for tables that one owner splits among made-up parties,
and for those that the parties have agreed to use up in a trial.
"""

from dataclasses import dataclass
from pathlib import Path

from moiety.agreement.manifest import Job, Member, load_job
from moiety.agreement.model import MODELS
from moiety.agreement.representation import Representation
from moiety.cli.stage import Actor, Terms
from moiety.errors import UsageError
from moiety.party.config import Party, load_party

DIMENSIONS, DELTA = 8, 1e-6
"""Of the transform, where the job does not say."""


@dataclass(frozen=True)
class Task:
    """A job's parties with their tables, and who of them receives scores."""

    path: Path
    folder: Path
    """Where the parties' folders are."""
    job: Job
    parties: dict[str, Party]

    @property
    def actors(self) -> tuple[Actor, ...]:
        """The parties as a stage takes them."""
        return tuple(_actor(self.parties[one.name], one) for one in self.job.members)

    @property
    def receiver(self) -> Member:
        """Who has the outcomes and receives scores."""
        return self.job.labelled

    @property
    def giver(self) -> Member:
        """The other, whose columns are attacked."""
        return next(one for one in self.job.members if one.name != self.receiver.name)

    def terms(self, **way: object) -> Terms:
        """What all sign for one of the ways."""
        job, model = self.job, self.job.model
        sizes = {"bins": model.bins, "trees": model.trees, "depth": model.depth}
        largest = max(member.max_rows for member in job.members)
        given: dict[str, object] = {
            "model": model.kind,
            "max_rows": largest,
            "min_common": job.min_common,
            "min_applicants": job.min_applicants,
            "predictions": job.predictions,
            "purpose": job.purpose,
            "scores_to": job.scores_to,
            "options": {name: size for name, size in sizes.items() if size},
        }
        return Terms(**given, **way)  # type: ignore[arg-type]

    def transform(self, epsilon: float) -> Terms:
        """The same for rows that are transformed at this ε."""
        model = self.job.model
        told = self.job.representation or Representation(DIMENSIONS, 0, DELTA, 1.0, "random", 1.0)
        table = {"dimensions": told.dimensions, "epsilon": epsilon, "delta": told.delta}
        extra = {"clip": told.clip, "method": told.method}
        agreed = {"scales": model.scales, "edges": model.edges}
        return self.terms(training="transform", transform={**table, **extra}, **agreed)


def load_task(path: Path, homes: Path | None = None) -> Task:
    """The task of a job whose parties' folders are in `homes`; by default, beside it.

    Raises:
        UsageError: not all ways can do it.
        ConfigError: a folder is missing, or does not hold what the job names.
    """
    job = load_job(path)
    if job.model.horizontal or job.model.kind not in MODELS or job.scores_to != job.labelled.name:
        raise UsageError(
            f"a {job.model.partition} {job.model.kind} with scores to {job.scores_to} is not "
            "something that every way can do",
            hint=f"compare a vertical job of {' or '.join(MODELS)}; the label's owner gets scores",
        )
    folder = homes or path.parent
    return Task(path, folder, job, {name: load_party(folder / name) for name in job.names})


def _actor(party: Party, member: Member) -> Actor:
    names = [name for name in (member.train, member.score) if name]
    return Actor(
        member.name,
        {name: party.data_set(name) for name in names},
        member.columns,
        member.train,
        member.score,
        member.label or "",
    )
