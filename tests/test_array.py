"""The language: every function against NumPy, in float64 and exactly near its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moiety
import moiety.array as xp
from moiety import From, To
from moiety.errors import UsageError
from moiety.plan import accuracy
from moiety.run import twin

X = From("a", low=-4, high=4)
Y = From("b", low=-2, high=2)
N = From("b", low=-9, high=9, dtype=int)
B = From("a", dtype=bool)
A = "a"

FUNCTIONS = {
    "arithmetic": lambda x, y, n, b: x * y + 3 * x - y / 4 - n + 0.3,
    "reflected": lambda x, y, n, b: 2 - x + (1 + y) * (0.001 * x) - (5 - n),
    "powers": lambda x, y, n, b: x**2 + y**3 + xp.square(n),
    "negative": lambda x, y, n, b: -x + (+y),
    "compare": lambda x, y, n, b: (x < y) ^ (x >= 1.5) | (y <= -0.25) & ~(n > 3),
    "equal": lambda x, y, n, b: (n == 2) | (n != 5) & b,
    "booleans equal": lambda x, y, n, b: b == (n > 0),
    "where": lambda x, y, n, b: xp.where(b, x, y) + xp.where(n < 0, 1.5, n),
    "where of booleans": lambda x, y, n, b: xp.where(b, n > 0, x > y),
    "where known": lambda x, y, n, b: xp.where(np.eye(3, 4) > 0, x, y),
    "boolean factor": lambda x, y, n, b: b * x + y * b,
    "extremes of two": lambda x, y, n, b: xp.minimum(x, y) - xp.maximum(x, 0.5),
    "clip": lambda x, y, n, b: xp.clip(x, -1, 0.75),
    "abs and sign": lambda x, y, n, b: xp.abs(x) * xp.sign(n) + abs(n),
    "sum": lambda x, y, n, b: xp.sum(x, axis=0) + xp.sum(n) + xp.sum(b, axis=0),
    "running sums": lambda x, y, n, b: xp.cumulative_sum(x, axis=1) + xp.cumulative_sum(n, axis=0),
    "mean": lambda x, y, n, b: xp.mean(x, axis=1, keepdims=True) - xp.mean(y),
    "extreme": lambda x, y, n, b: xp.max(x, axis=0) + xp.min(n, axis=-2) * xp.max(y),
    "any and all": lambda x, y, n, b: xp.any(b, axis=0) | xp.all(n > 0, axis=0),
    "position": lambda x, y, n, b: xp.argmax(n, axis=1) - xp.argmin(n, axis=1) + xp.argmax(n),
    "product": lambda x, y, n, b: x @ y.T + n[0, :3],
    "vectors": lambda x, y, n, b: x[0] @ y.T + x @ n[1] + x[1] @ y[2],
    "tensordot": lambda x, y, n, b: xp.tensordot(x, y, axes=2) + xp.vecdot(x, y),
    "shapes": lambda x, y, n, b: xp.permute_dims(x, (1, 0)) + xp.reshape(y, (4, -1)),
    "three axes": lambda x, y, n, b: xp.permute_dims(xp.reshape(x, (3, 2, 2)), (1, 0, 2)),
    "new axes": lambda x, y, n, b: xp.squeeze(xp.expand_dims(x, axis=1), axis=1) + y[:, None, 0],
    "broadcast": lambda x, y, n, b: xp.broadcast_to(x[0], (3, 4)) * n,
    "broadcast bits": lambda x, y, n, b: xp.broadcast_to(b[0], (3, 4)) & b,
    "join": lambda x, y, n, b: xp.concat([x, n], axis=1) + xp.concat([y, y], axis=-1),
    "stack": lambda x, y, n, b: xp.stack([x, y, n], axis=-1),
    "parts": lambda x, y, n, b: x[1:, ::2] + y[-2:, [0, 3]] + n[..., 1:3][:2],
    "more parts": lambda x, y, n, b: xp.flip(x, axis=1)[::-1] + xp.take(y, [2, 0, -1], axis=0),
    "picked": lambda x, y, n, b: x[np.array([0, 2]), np.array([1, 3])],
    "rows": lambda x, y, n, b: sum(row * 2 for row in x),
}


def made(body, receiver="a"):
    def function(x: X, y: Y, n: N, b: B) -> To(receiver, exact=True):
        return body(x, y, n, b)

    return moiety.secure(function)


def near(low, high, step):
    """Numbers near the bounds, near 0, and between."""
    edges = [low, high, low + step, high - step, 0, step, -step]
    return st.one_of(st.sampled_from(edges), st.floats(low, high, width=32))


def arrays(elements):
    return st.lists(elements, min_size=12, max_size=12).map(lambda v: np.array(v).reshape(3, 4))


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
def test_a_function_gives_what_numpy_gives(name, data):
    compiled = (
        COMPILED.setdefault(name, None)
        or COMPILED.update({name: made(FUNCTIONS[name]).compile(dict.fromkeys("xynb", (3, 4)))})
        or COMPILED[name]
    )
    step = 2.0**-18
    arguments = {
        "x": data.draw(arrays(near(-4.0, 4.0, step))),
        "y": data.draw(arrays(near(-2.0, 2.0, step))),
        "n": data.draw(arrays(st.integers(-9, 9))),
        "b": data.draw(arrays(st.booleans())),
    }
    # on words the inputs are exact, so that comparisons fall out alike
    exact = {**arguments, **{n: np.rint(arguments[n] / step) * step for n in "xy"}}
    (real,), clear = compiled.real(**exact).values(), compiled.clear(**exact)["result"]
    assert clear.shape == np.shape(real)
    bound = accuracy.bounds(compiled.plan.program)[compiled.plan.outputs["result"]]
    assert np.abs(np.asarray(clear, float) - np.asarray(real, float)).max() <= bound
    plan = compiled.plan
    transcript = twin.run(plan, twin.split(plan, compiled.encode_all(exact)))
    found = compiled.decode(transcript.results[0])["result"]
    assert np.array_equal(found, clear)
    assert transcript.cost.rounds == tuple(map(dict, plan.cost.rounds))


COMPILED = {}


def refused(body, match, **shapes):
    with pytest.raises(UsageError, match=match) as caught:
        made(body).compile(dict.fromkeys("xynb", (3, 4)) | shapes)
    return caught.value


REFUSED = {
    "if": (lambda x, y, n, b: x if n[0, 0] > 0 else y, "cannot depend on secrets", "where"),
    "while": (lambda x, y, n, b: [0 for _ in iter(lambda: bool(b), True)], "secret", "where"),
    "float": (lambda x, y, n, b: float(x[0, 0]), "plain number", "To"),
    "secret index": (lambda x, y, n, b: x[n], "secret index", "where"),
    "number as condition": (lambda x, y, n, b: xp.where(n, x, y), "number", "compare"),
    "bits of numbers": (lambda x, y, n, b: n & b, "of a number", "compare"),
    "infinite constant": (lambda x, y, n, b: x * np.inf, "not finite", ""),
    "NaN compared": (lambda x, y, n, b: x < np.nan, "not finite", ""),
    "negative power": (lambda x, y, n, b: x**-1, "power", "exponent"),
    "shapes": (lambda x, y, n, b: x @ y, "not those of a matrix product", ""),
    "stack of matrices": (lambda x, y, n, b: xp.reshape(x, (3, 2, 2)) @ y, "matrix", "reshape"),
    "no axis": (lambda x, y, n, b: xp.sum(x, axis=2), "no axis 2", ""),
    "no index": (lambda x, y, n, b: x[3], "out of bounds", ""),
    "secret clip": (lambda x, y, n, b: xp.clip(x, y, 2), "public bounds", "minimum"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_secrets_cannot_do_is_refused_with_a_remedy(name):
    body, match, remedy = REFUSED[name]
    assert remedy in refused(body, match).hint


def test_an_overflow_names_the_line_the_bounds_and_the_remedy():
    @moiety.secure
    def area(x: From("a", low=-1e5, high=1e5), y: From("b", low=-1e5, high=1e5)) -> To(
        "a", exact=True
    ):
        return x * y

    with pytest.raises(
        UsageError, match=r"test_array\.py:\d+: multiply .*\[-100000, 100000\]"
    ) as caught:
        area.compile({"x": (3,), "y": (3,)})
    assert "bounds" in caught.value.hint and "fraction" in caught.value.hint
    assert area.compile({"x": (3,), "y": (3,)}, fraction=10).clear(x=[1e5] * 3, y=[1e5] * 3)


def test_an_integer_product_past_64_bits_is_refused():
    @moiety.secure
    def cube(n: From("a", low=0, high=2**22, dtype=int)) -> To("b"):
        return n * n * n

    with pytest.raises(UsageError, match="multiply"):
        cube.compile({"n": (2,)})


def test_small_factors_keep_their_precision():
    @moiety.secure
    def scaled(x: From("a", low=-4, high=4)) -> To("b", exact=True):
        return x * 1e-6

    compiled = scaled.compile({"x": (1,)}, fraction=24)
    assert abs(compiled.clear(x=[4.0])["result"][0] - 4e-6) <= 2**-24 * 1.1


def test_a_name_for_plain_arrays_is_numpys():
    assert np.array_equal(xp.clip(np.array([-2.0, 0.5]), -1, 1), [-1, 0.5])
    assert xp.divide(3.0, 4.0) == 0.75 and xp.argmax(np.array([1, 5, 2])) == 1


@pytest.mark.parametrize("shape", [(200,), (2, 130), (70, 3), (2, 65, 3), (5000,)])
def test_running_sums_of_many_elements_are_sums_of_blocks(shape):
    @moiety.secure
    def run(x: From("a", low=-9, high=9, dtype=int)) -> moiety.Results(y=moiety.Kept()):
        return {"y": xp.cumulative_sum(x, axis=len(x.shape) // 2)}

    x = np.random.default_rng(0).integers(-9, 10, shape)
    compiled = run.compile({"x": shape})
    assert np.array_equal(compiled.clear(x=x)["y"], np.cumsum(x, axis=len(shape) // 2))
    assert not compiled.plan.cost.rounds
