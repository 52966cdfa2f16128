"""Runners on one machine, for who holds everybody's data: in the clear, or all parties in memory.

`Clear` computes what a program means, in float64: the plaintext twin of an algorithm. `Twin` runs
the secure ways. Neither protects anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moiety.errors import UsageError
from moiety.function.function import Compiled, Function
from moiety.function.runner import (
    Given,
    Owned,
    Repeated,
    Secret,
    Span,
    check_loop,
    check_secrets,
    taken,
)
from moiety.function.signature import Kept
from moiety.lang.primitive import Array
from moiety.lang.types import Type
from moiety.ops import reals
from moiety.plan.plan import Plan
from moiety.run import twin
from moiety.run.dealing import Dealer, MaskUse
from moiety.run.execute import Script
from moiety.run.loop import Brought, Held, Run, Secure
from moiety.run.noise import drawn
from moiety.run.planner import Planner


class Clear(Planner):
    """Float64: no words, no rounding. A `Secret` has one part, which is the value."""

    def call(self, function: Function, **arguments: Given) -> dict[str, Any]:
        """See `Runner`."""
        return self._run(self.compiled(function, arguments), arguments)

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
            for name, value in self._run(compiled, arguments).items():
                if name in now:
                    now[name] = value
                else:
                    results.setdefault(name, []).append(value)
        return Repeated(now, results)

    def _run(self, compiled: Compiled, arguments: Mapping[str, Given]) -> dict[str, Any]:
        check_secrets(compiled, arguments)
        self.count(compiled.function.name, compiled.plan, 1)
        plain = {name: _plain(one) for name, one in arguments.items()}
        for name, one in arguments.items():
            if name in compiled.plan.inputs and not isinstance(one, Secret):
                compiled.encode_one(name, plain[name])
        results, types = compiled.function.signature.results, compiled.types
        whose, noise = self.sums(compiled, arguments), compiled.decoded(drawn(compiled.noise))
        return {
            name: Secret(types[name], (value,), whose[name])
            if isinstance(results[name], Kept)
            else value
            for name, value in reals.evaluate(compiled.meant, {**plain, **noise}).items()
        }


@dataclass
class Twin(Secure):
    """All parties in this thread, with real randomness."""

    dealer: Dealer = field(default_factory=Dealer, init=False, repr=False)
    here = (0, 1)

    def begin(self, plan: Plan, runs: int, masks: Mapping[str, MaskUse]) -> tuple[bytes, Run]:
        """See `Secure`."""
        material = self.dealer.deal(plan.bill, runs, masks)
        scripts = [Script(plan, party) for party in self.here]
        spendings = [material[party].spend(plan.bill, party) for party in self.here]

        def run(inputs: Sequence[Brought]) -> Sequence[Held]:
            sides = [
                script.run(own, next(spending))
                for script, own, spending in zip(scripts, inputs, spendings, strict=True)
            ]
            return twin.lockstep(sides).results

        return material[0].lot.lot, run

    def shared(self, owned: Owned, type: Type, words: Array | None) -> Sequence[Array]:
        """See `Secure`."""
        if words is None:
            raise UsageError(f"the array of {owned.owner} is not here")
        return twin.shares(words)


def _plain(one: Given) -> Any:
    if isinstance(one, Secret):
        return one.parts[0]
    return one.data if isinstance(one, Owned) else one
