"""The tables of the threat model that follow from the registry: who learns what of each operator.

They stand between two markers in docs/threat-model.md; `make_reference.py` writes and checks them.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from moiety.lang.primitive import REGISTRY, Example, Primitive, Way
from moiety.lang.types import Masked, Private
from moiety.ops import FAMILIES
from moiety.protocols.correlations import Correlation

BEGIN = "<!-- made from the registry by scripts/make_reference.py; do not edit -->"
END = "<!-- end of what is made from the registry -->"
Row = tuple[str, ...]
BOTH = "uniform to each"
_OPERATORS = """\
Profile `dealer`. Ways that send nothing tell nobody anything, and are left out: {local}.
`approximated` is replaced by the others when a plan is made.

"""
_CORRELATIONS = """
The dealer of the profile `dealer` is told of each step which of these it wants, how many and how
wide. It sends seeds to both, corrections to party 1, and where it says *both* the same words to
both; each looks uniform to whom it is sent.

"""


def between(page: str, tables: str) -> str:
    """The page with the tables between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def tables() -> str:
    """Both tables."""
    local = [one.name for one in _primitives() if one.ways and all(w.local for w in one.ways)]
    text = _OPERATORS.format(local=", ".join(f"`{name}`" for name in local))
    text += _table(("operator", "by", "messages", "beyond them"), list(_operators()))
    text += _CORRELATIONS
    head = ("correlation", "what it is", "what the dealer is told", "corrections")
    return text + _table(head, list(_correlations()))


def _primitives() -> Iterator[Primitive]:
    for family in FAMILIES:
        for one in REGISTRY.values():
            if one.meaning.__module__ == family.__name__:
                yield one


def _cases(primitive: Primitive, way: Way) -> list[Example]:
    return [one for one in primitive.examples if way.accepts(*one.types)]


def _operators() -> Iterator[Row]:
    for primitive in _primitives():
        for way in primitive.ways:
            if not way.local:
                cases = _cases(primitive, way)
                sent = " / ".join(dict.fromkeys(_messages(way, case) for case in cases))
                yield f"`{primitive.name}`", way.name, sent, _beyond(primitive, way, cases)


def _messages(way: Way, case: Example) -> str:
    """Who is sent what, from the links that the price names."""
    cost = way.price(case.types, case.parameters)
    links = {link for each in cost.rounds for link, size in each.items() if size}
    if len(links) == 2:
        return BOTH
    ((sender, receiver),) = links
    if way.reveals:
        return "the sender's share, to the receiver"
    owner = case.types[0].owner
    if not isinstance(owner, Private | Masked) or owner.party not in (sender, receiver):
        raise ValueError(f"{way.name} sends one way, and says not to whom")
    return "uniform to " + ("the owner" if owner.party == receiver else "the other party")


def _beyond(primitive: Primitive, way: Way, cases: list[Example]) -> str:
    said = [f"**{way.reveals}**"] if way.reveals else []
    types = [primitive.rule(*case.types, **case.parameters) for case in cases]
    exact = all(type.error == 0 for case in cases for type in case.types)
    if exact and any(type.error for type in types):
        said.append("the result carries a rounding coin")
    if any(way.price(case.types, case.parameters).common for case in cases):
        said.append("dealt keys that look uniform if their hash is a good one")
    return "; ".join(said)


def _correlations() -> Iterator[Row]:
    found: dict[str, Correlation] = {}
    for primitive in _primitives():
        for way in primitive.ways:
            for case in _cases(primitive, way):
                for one in way.bill(*case.types, **case.parameters):
                    if isinstance(one, Correlation):
                        found.setdefault(type(one).__name__, one)
    for name, one in sorted(found.items()):
        meaning = (type(one).__doc__ or "").splitlines()[0]
        yield f"`{name}`", meaning, ", ".join(_told(one)), _corrections(one)


def _told(one: Any) -> Iterator[str]:
    for each in fields(one):
        inner = getattr(one, each.name)
        if hasattr(inner, "__dataclass_fields__"):
            yield from _told(inner)
        else:
            yield "**the table**" if each.name == "table" else each.name


def _corrections(one: Correlation) -> str:
    if not one.size(1):
        return "none"
    return "party 1, some to both" if one.size(0) else "party 1"


def _table(head: Row, rows: list[Row]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '¦') for cell in line)} |\n" for line in lines)
