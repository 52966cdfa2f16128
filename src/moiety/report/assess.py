"""Arrays that a party holds become the parts of its report; nothing is learned here.

Nothing depends on the order of rows: equal predictions are never parted.
"""

import math

import numpy as np
import numpy.typing as npt

from moiety.data.bins import Bins
from moiety.data.convert import Numbers
from moiety.data.scales import Scale
from moiety.errors import DataError
from moiety.learn.metrics import Groups, groups, ks, roc
from moiety.learn.woe import woe_table
from moiety.report.content import (
    Bin,
    ColumnBins,
    ColumnNumbers,
    Comparison,
    Distribution,
    FloatArray,
    Performance,
    Ranking,
    Tenth,
)

Labels = npt.NDArray[np.integer]
Codes = npt.NDArray[np.uint8]

SMOOTHING = 0.5
"""Added to the good and the bad rows of each bin, as in training."""

_INTERVALS = 30
_POINTS = 400
_Z95 = 1.959964


def compare(
    outcome: Labels, alone: FloatArray, joint: FloatArray, *, holder: str = "Lender"
) -> Comparison | None:
    """Both models on the same applicants; None where all of these had the same outcome.

    `outcome` is 1 where an applicant went bad; `alone` and `joint` are predicted probabilities of
    that, by the label holder's own model and by the joint one.

    Raises:
        DataError: lengths differ, or a value is neither an outcome nor a probability.
    """
    for predicted in (alone, joint):
        if predicted.shape != outcome.shape or not ((predicted >= 0) & (predicted <= 1)).all():
            raise DataError(f"predictions are not {len(outcome)} probabilities in [0, 1]")
    if len(np.unique(outcome)) < 2:
        return None
    edges = _edges(np.concatenate([alone, joint]))
    return Comparison(
        applicants=len(outcome),
        bad=int(outcome.sum()),
        alone=_performance(f"{holder} alone", outcome, alone, edges),
        joint=_performance("Joint model", outcome, joint, edges),
        auc_interval=_auc_interval(outcome == 1, alone, joint),
    )


def predictions(predicted: FloatArray) -> Distribution:
    """Where the predictions lie of applicants whose outcome is not yet known."""
    return _distribution(_edges(predicted), {"applicants": predicted})


def column_bins(
    name: str, unit: str, cut: Bins, codes: Codes, outcome: Codes | None = None
) -> ColumnBins:
    """A party's own column as it was binned; with WOE and IV where it holds the outcomes."""
    if outcome is None:
        rows = np.bincount(codes, minlength=cut.count)
        pairs = zip(cut.labels(), rows, strict=True)
        return ColumnBins(name, unit, tuple(Bin(label, int(count)) for label, count in pairs))
    table = woe_table(name, codes, cut.count, outcome, smoothing=SMOOTHING)
    bins = zip(cut.labels(), table.rows, table.rates, table.woe, strict=True)
    judged = tuple(Bin(label, int(n), float(rate), float(woe)) for label, n, rate, woe in bins)
    return ColumnBins(name, unit, judged, table.information)


def column_numbers(
    name: str, unit: str, scale: Scale, values: Numbers, clip: float
) -> ColumnNumbers:
    """A party's own column as it was turned into numbers, which were cut to ±clip."""
    present = values[~np.isnan(values)]
    mean, deviation = (present.mean(), present.std()) if len(present) else (math.nan, math.nan)
    return ColumnNumbers(
        name=name,
        unit=unit,
        rows=len(values),
        missing=len(values) - len(present),
        mean=float(mean),
        deviation=float(deviation),
        cut=int((np.abs(scale.codes(values)[:, 0]) > clip).sum()),
    )


def _performance(
    name: str, outcome: Labels, predicted: FloatArray, edges: FloatArray
) -> Performance:
    curve = roc(outcome, predicted)
    bad, good = curve.true_positive, curve.false_positive
    rate = float(outcome.mean())
    kept = _thinned(len(bad), int(np.argmax(curve.gaps)))
    parts = {"good": predicted[outcome == 0], "bad": predicted[outcome == 1]}
    return Performance(
        name=name,
        auc=curve.area,
        ks=ks(outcome, predicted).value,
        ranking=Ranking((rate * bad + (1 - rate) * good)[kept], bad[kept], good[kept]),
        distribution=_distribution(edges, parts),
        tenths=_tenths(groups(outcome, predicted)),
    )


def _thinned(length: int, keep: int) -> npt.NDArray[np.int64]:
    """At most a few hundred positions: both ends, evenly between, and the one to keep."""
    even = np.linspace(0, length - 1, min(length, _POINTS)).round().astype(np.int64)
    return np.union1d(even, [keep])


def _edges(predicted: FloatArray) -> FloatArray:
    """Equal intervals over what occurs, never of no width."""
    low, high = float(predicted.min()), float(predicted.max())
    return np.linspace(low, high if high - low > 1e-9 else low + 1e-3, _INTERVALS + 1)


def _distribution(edges: FloatArray, parts: dict[str, FloatArray]) -> Distribution:
    counted = {name: np.histogram(part, edges)[0] for name, part in parts.items()}
    return Distribution(edges, tuple((name, n.astype(np.float64)) for name, n in counted.items()))


def _tenths(found: Groups) -> tuple[Tenth, ...]:
    columns = zip(found.rows, found.mean, found.rates, found.captured, strict=True)
    return tuple(
        Tenth(number, int(n), float(mean), float(rate), *_wilson(int(n), float(rate)), float(sofar))
        for number, (n, mean, rate, sofar) in enumerate(columns, 1)
    )


def _wilson(n: int, rate: float) -> tuple[float, float]:
    """95 % bounds of a share among n (Wilson 1927)."""
    middle = (rate + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 / (1 + _Z95**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z95**2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _auc_interval(
    bad: npt.NDArray[np.bool_], alone: FloatArray, joint: FloatArray
) -> tuple[float, float] | None:
    """95 % interval of the rise in AUC (DeLong et al. 1988); None below two of either outcome."""
    if min(bad.sum(), (~bad).sum()) < 2:
        return None
    parts = (_placements(predicted, bad) for predicted in (alone, joint))
    of_bad, of_good = (second - first for first, second in zip(*parts, strict=True))
    spread = math.sqrt(of_bad.var(ddof=1) / len(of_bad) + of_good.var(ddof=1) / len(of_good))
    middle = float(of_bad.mean())
    return middle - _Z95 * spread, middle + _Z95 * spread


def _placements(predicted: FloatArray, bad: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """For each bad applicant the share of the good ranked below, and the other way round."""
    ranks = _midranks(predicted)
    of_bad = (ranks[bad] - _midranks(predicted[bad])) / (~bad).sum()
    of_good = 1 - (ranks[~bad] - _midranks(predicted[~bad])) / bad.sum()
    return of_bad, of_good


def _midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 on; equal values have their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
