"""A mechanism that keeps its claim is not accused; one with too little noise is."""

import math

import numpy as np
import pytest

from audit_kit import RUNS, accused, assert_seldom
from moiety.audit import distinguish
from moiety.errors import DataError, UsageError

DELTA = 1e-5
BESIDE = np.eye(4)[0]


def laplace(random, scale):
    return lambda value: value + random.laplace(scale=scale)


def gaussian(random, deviation):
    return lambda value: value + deviation * random.normal(size=4)


def flipped(random, epsilon):
    """Randomised response."""
    return lambda bit: bit ^ int(random.random() > math.exp(epsilon) / (1 + math.exp(epsilon)))


def deviation(epsilon):
    """The classic Gaussian mechanism's (Dwork, Roth 2014, theorem A.1), for epsilon below 1."""
    return math.sqrt(2 * math.log(1.25 / DELTA)) / epsilon


def audits(random, strength=1.0, trials=2000):
    """Mechanisms whose noise is so much weaker than their claim of epsilon asks for."""
    yield distinguish(laplace(random, 1 / strength), 0.0, 1.0, claim=1.0, trials=trials)
    yield distinguish(flipped(random, strength), 0, 1, claim=1.0, trials=trials)
    noisy = gaussian(random, deviation(0.9) / strength)
    yield distinguish(noisy, 0 * BESIDE, BESIDE, claim=0.9, delta=DELTA, trials=trials)


def test_sound_mechanisms_are_seldom_accused():
    assert_seldom(accused(lambda random: audits(random, trials=500), RUNS // 2))


def test_noise_four_times_too_small_is_caught():
    first, second, _ = audits(np.random.default_rng(1), 4.0)
    assert first.leaks and second.leaks and first.guess == 1.0 and first.trials == 2000
    assert 2 < first.interval[0] < 4 and 2 < second.interval[0] < 4
    tight = gaussian(np.random.default_rng(2), 0.35)
    found = distinguish(tight, 0 * BESIDE, BESIDE, claim=2.0, delta=DELTA)
    assert found.leaks and found.interval[0] < found.value


def test_the_bound_is_near_where_it_can_be():
    random = np.random.default_rng(3)
    found = distinguish(flipped(random, 1.0), 0, 1, claim=1.0, trials=20_000)
    assert 0.85 < found.interval[0] < 1 < found.interval[1] < 1.15
    other_way = distinguish(flipped(random, 1.0), 1, 0, claim=1.0, trials=20_000)
    assert 0.85 < other_way.interval[0] < 1


def test_delta_is_granted():
    def seldom_plain(value):
        return value if random.random() < 0.05 else 0.5

    for delta, leaks in ((0.0, True), (0.05, False)):
        random = np.random.default_rng(4)
        found = distinguish(seldom_plain, 0.0, 1.0, claim=1.0, delta=delta)
        assert found.leaks == leaks


def test_mechanisms_without_noise_and_without_output():
    plain = distinguish(lambda value: value, 0.0, 1.0, claim=5.0)
    assert plain.leaks and plain.interval[1] == math.inf
    assert plain.to_dict()["interval"][1] is None
    silent = distinguish(lambda value: 0.0, 0.0, 1.0, claim=0.0)
    assert not silent.leaks and silent.value == 0
    granted = distinguish(lambda value: 0.0, 0.0, 1.0, claim=0.0, delta=0.5)
    assert granted.interval[0] == granted.value == 0


def test_what_is_refused():
    for wrong in ({"claim": -1.0}, {"claim": math.inf}, {"claim": 1.0, "delta": 1.0}):
        with pytest.raises(UsageError, match="epsilon"):
            distinguish(lambda value: value, 0, 1, **wrong)
    with pytest.raises(DataError, match="too few"):
        distinguish(lambda value: value, 0, 1, claim=1.0, trials=100)
    with pytest.raises(DataError, match="not finite"):
        distinguish(lambda value: math.nan, 0, 1, claim=1.0)
