"""What every runner has in common: plans that are made once, what calls cost, what they tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moiety.errors import UsageError
from moiety.function.function import FRACTION, Compiled, Function
from moiety.function.runner import Given, shape_of, sums_given
from moiety.function.signature import COMPUTING
from moiety.function.sums import Sum
from moiety.plan.pipeline import Target
from moiety.plan.plan import Plan


@dataclass
class Spent:
    """What the calls of one function took: how many, and the sums of their plans' exact prices."""

    calls: int = 0
    rounds: int = 0
    sent: int = 0
    """Bytes in both directions."""
    dealt: int = 0

    def add(self, plan: Plan, calls: int) -> None:
        """Counts more calls."""
        cost = plan.cost
        self.calls += calls
        self.rounds += calls * len(cost.rounds)
        self.sent += calls * (cost.sent(0) + cost.sent(1))
        self.dealt += calls * cost.dealt


@dataclass
class Planner:
    """Names, a target, and plans that are made once.

    `spent` says by function what its calls cost among parties.
    """

    parties: tuple[str, ...]
    target: Target = field(default_factory=Target)
    fraction: int = FRACTION
    spent: dict[str, Spent] = field(default_factory=dict, init=False, repr=False)
    _plans: dict[Any, Compiled] = field(default_factory=dict, init=False, repr=False)
    _sums: dict[Any, Mapping[str, Sum | None]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        parties = self.parties
        if isinstance(parties, str) or len(set(parties)) < max(COMPUTING, len(parties)):
            raise UsageError(
                f"a runner among {parties!r}",
                hint='name at least two parties, each once: ("bank", "payco")',
            )

    def compiled(
        self, function: Function, arguments: Mapping[str, Given], tables: Sequence[str] = ()
    ) -> Compiled:
        """The function for arguments of these shapes, with these tables masked before.

        Raises:
            UsageError: it is among other parties, or computed by others.
        """
        shapes = {name: shape_of(one) for name, one in arguments.items()}
        declared = function.signature.arguments
        tokens = (_token(one, name in declared) for name, one in shapes.items())
        key = (id(function), *tokens, tuple(tables))
        if key not in self._plans:
            self._check(function)
            target = replace(self.target, masked=tuple(tables))
            self._plans[key] = function.compile(shapes, target=target, fraction=self.fraction)
        self.sums(self._plans[key], arguments)
        return self._plans[key]

    def sums(self, compiled: Compiled, arguments: Mapping[str, Given]) -> Mapping[str, Sum | None]:
        """Of whose data each kept result is a sum, given what the arguments are sums of.

        Raises:
            UsageError: a result would tell a sum with too few contributors, see `told`.
        """
        given = sums_given(compiled.function, arguments)
        key = (id(compiled), *given.items())
        if key not in self._sums:
            self._sums[key] = compiled.sums(given)
        return self._sums[key]

    def _check(self, function: Function) -> None:
        named = function.signature.parties
        computing, others = named[:COMPUTING], set(named) - set(self.parties)
        if others or computing != self.parties[: len(computing)]:
            raise UsageError(
                f"{function.name} is among {', '.join(named)}, its runner {self.parties}",
                hint="name the parties in the same order: the first two compute",
            )

    def count(self, function: str, plan: Plan, calls: int) -> None:
        """Keeps in mind what calls cost."""
        self.spent.setdefault(function, Spent()).add(plan, calls)

    def __deepcopy__(self, _: Any) -> "Planner":
        return self


def _token(shape: Any, declared: bool) -> Any:
    """What a plan depends on of an argument: its shape, or all of a public value."""
    if isinstance(shape, np.ndarray):
        content = b"" if declared else shape.tobytes()
        return shape.shape, shape.dtype.str, content
    return repr(shape)
