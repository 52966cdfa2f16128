"""What the signature of a secure function says: who owns what, its bounds, who learns what.

    @moiety.secure
    def score(
        x: From("bank", low=-8, high=8), w: From("payco", low=-1, high=1)
    ) -> To("bank"):
        return moiety.array.sigmoid(x @ w)

A parameter without such an annotation is public: it is given when the function is compiled.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moiety.array.number import Array, DType
from moiety.errors import UsageError
from moiety.lang.types import BIT, PUBLIC, SHARED, Fixed, Owner, Private, Type

Shape = tuple[int, ...]
COMPUTING = 2
"""Parties that hold shares; a further owner sends shares of its columns to them."""


@dataclass(frozen=True)
class From:
    """An argument that `owner` brings; no element lies outside [low, high].

    Its owner checks the bounds before anything is sent. `dtype` is float, int or bool; a bool
    has no bounds. `owner` "public" is an argument that every party knows.
    """

    owner: str
    low: float | None = None
    high: float | None = None
    dtype: DType = float
    shape: Shape | None = None

    def type(self, name: str, shape: Shape, owner: Owner, fraction: int) -> Type:
        """The type of the argument in a program."""
        if self.dtype is bool:
            return Type(shape, BIT, owner, 0, 1)
        if self.low is None or self.high is None or not self.low <= self.high:
            raise UsageError(
                f"the argument {name} has no bounds",
                hint=f'declare them: {name}: From("{self.owner}", low=..., high=...)',
            )
        bits = fraction if self.dtype is float else 0
        bounds = (round(self.low * 2**bits), round(self.high * 2**bits))
        return Type(shape, Fixed(bits), owner, *bounds)


@dataclass(frozen=True)
class Shared(From):
    """An argument that the parties hold as shares, such as a model or a kept result.

    `coins` says that it may carry rounding coins of truncations, as a kept result does.
    """

    owner: str = "shared"
    coins: bool = False

    def type(self, name: str, shape: Shape, owner: Owner, fraction: int) -> Type:
        """The type of the argument in a program."""
        type = super().type(name, shape, SHARED, fraction)
        error = int(self.coins and type.kind != BIT)
        return Type(type.shape, type.kind, type.owner, type.lo, type.hi, error)


@dataclass(frozen=True)
class To:
    """A result that one party learns, and nobody else.

    A sum (a linear function of private data, with factors that the receiver knows) is refused
    unless three owners contribute to each of its elements. Two ways out:

    - `noise`, a scale in units of the result: the other computing party adds discrete Laplace noise
      to each element, which it draws itself in each run. For data whose change moves the result by
      Δ in all, that is ε-differential privacy with ε = Δ / noise; see `noise`.
    - `exact`: the sum is meant to be told. The receiver may then solve it for what it does not
      know: sums over the other owner's rows, or the rows themselves.

    With `coins` the truncations before it may be cheaper ones, whose random rounding depends on
    shares: the receiver then learns these coins too, beyond the result.
    """

    receiver: str
    coins: bool = False
    exact: bool = False
    noise: float | None = None

    def __post_init__(self) -> None:
        if self.noise is not None and not 0 < self.noise < math.inf:
            raise UsageError(f"noise of scale {self.noise}", hint="name a scale above 0")


@dataclass(frozen=True)
class Kept:
    """A result that stays shared: state for a later call."""


Result = To | Kept


class Results(dict[str, Result]):
    """Several results by name, for a function that returns a dict of them."""


@dataclass(frozen=True)
class Signature:
    """A secure function's arguments, public parameters, and results by name.

    `computing` names the parties that hold shares, where the arguments do not name them first.
    """

    arguments: Mapping[str, From]
    public: tuple[str, ...]
    results: Mapping[str, Result]
    single: bool
    computing: tuple[str, ...] = ()

    @property
    def parties(self) -> tuple[str, ...]:
        """Every party named, in order; the first two compute."""
        named = [*self.computing, *(one.owner for one in self.arguments.values())]
        named += [one.receiver for one in self.results.values() if isinstance(one, To)]
        return tuple(dict.fromkeys(name for name in named if name not in ("public", "shared")))

    def owner(self, name: str) -> Owner:
        """Who holds a party's values: itself, or the computing parties as shares."""
        if name in ("public", "shared"):
            return PUBLIC if name == "public" else SHARED
        party = self.parties.index(name)
        return Private(party) if party < COMPUTING else SHARED

    def party(self, name: str) -> int:
        """The number of a computing party."""
        party = self.parties.index(name)
        if party >= COMPUTING:
            raise UsageError(
                f"{name} is the third party named, so it holds no shares and can receive nothing",
                hint="name the computing parties first in the signature",
            )
        return party

    def other(self, name: str) -> str:
        """The other computing party: who draws the noise of what a party is told."""
        if len(self.parties) < COMPUTING:
            raise UsageError(
                f"noise for {name}, and no other party to draw it",
                hint="the receiver's own noise would protect nobody from it",
            )
        return self.parties[1 - self.party(name)]

    def named(self, returned: Any) -> dict[str, Array]:
        """What the function returned, by result name."""
        found = {"result": returned} if self.single else returned
        if not isinstance(found, Mapping):
            found = {str(at): one for at, one in enumerate(found)}
        if set(found) != set(self.results):
            raise UsageError(
                f"the function returns {sorted(found)}, its signature names {sorted(self.results)}"
            )
        return {name: found[name] for name in self.results}


def read(function: Callable[..., Any]) -> Signature:
    """The signature of a Python function."""
    signature = inspect.signature(function, eval_str=True)
    arguments = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, From)
    }
    public = tuple(name for name in signature.parameters if name not in arguments)
    results, single = _results(function, signature.return_annotation)
    return Signature(arguments, public, results, single)


def _results(function: Callable[..., Any], annotation: Any) -> tuple[dict[str, Result], bool]:
    """The results by name, and whether there is just one."""
    if isinstance(annotation, To | Kept):
        return {"result": annotation}, True
    if isinstance(annotation, tuple):
        annotation = {str(at): one for at, one in enumerate(annotation)}
    found = dict(annotation) if isinstance(annotation, dict) else {}
    if found and all(isinstance(one, To | Kept) for one in found.values()):
        return found, False
    raise UsageError(
        f"the signature of {function.__name__} does not say who learns its result",
        hint='annotate it: -> To("bank"), or -> Kept(), or -> Results(name=To(...), ...)',
    )
