"""Noise is drawn with exactly the stated probabilities; a sampler that is slightly off is found."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from moiety import sampling
from moiety.errors import UsageError
from moiety.sampling import DEVIATION, coins, gaussian, laplace, uniform

SIGNIFICANCE = 1e-6
COUNT = 60_000
SCALES = [Fraction(1), Fraction(1, 3), Fraction(7, 2), Fraction(60), Fraction(0.1) * 2**10]
VARIANCES = [Fraction(1), Fraction(1, 4), Fraction(7, 2), Fraction(400), Fraction(32, 7) ** 2]


def decay(scale):
    """Probabilities of discrete Laplace, unnormalised."""
    return lambda n: math.exp(-abs(n) / scale)


def bell(sigma2):
    """Probabilities of the discrete Gaussian, unnormalised."""
    return lambda n: math.exp(-n * n / (2 * sigma2))


def exactly(found, weight, reach):
    """The p-value of chi-square against exact probabilities; what is rare is one cell."""
    values = np.arange(-reach, reach + 1)
    total = math.fsum(weight(int(n)) for n in range(-20 * reach, 20 * reach + 1))
    inside = np.array([weight(int(n)) / total for n in values])
    expected = np.array([*inside, max(1 - math.fsum(inside), 0)]) * len(found)
    counts = np.array([*((found == n).sum() for n in values), (np.abs(found) > reach).sum()])
    few = expected < 20
    observed = np.array([*counts[~few], counts[few].sum()])
    wanted = np.array([*expected[~few], expected[few].sum()])
    there = wanted > 0
    if observed[~there].any():
        return 0.0
    scaled = wanted[there] * (len(found) / wanted.sum())
    return stats.chisquare(observed[there], scaled).pvalue


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_what_is_drawn_is_discrete_laplace(scale):
    found = laplace(scale, COUNT)
    assert exactly(found, decay(scale), int(scale * 6) + 1) > SIGNIFICANCE


@pytest.mark.parametrize("sigma2", VARIANCES, ids=str)
def test_what_is_drawn_is_discrete_gaussian(sigma2):
    found = gaussian(sigma2, COUNT)
    assert exactly(found, bell(sigma2), int(math.sqrt(sigma2) * 5) + 1) > SIGNIFICANCE


WRONG = {
    "a rounded normal": lambda n, rng: np.rint(rng.normal(size=n)).astype(np.int64),
    "a normal cut off": lambda n, rng: np.trunc(rng.normal(0, 1.13, size=n)).astype(np.int64),
    "a larger deviation": lambda n, rng: gaussian(Fraction(21, 20), n),
    "0 twice as often": lambda n, rng: np.where(rng.random(n) < 0.02, 0, gaussian(Fraction(1), n)),
    "no tail": lambda n, rng: np.clip(gaussian(Fraction(1), n), -3, 3),
    "discrete Laplace": lambda n, rng: laplace(Fraction(7, 10), n),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_sampler_that_is_slightly_wrong_is_found(name):
    found = WRONG[name](200_000, np.random.default_rng(5))
    assert exactly(found, bell(1), 6) < SIGNIFICANCE


def modulo(below, bits, size):
    """Uniform words by a remainder: the low ones come more often."""
    return GENERATOR.integers(0, 1 << bits, size) % below


GENERATOR = np.random.default_rng(6)
STEPS = {
    "_falling": lambda part, whole: sampling._decaying(part % whole, whole),
    "_decaying": lambda part, whole: uniform(whole, part.size) >= part,
    "_short": modulo,
}


@pytest.mark.parametrize("step", STEPS)
def test_an_error_in_any_step_of_the_sampler_is_found(step, monkeypatch):
    monkeypatch.setattr(sampling, step, STEPS[step])
    assert exactly(gaussian(Fraction(9), COUNT), bell(9), 16) < SIGNIFICANCE


@pytest.mark.parametrize("deviation", [1_000, 40_961, DEVIATION - 1])
def test_a_wide_gaussian_has_its_variance_tail_and_independent_signs(deviation):
    found = gaussian(Fraction(deviation) ** 2, 200_000) / deviation
    assert stats.kstest(found, "norm").pvalue > SIGNIFICANCE
    assert abs(found.var() - 1) < 6 * math.sqrt(2 / len(found))
    far = (np.abs(found) > 3).sum()
    assert stats.binomtest(far, len(found), 2 * stats.norm.sf(3)).pvalue > SIGNIFICANCE
    signs = np.sign(found)
    assert abs(np.corrcoef(np.abs(found), signs)[0, 1]) < 0.02
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.02


@given(st.integers(1, DEVIATION - 1), st.integers(1, 40))
def test_any_whole_deviation_is_drawn(deviation, count):
    found = gaussian(Fraction(deviation) ** 2, count)
    assert len(found) == count and (np.abs(found) < 12 * deviation + 1).all()


@given(st.fractions(0, 4_000, max_denominator=60), st.integers(1, 40))
def test_a_fraction_is_drawn_as_stated_or_refused(sigma2, count):
    try:
        found = gaussian(sigma2, count)
    except UsageError as error:
        assert str(sigma2) in str(error) and error.hint
    else:
        assert (found.astype(float) ** 2 <= 200 * sigma2 + 40).all()


@pytest.mark.parametrize(
    "sigma2", [Fraction(0), Fraction(-1), Fraction(DEVIATION) ** 2, Fraction(1, 1 << 60)]
)
def test_what_is_beyond_exactness_is_refused(sigma2):
    with pytest.raises(UsageError, match="beyond what is drawn exactly") as caught:
        gaussian(sigma2, 3)
    assert "whole deviation" in caught.value.hint


def test_elements_are_independent_and_sizes_geometric_far_out():
    scale = Fraction(1_000_003, 7)
    found = laplace(scale, 100_000)
    signs = np.sign(found)
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.03
    assert abs(signs.mean()) < 0.03 and abs(np.corrcoef(np.abs(found), signs)[0, 1]) < 0.03
    assert stats.kstest(np.abs(found) / float(scale), "expon").pvalue > SIGNIFICANCE


@pytest.mark.parametrize("below", [1, 2, 3, 5, 1 << 20, (1 << 54) - 33])
def test_uniform_integers(below):
    found = uniform(below, 40_000)
    assert found.min() >= 0 and found.max() < below
    parts = np.minimum(found * 8.0 / below, 7).astype(int) if below > 8 else found
    cells = min(below, 8)
    counts = np.bincount(parts, minlength=cells)
    assert stats.chisquare(counts).pvalue > SIGNIFICANCE if cells > 1 else counts[0] == 40_000


@pytest.mark.parametrize("chance", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(1, 1 << 20)])
def test_coins(chance):
    heads = int(coins(chance, COUNT).sum())
    assert stats.binomtest(heads, COUNT, float(chance)).pvalue > SIGNIFICANCE
    with pytest.raises(UsageError, match="a coin of chance"):
        coins(chance + 1 + Fraction(1, 7), 1)


def test_a_scale_is_never_rounded():
    with pytest.raises(UsageError, match="units"):
        laplace(Fraction(1, 1 << 60), 3)
    with pytest.raises(UsageError, match="units"):
        laplace(Fraction(1 << 54), 3)


@pytest.mark.parametrize("count", [0, 1, sampling.BATCH, sampling.BATCH + 1])
def test_as_many_are_drawn_as_are_asked_for(count):
    assert len(gaussian(Fraction(9), count)) == len(uniform(5, count)) == count
