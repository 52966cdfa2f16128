"""Attribute inference: what a view tells of a sensitive column beyond the attacker's columns."""

import numpy as np
import numpy.typing as npt

from moiety.audit.finding import Finding
from moiety.audit.intervals import area, spread
from moiety.audit.learners import Fit, classifier
from moiety.audit.tables import Flags, Floats, Rows, enough, halves, table
from moiety.errors import DataError

LEAST = 20
MOST_LEVELS = 20


def infer_attribute(
    view: Floats,
    attribute: npt.ArrayLike,
    own: Floats | None = None,
    *,
    fit: Fit = classifier,
    against: str = "the view",
    seed: int = 0,
) -> Finding:
    """How well an attacker ranks people by a sensitive attribute, AUC, beside his columns alone.

    `view` is what was received, a row for each person, `own` the attacker's columns of the same
    people, `attribute` the truth: 0/1, a category (text or few whole numbers: the mean AUC of each
    level against the others), or a number (above its median or not). He knows the attribute of half
    of the people, learns from `own` and `view` with `fit`, and is judged by the other half. The
    guess line is what the same learner makes of `own` alone for the same people (0.5 without);
    the interval is of the gain over it, paired, by DeLong's method.

    A view that holds nothing but a function of `own` may still gain if it spares the learner work.
    Source: Fredrikson et al. (USENIX Security 2014); Jayaraman, Evans (CCS 2022) for the baseline.

    Raises:
        DataError: tables do not fit each other, or a level has fewer than 20 judged people.
    """
    seen = table("what was received", view)
    truth = _levels(attribute, len(seen))
    learn, judge = halves(len(seen), seed)
    for level in truth.T:
        enough(
            "judged people of a level", int(min(level[judge].sum(), (~level[judge]).sum())), LEAST
        )
        enough(
            "known people of a level", int(min(level[learn].sum(), (~level[learn]).sum())), LEAST
        )
    mine = np.zeros((len(seen), 0)) if own is None else table("own columns", own, len(seen))
    value, parts = _judge(np.hstack([mine, seen]), truth, learn, judge, fit)
    guess, parts_of_guess = _judge(mine, truth, learn, judge, fit)
    half = spread(parts - parts_of_guess)
    interval = max(0.0, value - half), min(1.0, value + half)
    return Finding("attribute inference", against, "AUC", value, guess, interval, len(judge))


def _judge(rows: Floats, truth: Flags, learn: Rows, judge: Rows, fit: Fit) -> tuple[float, Floats]:
    """The mean AUC over levels, and each judged row's part in its chance."""
    found = []
    for level in truth.T:
        score = np.zeros(len(judge))
        if rows.shape[1]:
            score = fit(rows[learn], level[learn].astype(np.float64))(rows[judge])
        found.append(area(level[judge], score))
    return float(np.mean([value for value, _ in found])), np.mean(
        [part for _, part in found], axis=0
    )


def _levels(attribute: npt.ArrayLike, rows: int) -> Flags:
    """(rows × levels) whether a person is of a level; one column if there are two.

    Raises:
        DataError: another length, or all alike.
    """
    values = np.asarray(attribute)
    if values.shape != (rows,):
        raise DataError(f"an attribute of shape {values.shape}", hint=f"give {rows} values")
    numbers = values.dtype.kind in "iuf"
    values = values if numbers else values.astype(str)
    levels = np.unique(values)
    if numbers and (len(levels) > MOST_LEVELS or (levels % 1).any()):
        return np.asarray(values > np.median(values))[:, None]
    if not 2 <= len(levels) <= MOST_LEVELS:
        what = f"an attribute of {len(levels)} levels"
        raise DataError(what, hint=f"infer one of 2 to {MOST_LEVELS}, or a number")
    return np.asarray(values[:, None] == (levels[1:] if len(levels) == 2 else levels))
