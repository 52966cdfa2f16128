"""What a dealer must know of a plan: its hash, and the correlations of each step. No values.

Each correlation has a stream of its own, so what a party draws does not depend on the order in
which steps run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from moiety._core import Layout
from moiety.errors import InternalError
from moiety.protocols.correlations import Correlation, layout


@dataclass(frozen=True)
class Placed:
    """A correlation of a bill: its stream, which is its number, and where its corrections begin.

    `mask` says with what its step's table was masked: an earlier item, or an input by name.
    """

    correlation: Correlation
    stream: int
    offsets: tuple[int, int]
    mask: "Placed | str | None" = None

    def part(self, corrections: bytes, party: int) -> bytes:
        """What corrects it among all that a party is sent."""
        begin = self.offsets[party]
        return corrections[begin : begin + self.correlation.size(party)]


@dataclass(frozen=True, eq=False)
class Bill:
    """The correlations of one run of a plan, step by step."""

    plan: bytes
    steps: Mapping[int, tuple[Placed, ...]]
    sizes: tuple[int, int]
    """The bytes of corrections that each party is sent for one run."""

    @property
    def items(self) -> Iterable[Placed]:
        """All of them, in order."""
        return (item for items in self.steps.values() for item in items)

    @cached_property
    def parts(self) -> tuple[Layout, Layout]:
        """Where the parts that each party takes lie, by their streams."""
        return self._layout(0), self._layout(1)

    @cached_property
    def drawn(self) -> tuple[Layout, Layout]:
        """The same as the dealer draws them: without what is sent."""
        return self._layout(0, dealer=True), self._layout(1, dealer=True)

    def _layout(self, party: int, *, dealer: bool = False) -> Layout:
        items = ((item.correlation, item.stream, item.offsets[party]) for item in self.items)
        return layout(items, party, dealer=dealer)

    @cached_property
    def common(self) -> tuple[tuple[int, int], ...]:
        """Where what party 0 is sent lies in what party 1 is sent."""
        sizes = ((item.offsets[1], item.correlation) for item in self.items)
        ends = ((begin + one.size(1), one.size(0)) for begin, one in sizes)
        return tuple((end - size, end) for end, size in ends if size)

    @property
    def masks(self) -> set[str]:
        """The inputs that were masked before."""
        return {item.mask for item in self.items if isinstance(item.mask, str)}


def bill(
    plan: bytes,
    wanted: Mapping[int, Iterable[object]],
    tables: Mapping[int, int | str],
) -> Bill:
    """The bill of a plan: what each step wants; `tables` tells where a step's table was masked."""
    steps: dict[int, tuple[Placed, ...]] = {}
    stream, ends = 0, (0, 0)
    for index, correlations in wanted.items():
        placed = []
        for correlation in correlations:
            if not isinstance(correlation, Correlation):
                raise InternalError(f"{correlation} is nothing that can be dealt")
            mask = _mask(steps, tables[index]) if correlation.needs_mask else None
            placed.append(Placed(correlation, stream, ends, mask))
            stream += 1
            ends = ends[0] + correlation.size(0), ends[1] + correlation.size(1)
        steps[index] = tuple(placed)
    return Bill(plan, steps, ends)


def _mask(steps: Mapping[int, tuple[Placed, ...]], origin: int | str) -> Placed | str:
    return origin if isinstance(origin, str) else steps[origin][0]
