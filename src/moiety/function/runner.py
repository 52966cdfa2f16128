"""Where the calls of an algorithm run: the same lines train in the clear or between institutions.

An algorithm (`learn`) calls secure functions through a `Runner`. It holds results that stay secret
as handles, which show their shape and nothing else.

    state = runner.repeat(step, state={"w": w}, given={"x": x, "y": y}, spans=blocks(rows, 1000))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moiety.errors import UsageError
from moiety.function.function import Compiled, Function
from moiety.function.signature import From, Shape, Shared
from moiety.function.signature import Kept as KeptResult
from moiety.function.sums import Sum, beside
from moiety.lang.types import WORD_BITS, Fixed, Type

Plain = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Owned:
    """An array of one party: its shape is known to all, its data only where they are."""

    owner: str
    shape: Shape
    data: Plain | None = field(default=None, repr=False)

    @classmethod
    def of(cls, owner: str, data: npt.ArrayLike) -> "Owned":
        """The array where its owner is."""
        array = np.asarray(data)
        return cls(owner, array.shape, array)

    def made(self, shape: Shape, change: Callable[[Plain], Plain]) -> "Owned":
        """What its owner makes of it, of a shape that all know."""
        return Owned(self.owner, shape, None if self.data is None else change(self.data))

    def rows(self, span: slice) -> "Owned":
        """Some of its rows."""
        count = len(range(self.shape[0])[span])
        return Owned(self.owner, (count, *self.shape[1:]), _rows(self.data, span))


@dataclass(frozen=True, eq=False, repr=False)
class Secret:
    """A value that the computing parties hold as shares; `parts` are those held here.

    `sum_of` says of whose data it is a sum, None if it is none: see `told`.
    """

    type: Type
    parts: tuple[Plain | None, ...]
    sum_of: Sum | None = None

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self.type.shape

    def __repr__(self) -> str:
        return f"Secret({self.type})"

    def rows(self, span: slice) -> "Secret":
        """Some of its rows."""
        count = len(range(self.shape[0])[span])
        type = replace(self.type, shape=(count, *self.shape[1:]))
        return Secret(type, tuple(_rows(part, span) for part in self.parts), self.sum_of)

    def reshape(self, shape: Shape) -> "Secret":
        """The same elements in another shape."""
        parts = tuple(None if part is None else part.reshape(shape) for part in self.parts)
        return Secret(replace(self.type, shape=shape), parts, self.sum_of)

    def raised(self, fraction: int) -> "Secret":
        """The same numbers with so many fraction bits, no fewer than they have; nothing is sent."""
        bits, type = fraction - self.type.fraction, self.type
        bounds = type.lo << bits, type.hi << bits
        raised = Type(
            type.shape, Fixed(fraction), type.owner, *bounds, type.error << bits, type.ring
        )
        parts = tuple(_raised(part, bits) for part in self.parts)
        return Secret(raised, parts, self.sum_of)

    @classmethod
    def concat(cls, secrets: Sequence["Secret"], axis: int = 0) -> "Secret":
        """Secrets of one kind, one after the other along an axis."""
        parts = zip(*(one.parts for one in secrets), strict=True)
        joined = tuple(_joined(some, axis) for some in parts)
        types, shape = [one.type for one in secrets], list(secrets[0].shape)
        if len({type.kind for type in types}) > 1:
            raise UsageError("secrets of different kinds in one array")
        shape[axis] = sum(type.shape[axis] for type in types)
        type = replace(
            types[0],
            shape=tuple(shape),
            lo=min(type.lo for type in types),
            hi=max(type.hi for type in types),
            error=max(type.error for type in types),
            ring=min(type.ring for type in types),
        )
        return cls(type, joined, beside([one.sum_of for one in secrets]))


Given = Owned | Secret | Any
"""An argument of a call: somebody's array, a secret, or a public value."""
Span = slice | Mapping[str, slice]
"""The rows that a call takes: the same of every argument, or by argument."""


@dataclass(frozen=True)
class Repeated:
    """What a loop leaves: the state after the last call, and other results call by call."""

    state: Mapping[str, Secret]
    results: Mapping[str, list[Any]]


class Runner(Protocol):
    """Runs secure functions among parties."""

    @property
    def parties(self) -> tuple[str, ...]:
        """The names of all parties; the first two compute."""
        ...

    def call(self, function: Function, **arguments: Given) -> dict[str, Any]:
        """One call. A `Kept` result is a `Secret`; a revealed one an array, None elsewhere."""
        ...

    def repeat(
        self,
        function: Function,
        *,
        state: Mapping[str, Secret],
        given: Mapping[str, Given],
        spans: Sequence[Span],
        batched: Sequence[str] = (),
    ) -> Repeated:
        """A call for each span of rows. Results called as an argument is are its value next time.

        `batched` names the given arrays of which each call takes the span's rows; see `taken`.
        Spans have equal lengths: there is one plan for all calls.
        """
        ...


def blocks(rows: int, size: int, epochs: int = 1) -> list[slice]:
    """Consecutive spans of `size` rows, `epochs` times over; a shorter rest is left out."""
    return [slice(at, at + size) for at in range(0, rows - size + 1, size)] * epochs


def taken(given: Mapping[str, Given], batched: Sequence[str], span: Span) -> dict[str, Given]:
    """What one call of a loop takes of the given arguments."""
    spans = span if isinstance(span, Mapping) else dict.fromkeys(batched, span)
    return {name: one.rows(spans[name]) if name in batched else one for name, one in given.items()}


def shape_of(given: Given) -> Any:
    """What `Function.compile` needs of an argument."""
    return given.shape if isinstance(given, Owned | Secret) else given


def sums_given(function: Function, arguments: Mapping[str, Given]) -> dict[str, Sum | None]:
    """What arguments are sums of that are not by the signature what they are given as.

    What all know is nobody's contribution.

    Raises:
        UsageError: an array of another party than the one that is to bring it.
    """
    found: dict[str, Sum | None] = {}
    for name, one in arguments.items():
        declared = function.signature.arguments.get(name)
        if isinstance(one, Secret):
            found[name] = one.sum_of
        elif isinstance(declared, Shared) and isinstance(one, Owned):
            found[name] = Sum(frozenset({one.owner}))
        elif isinstance(declared, From) and not isinstance(one, Owned):
            found[name] = Sum()
        elif isinstance(declared, From) and isinstance(one, Owned) and one.owner != declared.owner:
            raise UsageError(
                f"{name} of {function.name} is {declared.owner}'s, and is given {one.owner}'s array"
            )
    return found


def check_loop(compiled: Compiled, state: Sequence[str]) -> None:
    """Refuses a state that may leave its declared bounds from one call to the next.

    Raises:
        UsageError: naming the bounds, and what to do.
    """
    signature, plan = compiled.function.signature, compiled.plan
    for name in state:
        declared, result = signature.arguments.get(name), signature.results.get(name)
        if not isinstance(declared, Shared) or not isinstance(result, KeptResult):
            raise UsageError(
                f"{compiled.function.name} does not keep its state {name}",
                hint=f"declare it as both: {name}: Shared(low=..., high=...) and Kept()",
            )
        before, after = plan.inputs[name], plan.nodes[plan.outputs[name]].type
        same = (before.shape, before.kind) == (after.shape, after.kind)
        if not same or after.lo < before.lo or after.hi > before.hi:
            raise UsageError(
                f"{compiled.function.name} takes {name} as {before.span} and gives {after.span}",
                hint="clip it to its declared bounds before it is returned",
            )


def check_secrets(compiled: Compiled, arguments: Mapping[str, Given]) -> None:
    """Refuses a secret that is not what its argument is declared to be.

    Raises:
        UsageError: other fraction bits, wider bounds, or rounding coins that are not declared.
    """
    for name, one in arguments.items():
        declared = compiled.plan.inputs.get(name)
        if not isinstance(one, Secret) or declared is None:
            continue
        is_, due = one.type, declared
        fits = (is_.kind, is_.owner, is_.ring) == (due.kind, due.owner, WORD_BITS)
        inside = due.lo <= is_.lo and is_.hi <= due.hi
        if not fits or not inside or (is_.error and not due.error):
            raise UsageError(
                f"{compiled.function.name} declares {name} as {due}, and is given {is_}",
                hint="clip it before it is kept, or declare wider bounds, coins=True",
            )


def _rows(data: Plain | None, span: slice) -> Plain | None:
    return None if data is None else data[span]


def _raised(part: Plain | None, bits: int) -> Plain | None:
    """Words are shifted; numbers in the clear stay as they are."""
    if part is None or part.dtype != np.uint64:
        return part
    shifted: Plain = part << np.uint64(bits)
    return shifted


def _joined(parts: Sequence[Plain | None], axis: int) -> Plain | None:
    held = [part for part in parts if part is not None]
    return np.concatenate(held, axis) if len(held) == len(parts) else None
