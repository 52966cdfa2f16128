"""All rows of a comparison: each way is run, judged and attacked."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.audit import Finding, View
from moiety.cli.compare import leakage, models
from moiety.cli.compare.plain import Fitted, Joined, joined, local, pooled
from moiety.cli.compare.representations import represented
from moiety.cli.compare.result import LOCAL, POOLED, Row
from moiety.cli.compare.task import Task
from moiety.cli.compare.ways import Run, run_way, ways
from moiety.cli.processes import unheard
from moiety.errors import UsageError
from moiety.learn.metrics import auc, ks
from moiety.party.alone import Parts
from moiety.party.predict import Scores
from moiety.run.steps import Listener, Steps

Floats = npt.NDArray[np.float64]
LEAST, LEAST_EACH = 400, 50


def _told(row: Row) -> str:
    leaks = sum(one.leaks for one in row.findings)
    attacks = f"; {leaks} of {len(row.findings)} attacks find something" if row.findings else ""
    return f"{row.way}: AUC {row.auc:.3f}, KS {row.ks:.3f}, {row.seconds:.1f} s{attacks}"


def _check(task: Task, whole: Joined) -> None:
    outcomes, clients = whole.outcomes, next(iter(whole.clients.values())).rows
    fewest = min(int(outcomes.sum()), int((1 - outcomes).sum()))
    if clients < LEAST or len(outcomes) < LEAST or fewest < LEAST_EACH:
        raise UsageError(
            f"{clients:,} common clients and {len(outcomes):,} applicants, {fewest:,} of the rarer "
            "outcome, are too few for attacks to say anything",
            hint=f"compare on {LEAST} of each and {LEAST_EACH} of either outcome, or more",
        )
    if len(outcomes) > task.job.predictions:
        raise UsageError(
            f"the parties have {len(outcomes):,} applicants in common, and the job states "
            f"{task.job.predictions:,} predictions",
            hint="compare on a job that states as many, or on fewer rows",
        )


class Subject:
    """What all ways are judged on: the joined rows in the clear, which none of them has.

    Raises:
        UsageError: not all common applicants can be scored, they are too few, or their outcomes
            are not known.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._whole = task, joined(task)
        _check(task, self._whole)
        self._parts = self._whole.parts(task, [task.receiver.name, task.giver.name])
        self._models: tuple[Finding, ...] = ()

    @property
    def people(self) -> tuple[int, int]:
        """The common clients, and the common applicants."""
        return tuple(next(iter(part.values())).rows for part in self._parts)  # type: ignore[return-value]

    def rows(self, folder: Path, listener: Listener) -> Iterator[Row]:
        """A row for each way, the receiver's own columns first and the pooled reference last.

        Raises:
            MoietyError: a way failed, with its own sentence.
        """
        steps, task = Steps(listener), self._task
        with steps.step("local", "a model of own columns") as step:
            row = self._plain(LOCAL, local(task), "nobody", ())
            step.result = _told(row)
        yield row
        for place, way in enumerate(ways(task)):
            with steps.step(way.name, f"running {way.name}") as step:
                row = self._row(run_way(task, way, folder / f"way-{place}", unheard))
                step.result = _told(row)
            yield row
        with steps.step("pooled", "all columns in one place") as step:
            row = self._pooled(pooled(task))
            step.result = _told(row)
        yield row

    def _row(self, run: Run) -> Row:
        """A way's run, judged and attacked."""
        task, way, outcomes = self._task, run.way, self._whole.outcomes
        folder = run.stage.page(task.receiver.name).parent
        ids = next(iter(self._whole.applicants.values())).ids.tolist()
        scores = Scores(folder).read()
        logits = np.array([scores[one] for one in ids])
        told, findings = logits[:, None], tuple[Finding, ...]()
        if way.terms.training == "transform":
            seen = represented(run, task, self._whole)
            told = np.column_stack([logits, seen.points])
            findings = (
                *leakage.knowing(seen, way.name),
                *self._modelled(seen.parts(task, self._parts), way.name),
            )
        else:
            self._models = self._models or self._modelled(self._parts, "the joint model")
            findings = self._models
        return Row(
            way=way.name,
            auc=auc(outcomes, logits),
            ks=ks(outcomes, logits).value,
            seconds=run.seconds,
            processor=sum(child.processor for child in run.children.values()),
            traffic={f"{a} → {b}": size for (a, b), size in run.traffic.items()},
            rounds=run.rounds,
            memory={name: child.peak for name, child in run.children.items()},
            trust=way.trust,
            hardware=way.hardware,
            epsilon=way.epsilon,
            delta=None if way.epsilon is None else float(way.terms.transform["delta"]),
            findings=(*self._received(told, way.name), *findings, *_messages(run)),
        )

    def _plain(self, name: str, fitted: Fitted, trust: str, found: Sequence[Finding]) -> Row:
        """A model in the clear, in one process."""
        outcomes = self._whole.outcomes
        return Row(
            way=name,
            auc=auc(outcomes, fitted.logits),
            ks=ks(outcomes, fitted.logits).value,
            seconds=fitted.seconds,
            processor=fitted.processor,
            memory={name: fitted.memory},
            trust=trust,
            findings=tuple(found),
        )

    def _pooled(self, fitted: Fitted) -> Row:
        """The reference, whose holder has the other's very columns."""
        told = leakage.numbers(self._whole.applicants[self._task.giver.name])
        found = (*self._received(told, POOLED), *self._models)
        return self._plain(POOLED, fitted, "whoever pools them, with all rows of both", found)

    def _received(self, told: Floats, against: str) -> tuple[Finding, ...]:
        people = np.arange(len(told))
        got = leakage.Received(people, told)
        return tuple(leakage.attacks(self._task, self._whole, got, against))

    def _modelled(self, parts: tuple[Parts, Parts], against: str) -> tuple[Finding, ...]:
        outcomes = self._whole.outcomes
        return tuple(models.attacks(self._task.job, *parts, outcomes, against))


def _messages(run: Run) -> tuple[Finding, ...]:
    """The worst that the views of the parties who compute on shares show."""
    if run.way.terms.training == "transform" or run.way.terms.scored_by == "enclave":
        return ()
    found = [
        finding
        for name, path in run.views.items()
        for finding in leakage.of_messages(View.read(path), f"messages to {name}")
    ]
    return (max(found, key=lambda one: one.value),) if found else ()
