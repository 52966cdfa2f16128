"""Pass 3. Sharper bounds than each step's own rule gives, each with its proof in the text.

The rules of the primitives already refuse every value that could leave its word. This pass looks
at a step together with those before it: a square, a product with known numbers, the smaller of
two, an absolute value, a clip. Each is recognised in the program as it stands, so a pass that
changes a value cannot leave a bound behind that no longer holds: such bounds are dropped and
proved again. Only a promise that a user made is kept as it is. A clip of shared words to two known
numbers becomes one choice among lines: both comparisons then share an opening.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from moiety.lang.program import Constant, Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import BIT, SHARED, Type
from moiety.plan.rewrite import Rewrite
from moiety.protocols.piecewise import Lines

Bounds = tuple[int, int]
Found = tuple[Bounds, str] | None
LARGEST = 1 << 22
"""Constants with more elements are not looked through."""
SQUARE, SUMS, ITSELF = "a square", "a product with known numbers", "a value less itself"
SMALLER, LARGER = "the smaller of two", "the larger of two"
ABSOLUTE, CLIP = "an absolute value", "a clip"
PROOFS = frozenset((SQUARE, SUMS, ITSELF, SMALLER, LARGER, ABSOLUTE, CLIP))


def ranges(program: Program) -> Program:
    """The same program with `within` after steps whose values provably span less."""

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value:
        if proved(step):
            return rewrite.operands(step)[0]
        return sharpened(rewrite, rewrite.copy(step))

    return Rewrite(program).run(visit)


def proved(step: Step) -> bool:
    """True for a `within` that one of the proofs gave, not a user's promise."""
    return step.primitive.name == "within" and step.parameters["by"] in PROOFS


def sharpened(rewrite: Rewrite, made: Value) -> Value:
    """The new value with the bounds that a proof gives it."""
    step = rewrite.made_by(made)
    if step is None or made.type.kind == BIT:
        return made
    lined = _lined(rewrite, step) if step.primitive.name == "add" else None
    if lined is not None:
        return lined
    for rule in _RULES.get(step.primitive.name, ()):
        found = rule(rewrite, step, made)
        if found is not None:
            (lo, hi), proof = found
            lo, hi = max(lo, made.type.lo), min(hi, made.type.hi)
            if lo <= hi and (lo, hi) != (made.type.lo, made.type.hi):
                return rewrite.apply("within", made, lo=lo, hi=hi, by=proof)
    return made


def _operands(rewrite: Rewrite, step: Step) -> list[Value]:
    return [rewrite.value(i) for i in step.operands]


def _called(rewrite: Rewrite, value: Value, name: str) -> list[Value] | None:
    """The operands of the step that makes a value, if it is one of this primitive."""
    step = rewrite.made_by(value)
    return _operands(rewrite, step) if step and step.primitive.name == name else None


def _zero(rewrite: Rewrite, value: Value) -> bool:
    return rewrite.constant_of(value) is not None and value.type.lo == value.type.hi == 0


def _square(rewrite: Rewrite, step: Step, made: Value) -> Found:
    x, y = _operands(rewrite, step)
    if x.index != y.index:
        return None
    least = 0 if x.type.lo <= 0 <= x.type.hi else min(x.type.lo**2, x.type.hi**2)
    return (least, x.type.magnitude**2), SQUARE


def _known(rewrite: Rewrite, step: Step, made: Value) -> Found:
    """Σ c·x over known c lies between the sums of the ends that each c picks."""
    x, y = _operands(rewrite, step)
    for known, other, axis in ((x, y, 1), (y, x, 0)):
        node = rewrite.constant_of(known)
        if node is not None and node.data.size <= LARGEST and node.type.magnitude:
            return _sums(node, other.type, axis), SUMS
    return None


def _sums(known: Constant, other: Type, axis: int) -> Bounds:
    numbers = known.data.astype(np.uint64).view(np.int64)
    # Python's integers: float64 would round the ends
    up = np.maximum(numbers, 0).astype(object).sum(axis=axis)
    down = np.minimum(numbers, 0).astype(object).sum(axis=axis)
    least: Any = up * other.lo + down * other.hi
    most: Any = up * other.hi + down * other.lo
    return int(np.min(least)), int(np.max(most))


def _itself(rewrite: Rewrite, step: Step, made: Value) -> Found:
    x, y = _operands(rewrite, step)
    return ((0, 0), ITSELF) if x.index == y.index else None


def _extreme(rewrite: Rewrite, step: Step, made: Value) -> Found:
    """Where a < b chooses between a and b themselves."""
    condition, x, y = _operands(rewrite, step)
    test = _called(rewrite, condition, "less_than")
    if test is None:
        return None
    compared = test[0].index, test[1].index
    if compared == (x.index, y.index):
        return (made.type.lo, min(x.type.hi, y.type.hi)), SMALLER
    if compared == (y.index, x.index):
        return (max(x.type.lo, y.type.lo), made.type.hi), LARGER
    return None


def _absolute(rewrite: Rewrite, step: Step, made: Value) -> Found:
    """Where x < 0 chooses between -x and x."""
    condition, minus, x = _operands(rewrite, step)
    test, turned = _called(rewrite, condition, "less_than"), _called(rewrite, minus, "negate")
    if test is None or turned is None or not _zero(rewrite, test[1]):
        return None
    same = x.index == test[0].index == turned[0].index
    return ((0, x.type.magnitude), ABSOLUTE) if same else None


def _clip(rewrite: Rewrite, step: Step, made: Value) -> Found:
    found = _clipped(rewrite, step)
    return None if found is None else ((found[1].lo, found[2].hi), CLIP)


def _clipped(rewrite: Rewrite, step: Step) -> tuple[Value, Type, Type] | None:
    """(x + [x < low]·(low - x)) + [high < x]·(high - x), for known low ≤ high."""
    inner, down = _operands(rewrite, step)
    first = _called(rewrite, inner, "add")
    if first is None:
        return None
    x, up = first
    low, high = _moved(rewrite, up, x, below=True), _moved(rewrite, down, x, below=False)
    return None if low is None or high is None or low.hi > high.lo else (x, low, high)


def _lined(rewrite: Rewrite, step: Step) -> Value | None:
    """A clip as a line for each interval: what is below, x itself, what is above."""
    found = _clipped(rewrite, step)
    if found is None:
        return None
    x, low, high = found
    if (
        x.type.owner != SHARED
        or (low.lo, high.lo) != (low.hi, high.hi)
        or x.shape != step.type.shape
    ):
        return None
    below = rewrite.attempt("less_than_each", x, at=(low.lo, high.hi + 1))
    if below is None:
        return None
    lines = Lines((0, 1, 0), (low.lo, 0, high.hi))
    given = {"lines": lines, "bounds": (low.lo, high.hi), "fraction": x.type.fraction}
    return rewrite.attempt("piecewise_linear", below, x, by=CLIP, **given)


def _moved(rewrite: Rewrite, chosen: Value, x: Value, *, below: bool) -> Type | None:
    """The known border to which a choice moves x where x lies beyond it."""
    parts = _called(rewrite, chosen, "select")
    if parts is None or not _zero(rewrite, parts[2]):
        return None
    test, step = _called(rewrite, parts[0], "less_than"), _called(rewrite, parts[1], "subtract")
    if test is None or step is None:
        return None
    border = step[0]
    pair = (x.index, border.index) if below else (border.index, x.index)
    if (test[0].index, test[1].index) != pair or step[1].index != x.index:
        return None
    known = rewrite.constant_of(border)
    return known.type if known is not None else None


_RULES: dict[str, tuple[Callable[[Rewrite, Step, Value], Found], ...]] = {
    "multiply": (_square,),
    "matmul": (_known,),
    "subtract": (_itself,),
    "select": (_extreme, _absolute),
    "add": (_clip,),
}
