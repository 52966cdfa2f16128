"""Where the calls of an algorithm run: the same lines train in the clear or between institutions.

An algorithm (`learn`) calls secure functions through a `Runner`. It holds results that stay secret
as handles, which show their shape and nothing else.

    state = runner.repeat(step, state={"w": w}, given={"x": x, "y": y}, spans=blocks(rows, 1000))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moiety.errors import UsageError
from moiety.function.function import Compiled, Function
from moiety.function.signature import Kept as KeptResult
from moiety.function.signature import Shape, Shared
from moiety.lang.types import Type

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

    def rows(self, span: slice) -> "Owned":
        """Some of its rows."""
        count = len(range(self.shape[0])[span])
        return Owned(self.owner, (count, *self.shape[1:]), _rows(self.data, span))


@dataclass(frozen=True, eq=False, repr=False)
class Secret:
    """A value that the computing parties hold as shares; `parts` are those held here."""

    type: Type
    parts: tuple[Plain | None, ...]

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self.type.shape

    def __repr__(self) -> str:
        return f"Secret({self.type})"

    def rows(self, span: slice) -> "Secret":
        """Some of its rows."""
        count = len(range(self.shape[0])[span])
        type = _reshaped(self.type, (count, *self.shape[1:]))
        return Secret(type, tuple(_rows(part, span) for part in self.parts))


Given = Owned | Secret | Any
"""An argument of a call: somebody's array, a secret, or a public value."""


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
        spans: Sequence[slice],
        batched: Sequence[str] = (),
    ) -> Repeated:
        """A call for each span of rows. Results called as an argument is are its value next time.

        `batched` names the given arrays of which each call takes the span's rows. Spans have equal
        lengths: there is one plan for all calls.
        """
        ...


def blocks(rows: int, size: int, epochs: int = 1) -> list[slice]:
    """Consecutive spans of `size` rows, `epochs` times over; a shorter rest is left out."""
    return [slice(at, at + size) for at in range(0, rows - size + 1, size)] * epochs


def shape_of(given: Given) -> Any:
    """What `Function.compile` needs of an argument."""
    return given.shape if isinstance(given, Owned | Secret) else given


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


def _rows(data: Plain | None, span: slice) -> Plain | None:
    return None if data is None else data[span]


def _reshaped(type: Type, shape: Shape) -> Type:
    return Type(shape, type.kind, type.owner, type.lo, type.hi, type.error, type.ring)
