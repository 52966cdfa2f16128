"""Whether runs with one secret differ from those with another: by bits, lengths, and as a whole."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom, ks_2samp

from moiety.audit.finding import Finding
from moiety.audit.intervals import rate
from moiety.audit.learners import Fit
from moiety.audit.messages import Bytes, Runs, aligned, parts
from moiety.audit.tables import Rows, halves

Features = npt.NDArray[np.float32]

MOST_BITS = 1 << 16
"""That a classifier chooses from, evenly of all messages and from the front of each."""
CHOSEN = 64
"""Features that it looks at."""

_TINY = 1e-9


def differences(first: Runs, second: Runs, apart: int) -> Iterator[tuple[str, float]]:
    """The p-value of each test of whether runs of two secrets differ."""
    yield "number of messages", _numbers(*([len(run) for run in runs] for runs in (first, second)))
    count = min(map(len, [*first, *second]))
    for at in range(count):
        sizes = ([len(run[at]) for run in runs] for runs in (first, second))
        yield f"length of message {at}", _numbers(*sizes)
    together = parts([run[:count] for run in [*first, *second]], apart)
    yield from ((f"each bit of {name}", _bits(part, len(first))) for name, part in together)


def by_classifier(first: Runs, second: Runs, fit: Fit, against: str, seed: int) -> Finding:
    """The accuracy with which a classifier tells, from half of the runs, the secret of the others.

    As many runs of one secret as of the other are learnt from and judged. Of the messages' number,
    their lengths, the share of ones in each, and bits, it looks at those that differ most between
    the secrets in the runs learnt from. Source: Lopez-Paz, Oquab (ICLR 2017).
    """
    count = min(len(first), len(second))
    halved, labels = halves(count, seed), np.repeat([0.0, 1.0], count)
    learn, judge = (np.append(some, some + count) for some in halved)
    features = _features([*first[:count], *second[:count]])
    rows = features[:, _telling(features[learn])].astype(np.float64)
    told = fit(rows[learn], labels[learn])(rows[judge]) > 0.5
    hits, trials = int((told == labels[judge]).sum()), len(judge)
    value, interval = hits / trials, rate(hits, trials)
    return Finding("classifier of the secret", against, "accuracy", value, 0.5, interval, trials)


def _features(runs: Runs) -> Features:
    """(runs × features) of the messages that all runs have."""
    columns = aligned(runs)
    each = max(1, MOST_BITS // (8 * len(columns)))
    sizes = [[len(run), *map(len, run[: len(columns)])] for run in runs]
    ones = [8 * np.unpackbits(column, axis=1).mean(axis=1) for column in columns]
    summary = np.column_stack([sizes, *ones]).astype(np.float32)
    return np.hstack([summary, *(np.unpackbits(column[:, :each], axis=1) for column in columns)])


def _telling(rows: Features) -> Rows:
    """Numbers of the features whose means differ most between both halves of the rows."""
    first, second = np.split(rows, 2)
    gap = np.abs(first.mean(axis=0) - second.mean(axis=0))
    return np.argsort(-gap / (rows.std(axis=0) + _TINY), kind="stable")[:CHOSEN]


def _numbers(first: list[int], second: list[int]) -> float:
    """The p-value of two samples of a number; exact."""
    found: float = ks_2samp(first, second, method="exact").pvalue
    return found


def _bits(part: Bytes, first: int) -> float:
    """The smallest p-value of a bit to be 1 as often in the first runs, for as many as there are.

    Source: Fisher's exact test, one side doubled.
    """
    bits: Bytes = np.unpackbits(part, axis=1)
    ones, every = (some.sum(axis=0, dtype=np.int64) for some in (bits[:first], bits))
    few, all_ones = divmod(np.unique(ones * (len(part) + 1) + every), len(part) + 1)
    law = hypergeom(len(part), all_ones, first)
    tail = np.minimum(law.cdf(few), law.sf(few - 1))
    return float(min(1.0, 2 * tail.min() * bits.shape[1]))
