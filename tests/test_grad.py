"""Derivatives: of every function that has one, against central differences."""

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Results, Shared, To
from moiety.errors import UsageError
from moiety.run import twin

RNG = np.random.default_rng(5)
X, Y = RNG.uniform(-1, 1, (3, 4)), RNG.uniform(-1, 1, (3, 4))

SCALARS = {
    "arithmetic": lambda x, y: xp.sum(3 * x * y - x / 4 + (1 - x) * 0.3 - y),
    "powers": lambda x, y: xp.sum(x**3 + xp.square(x) * y),
    "negated": lambda x, y: xp.sum(-x) - xp.mean(x * x),
    "broadcast": lambda x, y: xp.sum((x - xp.mean(x, axis=0)) * y + x[0] * y[:, :1]),
    "products": lambda x, y: xp.sum((x @ y.T) @ (x @ np.ones((4, 2)))),
    "product on the right": lambda x, y: xp.sum(y.T @ x @ (2 * np.eye(4)) @ x.T),
    "choices": lambda x, y: xp.sum(xp.maximum(x, y) * x + xp.clip(x, -0.5, 0.5) * y),
    "abs": lambda x, y: xp.sum(xp.abs(x) * y) + xp.sum(xp.where(x < y, x * x, y)),
    "extremes": lambda x, y: xp.sum(xp.max(x, axis=1)) * xp.min(x),
    "parts": lambda x, y: xp.sum(x[1:, ::2] * y[:2, :2]) + xp.sum(x[[0, 0, 2]] * y),
    "columns twice": lambda x, y: xp.sum(x[:, [1, 1, 3]] ** 2),
    "joined": lambda x, y: xp.sum(xp.concat([x, x * y], axis=1)[:, 2:7] ** 2),
    "shapes": lambda x, y: xp.sum(xp.permute_dims(xp.reshape(x, (2, 3, 2)), (2, 0, 1)) ** 2),
    "not at all": lambda x, y: xp.sum(y * y) + xp.sum(x < y),
}


def compiled(body, argnum):
    @moiety.secure
    def function(
        x: From("a", low=-1, high=1, shape=(3, 4)), y: From("b", low=-1, high=1, shape=(3, 4))
    ) -> Results(value=To("a", exact=True), slope=To("a", exact=True)):
        value, slope = xp.value_and_grad(body, argnum)(x, y)
        return {"value": value, "slope": slope + 0 * x}

    return function.compile({}, fraction=20)


def differences(body, x, step=1e-6):
    slope = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        slope[place] = (body(up) - body(down)) / (2 * step)
    return slope


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("argnum", [0, 1])
def test_a_derivative_is_what_differences_give(name, argnum):
    body = SCALARS[name]
    made = compiled(body, argnum)
    real = made.real(x=X, y=Y)
    by = (lambda v: body(v, Y)) if argnum == 0 else (lambda v: body(X, v))
    assert np.allclose(real["slope"], differences(by, (X, Y)[argnum]), atol=1e-6)
    assert np.allclose(real["value"], body(X, Y))
    clear = made.clear(x=X, y=Y)
    assert np.abs(clear["slope"] - real["slope"]).max() < 1e-4


def test_a_gradient_is_taken_back_to_every_argument_at_once():
    def body(x, y, z):
        return xp.sum(x * y, axis=1) * 2 + xp.mean(y)

    @moiety.secure
    def function(
        x: From("a", low=-1, high=1), y: From("b", low=-1, high=1), z: From("b", low=-1, high=1)
    ) -> Results(**dict.fromkeys(("value", "x", "y", "z"), To("a", exact=True))):
        value, back = xp.vjp(body, x, y, z)
        slopes = back(1 - value)
        with pytest.raises(UsageError, match="a gradient"):
            back(x)
        return {"value": value, **dict(zip("xyz", slopes, strict=True))}

    found = function.compile(dict.fromkeys("xyz", (3, 4)), fraction=20).real(x=X, y=Y, z=Y)
    weights = 1 - body(X, Y, Y)
    assert np.allclose(found["value"], body(X, Y, Y))
    slopes = {
        "x": differences(lambda v: (body(v, Y, Y) * weights).sum(), X),
        "y": differences(lambda v: (body(X, v, Y) * weights).sum(), Y),
    }
    assert all(np.allclose(found[name], slope) for name, slope in slopes.items())
    assert not found["z"].any()


def test_training_by_derivative_on_shares():
    @moiety.secure
    def step(
        w: Shared(low=-4, high=4, coins=True),
        x: From("bank", low=-1, high=1),
        y: From("payco", dtype=bool),
    ) -> moiety.Kept():
        def loss(w):
            return xp.mean((x @ w - xp.where(y, 1.0, 0.0)) ** 2)

        return xp.clip(w - 0.5 * xp.grad(loss)(w), -4, 4)

    x = RNG.uniform(-1, 1, (40, 3))
    y = (x @ np.array([1.0, -2.0, 0.5]) > 0).astype(int)
    made = step.compile({"w": (3,), "x": x, "y": y})
    w, brought = np.zeros(3), None
    for _ in range(8):
        arguments = {"w": np.zeros(3), "x": x, "y": y}
        brought = brought or twin.split(made.plan, made.encode_all(arguments))
        results = twin.run(made.plan, brought).results
        for mine, result in zip(brought, results, strict=True):
            mine["w"] = result["result"]
        w = w - 0.5 * 2 * x.T @ (x @ w - y) / 40
    found = made.decode({"result": brought[0]["w"] + brought[1]["w"]})["result"]
    assert np.abs(found - w).max() < 1e-3
    sent = [step.primitive.name for _, step in made.plan.steps() if "ma" in step.primitive.name]
    assert sorted(sent) == ["mask", "masked_matmul", "masked_matmul"]


def test_what_has_no_derivative_is_refused():
    def matrix(x: From("a", low=-1, high=1)) -> To("a"):
        return xp.grad(lambda x: x * 2)(x)

    with pytest.raises(UsageError, match="not a number"):
        moiety.secure(matrix).compile({"x": (3,)})
    with pytest.raises(UsageError, match="plain arrays"):
        xp.grad(lambda x: x)(np.ones(1))
