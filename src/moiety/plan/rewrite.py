"""Writes a program anew, step by step: types are derived again, lines are kept."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from moiety.errors import UsageError
from moiety.lang.primitive import REGISTRY
from moiety.lang.program import Constant, Input, Program, Step
from moiety.lang.trace import Trace, Value, constant


class Rewrite:
    """A program under rewriting: `values` are the new values of the old ones, by index."""

    def __init__(self, program: Program) -> None:
        self.old, self.new = program, Trace()
        self.values: dict[int, Value] = {}

    def run(self, visit: Callable[["Rewrite", int, Step], Value | None]) -> Program:
        """The program in which `visit` gives the new value of each step; None copies it."""
        for index, node in enumerate(self.old.nodes):
            if isinstance(node, Step):
                self.new.line = node.line
                made = visit(self, index, node)
                self.values[index] = self.copy(node) if made is None else made
            else:
                self.values[index] = self.new.add(node)
        return self.finish()

    def finish(self) -> Program:
        """The new program, with the old one's outputs."""
        return self.new.program(
            {name: self.values[index] for name, index in self.old.outputs.items()}
        )

    def copy(self, step: Step) -> Value:
        """The same step on the new operands."""
        return self.new.append(step.primitive, self.operands(step), step.parameters)

    def operands(self, step: Step) -> tuple[Value, ...]:
        """The new operands of an old step."""
        return tuple(self.values[i] for i in step.operands)

    def apply(self, name: str, *operands: Value, **parameters: object) -> Value:
        """The result of a further step."""
        return self.new.append(REGISTRY[name], operands, parameters)

    def attempt(self, name: str, *operands: Value, **parameters: object) -> Value | None:
        """As `apply`, or None where the type rule refuses."""
        try:
            return self.apply(name, *operands, **parameters)
        except UsageError:
            return None

    def number(self, value: int, fraction: int = 0) -> Value:
        """A public constant."""
        return self.new.add(constant(value, fraction))

    def made_by(self, value: Value) -> Step | None:
        """The new step that makes a new value."""
        node = self.new.nodes[value.index]
        return node if isinstance(node, Step) else None

    def constant_of(self, value: Value) -> Constant | None:
        """The constant that a new value is."""
        node = self.new.nodes[value.index]
        return node if isinstance(node, Constant) else None

    def value(self, index: int) -> Value:
        """The new value with this index."""
        return Value(self.new, index)


def uses(program: Program) -> dict[int, list[int]]:
    """For each value, the steps that use it; -1 stands for an output."""
    found: dict[int, list[int]] = {index: [] for index in range(len(program.nodes))}
    for index, step in program.steps():
        for operand in step.operands:
            found[operand].append(index)
    for index in program.outputs.values():
        found[index].append(-1)
    return found


def needed(program: Program, unused: Collection[str] = ()) -> Program:
    """The program without steps and constants that no output needs.

    Inputs stay, but for those that `unused` names and nothing needs.
    """
    alive = set(program.outputs.values())
    for index, step in reversed(list(program.steps())):
        if index in alive:
            alive.update(step.operands)
    kept = [
        index
        for index, node in enumerate(program.nodes)
        if index in alive or (isinstance(node, Input) and node.name not in unused)
    ]
    return _renumbered(program, {old: new for new, old in enumerate(kept)})


def _renumbered(program: Program, places: Mapping[int, int]) -> Program:
    nodes = []
    for old in places:
        node = program.nodes[old]
        if isinstance(node, Step):
            node = replace(node, operands=tuple(places[i] for i in node.operands))
        nodes.append(node)
    return Program(tuple(nodes), {name: places[index] for name, index in program.outputs.items()})
