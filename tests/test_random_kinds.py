"""Random programs of integers and booleans, of derivatives, and of state over several calls."""

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import moiety
import moiety.array as xp
from fuzz_kit import check, near, opened
from moiety import From, Kept, Results, Shared, To
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Owned, blocks
from moiety.function.signature import Signature
from moiety.lang.types import SHARED, Masked, Private
from moiety.ops import reals
from moiety.ops.order import sort_rows
from moiety.plan.hoist import masked
from moiety.plan.network import NETWORKS
from moiety.plan.pipeline import Target
from moiety.run.local import Twin

SHAPE = (3, 4)
ROWS = np.array([2, 0, 1])

WHOLE = [
    lambda n, m, b: n + m,
    lambda n, m, b: n - 3 * m,
    lambda n, m, b: n * m,
    lambda n, m, b: xp.where(b, n, m),
    lambda n, m, b: xp.minimum(n, m) + xp.maximum(m, 1),
    lambda n, m, b: xp.clip(n, -5, 9),
    lambda n, m, b: xp.abs(n) + xp.sign(m),
    lambda n, m, b: n + xp.sum(b),
    lambda n, m, b: n + xp.sum(m, axis=0),
    lambda n, m, b: n * b,
    lambda n, m, b: xp.take(n, [1, 1, 0], axis=0),
    lambda n, m, b: xp.concat([m[1:], n[:1]]),
    lambda n, m, b: xp.cumulative_sum(n, axis=1),
    lambda n, m, b: n + xp.max(m, axis=1, keepdims=True),
    lambda n, m, b: n - xp.expand_dims(xp.argmax(m, axis=0), axis=0),
    lambda n, m, b: n + xp.expand_dims(xp.argmin(m, axis=1), axis=1),
    lambda n, m, b: (n.T @ m)[:3, :],
    lambda n, m, b: xp.reshape(n.T, SHAPE),
]
FLAGS = [
    lambda n, m, b, c: n < m,
    lambda n, m, b, c: n >= 2,
    lambda n, m, b, c: n == m,
    lambda n, m, b, c: n != xp.flip(n, axis=0),
    lambda n, m, b, c: b & c,
    lambda n, m, b, c: b | ~c,
    lambda n, m, b, c: b ^ c,
    lambda n, m, b, c: xp.where(b, c, n < 0),
    lambda n, m, b, c: b & xp.any(c, axis=0),
    lambda n, m, b, c: b | xp.all(c, axis=1, keepdims=True),
    lambda n, m, b, c: b[ROWS],
]


def sorted_by(keys, n):
    """Rows in an order that one party alone knows; in the clear, as that order has them."""
    if not isinstance(n, Array):
        return n[np.argsort(keys[:, 0], kind="stable")]
    return Array(sort_rows(keys[:, 0].value, n.value))


PLACES = st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("n"), st.sampled_from(WHOLE), PLACES, PLACES, PLACES),
        st.tuples(st.just("b"), st.sampled_from(FLAGS), PLACES, PLACES, PLACES),
        st.tuples(st.just("s"), st.sampled_from([0, 1]), PLACES, PLACES, PLACES),
    ),
    min_size=1,
    max_size=6,
)


def follow(steps, keys, numbers, flags):
    for kind, step, i, j, k in steps:
        n, m = (numbers[at % len(numbers)] for at in (i, j))
        b, c = (flags[at % len(flags)] for at in (k, i))
        if kind == "s":
            numbers.append(sorted_by(keys[step], n))
        elif kind == "n":
            numbers.append(step(n, m, b))
        else:
            flags.append(step(n, m, b, c))
    return numbers[-1], flags[-1]


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32), network=st.sampled_from(sorted(NETWORKS)))
def test_random_programs_of_integers_and_booleans_are_exact(steps, seed, network):
    @moiety.secure
    def function(
        n: From("a", low=-9, high=9, dtype=int),
        m: From("b", low=0, high=20, dtype=int),
        s: Shared(low=-7, high=7, dtype=int),
        b: From("a", dtype=bool),
        c: From("b", dtype=bool),
    ) -> Results(told=To("a", exact=True), kept=Kept(), flag=To("b", exact=True), own=Kept()):
        number, flag = follow(steps, (n, m), [n, m, s], [b, c])
        return {"told": number, "kept": number, "flag": flag, "own": flag}

    generator = np.random.default_rng(seed)
    data = {
        "n": generator.integers(-9, 10, SHAPE),
        "m": generator.integers(0, 21, SHAPE),
        "s": generator.integers(-7, 8, SHAPE),
        "b": generator.integers(0, 2, SHAPE).astype(bool),
        "c": generator.integers(0, 2, SHAPE).astype(bool),
    }
    try:
        compiled = function.compile(dict.fromkeys(data, SHAPE), target=Target(network=network))
    except UsageError as error:
        assert error.hint
        return
    found = check(compiled, data)
    keys, numbers = (data["n"], data["m"]), [data["n"], data["m"], data["s"]]
    number, flag = follow(steps, keys, numbers, [data["b"], data["c"]])
    for name in ("told", "kept"):
        assert np.array_equal(found[name], number), name
    for name in ("flag", "own"):
        assert np.array_equal(found[name], flag), name


SMOOTH = [
    lambda v, w: v * w,
    lambda v, w: v - 0.5 * w,
    lambda v, w: v * v + w,
    lambda v, w: xp.sigmoid(v) * w,
    lambda v, w: xp.tanh(v + w),
    lambda v, w: xp.exp(xp.clip(v, -1, 1)) - w,
    lambda v, w: v @ (w.T @ v) * 0.25,
    lambda v, w: xp.sqrt(v * v + 0.5),
    lambda v, w: v / (w * w + 1),
    lambda v, w: xp.concat([v[1:], w[:1]]),
    lambda v, w: v + xp.mean(w, axis=0),
]
KINKED = [
    lambda v, w: xp.maximum(v, w),
    lambda v, w: xp.where(v < w, v, 2 * w),
    lambda v, w: xp.abs(v) + xp.max(w),
    lambda v, w: xp.clip(v - w, -0.5, 0.5),
]
"""Of inputs alone: what is computed may lie on the other side of a kink by its own error."""


@settings(max_examples=40, deadline=None)
@given(
    recipe=st.lists(
        st.tuples(st.sampled_from(SMOOTH + KINKED), PLACES, PLACES), min_size=1, max_size=3
    ),
    seed=st.integers(0, 2**32),
)
def test_random_derivatives_are_right_within_their_bound(recipe, seed):
    def loss(x, y):
        values = [x, y]
        for step, i, j in recipe:
            count = 2 if step in KINKED else len(values)
            values.append(step(values[i % count], values[j % count]))
        return xp.sum(values[-1])

    @moiety.secure
    def slopes(x: From("a", low=-1, high=1), y: From("b", low=-1, high=1)) -> Results(
        dx=Kept(), dy=To("a", exact=True)
    ):
        return {
            "dx": xp.grad(partial(call, loss, y=y))(x),
            "dy": xp.grad(lambda y: loss(x, y))(y),
        }

    try:
        compiled = slopes.compile({"x": (2, 3), "y": (2, 3)})
    except UsageError as error:
        assert error.hint or "derivative" in str(error)
        return
    generator = np.random.default_rng(seed)
    data = {name: generator.uniform(-1, 1, (2, 3)) for name in "xy"}
    check(compiled, data)
    real = compiled.real(**data)
    h = 1e-6
    for name, result in (("x", "dx"), ("y", "dy")):
        moved = [{**data, name: data[name] + sign * h * ONE} for sign in (1, -1)]
        slope = (float(loss(**moved[0])) - float(loss(**moved[1]))) / (2 * h)
        assert abs(slope - real[result][0, 0]) < 1e-3 * (1 + abs(slope))


ONE = np.zeros((2, 3))
ONE[0, 0] = 1.0


def call(loss, x, y):
    return loss(x, y)


UPDATES = [
    lambda x, y, w: w - 0.25 * (x.T @ (x @ w - y)),
    lambda x, y, w: w + x.T @ xp.sigmoid(x @ w) * 0.5,
    lambda x, y, w: 0.5 * w + xp.mean(x, axis=0) - xp.mean(y),
    lambda x, y, w: w * w - xp.tanh(w) + x[0],
    lambda x, y, w: xp.where(x[0] < 0, w + 1, w * xp.sum(y)),
    lambda x, y, w: w - xp.grad(lambda w: xp.sum(xp.square(x @ w - y)))(w) * 0.125,
]


class Watching(Twin):
    """A twin that keeps what went into each run of a plan and what came of it."""

    def begin(self, plan, runs, masks):
        lot, run = super().begin(plan, runs, masks)

        def watched(inputs):
            results = run(inputs)
            self.seen.append((plan, [dict(one) for one in inputs], results))
            return results

        return lot, watched


def plainly(plan, inputs):
    """What a run took, in the clear and by the names of arguments."""
    found = {}
    for name, type in plan.inputs.items():
        held = [one.get(name) for one in inputs]
        owner = type.owner.party if isinstance(type.owner, Private | Masked) else 0
        words = held[0] + held[1] if type.owner == SHARED else held[owner]
        argument = next((a for a in "xyw" if name in (a, masked(a))), name)
        found[argument] = np.ldexp(words.view(np.int64).astype(float), -type.fraction)
    return found


@settings(max_examples=25, deadline=None)
@given(
    updates=st.lists(st.sampled_from(UPDATES), min_size=1, max_size=2),
    seed=st.integers(0, 2**32),
    size=st.sampled_from([2, 3]),
)
def test_random_state_is_right_in_every_call_of_a_loop(updates, seed, size):
    def body(x, y, w):
        for update in updates:
            w = xp.clip(update(x, y, w), -2, 2)
        return {"w": w, "seen": xp.sum(xp.square(w))}

    arguments = {
        "x": From("a", -1, 1),
        "y": From("b", -1, 1),
        "w": Shared(low=-2, high=2, coins=True),
    }
    results = {"w": Kept(), "seen": To("b", coins=True)}
    function = Function(body, Signature(arguments, (), results, False, ("a", "b")))
    first = Function(
        lambda x: {"w": x},
        Signature({"x": From("public", -2, 2)}, (), {"w": Kept()}, False, ("a", "b")),
    )
    generator = np.random.default_rng(seed)
    x, y = generator.uniform(-1, 1, (6, 4)), generator.uniform(-1, 1, 6)
    run = Watching(("a", "b"))
    run.seen = []
    w = run.call(first, x=generator.uniform(-2, 2, 4))["w"]
    given = {"x": Owned.of("a", x), "y": Owned.of("b", y)}
    spans = blocks(6, size)
    done = run.repeat(function, state={"w": w}, given=given, spans=spans, batched=("x", "y"))
    steps = [one for one in run.seen if "seen" in one[0].outputs]
    assert len(steps) == len(spans) == len(done.results["seen"])
    before = None
    for (plan, inputs, results), span in zip(steps, spans, strict=True):
        data = plainly(plan, inputs)
        assert np.abs(data["x"] - x[span]).max() < 1e-5
        types = {name: plan.nodes[index].type for name, index in plan.outputs.items()}
        words = {name: opened(t, [r.get(name) for r in results]) for name, t in types.items()}
        found = {
            name: np.ldexp(words[name].view(np.int64).astype(float), -type.fraction)
            for name, type in types.items()
        }
        meant = function.trace({"x": x[span].shape, "y": y[span].shape, "w": (4,)})
        near(plan, found, reals.evaluate(meant, data))
        assert before is None or np.array_equal(before, data["w"])
        before = found["w"]
