"""Pass 6. How many low bits of each word matter, and messages that carry no more.

A sum or product mod 2^k needs its operands mod 2^k only. What a comparison, a sum of sines, an
exact truncation or a reveal takes of a value is its proven width; so a value that only flows there
needs few bits. Whoever takes a truncated value mod 2^(ring - shift) has it for nothing; for who
takes more of it, it is widened.
"""

from moiety.lang.program import Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import BIT, PUBLIC, SHARED, WORD_BITS, Type, signed_bits
from moiety.plan.rewrite import Rewrite, uses

HOMOMORPHIC = frozenset(
    "add subtract negate multiply matmul masked_matmul mask sum_over reshape transpose take concat "
    "within proven read_as narrow select stands_for piecewise_linear".split()
)
"""The result mod 2^k follows from the operands mod 2^k."""
SPEAKING = frozenset(("multiply", "matmul", "masked_matmul", "select", "piecewise_linear"))
"""Of these, the ones that send words of their operands."""


def narrow(program: Program) -> Program:
    """The same program with `narrow` before steps whose operands need fewer bits."""
    return _Narrowing(program).result()


class _Narrowing:
    """`short[i]` is the new value i before it was widened."""

    def __init__(self, program: Program) -> None:
        self.rewrite, self.program = Rewrite(program), program
        self.needs, self.uses = bits_needed(program), uses(program)
        self.short: dict[int, Value] = {}
        self.made: dict[tuple[int, int], Value] = {}

    def result(self) -> Program:
        return self.rewrite.run(lambda _, index, step: self._visit(index, step))

    def _visit(self, index: int, step: Step) -> Value | None:
        apply, operands = self.rewrite.apply, self.rewrite.operands(step)
        if step.primitive.name == "mask":
            ring = max(*self.needs[index], step.type.width)
            return apply("mask", *operands, ring=min(ring, step.type.ring))
        if step.type.owner != SHARED:
            return None
        if step.primitive.name == "truncate":
            return self._truncated(index, operands[0], step.parameters["shift"])
        taken = [self._taken(index, step, place, x) for place, x in enumerate(operands)]
        return self.rewrite.new.append(step.primitive, tuple(taken), step.parameters)

    def _truncated(self, index: int, x: Value, shift: int) -> Value:
        ring = x.type.ring - shift
        if all(bits > ring for bits in self.needs[index]):
            name = "truncate" if x.type.ring == WORD_BITS else "widen"
            return self.rewrite.apply(name, x, shift=shift)
        short = self.rewrite.apply("shorten", x, shift=shift)
        if all(bits <= ring for bits in self.needs[index]):
            return short
        wide = self.rewrite.apply("widen", short)
        self.short[wide.index] = short
        return wide

    def _taken(self, index: int, step: Step, place: int, x: Value) -> Value:
        """An operand in the form of which least is sent."""
        bits = max(_need(self.program, step, place, self.needs[index]), x.type.width)
        short = self.short.get(x.index)
        if short is not None and bits <= short.type.ring:
            x = short
        if bits >= x.type.ring or not self._sent(step, x):
            return x
        if (x.index, bits) not in self.made:
            self.made[x.index, bits] = self.rewrite.apply("narrow", x, ring=bits)
        return self.made[x.index, bits]

    def _sent(self, step: Step, x: Value) -> bool:
        """Whether a step sends words of an operand."""
        public = any(type.owner == PUBLIC for type in self.program.types(step))
        silent = public and step.primitive.name in ("multiply", "matmul")
        speaking = step.primitive.name in SPEAKING and not silent
        return speaking and x.type.kind != BIT and x.type.owner == SHARED


def bits_needed(program: Program) -> list[list[int]]:
    """For each value, how many of its low bits each use of it takes."""
    needs: list[list[int]] = [[] for _ in program.nodes]
    for index in program.outputs.values():
        needs[index].append(WORD_BITS)
    for index, step in reversed(list(program.steps())):
        for place, operand in enumerate(step.operands):
            needs[operand].append(_need(program, step, place, needs[index]))
    return needs


def _need(program: Program, step: Step, place: int, result: list[int]) -> int:
    """The bits of one operand that a step uses, of whose result so many are used."""
    types, name = program.types(step), step.primitive.name
    if name == "stands_for" and place:
        return types[place].width
    if name in HOMOMORPHIC:
        return max(0, *result, types[place].width, _difference(name, types))
    if step.primitive.needs is not None:
        return step.primitive.needs(*types, **step.parameters)
    if name == "less_than":
        x, y = types
        return max(signed_bits(x.lo - y.hi, x.hi - y.lo), types[place].width)
    if name == "truncate":
        return _before(step.type, result, step.parameters["shift"])
    if name == "truncate_exact":
        # the least ring in which |x| < 2^(ring-2), with room for the bits that are cut
        return max(types[place].width + 1, int(step.parameters["shift"]) + 2)
    if name == "reveal":
        return types[place].width
    return WORD_BITS


def _difference(name: str, types: tuple[Type, ...]) -> int:
    """The bits that hold what a choice multiplies: the difference of what it chooses from."""
    if name != "select":
        return 0
    _, x, y = types
    return signed_bits(x.lo - y.hi, x.hi - y.lo)


def _before(type: Type, result: list[int], shift: int) -> int:
    """The bits that a truncation by a shift uses."""
    for_nothing = [bits for bits in result if bits + shift <= WORD_BITS]
    widened = [type.width + 1] if len(for_nothing) < len(result) else []
    return min(WORD_BITS, shift + max(0, type.width, *for_nothing, *widened))
