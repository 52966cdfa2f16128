"""Rounding coins of truncations: which results they reach, and how none does."""

from collections.abc import Collection

from moiety.lang.program import Program, Step
from moiety.lang.trace import Value
from moiety.plan.rewrite import Rewrite

COINS = ("truncate", "widen")
"""Where a rounding coin comes from."""


def hardened(program: Program, outputs: Collection[str]) -> Program:
    """The program in which no rounding coin of a truncation reaches these outputs."""
    told = behind(program, {program.outputs[name] for name in outputs})

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value | None:
        rounding = step.primitive.name in COINS and step.parameters.get("shift")
        if not rounding or index not in told:
            return None
        return rewrite.apply("truncate_exact", *rewrite.operands(step), **step.parameters)

    return Rewrite(program).run(visit)


def behind(program: Program, shown: set[int]) -> set[int]:
    """These values and all that they are made from."""
    found = set(shown)
    for index, step in reversed(list(program.steps())):
        if index in found:
            found.update(step.operands)
    return found


def exposed(program: Program) -> set[int]:
    """Values that a reveal shows something of and whose rounding coins must not be told."""
    strict = {
        index
        for index, step in program.steps()
        if step.primitive.name == "reveal" and not step.parameters.get("coins_too")
    }
    return behind(program, strict)
