"""Pass 5. Where fraction bits are cut off: once per sum or product, and not before a comparison.

It is done exactly before a reveal, and in the cheap way where nobody is shown the result.

A truncation waits ("pending") while what follows is linear, so that terms of a sum share one; a
product takes factors that wait, since it is cut itself. A comparison takes the untruncated words. A
truncation whose value reaches a reveal is exact, so that no rounding coin is told, unless the
signature accepts coins. What saves a round may cost some bytes, up to ROUND.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from moiety.errors import UsageError
from moiety.lang.program import Constant, Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import PUBLIC, SHARED, WORD_BITS, Fixed
from moiety.plan import ranges
from moiety.plan.candidates import ROUND
from moiety.plan.coins import behind, exposed
from moiety.plan.ranges import sharpened
from moiety.plan.rewrite import Rewrite, needed, uses

TRUNCATIONS = ("truncate", "truncate_exact")
MOST_BITS = 63
"""Signed bits of a word that can be truncated."""


def scale(program: Program, told: Collection[str] = ()) -> Program:
    """The same real meaning, to a few units of the last place, with fewer and cheaper cuts.

    The outputs `told` are cut exactly, as if they were revealed.

    Where a later step takes a value only with the bounds that it had, as a table does, or states
    bounds that follow from them, and they would widen by a unit, nothing is changed.
    """
    try:
        return needed(_Scaling(program, told).result())
    except UsageError:
        return program


class _Scaling:
    """`pending[i]` = (v, s): the old value i is the new value v, still to be cut by s bits."""

    def __init__(self, program: Program, told: Collection[str]) -> None:
        self.rewrite, self.program = Rewrite(program), program
        self.pending: dict[int, tuple[Value, int]] = {}
        self.exposed = exposed(program) | behind(program, {program.outputs[n] for n in told})
        self.loose: set[int] = set()
        self.uses = {index: len(found) for index, found in uses(program).items()}
        for step in (step for _, step in program.steps() if step.primitive.name == "stands_for"):
            # it tells bounds of an argument that it does not take
            self.uses[step.operands[1]] -= 1

    def result(self) -> Program:
        for index, node in enumerate(self.program.nodes):
            if not isinstance(node, Step):
                self.rewrite.values[index] = self.rewrite.new.add(node)
                continue
            self.rewrite.new.line = node.line
            rule = _RULES.get(node.primitive.name)
            if not (rule and rule(self, index, node)):
                for operand in node.operands:
                    self.cut(operand)
                self.rewrite.values[index] = sharpened(self.rewrite, self.rewrite.copy(node))
            self.note(index, node)
        for index in self.program.outputs.values():
            self.cut(index)
        return self.rewrite.finish()

    def cut(self, index: int) -> Value:
        """The new value of an old one, truncated now if that was pending."""
        if index not in self.rewrite.values:
            value, shift = self.pending[index]
            self.rewrite.values[index] = self._truncated(index, value, shift) if shift else value
        return self.rewrite.values[index]

    def _truncated(self, index: int, value: Value, shift: int) -> Value:
        if index not in self.exposed and value.type.owner == SHARED:
            cheap = self.rewrite.attempt("truncate", value, shift=shift)
            if cheap is not None:
                return cheap
        return self.rewrite.apply("truncate_exact", value, shift=shift)

    def waiting(self, index: int) -> tuple[Value, int]:
        """The new value before its pending truncation, and how much that cuts."""
        return self.pending.get(index) or (self.rewrite.values[index], 0)

    def lifted(self, *indices: int) -> tuple[list[Value], int]:
        """The old values with as many bits to cut as the one with most."""
        pairs = [self.waiting(index) for index in indices]
        most = max(shift for _, shift in pairs)
        return [self._raised(value, most - shift) for value, shift in pairs], most

    def _raised(self, value: Value, bits: int) -> Value:
        if not bits:
            return value
        known = self.rewrite.constant_of(value)
        if known is not None:
            type = known.type
            words = known.data << np.uint64(bits)
            bounds = (type.lo << bits, type.hi << bits)
            raised = replace(type, kind=Fixed(type.fraction + bits), lo=bounds[0], hi=bounds[1])
            return self.rewrite.new.add(Constant(np.asarray(words), raised, real=known.real))
        return self.rewrite.apply("multiply", value, self.rewrite.number(1 << bits, bits))

    def settles(self, index: int, name: str, shift: int, *operands: Value, **kw: object) -> bool:
        """True if the step may run before the truncation; then that is pending for its result."""
        made = self.rewrite.attempt(name, *operands, **kw)
        value = None if made is None else sharpened(self.rewrite, made)
        if value is None or value.type.width > MOST_BITS:
            return False
        self.pending[index] = (value, shift)
        return True

    def note(self, index: int, step: Step) -> None:
        """Keeps in mind whether a value, or one before it, may leave the bounds that it had."""
        value, shift = self.waiting(index)
        lo, hi = value.type.lo >> shift, (value.type.hi >> shift) + (shift > 0)
        inside = step.type.lo <= lo and hi <= step.type.hi
        if not inside or self.loose.intersection(step.operands):
            self.loose.add(index)

    def alone(self, *indices: int) -> bool:
        """True where no other step than one of these operands needs them truncated."""
        return all(self.uses[i] == indices.count(i) or i not in self.pending for i in indices)


def _truncation(scaling: _Scaling, index: int, step: Step) -> bool:
    (operand,) = step.operands
    if step.type.owner != SHARED:
        return False
    value, shift = scaling.waiting(operand)
    scaling.pending[index] = (value, shift + step.parameters["shift"])
    return True


def _linear(scaling: _Scaling, index: int, step: Step) -> bool:
    """Sums, differences, choices, parts: of untruncated words, cut afterwards."""
    words = step.operands[1:] if step.primitive.name == "select" else step.operands
    waiting = [i for i in words if i in scaling.pending]
    if not waiting or not scaling.alone(*words):
        return False
    if step.primitive.name == "select" and len(waiting) < 2:
        return False
    if step.type.size > sum(scaling.program.nodes[i].type.size for i in waiting):
        return False
    condition = [scaling.cut(i) for i in step.operands[: len(step.operands) - len(words)]]
    try:
        values, shift = scaling.lifted(*words)
    except UsageError:
        return False
    return scaling.settles(
        index, step.primitive.name, shift, *condition, *values, **step.parameters
    )


def _within(scaling: _Scaling, index: int, step: Step) -> bool:
    """Bounds that hold by proof are proved anew where the value is made."""
    (operand,) = step.operands
    if not ranges.proved(step):
        if operand in scaling.loose:
            raise UsageError(f"{step.line}: bounds that followed from narrower ones")
        return False
    if operand in scaling.pending:
        scaling.pending[index] = scaling.pending[operand]
    if operand in scaling.rewrite.values:
        scaling.rewrite.values[index] = scaling.rewrite.values[operand]
    return True


def _multiply(scaling: _Scaling, index: int, step: Step) -> bool:
    """A public factor sends nothing, so it may come before the truncation."""
    x, y = step.operands
    if scaling.program.nodes[x].type.owner == PUBLIC:
        x, y = y, x
    if scaling.program.nodes[y].type.owner != PUBLIC:
        return _product(scaling, index, step)
    if x not in scaling.pending:
        return False
    (value, shift), factor = scaling.waiting(x), scaling.cut(y)
    if not scaling.alone(x) or step.type.size > value.type.size:
        return False
    if scaling.rewrite.constant_of(factor) and (factor.type.lo, factor.type.hi) == (1, 1):
        fraction = value.type.fraction + factor.type.fraction
        return scaling.settles(index, "read_as", shift, value, fraction=fraction)
    return scaling.settles(index, "multiply", shift, value, factor)


def _product(scaling: _Scaling, index: int, step: Step) -> bool:
    """A product of fixed-point numbers is cut in any case, so its factors need not be before."""
    waiting = [i for i in step.operands if i in scaling.pending]
    fixed = all(type.fraction for type in scaling.program.types(step))
    if not waiting or not fixed or not scaling.alone(*step.operands):
        return False
    for late in (waiting, waiting[:1], waiting[1:]):
        pairs = [scaling.waiting(i) if i in late else (scaling.cut(i), 0) for i in step.operands]
        shift = sum(shift for _, shift in pairs)
        wider = sum(value.type.size * shift for value, shift in pairs)
        values = [value for value, _ in pairs]
        if wider <= 8 * ROUND and scaling.settles(
            index, step.primitive.name, shift, *values, **step.parameters
        ):
            return True
    return False


def _widen(scaling: _Scaling, index: int, step: Step) -> bool:
    """A sum of sines is dealt in whole words rather than widened later, and cut with the rest."""
    narrow = scaling.rewrite.values.get(step.operands[0])
    made = None if narrow is None else scaling.rewrite.made_by(narrow)
    if made is None or made.primitive.name not in ("curve", "curve_anywhere"):
        return False
    form, operands = made.parameters["form"], map(scaling.rewrite.value, made.operands)
    wider = made.type.size * (2 * form.terms + 2) * (WORD_BITS - form.ring)
    if form.whole or wider > 8 * ROUND:
        return False
    whole = scaling.rewrite.apply(made.primitive.name, *operands, form=replace(form, whole=True))
    scaling.pending[index] = (whole, step.parameters.get("shift", 0))
    return True


def _read_as(scaling: _Scaling, index: int, step: Step) -> bool:
    """The same words, with as many more fraction bits as are still to be cut."""
    (x,), fraction = step.operands, step.parameters["fraction"]
    if x not in scaling.pending or not scaling.alone(x):
        return False
    value, shift = scaling.waiting(x)
    return scaling.settles(index, "read_as", shift, value, fraction=fraction + shift)


def _proven(scaling: _Scaling, index: int, step: Step) -> bool:
    """Bounds of a value, whichever way it is cut, are bounds of what is cut."""
    (x,) = step.operands
    if x not in scaling.pending or not scaling.alone(x):
        return False
    (value, shift), given = scaling.waiting(x), step.parameters
    lo, hi = given["lo"] << shift, (given["hi"] + 1 << shift) - 1
    return scaling.settles(index, "proven", shift, value, **{**given, "lo": lo, "hi": hi})


def _stands_for(scaling: _Scaling, index: int, step: Step) -> bool:
    """It says something of a value and of an argument, cut or not."""
    x, argument = step.operands
    value, shift = scaling.waiting(x)
    cut = argument in scaling.rewrite.values
    of = scaling.cut(argument) if cut else scaling.waiting(argument)[0]
    return scaling.settles(index, "stands_for", shift, value, of, **step.parameters)


def _less_than(scaling: _Scaling, index: int, step: Step) -> bool:
    """⌊x / 2^s⌋ < c exactly where x < c·2^s; and the untruncated words compare better.

    A value that is needed truncated as well is compared truncated: what is chosen by the
    comparison, as in a clip, is then the very word that was compared.
    """
    if not any(i in scaling.pending for i in step.operands) or not scaling.alone(*step.operands):
        return False
    try:
        (x, y), _ = scaling.lifted(*step.operands)
        scaling.rewrite.values[index] = scaling.rewrite.apply("less_than", x, y)
    except UsageError:
        return False
    return True


_RULES: dict[str, Callable[[_Scaling, int, Step], bool]] = {
    **dict.fromkeys(TRUNCATIONS, _truncation),
    **dict.fromkeys(("add", "subtract", "negate", "sum_over", "select", "concat"), _linear),
    **dict.fromkeys(("reshape", "transpose", "take"), _linear),
    "within": _within,
    "multiply": _multiply,
    **dict.fromkeys(("matmul", "masked_matmul"), _product),
    "widen": _widen,
    "read_as": _read_as,
    "proven": _proven,
    "stands_for": _stands_for,
    "less_than": _less_than,
}
