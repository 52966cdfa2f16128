"""Runners on one machine, for who holds everybody's data: in the clear, or all parties in memory.

`Clear` computes what a program means, in float64: the plaintext twin of an algorithm. `Twin` runs
the secure ways. Neither protects anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.function.function import FRACTION, Compiled, Function
from moiety.function.runner import (
    Given,
    Owned,
    Repeated,
    Secret,
    Span,
    check_loop,
    check_secrets,
    shape_of,
    taken,
)
from moiety.function.signature import COMPUTING, Kept
from moiety.lang.primitive import Array
from moiety.lang.types import SHARED
from moiety.ops import reals
from moiety.plan.pipeline import Target
from moiety.run import twin


@dataclass
class Spent:
    """What the calls of one function took: how many, and the sums of their plans' exact prices."""

    calls: int = 0
    rounds: int = 0
    sent: int = 0
    """Bytes in both directions."""
    dealt: int = 0

    def add(self, compiled: Compiled) -> None:
        """Counts one more call."""
        cost = compiled.plan.cost
        self.calls += 1
        self.rounds += len(cost.rounds)
        self.sent += cost.sent(0) + cost.sent(1)
        self.dealt += cost.dealt


@dataclass
class Local:
    """What both have in common: names, a target, and plans that are made once.

    `spent` says by function what its calls cost among parties.
    """

    parties: tuple[str, ...]
    target: Target = field(default_factory=Target)
    fraction: int = FRACTION
    spent: dict[str, Spent] = field(default_factory=dict, init=False, repr=False)
    _plans: dict[Any, Compiled] = field(default_factory=dict, init=False, repr=False)

    def compiled(self, function: Function, arguments: Mapping[str, Given]) -> Compiled:
        """The function for arguments of these shapes and public values.

        Raises:
            UsageError: it is among other parties, or computed by others.
        """
        shapes = {name: shape_of(one) for name, one in arguments.items()}
        declared = function.signature.arguments
        key = (id(function), *(_token(one, name in declared) for name, one in shapes.items()))
        if key not in self._plans:
            self._check(function)
            self._plans[key] = function.compile(shapes, target=self.target, fraction=self.fraction)
        return self._plans[key]

    def _check(self, function: Function) -> None:
        named = function.signature.parties
        computing, others = named[:COMPUTING], set(named) - set(self.parties)
        if others or computing != self.parties[: len(computing)]:
            raise UsageError(
                f"{function.name} is among {', '.join(named)}, its runner {self.parties}",
                hint="name the parties in the same order: the first two compute",
            )

    def call(self, function: Function, **arguments: Given) -> dict[str, Any]:
        """See `Runner`."""
        return self._ran(self.compiled(function, arguments), arguments)

    def repeat(
        self,
        function: Function,
        *,
        state: Mapping[str, Secret],
        given: Mapping[str, Given],
        spans: Sequence[Span],
        batched: Sequence[str] = (),
    ) -> Repeated:
        """See `Runner`."""
        now, results = dict(state), dict[str, list[Any]]()
        for span in spans:
            arguments = {**taken(given, batched, span), **now}
            compiled = self.compiled(function, arguments)
            check_loop(compiled, list(state))
            for name, value in self._ran(compiled, arguments).items():
                if name in now:
                    now[name] = value
                else:
                    results.setdefault(name, []).append(value)
        return Repeated(now, results)

    def _ran(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        check_secrets(compiled, arguments)
        self.spent.setdefault(compiled.function.name, Spent()).add(compiled)
        return self._run(compiled, arguments)

    def _run(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        raise NotImplementedError

    def __deepcopy__(self, _: Any) -> "Local":
        return self


class Clear(Local):
    """Float64: no words, no rounding. A `Secret` has one part, which is the value."""

    def _run(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        plain = {name: _plain(one) for name, one in arguments.items()}
        for name, one in arguments.items():
            if name in compiled.plan.inputs and not isinstance(one, Secret):
                compiled.encode_one(name, plain[name])
        found = reals.evaluate(compiled.meant, plain)
        types = _types(compiled)
        results = compiled.function.signature.results
        return {
            name: Secret(types[name], (value,)) if isinstance(results[name], Kept) else value
            for name, value in found.items()
        }


class Twin(Local):
    """All parties in this thread, with real randomness."""

    def _run(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        plan = compiled.plan
        words = {
            name: compiled.encode_one(name, _plain(one))
            for name, one in arguments.items()
            if name in plan.inputs and not isinstance(one, Secret)
        }
        held = twin.split(plan, {**words, **_zeros(compiled, arguments)})
        for name, one in arguments.items():
            if isinstance(one, Secret):
                for party, part in enumerate(one.parts):
                    held[party][name] = np.asarray(part)
        found = twin.run(plan, held).results
        return {name: self._result(compiled, name, found) for name in plan.outputs}

    def _result(self, compiled: Compiled, name: str, found: Sequence[Mapping[str, Array]]) -> Any:
        parts = tuple(own.get(name) for own in found)
        type = _types(compiled)[name]
        if type.owner == SHARED:
            return Secret(type, parts)
        told = next(part for part in parts if part is not None)
        return compiled.decode({name: told})[name]


def _types(compiled: Compiled) -> dict[str, Any]:
    nodes = compiled.plan.program.nodes
    return {name: nodes[index].type for name, index in compiled.plan.outputs.items()}


def _token(shape: Any, declared: bool) -> Any:
    """What a plan depends on of an argument: its shape, or all of a public value."""
    if isinstance(shape, np.ndarray):
        content = b"" if declared else shape.tobytes()
        return shape.shape, shape.dtype.str, content
    return repr(shape)


def _plain(one: Given) -> Any:
    if isinstance(one, Secret):
        return one.parts[0]
    return one.data if isinstance(one, Owned) else one


def _zeros(compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Array]:
    """Stand-ins for secrets, whose shares are there already."""
    return {
        name: np.zeros(one.shape, np.asarray(one.parts[0]).dtype)
        for name, one in arguments.items()
        if isinstance(one, Secret)
    }
