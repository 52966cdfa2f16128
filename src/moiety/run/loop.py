"""What runners that compute on shares have in common: masked tables, calls and loops."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moiety.errors import InternalError, UsageError
from moiety.function import codec
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
from moiety.function.sums import Sum
from moiety.lang.primitive import Array
from moiety.lang.program import Input
from moiety.lang.types import PUBLIC, SHARED, Masked, Private, Type
from moiety.plan.hoist import masked
from moiety.plan.plan import Plan
from moiety.protocols.masked import whole
from moiety.ring import Reals
from moiety.run.dealing import MaskUse
from moiety.run.noise import drawn
from moiety.run.planner import Planner
from moiety.run.tables import masking

Held = Mapping[str, Array]
Brought = Mapping[str, "Array | Reals"]
Run = Callable[[Sequence[Brought]], Sequence[Held]]
"""One run of a plan: what each party that is here brings, and what it then holds."""
ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Table:
    """A table that its owner masked: what each party that is here holds, and the lot it took."""

    parts: tuple[Array | None, ...] = field(repr=False)
    lot: bytes


@dataclass(frozen=True, eq=False)
class _Bound:
    """An argument of a plan, in what each party that is here holds of it, whole."""

    parts: tuple[Array | Reals | None, ...] = field(repr=False)
    name: str = ""
    """Under which a span names its rows; empty where every call takes all."""

    def at(self, place: int, span: Span) -> Array | Reals | None:
        part = self.parts[place]
        if part is None or not self.name:
            return part
        return whole(part)[rows_of(span, self.name)]


@dataclass
class Secure(Planner):
    """A runner that computes on shares; `here` are the computing parties in this process."""

    here: tuple[int, ...] = field(default=(), init=False)
    _kept: dict[Any, tuple[Owned, Any]] = field(default_factory=dict, init=False, repr=False)

    def begin(self, plan: Plan, runs: int, masks: Mapping[str, MaskUse]) -> tuple[bytes, Run]:
        """The lot that is spent, and what makes one run of a plan after the other."""
        raise NotImplementedError

    def shared(self, owned: Owned, type: Type, words: Array | None) -> Sequence[Array | None]:
        """Shares of the array of a party that does not compute, for the parties here."""
        raise NotImplementedError

    def agree(self, name: str, words: Array) -> None:
        """Takes note of a public argument, which all parties must mean alike."""

    def announced(self, owner: str, mark: bytes) -> None:
        """Hears from a further owner what it sends shares of, which must be `mark`."""

    def call(self, function: Function, **arguments: Given) -> dict[str, Any]:
        """See `Runner`."""
        compiled = self.compiled(function, arguments)
        check_secrets(compiled, arguments)
        self.count(function.name, compiled.plan, 1)
        bound = {name: self._bound(compiled, name, one) for name, one in arguments.items()}
        _, run = self.begin(compiled.plan, 1, {})
        found = run(self._inputs(compiled, bound, ALL))
        return self._results(compiled, found, self.sums(compiled, arguments))

    def repeat(
        self,
        function: Function,
        *,
        state: Mapping[str, Secret],
        given: Mapping[str, Given],
        spans: Sequence[Span],
        batched: Sequence[str] = (),
    ) -> Repeated:
        """See `Runner`. Tables that multiply shared matrices are masked once for all calls."""
        if not spans:
            return Repeated(state, {})
        first = {**taken(given, batched, spans[0]), **state}
        tables = _tables(self.compiled(function, first).plan)
        compiled = self.compiled(function, first, tables)
        check_loop(compiled, list(state))
        check_secrets(compiled, first)
        self.count(function.name, compiled.plan, len(spans))
        bound = {n: self._bound(compiled, n, one, batched) for n, one in given.items()}
        masks = {}
        for name in tables:
            table = self._masked(compiled, name, given[name])
            by = name if name in batched else ""
            bound[masked(name)] = _Bound(table.parts, by)
            rows = tuple(_first(span, by, given[name]) for span in spans)
            masks[masked(name)] = MaskUse(table.lot, rows)
        _, run = self.begin(compiled.plan, len(spans), masks)
        now, results = dict(state), dict[str, list[Any]]()
        for span in spans:
            bound |= {name: _Bound(one.parts) for name, one in now.items()}
            whose = self.sums(compiled, {**first, **now})
            found = self._results(compiled, run(self._inputs(compiled, bound, span)), whose)
            for name, value in found.items():
                if name in now:
                    now[name] = value
                else:
                    results.setdefault(name, []).append(value)
        return Repeated(now, results)

    def _bound(
        self, compiled: Compiled, name: str, given: Given, batched: Sequence[str] = ()
    ) -> _Bound:
        """An argument as words; a compile-time parameter is bound to nothing."""
        type, by = compiled.plan.inputs.get(name), name if name in batched else ""
        if isinstance(given, Secret):
            return _Bound(given.parts, by)
        if type is None:
            return _Bound((None,) * len(self.here))
        if isinstance(type.owner, Private):
            found, owner = brought(compiled, name, given), type.owner.party
            return _Bound(tuple(found if p == owner else None for p in self.here), by)
        words = encoded(compiled, name, given)
        if isinstance(given, Owned) and type.owner == SHARED:
            return _Bound(tuple(self._once(compiled, name, given, words)), by)
        if words is None:
            raise InternalError(f"{name} is nobody's, and not here")
        self.agree(name, words)
        if type.owner == SHARED:
            # what all know is shared as itself and nothing
            return _Bound(tuple(np.zeros_like(words) if p else words for p in self.here), by)
        return _Bound((words,) * len(self.here), by)

    def _once(self, compiled: Compiled, name: str, given: Owned, words: Array | None) -> Any:
        """The shares of a further owner's array, sent once however often it is used as such."""
        type = replace(compiled.plan.inputs[name], shape=given.shape)
        key = (id(given), name, str(type))
        if key not in self._kept:
            self.announced(given.owner, mark(compiled, name, type))
            self._kept[key] = given, self.shared(given, type, words)
        return self._kept[key][1]

    def _masked(self, compiled: Compiled, name: str, given: Given) -> Table:
        """The masked table, masked once however many loops use it."""
        if not isinstance(given, Owned):
            raise InternalError(f"{name} is no party's table")
        taken = compiled.plan.inputs[masked(name)]
        type = replace(taken, shape=given.shape)
        key = (id(given), str(type))
        if key not in self._kept:
            plan = masking(type)
            found = brought(compiled, name, given)
            lot, run = self.begin(plan, 1, {})
            owner = type.owner.party if isinstance(type.owner, Masked) else 0
            inputs: list[Brought] = [
                {"x": found} if p == owner and found is not None else {} for p in self.here
            ]
            parts = tuple(result.get("x") for result in run(inputs))
            self._kept[key] = given, Table(parts, lot)
        table: Table = self._kept[key][1]
        return table

    def _inputs(self, compiled: Compiled, bound: Mapping[str, _Bound], span: Span) -> list[Brought]:
        inputs: list[Brought] = []
        for place, party in enumerate(self.here):
            taken = (name for name in compiled.plan.inputs if name in bound)
            named = {name: bound[name].at(place, span) for name in taken}
            held = {name: data for name, data in named.items() if data is not None}
            inputs.append({**held, **drawn(compiled.noise, party)})
        return inputs

    def _results(
        self, compiled: Compiled, found: Sequence[Held], whose: Mapping[str, Sum | None]
    ) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for name, type in compiled.types.items():
            parts = tuple(own.get(name) for own in found)
            told = next((part for part in parts if part is not None), None)
            if type.owner == SHARED:
                results[name] = Secret(type, parts, whose[name])
            else:
                results[name] = None if told is None else compiled.decode({name: told})[name]
        return results


def mark(compiled: Compiled, name: str, type: Type) -> bytes:
    """32 bytes that say which argument of which program is shared, and as what."""
    said = f"moiety share v1\0{name}\0{type}\0".encode()
    return hashlib.sha256(said + compiled.meant.hash).digest()


def rows_of(span: Span, name: str) -> slice:
    """The rows that a span means of an argument."""
    return span[name] if isinstance(span, Mapping) else span


def _first(span: Span, name: str, table: Given) -> int:
    """The first of the consecutive rows of a table that a span means; all of it without a name."""
    rows = range(table.shape[0])[rows_of(span, name)] if name else range(1)
    if rows.step != 1:
        raise UsageError(
            f"every {rows.step} rows of {name}, which is masked once",
            hint="put the rows of each span one after the other",
        )
    return rows.start


def encoded(compiled: Compiled, name: str, given: Given) -> Array | None:
    """The whole array as words; see `brought`."""
    return whole(brought(compiled, name, given))


def brought(compiled: Compiled, name: str, given: Given) -> Array | Reals | None:
    """The whole array as its owner brings it, checked against its bounds; None where it is not."""
    data = given.data if isinstance(given, Owned) else np.asarray(given)
    if data is None:
        return None
    declared = compiled.function.signature.arguments[name]
    type = declared.type(name, data.shape, PUBLIC, compiled.fraction)
    return codec.bring(name, declared, type, data)


def _tables(plan: Plan) -> list[str]:
    """The inputs that a plan masks as they are."""
    nodes = (
        plan.nodes[step.operands[0]] for _, step in plan.steps() if step.primitive.name == "mask"
    )
    return list(dict.fromkeys(node.name for node in nodes if isinstance(node, Input)))
