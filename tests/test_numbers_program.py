"""Linear models and perceptrons on shares: as real arithmetic scores, and cut at the borders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.errors import UsageError
from moiety.lang.types import SHARED, Private
from moiety.learn.numbers_program import (
    LINEAR_BOUND,
    NUMBER_BITS,
    UNIT_BITS,
    UNIT_BOUND,
    linear,
    numbers,
    perceptron,
)
from moiety.learn.scale import LOGIT_BOUND, SCORE_BITS
from moiety.ring import decode, encode
from moiety.run import twin

CLIP, UNITS = 4, 5
PLANS = {
    "linear": lambda rows, dims, receiver: linear(rows, dims, CLIP, receiver=receiver),
    "perceptron": lambda rows, dims, receiver: perceptron(
        rows, dims, CLIP, UNITS, receiver=receiver
    ),
}
DIMS = [(3, 2), (0, 4), (1, 0)]


def drawn(plan, generator, reach):
    """Inputs: features anywhere or at a border, weights up to `reach` of their bound."""
    reals = {}
    for name, type in plan.inputs.items():
        bound = type.hi * 2.0**-type.fraction
        most = bound if isinstance(type.owner, Private) else bound * reach
        uniform = generator.uniform(-most, most, type.shape)
        corner = generator.choice([-most, most], type.shape)
        reals[name] = np.where(generator.random(type.shape) < 0.3, corner, uniform)
    return {name: encode(real, plan.inputs[name].fraction) for name, real in reals.items()}


def meant(name, plan, inputs):
    """The logits in float64, from the words as they are."""
    real = {key: decode(words, plan.inputs[key].fraction) for key, words in inputs.items()}
    parties = [key[-1] for key in real if key.startswith("features")]

    def products(weights):
        return sum(real[f"features_{p}"] @ real[f"{weights}_{p}"] for p in parties)

    if name == "linear":
        return (products("weights") + real["intercept"])[:, 0]
    active = np.maximum(products("inner") + real["inner_constant"], 0)
    return (active @ real["outer"] + real["outer_constant"])[:, 0]


@pytest.mark.parametrize("name", PLANS)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    dims=st.sampled_from(DIMS),
    receiver=st.integers(0, 1),
    reach=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
)
def test_scores_are_logits_to_the_nearest_256th_and_cut(name, seed, dims, receiver, reach):
    plan = PLANS[name](7, dims, receiver)
    inputs = drawn(plan, np.random.default_rng(seed), reach)
    found = twin.run(plan, twin.split(plan, inputs))
    score = found.results[receiver]["score"]
    assert np.array_equal(score, plan.clear(inputs)["score"])
    assert found.results[1 - receiver] == {}
    logit = np.clip(meant(name, plan, inputs), -LOGIT_BOUND, LOGIT_BOUND)
    assert np.abs(decode(score, SCORE_BITS)[:, 0] - logit).max() <= 2.0 ** -(SCORE_BITS + 1) + 1e-9
    assert len(found.rounds) == len(plan.cost.rounds)


BORDERS = [0, 1, -1, LOGIT_BOUND, -LOGIT_BOUND]
UNIT, HALF = 2.0**-30, 2.0 ** -(SCORE_BITS + 1)


@pytest.mark.parametrize("border", BORDERS)
def test_at_the_borders_every_unit_is_right(border):
    """An intercept alone: the very words next to a border, and next to where rounding turns."""
    around = [border + step * HALF + shift for step in (-1, 0, 1) for shift in (-UNIT, 0, UNIT)]
    for logit in around:
        plan = linear(1, (1, 0), CLIP, receiver=0)
        inputs = {name: np.zeros(type.shape, np.uint64) for name, type in plan.inputs.items()}
        inputs["intercept"] = encode([[logit]], 30)
        words = twin.run(plan, twin.split(plan, inputs)).results[0]["score"]
        nearest = np.floor(logit * 2**SCORE_BITS + 0.5)
        most = LOGIT_BOUND << SCORE_BITS
        assert words.view(np.int64)[0, 0] == min(max(nearest, -most), most)


def test_a_score_has_fourteen_bits_and_few_rounds():
    for name, rounds in (("linear", 7), ("perceptron", 11)):
        plan = PLANS[name](1, (15, 18), 0)
        assert plan.nodes[-2].type.width == 14 and len(plan.cost.rounds) == rounds
        assert plan.receivers == {0}


def test_numbers_are_cut_at_their_owner():
    words = numbers(np.array([[np.inf, -9.0, 4.0, 0.5]]), CLIP)
    assert decode(words, NUMBER_BITS).tolist() == [[4.0, -4.0, 4.0, 0.5]]


def test_bounds_of_weights_leave_room_for_rounding():
    plan = perceptron(1, (2, 2), CLIP, UNITS, receiver=0)
    shared = {n: t for n, t in plan.inputs.items() if t.owner == SHARED}
    assert all(t.hi >= (int(UNIT_BOUND) << UNIT_BITS) + 1 for t in shared.values())
    weights = linear(1, (2, 2), CLIP, receiver=0).inputs["weights_0"]
    assert weights.hi >= LINEAR_BOUND * 2**weights.fraction


def test_columns_beyond_a_word_are_refused_with_a_sentence():
    perceptron(1, (250, 250), 4, 64, receiver=0)
    with pytest.raises(UsageError, match="64"):
        perceptron(1, (250, 250), 16, 64, receiver=0)
