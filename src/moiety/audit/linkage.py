"""Linkage: whose row, of those that an attacker holds in the clear, a representation is of."""

from collections.abc import Iterator

import numpy as np
from sklearn.utils import check_random_state

from moiety.audit.finding import Finding
from moiety.audit.intervals import rate
from moiety.audit.knowledge import Knowledge
from moiety.audit.tables import Floats, Rows, enough

LEAST = 30
_BLOCK = 1 << 23
"""Distances that are held at once."""


def link(
    representation: Floats,
    candidates: Floats,
    knowledge: Knowledge,
    *,
    against: str = "representations",
) -> Finding:
    """The rate at which an attacker names the right one of n candidates, for each representation.

    Representation i is of candidate i; further candidates are strangers. He names the candidate
    whose expected representation is the nearest, in units of the noise (or of what his regression
    leaves); ties fall at random. The guess is 1/n.

    Candidates may be rows of columns that the attacker has himself, if he learnt from such.
    Source: Sweeney (2002) for the question; the nearest candidate is the likeliest for Gaussian
    noise.

    Raises:
        DataError: tables do not fit each other, or fewer than 30 representations.
    """
    seen, people = knowledge.fitting(representation, candidates, strangers=True)
    enough("representations", len(seen), LEAST)
    metric = np.linalg.inv(np.linalg.cholesky(knowledge.surprise)).T
    order: Rows = check_random_state(0).permutation(len(people))
    found = [*_nearest(seen @ metric, knowledge.expected(people[order]) @ metric)]
    hits = int((order[np.concatenate(found)] == np.arange(len(seen))).sum())
    named, trials = f"top-1 rate among {len(people):,} candidates", len(seen)
    return Finding(
        "linkage", against, named, hits / trials, 1 / len(people), rate(hits, trials), trials
    )


def _nearest(seen: Floats, expected: Floats) -> Iterator[Rows]:
    """For each of `seen` the number of the nearest expected one, some at a time."""
    lengths = np.square(expected).sum(axis=1) / 2
    step = max(1, _BLOCK // len(expected))
    for at in range(0, len(seen), step):
        yield np.argmin(lengths - seen[at : at + step] @ expected.T, axis=1)
