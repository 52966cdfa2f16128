"""People, maps and models for audits, by seed; and how often a sound way may be accused."""

import numpy as np
from scipy.stats import binom

RUNS = 60
COLUMNS, DIMENSIONS = 8, 4
_TURN = np.linalg.qr(np.vander(np.linspace(-1, 1.5, COLUMNS)))[0]
MIX = np.linspace(0.3, 2, COLUMNS)[:, None] * _TURN
"""Makes columns that depend on each other."""
MAP = np.linalg.qr(np.vander(np.linspace(-1, 2, COLUMNS)))[0][:, :DIMENSIONS]


def people(random, count):
    return random.normal(size=(count, COLUMNS)) @ MIX


def told_by(deviation):
    """The share of variance that the best attacker knows: one less the posterior's, by column."""
    prior = MIX.T @ MIX
    gain = prior @ MAP @ np.linalg.inv(MAP.T @ prior @ MAP + deviation**2 * np.eye(DIMENSIONS))
    return float(1 - (np.diag(prior - gain @ MAP.T @ prior) / np.diag(prior)).mean())


def least_squares(rows, labels):
    """A quick `Fit`: a linear probability."""
    inside = np.column_stack([rows, np.ones(len(rows))])
    weights = np.linalg.lstsq(inside, labels)[0]
    return lambda some: some @ weights[:-1] + weights[-1]


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def accused(audit, runs=RUNS):
    """Audits of a sound way, each by its seed, that say it leaks: a row of flags for each."""
    return np.array(
        [[one.leaks for one in audit(np.random.default_rng(seed))] for seed in range(runs)]
    )


def assert_seldom(flags):
    """No more than one in forty, but for a chance of 1 %."""
    allowed = binom.ppf(0.99, len(flags), 0.025)
    assert (flags.sum(axis=0) <= allowed).all(), flags.mean(axis=0)
