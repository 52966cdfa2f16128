"""Which algorithm a job's parties run on shares, and the model that comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moiety.agreement.manifest import Job
from moiety.agreement.model import Model
from moiety.errors import PeerMisbehaved
from moiety.function.runner import Owned, Runner
from moiety.learn.boosting import BoostedTreesClassifier
from moiety.learn.logistic import LogisticRegression
from moiety.learn.mlp import MLPClassifier
from moiety.learn.partition import Horizontal, Partition, Vertical
from moiety.learn.public_shape import PublicShape
from moiety.learn.scorecard_mpc import ScorecardClassifier
from moiety.learn.shared_model import SharedModel
from moiety.party.coded import Coded

Labels = Owned | Horizontal
Estimator = BoostedTreesClassifier | LogisticRegression | MLPClassifier | ScorecardClassifier


@dataclass(frozen=True)
class Shape:
    """What all parties know of one party's training rows."""

    party: str
    rows: int
    counts: tuple[int, ...]
    """The bins, or numbers, that each of its columns becomes."""
    missing: tuple[bool, ...]
    """Whether the last of them means a missing value."""


def shape_of(party: str, own: Coded) -> Shape:
    """The public shape of a party's own rows."""
    return Shape(party, own.rows, own.counts, own.missing)


def public_shape(job: Job, shapes: Sequence[Shape]) -> PublicShape:
    """The shape of the model that will come of such rows.

    Raises:
        UsageError: with so many columns a score has no room in a word.
    """
    told = {one.party: one for one in shapes}
    scored = [job.scores_to] if job.model.horizontal else list(told)
    held = [told[name] if name in scored else None for name in job.computing]
    counts = tuple(one.counts if one else () for one in held)
    missing = tuple(one.missing if one else () for one in held)
    shape = PublicShape(job.model.kind, counts, missing, **job.model.sizes)
    shape.program(1, job.index(job.scores_to))
    return shape


def joined(
    job: Job, shapes: Sequence[Shape], brought: Mapping[str, Coded]
) -> tuple[Partition, Labels]:
    """The table and the labels by owner, as far as they are here: `brought` by its owners.

    Raises:
        PeerMisbehaved: owners of rows do not code their columns alike.
    """
    if job.model.horizontal and len({(one.counts, one.missing) for one in shapes}) > 1:
        raise PeerMisbehaved(
            "the parties do not code their columns alike, as the job's [model] says",
            hint="do all run the same version?",
        )
    parts, labels = dict[str, Owned](), dict[str, Owned]()
    for each in shapes:
        own, width = brought.get(each.party), _width(job.model, each)
        table = None if own is None else own.table()
        label = None if own is None or own.label is None else own.label.astype(float)
        parts[each.party] = Owned(each.party, (each.rows, width), table)
        labels[each.party] = Owned(each.party, (each.rows,), label)
    if job.model.horizontal:
        return Horizontal(**parts), Horizontal(**labels)
    return Vertical(**parts), labels[job.labelled.name]


def _width(model: Model, shape: Shape) -> int:
    """How many columns a party's table has: of bin codes, or of numbers."""
    return sum(shape.counts) if model.numeric else len(shape.counts)


def train(
    job: Job, runner: Runner, shapes: Sequence[Shape], table: Partition, labels: Labels
) -> SharedModel:
    """The model that the parties train together; see `joined`."""
    shape = public_shape(job, shapes)
    found = estimator(job, runner, shapes).fit(table, labels).model(job.scores_to)
    return SharedModel(shape, found.arrays)


def estimator(job: Job, runner: Runner, shapes: Sequence[Shape]) -> Estimator:
    """What learns a job's model from rows of these shapes."""
    chosen = shapes[:1] if job.model.horizontal else shapes
    counts = [count for shape in chosen for count in shape.counts]
    missing = [flag for shape in chosen for flag in shape.missing]
    return ESTIMATORS[job.model.kind](job.model, runner, counts, missing)


def _scorecard(model: Model, runner: Runner, counts: list[int], missing: list[bool]) -> Estimator:
    return ScorecardClassifier(runner, bins=counts)


def _trees(model: Model, runner: Runner, counts: list[int], missing: list[bool]) -> Estimator:
    return BoostedTreesClassifier(
        runner,
        bins=counts,
        missing=[place for place, flag in enumerate(missing) if flag],
        n_estimators=model.trees,
        max_depth=model.depth,
    )


def _logistic(model: Model, runner: Runner, counts: list[int], missing: list[bool]) -> Estimator:
    return LogisticRegression(
        runner, solver=model.solver, max_iter=model.epochs, clip=float(model.clip)
    )


def _perceptron(model: Model, runner: Runner, counts: list[int], missing: list[bool]) -> Estimator:
    return MLPClassifier(
        runner,
        hidden_layer_sizes=(model.hidden,),
        max_iter=model.epochs,
        clip=float(model.clip),
    )


ESTIMATORS: dict[str, Callable[[Model, Runner, list[int], list[bool]], Estimator]] = {
    "scorecard": _scorecard,
    "trees": _trees,
    "logistic": _logistic,
    "perceptron": _perceptron,
}
