"""What a protocol costs: rounds, bytes on each directed link, dealt bytes; exact.

A message is padded to whole bytes, so a cost counts bytes and `octets` is applied per message.
Sizes may be symbols: the same function that prices a step prints its formula.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Union

Link = tuple[int, int]
Round = Mapping[Link, int]


class Formula:
    """A polynomial with integer coefficients in named sizes; adds, multiplies, prints."""

    def __init__(self, terms: Mapping[tuple[str, ...], int]) -> None:
        self.terms = {names: factor for names, factor in terms.items() if factor}

    @classmethod
    def size(cls, name: str) -> "Formula":
        """The size called `name`."""
        return cls({(name,): 1})

    def __add__(self, other: Union["Formula", int]) -> "Formula":
        terms = dict(self.terms)
        for names, factor in _terms(other).items():
            terms[names] = terms.get(names, 0) + factor
        return Formula(terms)

    def __mul__(self, other: Union["Formula", int]) -> "Formula":
        result = Formula({})
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                result = result + Formula({tuple(sorted(left + right)): a * b})
        return result

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula | int) and self.terms == _terms(other)

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __str__(self) -> str:
        parts = [_product(names, factor) for names, factor in self.terms.items()]
        return " + ".join(parts) or "0"

    def octets(self) -> "Formula":
        """The formula for ⌈self / 8⌉."""
        if all(factor % 8 == 0 for factor in self.terms.values()):
            return Formula({names: factor // 8 for names, factor in self.terms.items()})
        shown = f"({self})" if len(self.terms) > 1 else f"{self}"
        return Formula.size(f"⌈{shown}/8⌉")


def _terms(value: Formula | int) -> Mapping[tuple[str, ...], int]:
    return value.terms if isinstance(value, Formula) else {(): value} if value else {}


def _product(names: tuple[str, ...], factor: int) -> str:
    shown = "·".join(names)
    return str(factor) if not names else shown if factor == 1 else f"{factor}·{shown}"


def octets(bits: int) -> int:
    """The bytes of a message of so many bits: ⌈bits / 8⌉."""
    return bits.octets() if isinstance(bits, Formula) else -(-bits // 8)


def both_ways(*bits: int) -> Round:
    """A round in which each of two parties sends the other these parts, each padded to bytes."""
    size = sum(map(octets, bits))
    return {(0, 1): size, (1, 0): size}


@dataclass(frozen=True)
class Cost:
    """Bytes of each round on each directed link (absent: nothing), and dealt bytes to party 1.

    `common` of the dealt bytes are dealt to party 0 too.
    """

    rounds: tuple[Round, ...] = ()
    dealt: int = 0
    common: int = 0

    def __add__(self, after: "Cost") -> "Cost":
        """One after the other."""
        dealt, common = self.dealt + after.dealt, self.common + after.common
        return Cost(self.rounds + after.rounds, dealt, common)

    def __or__(self, beside: "Cost") -> "Cost":
        """Side by side, sharing rounds; each part of a joint message is padded by itself."""
        silent: Round = {}
        rounds = zip_longest(self.rounds, beside.rounds, fillvalue=silent)
        dealt, common = self.dealt + beside.dealt, self.common + beside.common
        return Cost(tuple(_merged(a, b) for a, b in rounds), dealt, common)

    def link(self, source: int, target: int) -> int:
        """Bytes from `source` to `target`."""
        return sum(messages.get((source, target), 0) for messages in self.rounds)

    def sent(self, party: int) -> int:
        """Bytes that `party` sends to all others."""
        return sum(
            size for messages in self.rounds for link, size in messages.items() if link[0] == party
        )

    def received(self, party: int) -> int:
        """Bytes that `party` receives from all others."""
        return sum(
            size for messages in self.rounds for link, size in messages.items() if link[1] == party
        )

    def __str__(self) -> str:
        links = sorted({link for messages in self.rounds for link in messages})
        sizes = ", ".join(f"{a}→{b} {self.link(a, b)} B" for a, b in links)
        common = f", {self.common} B of it to both" if self.common else ""
        messages = sizes or "no messages"
        return f"{len(self.rounds)} rounds; {messages}; dealt {self.dealt} B{common}"


@dataclass(frozen=True)
class Work:
    """What one party and the dealer do, by kind; a way names the kinds of its kernels.

    Kernels: multiply-adds of words; hashes of blocks, in trees of seeds; sines with their cosines,
    dealt and used; entries of dealt tables. Of every way: bytes online, dealt bytes, steps, rounds.
    """

    product: int = 0
    hash: int = 0
    wave: int = 0
    entry: int = 0
    online: int = 0
    dealt: int = 0
    step: int = 0
    round: int = 0

    def __add__(self, other: "Work") -> "Work":
        """Both."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Work(*(a + b for a, b in pairs))


def _merged(a: Round, b: Round) -> Round:
    return {link: a.get(link, 0) + b.get(link, 0) for link in {**a, **b}}
