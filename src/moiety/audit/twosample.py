"""Whether runs with one secret differ from those with another: by bits, lengths, and as a whole."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import hypergeom, ks_2samp

from moiety.audit.finding import Finding
from moiety.audit.intervals import rate
from moiety.audit.learners import Fit
from moiety.audit.messages import Bytes, Runs, aligned, parts
from moiety.audit.tables import Floats, halves

MOST_BITS = 1 << 14
"""That a classifier looks at, evenly of all messages and from the front of each."""


def differences(first: Runs, second: Runs) -> Iterator[tuple[str, float]]:
    """The p-value of each test of whether runs of two secrets differ."""
    yield "number of messages", _numbers(*([len(run) for run in runs] for runs in (first, second)))
    count = min(map(len, [*first, *second]))
    for at in range(count):
        sizes = ([len(run[at]) for run in runs] for runs in (first, second))
        yield f"length of message {at}", _numbers(*sizes)
    together = parts([run[:count] for run in [*first, *second]])
    yield from ((f"each bit of {name}", _bits(part, len(first))) for name, part in together)


def by_classifier(first: Runs, second: Runs, fit: Fit, against: str, seed: int) -> Finding:
    """The accuracy with which a classifier tells, from half of the runs, the secret of the others.

    As many runs of one secret as of the other are learnt from and judged. It looks at lengths, the
    share of ones in each message, and bits. Source: Lopez-Paz, Oquab (ICLR 2017).
    """
    count = min(len(first), len(second))
    learn, judge = halves(count, seed)
    rows = _features([*first[:count], *second[:count]])
    labels = np.repeat([0.0, 1.0], count)
    learn, judge = np.append(learn, learn + count), np.append(judge, judge + count)
    told = fit(rows[learn], labels[learn])(rows[judge]) > 0.5
    hits, trials = int((told == labels[judge]).sum()), len(judge)
    value, interval = hits / trials, rate(hits, trials)
    return Finding("classifier of the secret", against, "accuracy", value, 0.5, interval, trials)


def _features(runs: Runs) -> Floats:
    """(runs × features) of the messages that all runs have."""
    columns = aligned(runs)
    each = max(1, MOST_BITS // (8 * len(columns)))
    sizes = np.array([[len(one) for one in run[: len(columns)]] for run in runs])
    ones = [8 * np.unpackbits(column, axis=1).mean(axis=1) for column in columns]
    bits = [np.unpackbits(column[:, :each], axis=1) for column in columns]
    return np.hstack([sizes, np.column_stack(ones), *bits]).astype(np.float64)


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
