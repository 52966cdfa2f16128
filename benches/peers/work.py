"""The works of the comparison with peers: secure functions, their arguments, and what is right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import moiety
from moiety import array as xp
from moiety.function.function import Function
from moiety.function.signature import From, Kept, Results, Shared

FRACTION = 18
WIDE = 2.0**45
"""Beyond ±this a number does not fit in 64 bits."""


@moiety.secure
def multiply(x: Shared(low=-8, high=8), y: Shared(low=-8, high=8)) -> Kept():
    return x * y


@moiety.secure
def negative(x: Shared(low=-WIDE, high=WIDE - 1)) -> Kept():
    return x < 0


@moiety.secure
def negative_narrow(x: Shared(low=-32, high=32 - 2.0**-FRACTION)) -> Kept():
    return x < 0


@moiety.secure
def sigmoid(x: Shared(low=-WIDE / 32, high=WIDE / 32)) -> Kept():
    return xp.sigmoid(x)


@moiety.secure
def product(x: Shared(low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y


@moiety.secure
def owned(x: From("p0", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y


@moiety.secure
def clamped_step(
    x: From("p0", low=-1, high=1),
    y: From("p1", low=0, high=1),
    w: Shared(low=-4, high=4, coins=True),
) -> Results(w=Kept()):
    error = xp.sigmoid(x @ w) - y
    return {"w": xp.clip(w - (x.T @ error) * RATE, -4, 4)}


RATE = 2.0**-7
PROVEN = 0.25


@moiety.secure
def proven_step(
    x: From("p0", low=-1, high=1),
    y: From("p1", low=0, high=1),
    w: Shared(low=-PROVEN, high=PROVEN, coins=True),
) -> Results(w=Kept()):
    """A step whose w is known to stay small: its range is the caller's promise."""
    error = xp.sigmoid(x @ w) - y
    return {"w": xp.clip(w - (x.T @ error) * RATE, -PROVEN, PROVEN)}


@dataclass(frozen=True)
class Work:
    """One row: a function of arguments, how often it runs in a loop, what the clear gives."""

    name: str
    peer: str
    """The peer's work that it is compared with."""
    size: str
    function: Function
    arguments: Callable[[np.random.Generator], Mapping[str, Any]]
    elements: int = 0
    steps: int = 0
    rows: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)
    force: tuple[str, ...] = ()
    """Ways that the plan must take."""
    time_sharing: bool = False
    """Whether encoding and masking the owner's table is part of the time."""

    def plain(self) -> Mapping[str, Any]:
        """The arguments in the clear: the same at both parties."""
        return self.arguments(np.random.default_rng(7))


def uniform(bound: float, *shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.uniform(-bound, bound, shape)


def of(**makers: Callable[[np.random.Generator], Any]) -> Callable[..., Mapping[str, Any]]:
    return lambda rng: {name: make(rng) for name, make in makers.items()}


def labels(rows: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.integers(0, 2, rows).astype(float)


def works(scale: float = 1.0) -> list[Work]:
    """All rows; `scale` shrinks them for a rehearsal."""
    n, side, rows = (max(8, int(size * scale)) for size in (1_000_000, 1_000, 100_000))
    few, many = max(2, int(70 * scale)), max(2, int(80 * scale))
    square = f"({side}×{side})"
    loops = [
        Work(
            name=f"logistic step {shape[0]}×{shape[1]}, {form}",
            peer=f"logistic step {shape[0]}×{shape[1]}",
            size=f"{steps} steps",
            function=function,
            arguments=of(x=uniform(1, shape[0] * steps, shape[1]), y=labels(shape[0] * steps)),
            steps=steps,
            rows=shape[0],
            state={"w": np.zeros(shape[1])},
        )
        for shape, steps in (((65, 30), few), ((1000, 100), many))
        for form, function in (("range proven", proven_step), ("clamped", clamped_step))
    ]
    return [
        Work("multiply", "multiply", f"{n}", multiply, of(x=uniform(8, n), y=uniform(8, n)), n),
        Work("x < 0, 64 bits", "x < 0", f"{n}", negative, of(x=uniform(WIDE / 2, n)), n),
        Work("x < 0, 24 bits", "x < 0", f"{n}", negative_narrow, of(x=uniform(31, n)), n),
        Work(
            "x < 0, 24 bits, digits of 4",
            "x < 0",
            f"{n}",
            negative_narrow,
            of(x=uniform(31, n)),
            n,
            force=("digit tables of 4",),
        ),
        Work("sigmoid, all reals", "sigmoid", f"{n}", sigmoid, of(x=uniform(16, n)), n),
        Work(
            "matmul",
            "matmul",
            f"{square}·{square}",
            product,
            of(x=uniform(1, side, side), y=uniform(1, side, side)),
        ),
        Work(
            "matmul, owned table",
            "matmul, owned table",
            f"({rows}×100)·(100×1)",
            owned,
            of(x=uniform(1, rows, 100), y=uniform(1, 100, 1)),
            time_sharing=True,
        ),
        *loops,
    ]
