"""Tables that were masked before the run: a mask of an input becomes an input that is masked.

A loop then sends a table once and not in every run. The new input is called as `masked` says; its
owner brings the table, the other party what it was sent of it.
"""

from collections.abc import Collection
from dataclasses import replace

from moiety.errors import UsageError
from moiety.lang.program import Input, Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import WORD_BITS, Masked, Private, Type
from moiety.plan.rewrite import Rewrite, needed


def masked(name: str) -> str:
    """What the masked form of an input is called."""
    return f"{name}, masked"


def hoist(program: Program, names: Collection[str]) -> Program:
    """The program that takes these inputs masked; an input that it takes so only is not an input.

    Raises:
        UsageError: an input is not a table of one party that multiplies shared matrices.
    """
    made: dict[str, Value] = {}

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value | None:
        node = program.nodes[step.operands[0]]
        if step.primitive.name != "mask" or not isinstance(node, Input) or node.name not in names:
            return None
        if node.name not in made:
            given = Input(masked(node.name), masked_type(node.type))
            made[node.name] = rewrite.new.add(given)
        return made[node.name]

    hoisted = needed(Rewrite(program).run(visit))
    if missing := set(names) - set(made):
        raise UsageError(
            f"{sorted(missing)[0]} is not a table of one party that multiplies shared matrices",
            hint="leave it out of what is masked before",
        )
    return needed(hoisted, unused=set(made))


def masked_type(type: Type) -> Type:
    """The type of a party's table once it is masked."""
    if not isinstance(type.owner, Private):
        raise UsageError(f"a mask of {type}, which no party holds in the clear")
    return replace(type, owner=Masked(type.owner.party), ring=WORD_BITS)
