"""Secure functions whose run times tell a machine's rates; each leans on one kind of work."""

import inspect
from collections.abc import Callable

import moiety.array as xp
from moiety.array import Array
from moiety.function.function import Function
from moiety.function.signature import From, Kept, Shared, Signature

UNIT, WIDE = Shared(low=-1, high=1), Shared(low=-8, high=8)


def _kept(function: Callable[..., Array], **arguments: From) -> Function:
    """The secure function with these arguments, whose result stays shared."""
    public = tuple(name for name in inspect.signature(function).parameters if name not in arguments)
    return Function(function, Signature(arguments, public, {"result": Kept()}, single=True))


def _chain(x: Array, depth: int) -> Array:
    for _ in range(depth):
        x = x * x
    return x


def _beside(x: Array, width: int) -> Array:
    total = x
    for at in range(width):
        total = total + (x - at) * (x + at)
    return total


def _product(x: Array, y: Array) -> Array:
    return x * y


def _less(x: Array, y: Array) -> Array:
    return x < y


def _matmul(x: Array, y: Array) -> Array:
    return x @ y


def _sigmoid(x: Array) -> Array:
    return xp.sigmoid(x)


chain = _kept(_chain, x=Shared(low=-0.5, high=0.5))
beside = _kept(_beside, x=UNIT)
product = _kept(_product, x=UNIT, y=UNIT)
less = _kept(_less, x=WIDE, y=WIDE)
matmul = _kept(_matmul, x=UNIT, y=UNIT)
owned = _kept(_matmul, x=From("a", low=-1, high=1), y=UNIT)
curve = _kept(_sigmoid, x=Shared(low=-4, high=4))
