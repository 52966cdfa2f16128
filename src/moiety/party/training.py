"""Which algorithm a job's parties run on shares, and the model that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.errors import ConfigError
from moiety.function.runner import Owned, Runner
from moiety.learn.boosting import BoostedTreesClassifier
from moiety.learn.partition import Horizontal, Partition, Vertical
from moiety.learn.scorecard_mpc import ScorecardClassifier
from moiety.learn.shared_model import SharedModel
from moiety.party.seal import Binned

Labels = Owned | Horizontal


@dataclass(frozen=True)
class Shape:
    """What all parties know of one party's training rows."""

    party: str
    rows: int
    counts: tuple[int, ...]
    """The bins of its columns."""
    missing: tuple[bool, ...]


def shape_of(party: str, binned: Binned) -> Shape:
    """The public shape of a party's own rows."""
    missing = tuple(bins.missing for bins in binned.bins.values())
    return Shape(party, len(next(iter(binned.codes.values()))), binned.counts, missing)


def joined(
    job: Job, shapes: Sequence[Shape], brought: Mapping[str, Binned]
) -> tuple[Partition, Labels]:
    """The table and the labels by owner, as far as they are here: `brought` by its owners."""
    codes = {name: _codes(own) for name, own in brought.items()}
    parts = {
        each.party: Owned(each.party, (each.rows, len(each.counts)), codes.get(each.party))
        for each in shapes
    }
    labels = {
        each.party: Owned(each.party, (each.rows,), _label(brought.get(each.party)))
        for each in shapes
    }
    if job.model.horizontal:
        return Horizontal(**parts), Horizontal(**labels)
    return Vertical(**parts), labels[job.labelled.name]


def _codes(own: Binned) -> npt.NDArray[np.float64]:
    return np.column_stack(list(own.codes.values())).astype(np.float64)


def _label(own: Binned | None) -> npt.NDArray[np.float64] | None:
    return None if own is None or own.label is None else own.label.astype(np.float64)


def train(
    job: Job, runner: Runner, shapes: Sequence[Shape], table: Partition, labels: Labels
) -> SharedModel:
    """The model that the parties train together; see `joined`."""
    chosen = shapes[:1] if job.model.horizontal else shapes
    counts = [count for shape in chosen for count in shape.counts]
    missing = [flag for shape in chosen for flag in shape.missing]
    if job.model.kind == "scorecard":
        card = ScorecardClassifier(runner, bins=counts)
        return card.fit(table, labels).model(job.scores_to)
    if job.model.kind == "trees":
        trees = BoostedTreesClassifier(
            runner,
            bins=counts,
            missing=[place for place, flag in enumerate(missing) if flag],
            n_estimators=job.model.trees,
            max_depth=job.model.depth,
        )
        return trees.fit(table, labels).model(job.scores_to)
    raise ConfigError(f"parties do not train a model of kind {job.model.kind} on shares")
