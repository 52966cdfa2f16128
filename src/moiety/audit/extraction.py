"""Model extraction: how much of a model its scores hand to whoever may ask for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from moiety.audit.finding import Finding
from moiety.audit.intervals import resampled
from moiety.audit.learners import SURE, Fit, logit, regressor
from moiety.audit.tables import Floats, enough, table
from moiety.errors import DataError, UsageError

Oracle = Callable[[Floats], Floats]
LEAST = 100


def extract(
    query: Oracle,
    rows: Floats,
    queries: Sequence[int],
    *,
    model: Oracle | None = None,
    own: Sequence[int] = (),
    decisions: bool = False,
    fit: Fit = regressor,
    against: str = "the scores",
) -> tuple[Finding, ...]:
    """How close a surrogate comes to the model, for each number of queries.

    `query` gives the probability for each row as the attacker receives it, rounded or noisy;
    `model`, if given, the true one, which judges. He asks about the first q of `rows` and trains a
    surrogate of the logit with `fit`, judged on the rows after all queries. The measure is R² of
    the logits, or with `decisions` the rate at which both are on the same side of probability ½.
    The guess is the best constant for these rows (the mean, or the commoner side), or, with the
    numbers of his `own` columns, a surrogate on those alone, if that is better; the interval is of
    the gain over it.

    Source: Tramèr, Zhang, Juels, Reiter, Ristenpart (USENIX Security 2016); fidelity as in
    Jagielski, Carlini, Berthelot, Kurakin, Papernot (USENIX Security 2020).

    Raises:
        DataError: no tables, fewer than 100 rows beyond the queries, or a model that says the same
            of all of them.
        UsageError: numbers of queries below 2.
    """
    given = table("rows", rows)
    if not queries or min(queries) < 2:
        raise UsageError(f"numbers of queries {list(queries)}", hint="ask two or more")
    most = max(queries)
    enough("rows beyond the queries", len(given) - most, LEAST)
    asked, judged = given[:most], given[most:]
    answers, truth = _asked(query, asked), logit(_probabilities(model or query, judged))
    if np.ptp(truth) == 0:
        raise DataError("the model says the same of all judged rows", hint="judge a model")
    judge, columns, found = _Judge(truth, decisions), list(own), []
    for count in queries:
        learn, told = asked[:count], answers[:count]
        guesses = [fit(learn[:, columns], told)(judged[:, columns])] if columns else []
        found.append(judge.finding(fit(learn, told)(judged), guesses, count, against))
    return tuple(found)


@dataclass(frozen=True, eq=False, repr=False)
class _Judge:
    """The model's logits on the judged rows, and what of them is compared."""

    truth: Floats
    decisions: bool

    @property
    def unit(self) -> Floats:
        """What each row counts."""
        if self.decisions:
            return np.ones(len(self.truth))
        return np.asarray(np.square(self.truth - self.truth.mean()))

    @property
    def constants(self) -> list[Floats]:
        """Surrogates that say the same of all rows, the best of their kind among them."""
        alike = np.ones(len(self.truth))
        return [alike, -alike] if self.decisions else [alike * self.truth.mean()]

    def merit(self, logits: Floats) -> Floats:
        """What each row brings: the sum over that of `unit` is the measure."""
        if self.decisions:
            return np.asarray((logits > 0) == (self.truth > 0), np.float64)
        return np.asarray(self.unit - np.square(self.truth - logits))

    def finding(
        self, surrogate: Floats, guesses: list[Floats], queries: int, against: str
    ) -> Finding:
        """The surrogate beside the best of the guesses."""
        rows, unit, merit = len(self.truth), self.unit, self.merit(surrogate)
        best = max(map(self.merit, [*self.constants, *guesses]), key=np.sum)
        guess, more = float(best.sum() / unit.sum()), merit - best
        gain, (low, high) = resampled(rows, lambda counts: counts @ more / (counts @ unit))
        value = guess + gain
        measure = "agreement of decisions" if self.decisions else "R² of logits"
        named = f"{measure} after {queries:,} queries"
        interval = min(value, guess + low), max(value, min(1.0, guess + high))
        return Finding("extraction", against, named, value, guess, interval, rows)


def _asked(query: Oracle, rows: Floats) -> Floats:
    """The logits that an attacker makes of answers.

    Answers of 0 and 1, rounded, he takes for half as far away as the last answer before them.
    """
    answers = _probabilities(query, rows)
    inner = answers[(answers > 0) & (answers < 1)]
    edge = min(inner.min(), 1 - inner.max()) / 2 if inner.size else SURE
    return logit(answers, max(float(edge), SURE))


def _probabilities(oracle: Oracle, rows: Floats) -> Floats:
    """What an oracle says of rows.

    Raises:
        DataError: it does not give one for each.
    """
    found = table("probabilities", oracle(rows), len(rows))
    if found.shape[1] > 1 or found.min() < 0 or found.max() > 1:
        hint = "give the probability of label 1 for each row"
        raise DataError(f"{found.shape} numbers that are no probabilities of rows", hint=hint)
    return found[:, 0]
