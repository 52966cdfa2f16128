"""The operators: the only place where meaning and protocol meet.

    local      add subtract negate sum_over parity logical_xor logical_not reshape transpose take
               concat within stands_for narrow
    multiply   multiply matmul
    compare    less_than logical_and select
    lookup     equal one_hot lookup
    intervals  less_than_each piecewise_linear widen read_as proven
    bounded    curve curve_anywhere
    approximate    approximated: sigmoid exp log … before a plan chooses how, see `expansions`
    order      sort_rows
    convert    share bit_to_word truncate truncate_exact reveal

Cheapest first. Each is declared once: meaning, type rule, examples, ways with exact prices.
"""

from dataclasses import dataclass

from moiety.lang.cost import Cost
from moiety.lang.primitive import REGISTRY, Example, Primitive, Way
from moiety.lang.types import BIT, WORD_BITS, Type
from moiety.ops import (
    approximate,
    bounded,
    compare,
    convert,
    intervals,
    local,
    lookup,
    multiply,
    order,
)

__all__ = [
    "FAMILIES",
    "Entry",
    "approximate",
    "bounded",
    "compare",
    "convert",
    "intervals",
    "local",
    "lookup",
    "multiply",
    "order",
    "table",
]


@dataclass(frozen=True)
class Entry:
    """One line of the reference: a way of a primitive, its price as formulas in bytes."""

    primitive: str
    meaning: str
    way: str
    operands: str
    rounds: int
    sent: str
    dealt: str
    reveals: str
    source: str


FAMILIES = (local, multiply, compare, lookup, intervals, bounded, approximate, order, convert)


def table() -> list[Entry]:
    """Every way of every primitive, once for each of its examples whose formula differs."""
    entries = (
        _entry(primitive, way, example)
        for family in FAMILIES
        for primitive in REGISTRY.values()
        if primitive.meaning.__module__ == family.__name__
        for way in primitive.ways
        for example in primitive.examples
        if way.accepts(*example.types)
    )
    distinct: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        distinct.setdefault((entry.primitive, entry.way, entry.sent, entry.dealt), entry)
    return list(distinct.values())


def _entry(primitive: Primitive, way: Way, example: Example) -> Entry:
    types = primitive.symbolic(example)
    cost = way.price(types, example.parameters)
    return Entry(
        primitive=primitive.name,
        meaning=(primitive.meaning.__doc__ or "").splitlines()[0],
        way=way.name,
        operands=", ".join(map(_shown, types)) if cost.rounds else "",
        rounds=len(cost.rounds),
        sent=_sent(cost),
        dealt=str(cost.dealt) if cost.dealt else "",
        reveals=way.reveals,
        source=way.source,
    )


def _shown(type: Type) -> str:
    """An operand as the reference shows it: a price depends on widths, not on bounds."""
    shape = ", ".join(map(str, type.shape))
    width = "" if type.kind == BIT else f" {type.width} bits"
    ring = f" mod 2^{type.ring}" if type.ring < WORD_BITS else ""
    return f"{type.kind}[{shape}] {type.owner}{width}{ring}"


def _sent(cost: Cost) -> str:
    """Bytes on each link; one formula where both directions carry the same."""
    there, back = str(cost.link(0, 1)), str(cost.link(1, 0))
    if there == back:
        return "" if there == "0" else f"{there} each way"
    links = (("0→1", there), ("1→0", back))
    return ", ".join(f"{link} {size}" for link, size in links if size != "0")
