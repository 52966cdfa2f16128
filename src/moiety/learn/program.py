"""Secure functions whose arguments follow from who owns which part of a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import moiety.array as xp
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Given, Owned, Runner, Secret, Span
from moiety.function.signature import COMPUTING, From, Kept, Result, Shared, Signature
from moiety.learn.partition import Partition, Plain

SHARED = "shared"
Bounds = tuple[float, float]
Values = Mapping[str, Array]
Body = Callable[..., Mapping[str, Any]]


def secured(
    parties: tuple[str, ...],
    body: Body,
    arguments: Mapping[str, From],
    results: Mapping[str, Result],
) -> Function:
    """A secure function of the runner's parties, of which the first two compute."""
    computing = parties[:COMPUTING]
    return Function(body, Signature(dict(arguments), (), dict(results), False, computing))


def held(**bounds: float | Bounds) -> dict[str, From]:
    """Arguments that are results of earlier calls, by the largest size or both bounds of each."""
    return {name: _held(float, bound) for name, bound in bounds.items()}


def held_whole(**bounds: Bounds) -> dict[str, From]:
    """The same for whole numbers."""
    return {name: _held(int, bound) for name, bound in bounds.items()}


def _held(dtype: type, bound: float | Bounds) -> Shared:
    low, high = bound if isinstance(bound, tuple) else (-float(bound), float(bound))
    return Shared(low=low, high=high, dtype=dtype, coins=True)


def kept(*names: str) -> dict[str, Result]:
    """Results that stay shares."""
    return {name: Kept() for name in names}


@dataclass(frozen=True)
class Layout:
    """Who owns which part of an argument, and its bounds: all that a program depends on."""

    name: str
    axis: int
    owners: tuple[str, ...]
    low: float
    high: float
    whole: bool = False

    @property
    def arguments(self) -> dict[str, From]:
        """How a signature declares the parts."""
        dtype = int if self.whole else float
        bounds = {"low": self.low, "high": self.high, "dtype": dtype}
        return {
            name: Shared(**bounds) if owner == SHARED else From(owner, **bounds)  # type: ignore[arg-type]
            for name, owner in zip(self.names, self.owners, strict=True)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments' names."""
        return tuple(f"{self.name}_{at}" for at in range(len(self.owners)))

    def parts(self, values: Values) -> list[Array]:
        """The parts in a program."""
        return [values[name] for name in self.names]

    def joined(self, values: Values) -> Array:
        """The whole in a program: products of it run at the owners of its parts."""
        parts = self.parts(values)
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=self.axis)


@dataclass(frozen=True)
class Brought:
    """An argument whose parts are where a runner finds them."""

    layout: Layout
    given: dict[str, Given]


def bring(
    runner: Runner, whole: Partition, name: str, bounds: Bounds, dtype: type = float
) -> Brought:
    """The table as arguments of secure functions.

    The two computing parties keep their parts in the clear; a further owner sends shares once.
    """
    owners, given = [], dict[str, Given]()
    for at, part in enumerate(whole.parts):
        computes = part.owner in runner.parties[:COMPUTING]
        owners.append(part.owner if computes else SHARED)
        given[f"{name}_{at}"] = part if computes else _sent(runner, part, bounds, dtype)
    return Brought(Layout(name, whole.axis, tuple(owners), *bounds, dtype is int), given)


def _sent(runner: Runner, part: Owned, bounds: Bounds, dtype: type) -> Secret:
    """The part of a party that does not compute, as shares."""
    sent: Secret = runner.call(sending(runner.parties, part.owner, bounds, dtype), x=part)["x"]
    return sent


@cache
def sending(parties: tuple[str, ...], owner: str, bounds: Bounds, dtype: type) -> Function:
    """An owner's array as shares."""

    def send(x: Array) -> dict[str, Array]:
        return {"x": x}

    low, high = bounds
    return secured(parties, send, {"x": From(owner, low, high, dtype)}, kept("x"))


def begun(runner: Runner, values: Plain, bound: float) -> Secret:
    """Public numbers as shares: where a loop begins."""
    secret: Secret = runner.call(_begun(bound), x=values)["x"]
    return secret


@cache
def _begun(bound: float) -> Function:
    def begin(x: Array) -> dict[str, Array]:
        return {"x": x}

    return secured((), begin, {"x": From("public", -bound, bound)}, kept("x"))


def batches(x: Brought, y: Brought, size: int, epochs: int) -> list[Span]:
    """For each call about `size` rows: of each owner of rows in proportion to what it has.

    Raises:
        UsageError: somebody has fewer rows than there are calls in an epoch.
    """
    lengths = [x.given[name].shape[0] for name in x.layout.names]
    rows = sum(lengths) if x.layout.axis == 0 else lengths[0]
    calls = max(rows // size, 1)
    if min(lengths) < calls:
        raise UsageError(
            f"batches of {size} of {rows} rows, and one owner has only {min(lengths)}",
            hint="take larger batches",
        )
    each = dict(zip(x.layout.names, (length // calls for length in lengths), strict=True))
    each |= dict(zip(y.layout.names, each.values(), strict=False))
    spans: list[Span] = [
        {name: slice(call * count, (call + 1) * count) for name, count in each.items()}
        for call in range(calls)
    ]
    return spans * epochs
