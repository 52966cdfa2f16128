"""Random programs: right within their bound, within their ranges, at the predicted price."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import moiety
import moiety.array as xp
from fuzz_kit import check
from moiety import From, Kept, Results, Shared, To
from moiety.errors import UsageError
from moiety.plan import pipeline
from moiety.plan.network import NETWORKS
from moiety.plan.pipeline import Target

UNARY = [
    lambda v: v * 0.37,
    lambda v: v - 1.25,
    lambda v: -v,
    lambda v: xp.abs(v),
    lambda v: xp.clip(v, -1.5, 2),
    lambda v: v * v,
    lambda v: v @ v.T @ v,
    lambda v: v + xp.mean(v, axis=0),
    lambda v: xp.max(v, axis=1, keepdims=True) - v,
    lambda v: v[::-1],
    lambda v: xp.sigmoid(v),
    lambda v: xp.exp(xp.clip(v, -2, 1)),
    lambda v: xp.sqrt(xp.abs(v)),
    lambda v: 1 / (v * v + 0.5),
    lambda v: xp.tanh(v) * xp.log(xp.abs(v) + 0.25),
    lambda v: xp.erf(v) + xp.rsqrt(v * v + 1),
]
BINARY = [
    lambda v, w: v + w,
    lambda v, w: v - 2 * w,
    lambda v, w: v * w,
    lambda v, w: xp.minimum(v, w),
    lambda v, w: xp.maximum(v, w),
    lambda v, w: v @ (w.T @ v) / 4,
]


@st.composite
def recipes(draw):
    """Steps of a random program: which function, of which earlier values."""
    steps = []
    for at in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from("ub"))
        pool = UNARY if kind == "u" else BINARY
        chosen = draw(st.integers(0, len(pool) - 1))
        steps.append((kind, chosen, *(draw(st.integers(0, 3 + at)) for _ in range(2))))
    return steps


def follow(recipe, x, y, z):
    values = [x, y, z, x + y + z]
    for kind, chosen, first, second in recipe:
        if kind == "u":
            values.append(UNARY[chosen](values[first]))
        else:
            values.append(BINARY[chosen](values[first], values[second]))
    return values[-1]


@settings(max_examples=60)
@given(
    recipe=recipes(),
    seed=st.integers(0, 2**32),
    network=st.sampled_from(sorted(NETWORKS)),
    skip=st.sets(st.sampled_from(pipeline.NAMES), max_size=2),
    coins=st.booleans(),
)
def test_random_programs_are_right_within_their_bound_at_the_predicted_price(
    recipe, seed, network, skip, coins
):
    @moiety.secure
    def function(
        x: From("a", low=-2, high=2), y: From("b", low=-1, high=1), z: Shared(low=-1, high=1)
    ) -> Results(told=To("a", coins=coins, exact=True), kept=Kept()):
        found = follow(recipe, x, y, z)
        return {"told": found, "kept": found * 1}

    try:
        compiled = function.compile(
            dict.fromkeys("xyz", (2, 3)), target=Target(network=network, skip=skip)
        )
    except UsageError as error:
        assert error.hint
        return
    generator = np.random.default_rng(seed)
    bounds = {"x": 2.0, "y": 1.0, "z": 1.0}
    data = {
        name: np.clip(generator.uniform(-1.3 * b, 1.3 * b, (2, 3)), -b, b)
        for name, b in bounds.items()
    }
    check(compiled, data)
