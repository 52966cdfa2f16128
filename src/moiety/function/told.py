"""What a function's receivers are told: revealed sums need contributors, or noise.

A sum of which too few owners' data are part lets its receiver solve for the others' data. It is
refused, unless its noise is declared, or the signature says `exact=True`.
"""

from collections.abc import Iterator, Mapping

from moiety.errors import UsageError
from moiety.function.signature import From, Kept, Shared, Signature, To
from moiety.function.sums import Found, Sources, Sum, sums
from moiety.lang.program import Program, Step
from moiety.lang.source import placed

CONTRIBUTORS = 3
"""Owners whose data must enter a revealed sum."""


def sources(signature: Signature, given: Mapping[str, Sum | None] | None = None) -> Sources:
    """What each argument is: `given`, or its owner's data; what is held as shares is no sum."""
    own = {name: _source(one) for name, one in signature.arguments.items()}
    return {**own, **(given or {})}


def _source(one: From) -> Sum | None:
    """Its owner's data, unless its bounds leave it one value."""
    if isinstance(one, Shared) or one.owner == "shared":
        return None
    constant = one.low is not None and one.low == one.high
    return Sum(frozenset() if constant else frozenset({one.owner} - {"public"}))


def check(name: str, signature: Signature, program: Program, given: Sources) -> None:
    """Refuses a function that tells a sum of fewer than three owners' data.

    The receiver counts where its data enter; a sum of its data alone tells it nothing.

    Raises:
        UsageError: naming the result, the line, the contributors and the remedies.
    """
    for result, one in signature.results.items():
        if not isinstance(one, To) or one.exact or one.noise:
            continue
        index = program.outputs[result]
        fewest = sums(program.nodes, given, one.receiver)[index].fewest
        if fewest is not None and len(fewest.owners) < CONTRIBUTORS:
            raise placed(_refusal(name, result, one, _shown(fewest)), _line(program, index))


def kept(signature: Signature, program: Program, given: Sources) -> dict[str, Sum | None]:
    """Of which data each kept result is a sum, or is made otherwise."""
    found: list[Found] | None = None
    whole: dict[str, Sum | None] = {}
    for result, one in signature.results.items():
        if isinstance(one, Kept):
            found = sums(program.nodes, given) if found is None else found
            whole[result] = found[program.outputs[result]].whole
    return whole


def sentences(signature: Signature, program: Program) -> Iterator[str]:
    """What each receiver learns, and from whose data."""
    given = sources(signature)
    for result, one in signature.results.items():
        if not isinstance(one, To):
            continue
        index = program.outputs[result]
        fewest = sums(program.nodes, given, one.receiver)[index].fewest
        owners = ", ".join(_owners(signature, program, index))
        said = f"{result} → {one.receiver}, from data of {owners}"
        if fewest is not None:
            said += f": a sum with {_counted(fewest)}" + ", told exactly" * one.exact
        elif one.noise:
            said += f": with noise of scale {one.noise:g}, drawn by {signature.other(one.receiver)}"
        yield said


def _owners(signature: Signature, program: Program, index: int) -> list[str]:
    """Whose arguments a value depends on."""
    behind = {index}
    for at, step in reversed(list(program.steps())):
        if at in behind:
            behind.update(step.operands)
    arguments = signature.arguments
    names = (getattr(program.nodes[at], "name", "") for at in sorted(behind))
    return list(dict.fromkeys(arguments[one].owner for one in names if one in arguments))


def _counted(one: Sum) -> str:
    count = len(one.owners)
    return f"{count} contributor{'s' * (count != 1)}"


def _shown(one: Sum) -> str:
    """The contributors, for a sentence."""
    if not one.owners:
        return "parts of it have no contributor in common"
    names = " and ".join(sorted(one.owners))
    parts = " in each of its parts" * one.parts
    return f"{_counted(one)}{parts}, {names}"


def _refusal(name: str, result: str, one: To, shown: str) -> UsageError:
    return UsageError(
        f"the result {result} of {name} is a sum that {one.receiver} could solve for others' data: "
        f"{shown}; {CONTRIBUTORS} are due",
        hint="let a further owner contribute, keep it shared with Kept(), or declare noise: "
        f'To("{one.receiver}", noise=...); if it is meant to be told: exact=True',
    )


def _line(program: Program, index: int) -> str:
    """Where a result is made."""
    node = program.nodes[index]
    while isinstance(node, Step):
        if node.line:
            return node.line
        node = program.nodes[node.operands[0]]
    return ""
