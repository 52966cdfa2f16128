"""A secure function: traced for shapes, planned for a network; runs in the clear as it stands."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.array.number import Array, Tracing
from moiety.errors import UsageError
from moiety.function import codec
from moiety.function.noise import Noise, declared
from moiety.function.signature import Kept, Shape, Signature, To, read
from moiety.function.sums import Sources, Sum
from moiety.function.told import check, kept, sentences, sources
from moiety.lang.program import Input, Program
from moiety.lang.trace import Value
from moiety.lang.types import PUBLIC, SHARED, Private, Type
from moiety.ops import reals
from moiety.ops.convert import reveal, share
from moiety.plan import render
from moiety.plan.coins import hardened
from moiety.plan.explain import Explanation, Measured, explain
from moiety.plan.pipeline import Target, compile
from moiety.plan.plan import Plan
from moiety.plan.simplify import simplify

FRACTION = 18
"""Fraction bits of real numbers, unless a program is compiled with others."""
Plain = np.ndarray[Any, Any]


def secure(function: Callable[..., Any]) -> "Function":
    """The function as one that parties can run on data that stays apart; see `signature`."""
    return Function(function, read(function))


@dataclass(frozen=True)
class Function:
    """What `@moiety.secure` makes of a Python function.

    Called, it runs in the clear in float64, without noise.
    """

    function: Callable[..., Any]
    signature: Signature

    @property
    def name(self) -> str:
        """The name of the Python function."""
        return self.function.__name__

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The plain meaning, on plain arrays."""
        return self.function(*arguments, **named)

    def compile(
        self,
        arguments: Mapping[str, Any],
        *,
        target: Target | None = None,
        fraction: int = FRACTION,
    ) -> "Compiled":
        """The planned function for a shape, or an array of that shape, for each argument.

        Public parameters are given by value.
        """
        program = self.trace(arguments, fraction, target.error if target else None)
        check(self.name, self.signature, program, sources(self.signature))
        return Compiled(self, compile(program, target), fraction, program)

    def trace(
        self, arguments: Mapping[str, Any], fraction: int = FRACTION, error: float | None = None
    ) -> Program:
        """The program that the function describes, before any pass; `error` as in `Target`."""
        named = (*self.signature.arguments, *self.signature.public)
        if set(arguments) - set(named):
            strange = sorted(set(arguments) - set(named))
            raise UsageError(f"{self.name} has no argument {', '.join(strange)}")
        builder = Tracing(fraction, error)
        given: dict[str, Any] = {}
        for name in self.signature.arguments:
            type = self._type(name, arguments.get(name), fraction)
            given[name] = Array(builder.add(Input(name, type)))
        for name in self.signature.public:
            if name in arguments:
                given[name] = arguments[name]
            elif (
                inspect.signature(self.function).parameters[name].default is inspect.Parameter.empty
            ):
                raise UsageError(
                    f"{self.name} needs its public parameter {name}", hint=f"give {name}=..."
                )
        returned = self.signature.named(self.function(**given))
        return self._revealed(builder, returned)

    def _type(self, name: str, given: Any, fraction: int) -> Type:
        declared = self.signature.arguments[name]
        shape = declared.shape if given is None else _shape(given)
        if shape is None:
            raise UsageError(
                f"{self.name} needs the shape of {name}", hint=f"give {name}=(rows, columns)"
            )
        owner = self.signature.owner(declared.owner)
        return declared.type(name, shape, owner, fraction)

    def _revealed(self, builder: Tracing, returned: Mapping[str, Any]) -> Program:
        """The program with a reveal of each result that a party learns."""
        for name, result in returned.items():
            if not isinstance(result, Array):
                raise UsageError(f"the result {name} of {self.name} does not depend on its inputs")
        results = {name: result.value for name, result in returned.items()}
        told = {name: one for name, one in self.signature.results.items() if isinstance(one, To)}
        strict = [name for name, one in told.items() if not one.coins and results[name].type.error]
        if strict:
            # equal steps first: one that is told and one that is not stay one
            program = hardened(simplify(builder.program(results)), strict)
            builder.nodes[:] = program.nodes
            results = {name: Value(builder, at) for name, at in program.outputs.items()}
            _check_coins(self.name, {name: results[name] for name in strict})
        builder.line = ""
        for name, one in told.items():
            noisy = self._noisy(name, results[name])
            results[name] = self._told(noisy, self.signature.party(one.receiver), one)
        for name, result in self.signature.results.items():
            if isinstance(result, Kept) and results[name].type.owner != SHARED:
                results[name] = share(results[name])
        return builder.program(results)

    def _noisy(self, name: str, value: Value) -> Value:
        """The value with the noise that is declared for it."""
        noise = self.noise(name, value.type)
        return value if noise is None else value + value.builder.add(noise.input)

    def noise(self, name: str, type: Type) -> Noise | None:
        """The noise of a result of this type."""
        result = self.signature.results[name]
        if not isinstance(result, To) or result.noise is None:
            return None
        party = self.signature.party(self.signature.other(result.receiver))
        return declared(name, type, result.noise, party)

    def _told(self, value: Value, party: int, result: To) -> Value:
        """The value at a party that learns it."""
        if value.type.owner == Private(party):
            return value
        shared: Value = value if value.type.owner == SHARED else share(value)
        coins = {"coins_too": True} if result.coins else {}
        told: Value = reveal(shared, to=party, **coins)
        return told


@dataclass(frozen=True)
class Compiled:
    """A secure function for certain shapes, with its plan."""

    function: Function
    plan: Plan
    fraction: int
    meant: Program
    """The program as it was written, before any pass."""

    @property
    def parties(self) -> tuple[str, ...]:
        """The parties by number."""
        return self.function.signature.parties

    @cached_property
    def types(self) -> Mapping[str, Type]:
        """The type of each result."""
        nodes = self.plan.program.nodes
        return {name: nodes[index].type for name, index in self.plan.outputs.items()}

    @property
    def arguments(self) -> dict[str, Type]:
        """The inputs of the plan that callers give; see `noise` for the others."""
        declared = self.function.signature.arguments
        return {name: type for name, type in self.plan.inputs.items() if name in declared}

    @property
    def noise(self) -> list[Noise]:
        """What is to be drawn for each run, by party."""
        found = (self.function.noise(name, type) for name, type in self.types.items())
        return [noise for noise in found if noise is not None]

    def encode(self, party: int, arguments: Mapping[str, npt.ArrayLike]) -> dict[str, Plain]:
        """What a party brings, as words and bits; shared arguments are brought as shares.

        Raises:
            DataError: an element outside its declared bounds, see `codec.encode`.
        """
        brought = {}
        for name, type in self.arguments.items():
            if type.owner == PUBLIC or type.owner == Private(party):
                brought[name] = self.encode_one(name, arguments[name])
        return brought

    def encode_all(self, arguments: Mapping[str, npt.ArrayLike]) -> dict[str, Plain]:
        """All arguments as words and bits: for a run in the clear, or in one process."""
        missing = [name for name in self.arguments if name not in arguments]
        if missing:
            raise UsageError(f"{self.function.name} needs the argument {missing[0]}")
        return {name: self.encode_one(name, arguments[name]) for name in self.arguments}

    def encode_one(self, name: str, data: npt.ArrayLike) -> Plain:
        """One argument as words or bits."""
        declared = self.function.signature.arguments[name]
        return codec.encode(name, declared, self.plan.inputs[name], data)

    def decode(self, outputs: Mapping[str, Plain]) -> dict[str, Plain]:
        """Results in the clear as numbers."""
        nodes = self.plan.program.nodes
        return {
            name: codec.decode(nodes[self.plan.outputs[name]].type, data)
            for name, data in outputs.items()
        }

    def decoded(self, noise: Mapping[str, Plain]) -> dict[str, Plain]:
        """Noise that was drawn, as numbers."""
        types = self.plan.inputs
        return {name: codec.decode(types[name], words) for name, words in noise.items()}

    def clear(self, **arguments: npt.ArrayLike) -> dict[str, Plain]:
        """The results of the exact fixed-point meaning of the planned program, without noise."""
        silent = {one.input.name: np.zeros(one.input.type.shape, np.uint64) for one in self.noise}
        return self.decode(self.plan.clear({**silent, **self.encode_all(arguments)}))

    def real(self, **arguments: npt.ArrayLike) -> dict[str, Plain]:
        """The results in float64, without any rounding: what the function means.

        Without noise, unless it is given by its input's name.
        """
        silent = {one.input.name: np.zeros(one.input.type.shape) for one in self.noise}
        return reals.evaluate(self.meant, {**silent, **arguments})

    def sums(self, given: Sources) -> dict[str, Sum | None]:
        """Of whose data each kept result is a sum, given what some arguments are sums of.

        Raises:
            UsageError: a result would tell a sum with too few contributors, see `told`.
        """
        signature, known = self.function.signature, sources(self.function.signature, given)
        check(self.function.name, signature, self.meant, known)
        return kept(signature, self.meant, known)

    def explain(self, analyze: Measured | None = None) -> "Page":
        """Why the plan is as it is; with what a run measured, which must be as predicted."""
        told = tuple(sentences(self.function.signature, self.meant))
        return Page(explain(self.plan, self.function.name, analyze), told)

    def __repr__(self) -> str:
        return f"Compiled({self.function.name}, {self.plan!r})"


@dataclass(frozen=True)
class Page:
    """An explanation as a terminal and a notebook show it; `data` is for programs."""

    data: Explanation
    told: tuple[str, ...] = ()
    """What each receiver learns, and from whose data."""

    @property
    def summary(self) -> str:
        """Rounds, bytes and times in one line."""
        return render.summary(self.data)

    def __str__(self) -> str:
        title, _, rest = render.text(self.data).partition("\n")
        return "\n".join([title, *self.told, rest])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        told = "<br>".join(map(escape, self.told))
        return f"<p>{told}</p>{render.html(self.data)}"


def _check_coins(name: str, told: Mapping[str, Value]) -> None:
    coins = [output for output, value in told.items() if value.type.error]
    if coins:
        raise UsageError(
            f"the result {coins[0]} of {name} would tell rounding coins of its operands",
            hint="accept that: To(..., coins=True)",
        )


def _shape(given: Any) -> Shape:
    """A shape, or that of an array."""
    if isinstance(given, Sequence) and all(isinstance(size, int) for size in given):
        return tuple(given)
    return np.asarray(given).shape
