"""Reconstruction: how much of people's rows their representations tell."""

from collections.abc import Sequence

import numpy as np

from moiety.audit.finding import Finding
from moiety.audit.intervals import resampled
from moiety.audit.knowledge import Knowledge
from moiety.audit.tables import Floats, Rows, enough
from moiety.errors import DataError

LEAST = 30


def reconstruct(
    representation: Floats,
    rows: Floats,
    knowledge: Knowledge,
    *,
    columns: Sequence[int] | None = None,
    against: str = "representations",
) -> Finding:
    """The share of the variance of people's columns that an attacker reconstructs, R².

    `rows` are the people's own, in the same order, and only judge; `columns` are those that are
    judged, each counted alike (unset, all that are not constant). The guess, 0, is to name
    everybody the mean of these people; so what the attacker learns of them all together counts for
    nothing, and a bad one does worse than the guess, down to -∞. One column that is told whole
    among many that are not makes a small mean: judge it alone.

    The attack is the linear one of `Knowledge`. Source: the Bayes estimate of Huang, Du, Chen
    (SIGMOD 2005); with known people's values, Liu, Giannella, Kargupta (PKDD 2006).

    Raises:
        DataError: tables do not fit each other, fewer than 30 people, or no column that varies.
    """
    seen, truth = knowledge.fitting(representation, rows)
    enough("people", len(truth), LEAST)
    judged = _judged(truth, columns)
    missed = np.square(truth - knowledge.estimate(seen))[:, judged]
    guessed = np.square(truth - truth.mean(axis=0))[:, judged]
    unit = guessed.mean(axis=0)
    missed, guessed = (missed / unit).mean(axis=1), (guessed / unit).mean(axis=1)

    value, interval = resampled(len(truth), lambda counts: 1 - counts @ missed / (counts @ guessed))
    return Finding("reconstruction", against, "R²", value, 0.0, interval, len(truth))


def _judged(rows: Floats, columns: Sequence[int] | None) -> Rows:
    vary = np.ptp(rows, axis=0) > 0
    chosen = np.flatnonzero(vary) if columns is None else np.asarray(columns, np.intp)
    if not chosen.size or not vary[chosen].all():
        what = f"{int((~vary).sum())} of {len(vary)} columns are the same for all people"
        raise DataError(what, hint="judge columns that vary")
    return chosen
