"""How well a score ranks, and how well a probability is calibrated; equal scores are one group.

Everywhere `y` is 1 where the event happened and `score` is higher where it is likelier: a logit, a
probability, or points with the sign turned. The order of the rows does not matter.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moiety.errors import DataError

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Roc:
    """One point for "flag nobody" and one for each different score, from the highest down."""

    thresholds: Floats
    """Rows with score ≥ threshold are flagged; the first threshold is infinite."""
    false_positive: Floats
    """The share of rows without the event that are flagged."""
    true_positive: Floats
    """The share of rows with the event that are flagged."""

    @property
    def area(self) -> float:
        """The AUC: the chance that the event's row scores higher; a tie counts half."""
        return float(np.trapezoid(self.true_positive, self.false_positive))

    @property
    def gaps(self) -> Floats:
        """The distance of the two shares at each threshold."""
        return np.abs(self.true_positive - self.false_positive)


@dataclass(frozen=True)
class Ks:
    """The Kolmogorov-Smirnov distance of the two groups' scores, and the score where it is."""

    value: float
    threshold: float


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows in groups of about equally many, by score from the riskiest down; ties stay together."""

    rows: Counts
    events: Counts
    lowest: Floats
    highest: Floats
    mean: Floats
    """The mean score of each group."""

    @property
    def rates(self) -> Floats:
        """The share of events in each group."""
        return np.asarray(self.events / self.rows)

    @property
    def lift(self) -> Floats:
        """Each group's share of events over that of all rows."""
        return np.asarray(self.rates * self.rows.sum() / self.events.sum())

    @property
    def captured(self) -> Floats:
        """The share of all events in this group and the riskier ones."""
        return np.asarray(np.cumsum(self.events) / self.events.sum())


def roc(y: Labels, score: Floats) -> Roc:
    """The curve of true over false positives as the threshold falls.

    Raises:
        DataError: unequal lengths, labels other than 0 and 1 or all alike, a score not finite.
    """
    _check(y, score)
    levels, inverse = np.unique(-score, return_inverse=True)
    rows = np.bincount(inverse)
    events = np.bincount(inverse, weights=y)
    hit = np.concatenate([[0.0], np.cumsum(events)])
    false = np.concatenate([[0.0], np.cumsum(rows - events)])
    return Roc(np.concatenate([[np.inf], -levels]), false / false[-1], hit / hit[-1])


def auc(y: Labels, score: Floats) -> float:
    """The area under the ROC curve; 0.5 where the score says nothing."""
    return roc(y, score).area


def ks(y: Labels, score: Floats) -> Ks:
    """The largest gap between the shares of both groups flagged at one threshold, and which.

    Of equal gaps (to 12 digits) it is the one at the highest score.
    """
    curve = roc(y, score)
    best = int(np.argmax(np.round(curve.gaps, 12)))
    return Ks(float(curve.gaps[best]), float(curve.thresholds[best]))


def groups(y: Labels, score: Floats, count: int = 10) -> Groups:
    """The gains table: rows in `count` groups of score, fewer where ties leave one empty.

    With probabilities as scores, `mean` against `rates` is the calibration table.
    """
    _check(y, score)
    levels, inverse = np.unique(-score, return_inverse=True)
    sizes = np.bincount(inverse)
    before = np.cumsum(sizes) - sizes
    level_group = np.unique(before * count // len(y), return_inverse=True)[1]
    group = level_group[inverse]
    rows = np.bincount(group)
    first = np.flatnonzero(np.diff(level_group, prepend=-1))
    last = np.append(first[1:] - 1, len(levels) - 1)
    return Groups(
        rows=rows,
        events=np.bincount(group, weights=y).astype(np.int64),
        lowest=-levels[last],
        highest=-levels[first],
        mean=np.bincount(group, weights=score) / rows,
    )


def stability(expected: Floats, actual: Floats, count: int = 10) -> float:
    """The population stability index of two samples of a score, over quantiles of the first.

    By custom below 0.1 stable, above 0.25 shifted. An empty group counts as half a row.
    """
    for score in (expected, actual):
        if not len(score) or not np.isfinite(score).all():
            raise DataError("stability needs two samples of finite scores")
    cuts = np.unique(np.quantile(expected, np.linspace(0, 1, count + 1)[1:-1]))
    shares = []
    for score in (expected, actual):
        rows = np.bincount(np.searchsorted(cuts, score, side="right"), minlength=len(cuts) + 1)
        shares.append(np.maximum(rows, 0.5) / len(score))
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _check(y: Labels, score: Floats) -> None:
    if y.shape != score.shape or y.ndim != 1:
        raise DataError(f"{y.shape} labels and {score.shape} scores")
    if not np.isfinite(score).all() or not np.isin(y, (0, 1)).all():
        raise DataError("scores must be finite, and labels 0 or 1")
    if not 0 < int(y.sum()) < len(y):
        raise DataError("all labels are alike", hint="ranking needs rows of both kinds")
