"""The least epsilon that a mechanism can have, from how well its outputs for two inputs differ.

Source: Jagielski, Ullman, Oprea (NeurIPS 2020); Nasr, Song, Thakurta, Papernot, Carlini (IEEE S&P
2021).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from moiety.audit.finding import Finding
from moiety.audit.intervals import TAIL, largest_rate, least_rate
from moiety.audit.tables import Floats, enough, table
from moiety.errors import UsageError

Input = TypeVar("Input")
LEAST = 200

_CUTS = 400
_TINY = 1e-12


def distinguish(
    mechanism: Callable[[Input], npt.ArrayLike],
    first: Input,
    second: Input,
    *,
    claim: float,
    delta: float = 0.0,
    trials: int = 10_000,
    against: str = "the mechanism",
) -> Finding:
    """A lower bound on the epsilon of a randomised mechanism, beside the epsilon that it claims.

    `first` and `second` are neighbouring inputs: choose those that are hardest to protect. On half
    of the draws the best linear threshold of the output is chosen, in the direction in which means
    differ most in units of the spread; on the other half it is counted how often each input passes
    it. If the mechanism is (epsilon, delta)-private, each event E has P(E | one) ≤ exp(epsilon) ·
    P(E | other) + delta, so exact bounds of both rates bound epsilon from below. The guess line is
    the claim.

    Given: a mechanism that keeps its claim is found to leak in at most one audit of forty.
    Not given: that a bound below the claim says anything for it. The upper end of the interval is
    that of this one threshold; another may tell more.

    Raises:
        UsageError: a claim or delta that is none, or fewer than 200 trials.
    """
    if not (0 <= claim < math.inf and 0 <= delta < 1):
        raise UsageError(f"epsilon {claim} at delta {delta}", hint="claim numbers of a guarantee")
    enough("trials", trials, LEAST)
    drawn = [_drawn(mechanism, given, trials) for given in (first, second)]
    (learn, judge), (learn_other, judge_other) = (np.array_split(some, 2) for some in drawn)
    direction = _direction(learn, learn_other)
    event = _best(learn @ direction, learn_other @ direction, delta)
    count = len(judge)
    hits, alarms = event.counts(judge @ direction, judge_other @ direction)
    value = float(_epsilon((hits + 0.5) / (count + 1), (alarms + 0.5) / (count + 1), delta))
    rates = largest_rate(hits, count, TAIL / 2), least_rate(alarms, count, TAIL / 2)
    interval = float(_least(hits, alarms, count, delta)), float(_epsilon(*rates, delta))
    return Finding("distinguishing", against, "epsilon", value, claim, interval, 2 * count)


@dataclass(frozen=True)
class _Event:
    """That a score lies on one side of a cut: with one input a hit, with the other an alarm."""

    cut: float
    above: bool
    swapped: bool

    def counts(self, first: Floats, second: Floats) -> tuple[int, int]:
        """How many hits and alarms there are."""
        passed = [int(((some > self.cut) == self.above).sum()) for some in (first, second)]
        return passed[self.swapped], passed[not self.swapped]


def _drawn(mechanism: Callable[[Input], npt.ArrayLike], given: Input, trials: int) -> Floats:
    """(trials × numbers) what the mechanism makes of one input."""
    return table("outputs", np.stack([np.ravel(mechanism(given)) for _ in range(trials)]))


def _direction(first: Floats, second: Floats) -> Floats:
    """Where the means differ most in units of the spread (Fisher 1936)."""
    spread = np.atleast_2d(np.cov(first, rowvar=False) + np.cov(second, rowvar=False))
    floor = _TINY * np.trace(spread) + np.finfo(np.float64).tiny
    gap = first.mean(axis=0) - second.mean(axis=0)
    return np.asarray(np.linalg.solve(spread + floor * np.eye(len(gap)), gap))


def _best(first: Floats, second: Floats, delta: float) -> _Event:
    """The event with the largest lower bound on these draws."""
    levels = expit(np.linspace(-8, 8, _CUTS))
    cuts = np.unique(np.quantile(np.concatenate([first, second]), levels))
    events = [
        _Event(float(cut), *sides) for cut in cuts for sides in product((True, False), repeat=2)
    ]
    hits, alarms = np.array([event.counts(first, second) for event in events]).T
    return events[int(np.argmax(_least(hits, alarms, len(first), delta)))]


def _least(hits: npt.ArrayLike, alarms: npt.ArrayLike, trials: int, delta: float) -> Floats:
    """Epsilons that are exceeded but for a chance of TAIL: half of it for each rate."""
    rates = least_rate(hits, trials, TAIL / 2), largest_rate(alarms, trials, TAIL / 2)
    return _epsilon(*rates, delta)


def _epsilon(hit: npt.ArrayLike, alarm: npt.ArrayLike, delta: float) -> Floats:
    """The epsilon with which hit = exp(epsilon) · alarm + delta, or 0; infinite without alarms."""
    beyond = np.asarray(hit) - delta
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(beyond > 0, np.log(beyond / np.asarray(alarm)), 0.0)
    return np.asarray(np.maximum(found, 0.0))
