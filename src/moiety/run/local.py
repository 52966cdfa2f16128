"""Runners on one machine, for who holds everybody's data: in the clear, or all parties in memory.

`Clear` computes what a program means, in float64: the plaintext twin of an algorithm. `Twin` runs
the secure ways. Neither protects anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moiety.function.function import FRACTION, Compiled, Function
from moiety.function.runner import Given, Owned, Repeated, Secret, check_loop, shape_of
from moiety.function.signature import Kept
from moiety.lang.primitive import Array
from moiety.lang.types import SHARED
from moiety.ops import reals
from moiety.plan.pipeline import Target
from moiety.run import twin


@dataclass
class Local:
    """What both have in common: names, a target, and plans that are made once."""

    parties: tuple[str, ...]
    target: Target = field(default_factory=Target)
    fraction: int = FRACTION
    _plans: dict[Any, Compiled] = field(default_factory=dict, init=False, repr=False)

    def compiled(self, function: Function, arguments: Mapping[str, Given]) -> Compiled:
        """The function for arguments of these shapes and public values."""
        shapes = {name: shape_of(one) for name, one in arguments.items()}
        key = (id(function), repr(sorted(shapes.items())))
        if key not in self._plans:
            self._plans[key] = function.compile(shapes, target=self.target, fraction=self.fraction)
        return self._plans[key]

    def call(self, function: Function, **arguments: Given) -> dict[str, Any]:
        """See `Runner`."""
        return self._run(self.compiled(function, arguments), arguments)

    def repeat(
        self,
        function: Function,
        *,
        state: Mapping[str, Secret],
        given: Mapping[str, Given],
        spans: Sequence[slice],
        batched: Sequence[str] = (),
    ) -> Repeated:
        """See `Runner`."""
        now, results = dict(state), dict[str, list[Any]]()
        for span in spans:
            part = {n: one.rows(span) if n in batched else one for n, one in given.items()}
            compiled = self.compiled(function, {**part, **now})
            check_loop(compiled, list(state))
            for name, value in self._run(compiled, {**part, **now}).items():
                if name in now:
                    now[name] = value
                else:
                    results.setdefault(name, []).append(value)
        return Repeated(now, results)

    def _run(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        raise NotImplementedError

    def __deepcopy__(self, _: Any) -> "Local":
        return self


class Clear(Local):
    """Float64: no words, no rounding. A `Secret` has one part, which is the value."""

    def _run(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        plain = {name: _plain(one) for name, one in arguments.items()}
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
