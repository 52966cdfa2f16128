"""Pass 6. How many low bits of each word matter, and messages that carry no more.

A sum or product mod 2^k needs its operands mod 2^k only. What a comparison, an exact truncation
or a reveal takes of a value is its proven width; so a value that only flows there needs few bits.
"""

from moiety.lang.program import Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import BIT, PUBLIC, SHARED, WORD_BITS, signed_bits
from moiety.plan.rewrite import Rewrite

HOMOMORPHIC = frozenset(
    "add subtract negate multiply matmul masked_matmul mask sum_over reshape transpose take concat "
    "within narrow select stands_for".split()
)
"""The result mod 2^k follows from the operands mod 2^k."""
SPEAKING = frozenset(("multiply", "matmul", "masked_matmul", "select"))
"""Of these, the ones that send words of their operands."""


def narrow(program: Program) -> Program:
    """The same program with `narrow` before steps whose operands need fewer bits."""
    needs, made = bits_needed(program), dict[tuple[int, int], Value]()

    def cut(rewrite: Rewrite, x: Value, bits: int) -> Value:
        ring = max(bits, x.type.width)
        if x.type.kind == BIT or x.type.owner != SHARED or ring >= x.type.ring:
            return x
        if (x.index, ring) not in made:
            made[x.index, ring] = rewrite.apply("narrow", x, ring=ring)
        return made[x.index, ring]

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value | None:
        if step.primitive.name == "mask":
            ring = max(needs[index], step.type.width)
            return rewrite.apply("mask", *rewrite.operands(step), ring=min(ring, step.type.ring))
        if step.primitive.name not in SPEAKING or step.type.owner != SHARED:
            return None
        public = any(type.owner == PUBLIC for type in program.types(step))
        if public and step.primitive.name != "select":
            return None
        bits = max(needs[index], _difference(program, step))
        operands = [cut(rewrite, x, bits) for x in rewrite.operands(step)]
        return rewrite.new.append(step.primitive, tuple(operands), step.parameters)

    return Rewrite(program).run(visit)


def _difference(program: Program, step: Step) -> int:
    """The bits that hold what a choice multiplies: the difference of what it chooses from."""
    if step.primitive.name != "select":
        return 0
    _, x, y = program.types(step)
    return signed_bits(x.lo - y.hi, x.hi - y.lo)


def bits_needed(program: Program) -> list[int]:
    """For each value, how many of its low bits any later step uses."""
    needs = [0] * len(program.nodes)
    for index in program.outputs.values():
        needs[index] = WORD_BITS
    for index, step in reversed(list(program.steps())):
        for place, operand in enumerate(step.operands):
            needs[operand] = max(needs[operand], _need(program, step, place, needs[index]))
    return needs


def _need(program: Program, step: Step, place: int, result: int) -> int:
    """The bits of one operand that a step uses, of whose result `result` bits are used."""
    types, name = program.types(step), step.primitive.name
    if name in HOMOMORPHIC:
        return max(result, types[place].width)
    if name == "less_than":
        x, y = types
        width = signed_bits(x.lo - y.hi, x.hi - y.lo)
        return max(width, types[place].width)
    if name == "truncate_exact":
        # the least ring in which |x| < 2^(ring-2), with room for the bits that are cut
        return max(types[place].width + 1, int(step.parameters["shift"]) + 2)
    if name == "reveal":
        return types[place].width
    return WORD_BITS
