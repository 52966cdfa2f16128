"""A primitive: its plaintext meaning, its type rule, and every secure way with its exact price.

    @primitive(rule=..., shapes=("n", "n"), examples=(...))
    def multiply(x, y): ...                       the meaning: test oracle, and what an enclave runs

    @multiply.way(DEALER, name=..., accepts=..., cost=..., bill=..., source="paper, section")
    def _(ctx, x, y): ...                         a generator that yields what it sends

A way that sends nothing is a plain function.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NotRequired, Protocol, TypedDict, Unpack, cast

import numpy as np

from moiety.errors import InternalError
from moiety.lang.cost import Cost, Formula, Work, octets
from moiety.lang.types import SHARED, Private, Type, joined

DEALER = "dealer"
"""Two parties and a dealer of correlated randomness; semi-honest."""

Array = np.ndarray[Any, Any]


class Correlated(Protocol):
    """What a bill lists: correlated randomness that a dealer supplies before the run."""

    def corrections(self) -> tuple[int, ...]:
        """The bits of each field that party 1 is sent."""
        ...

    def common(self) -> tuple[int, ...]:
        """The bits of each field that party 0 is sent too."""
        ...


@dataclass(slots=True, repr=False)
class Operand:
    """A value as one party holds it: its share, its plaintext, or nothing (`data` is None).

    An operand that a way takes late is empty at first, and filled before the second round.
    """

    type: Type
    data: Any

    @property
    def words(self) -> Array:
        """What this party holds; an error if it holds nothing."""
        if self.data is None:
            raise InternalError(f"this party does not hold a value of type {self.type}")
        held: Array = self.data
        return held

    def __repr__(self) -> str:
        return f"Operand({self.type})"


@dataclass(frozen=True)
class Example:
    """Operand types and parameters for which the suites run every way that accepts them.

    `shapes` names their sizes where they are not as the primitive has them.
    """

    types: tuple[Type, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shapes: tuple[str, ...] = ()


class Terms(TypedDict):
    """What a way declares; `cost` and `bill` are functions of operand types and parameters."""

    name: str
    source: str
    accepts: NotRequired[Callable[..., bool]]
    cost: NotRequired[Callable[..., Cost]]
    bill: NotRequired[Callable[..., tuple[Correlated, ...]]]
    work: NotRequired[Callable[..., Work | int]]
    late: NotRequired[tuple[int, ...]]
    linear: NotRequired[bool]
    reveals: NotRequired[str]
    simulator: NotRequired[Callable[..., bytes]]


@dataclass(frozen=True, kw_only=True, repr=False)
class Way:
    """One protocol for one primitive under one trust profile.

    `late` names operands that the body does not touch before its first round is over.
    `linear`: the body applies the meaning to what a party holds, and needs nothing else.
    `work` is what kernels do beyond a few operations for each byte; a number counts multiply-adds.
    `reveals` says what a party learns beyond uniform messages. `simulator(type, result, share)`
    then makes the message that the receiver gets from the result and its own share alone.
    """

    name: str
    source: str
    profile: str
    body: Callable[..., Any]
    accepts: Callable[..., bool]
    cost: Callable[..., Cost] = lambda *types, **parameters: Cost()
    bill: Callable[..., tuple[Correlated, ...]] = lambda *types, **parameters: ()
    work: Callable[..., Work | int] = lambda *types, **parameters: 0
    late: tuple[int, ...] = ()
    linear: bool = False
    reveals: str = ""
    simulator: Callable[..., bytes] | None = None

    @property
    def local(self) -> bool:
        """True when nothing is sent."""
        return not inspect.isgeneratorfunction(self.body)

    def effort(self, types: tuple[Type, ...], parameters: Mapping[str, Any]) -> Work:
        """The work of its kernels for operands of these types."""
        found = self.work(*types, **parameters)
        return found if isinstance(found, Work) else Work(product=found)

    def price(self, types: tuple[Type, ...], parameters: Mapping[str, Any]) -> Cost:
        """The exact cost, with the dealt bytes that the bill implies."""
        bill = self.bill(*types, **parameters)
        dealt = sum(octets(bits) for item in bill for bits in item.corrections())
        common = sum(octets(bits) for item in bill for bits in item.common())
        return replace(self.cost(*types, **parameters), dealt=dealt, common=common)


class Builder(Protocol):
    """What a traced value belongs to; see `trace`."""

    def append(
        self, primitive: "Primitive", operands: tuple[Any, ...], parameters: Mapping[str, Any]
    ) -> Any:
        """The traced result of one more step."""
        ...


@dataclass(eq=False, repr=False)
class Primitive:
    """One operation of the language; calling it on traced values adds a step to their program."""

    name: str
    meaning: Callable[..., Array]
    rule: Callable[..., Type]
    shapes: tuple[str, ...]
    examples: tuple[Example, ...]
    ways: list[Way] = field(default_factory=list)
    accuracy: Callable[..., float] | None = None
    """Bounds |result - real result| from operand types, `errors` and parameters; see `plan`."""
    needs: Callable[..., int] | None = None
    """How many low bits it uses of a word, from operand types and parameters; None: see `plan`."""
    unchanged: bool = False
    """True where the result has the words of the first operand: it says something of its type."""

    def way(
        self, profile: str, **terms: Unpack[Terms]
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares a way; without `accepts` it takes shared operands only."""

        def declare(body: Callable[..., Any]) -> Callable[..., Any]:
            terms.setdefault("accepts", all_shared)
            self.ways.append(Way(profile=profile, body=body, **terms))
            return body

        return declare

    def ways_for(self, profile: str, types: tuple[Type, ...]) -> list[Way]:
        """The declared ways that take operands of these types, else the meaning at their owner."""
        declared = [way for way in self.ways if way.profile == profile and way.accepts(*types)]
        plaintext = self.in_the_clear(profile)
        return declared or [way for way in [plaintext] if way.accepts(*types)]

    def in_the_clear(self, profile: str) -> Way:
        """The way for operands that are public or one party's: whoever holds them all computes."""

        def body(ctx: Any, *operands: Operand, **parameters: Any) -> Array | None:
            held = [operand.data for operand in operands]
            return None if any(data is None for data in held) else self.meaning(*held, **parameters)

        source = "plaintext at its owner"
        return Way(
            name="in the clear", source=source, profile=profile, body=body, accepts=one_holder
        )

    def symbolic(self, example: Example) -> tuple[Type, ...]:
        """The example's types with named sizes, for printing a price as a formula."""
        named = example.shapes or self.shapes
        shapes = [tuple(map(_size, names.split())) for names in named]
        pairs = zip(example.types, shapes, strict=True)
        return tuple(replace(type, shape=shape) for type, shape in pairs)

    def __call__(self, *operands: Any, **parameters: Any) -> Any:
        """The traced result; at least one operand must be a traced value."""
        for operand in operands:
            builder: Builder | None = getattr(operand, "builder", None)
            if builder is not None:
                return builder.append(self, operands, parameters)
        raise TypeError(f"{self.name} takes traced values; on arrays call {self.name}.meaning")


def _size(name: str) -> int:
    """A formula where a size is due: prices only add and multiply sizes."""
    return int(name) if name.isdigit() else cast(int, Formula.size(name))


REGISTRY: dict[str, Primitive] = {}


def primitive(
    *, rule: Callable[..., Type], shapes: tuple[str, ...], examples: tuple[Example, ...]
) -> Callable[[Callable[..., Array]], Primitive]:
    """Declares a primitive from its meaning on words (uint64) and bits (uint8 0 or 1)."""

    def declare(meaning: Callable[..., Array]) -> Primitive:
        name = meaning.__name__
        if name in REGISTRY:
            raise InternalError(f"the primitive {name} is declared twice")
        REGISTRY[name] = Primitive(name, meaning, rule, shapes, examples)
        return REGISTRY[name]

    return declare


def example(*types: Type, shapes: tuple[str, ...] = (), **parameters: Any) -> Example:
    """An example from operand types and parameters; see `Example` for `shapes`."""
    return Example(types, parameters, shapes)


def all_shared(*types: Type) -> bool:
    """True when every operand is shared."""
    return all(type.owner == SHARED for type in types)


def any_owner(*types: Type) -> bool:
    """True always."""
    return True


def one_holder(*types: Type) -> bool:
    """True when one party holds every operand in the clear."""
    return joined(type.owner for type in types) != SHARED


def owned(*types: Type) -> bool:
    """True for a private first operand and shared others."""
    return isinstance(types[0].owner, Private) and all_shared(*types[1:])
