"""Membership inference: whether a released model or its scores tell who was trained on.

Source: the likelihood-ratio attack, LiRA, of Carlini, Chien, Nasr, Song, Terzis, Tramèr (IEEE S&P
2022), algorithm 1 and its offline form, with one query a person.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.utils import check_random_state

from moiety.audit.finding import Finding
from moiety.audit.intervals import area, resampled, spread
from moiety.audit.learners import Fit, logistic, logit
from moiety.audit.tables import Flags, Floats, enough, flags, table
from moiety.errors import UsageError

LEAST = 100
"""Members, and others: fewer do not show one false alarm in a hundred."""
FALSE_ALARMS = 0.01
OWN_SPREAD = 64
"""Shadows from which each person has a spread of his own; of fewer, all share one."""

_LEAST_SPREAD = 1e-3
"""In units of a logit: a score is not predicted more closely."""


@dataclass(frozen=True, eq=False, repr=False)
class People:
    """Rows with their labels, 0 or 1."""

    rows: Floats
    labels: npt.ArrayLike

    def __post_init__(self) -> None:
        rows = table("rows", self.rows)
        object.__setattr__(self, "rows", rows)
        labels = flags("labels", self.labels, len(rows)).astype(np.float64)
        object.__setattr__(self, "labels", labels)

    def __repr__(self) -> str:
        return f"People({len(self.rows)})"


def membership(
    released: Floats,
    candidates: People,
    member: npt.ArrayLike,
    others: People | None = None,
    *,
    fit: Fit = logistic,
    shadows: int = 32,
    against: str = "the scores",
    seed: int = 0,
) -> tuple[Finding, Finding]:
    """How well an attacker tells members from others: AUC, and the rate found at 1 % false alarms.

    `released` is the model's probability of label 1 for each candidate, of whom the attacker knows
    row and label; `member` is the truth, and only judges. He trains `shadows` models with `fit`,
    which should be the way in which the model was trained. Without `others` each trains on a random
    half of the candidates, so that he knows of each how models with him differ from models without
    (online). With `others`, people of the same population, shadows train on random parts of those,
    of as many as there are members (or half of them); a candidate of whom the model is surer than
    they are counts as a member (offline).

    Guesses are 0.5 and 0.01. Intervals are DeLong's, and of resampled candidates.

    Raises:
        DataError: tables do not fit each other, or fewer than 100 candidates of either kind.
        UsageError: fewer than four shadows.
    """
    truth = flags("marks of members", member, len(candidates.rows))
    enough("candidates of a kind", int(min(truth.sum(), (~truth).sum())), LEAST)
    if shadows < 4:
        raise UsageError(f"{shadows} shadows", hint="train 4 or more, better 32")
    told = _confidence(table("released scores", released, len(truth))[:, 0], candidates)
    random: Any = check_random_state(seed)
    if others is None:
        score = _online(told, candidates, fit, shadows, random)
    else:
        score = _offline(told, candidates, others, int(truth.sum()), fit, shadows, random)
    return _area(truth, score, against), _at_few_alarms(truth, score, against)


def _confidence(probability: Floats, people: People) -> Floats:
    """The logit of the probability of each person's true label."""
    return np.where(people.labels == 1, 1.0, -1.0) * logit(probability)


def _online(told: Floats, people: People, fit: Fit, shadows: int, random: Any) -> Floats:
    """The log-likelihood ratio of each candidate's confidence, as a member or not."""
    trained = _halves(len(told), shadows, random)
    found = np.stack([_shadow(fit, people, people, inside) for inside in trained])
    ratio = np.zeros(len(told))
    for sign, group in ((1, trained), (-1, ~trained)):
        mean, deviation = _gaussian(found, group)
        ratio += sign * norm.logpdf(told, mean, deviation)
    return ratio


def _halves(rows: int, shadows: int, random: Any) -> Flags:
    """(shadows × rows) who is trained on: about half in each, each person in half of them."""
    order = random.random_sample((shadows, rows)).argsort(axis=0)
    return np.asarray(order < shadows // 2)


def _offline(
    told: Floats, people: People, others: People, size: int, fit: Fit, shadows: int, random: Any
) -> Floats:
    """How many deviations above what models without them say the candidates' confidences are."""
    size = min(size, len(others.rows) // 2)
    inside = random.random_sample((shadows, len(others.rows))).argsort(axis=1) < size
    found = np.stack([_shadow(fit, others, people, some) for some in inside])
    mean, deviation = _gaussian(found, np.ones_like(found, np.bool_))
    return np.asarray((told - mean) / deviation)


def _shadow(fit: Fit, taught: People, asked: People, inside: Flags) -> Floats:
    """The confidences that a model trained on some people has in others."""
    labels = np.asarray(taught.labels)[inside]
    flags("labels of a shadow's people", labels, len(labels))
    return _confidence(fit(taught.rows[inside], labels)(asked.rows), asked)


def _gaussian(found: Floats, group: Flags) -> tuple[Floats, Floats]:
    """Mean and deviation of each person's confidences over the shadows of a group."""
    count = group.sum(axis=0)
    mean = np.where(group, found, 0).sum(axis=0) / count
    square = np.where(group, np.square(found - mean), 0).sum(axis=0) / (count - 1)
    if len(found) < OWN_SPREAD:
        square = np.full_like(square, square.mean())
    return mean, np.maximum(np.sqrt(square), _LEAST_SPREAD)


def _area(member: Flags, score: Floats, against: str) -> Finding:
    value, parts = area(member, score)
    half = spread(parts)
    interval = max(0.0, value - half), min(1.0, value + half)
    return Finding("membership inference", against, "AUC", value, 0.5, interval, len(score))


def _at_few_alarms(member: Flags, score: Floats, against: str) -> Finding:
    """The share of members above the score that one in a hundred others reaches."""
    order = np.argsort(-score, kind="stable")
    falling, inside = score[order], member[order]

    def found(counts: Floats) -> Floats:
        weight = counts[:, order]
        alarms = np.cumsum(np.where(inside, 0, weight), axis=1)
        allowed = np.maximum(1.0, FALSE_ALARMS * alarms[:, -1:])
        limit = falling[(alarms >= allowed).argmax(axis=1)]
        hits = (weight * (inside & (falling > limit[:, None]))).sum(axis=1)
        return np.asarray(hits / weight[:, inside].sum(axis=1))

    value, interval = resampled(len(score), found)
    named = "true positive rate at 1 % false positives"
    return Finding(
        "membership inference", against, named, value, FALSE_ALARMS, interval, len(score)
    )
