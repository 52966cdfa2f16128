"""Revealed sums: whose data enter a result that its receiver could solve for them.

A value is a sum where every step from private data to it is linear, with factors that the receiver
knows: constants, and what it holds itself. For each element a mask says whose data enter. What is
known of programs is their structure, no linear algebra: an owner whose share cancels still counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.lang.program import Constant, Input, Node, Step

Masks = npt.NDArray[np.int64]
"""One bit for each owner; along an axis on which all elements are alike, the size is 1."""
OPAQUE, VARIOUS = 1 << 62, 1 << 61
"""Elements that are no sum; elements of which some have data of further owners."""
LARGEST = 1 << 22
"""Elements that are told apart when they change places."""


@dataclass(frozen=True)
class Sum:
    """Owners whose data enter each element of a sum; `parts`: those of others enter some, too."""

    owners: frozenset[str] = frozenset()
    parts: bool = False


def beside(ones: Sequence[Sum | None]) -> Sum | None:
    """Several values as one."""
    if len(set(ones)) == 1:
        return ones[0]
    owners = (one.owners for one in ones if one is not None)
    return Sum(reduce(frozenset.intersection, owners), parts=True)


Sources = Mapping[str, Sum | None]
"""What each input is: its owner's own data, or a kept sum; None: no sum."""


def sums(nodes: Sequence[Node], sources: Sources, receiver: str = "") -> list["Found"]:
    """For each value the sums that it consists of, as one receiver sees it."""
    names = sorted({owner for one in sources.values() if one for owner in one.owners} | {receiver})
    bits = {name: 1 << at for at, name in enumerate(names)}
    tracing = _Tracing(nodes, bits, sources, bits[receiver])
    for index, node in enumerate(nodes):
        tracing.masks.append(tracing.visit(index, node))
    return [Found(masks, tuple(names), tracing.own) for masks in tracing.masks]


@dataclass(frozen=True)
class Found:
    """Which of a value's elements are sums, and of whose data."""

    masks: Masks
    names: tuple[str, ...]
    own: int

    @property
    def whole(self) -> Sum | None:
        """All elements together; None if they are no sum."""
        mask = _common(self.masks, self.own)
        return None if mask & OPAQUE else self._sum(mask)

    @property
    def fewest(self) -> Sum | None:
        """The sum of others' data to which the fewest owners contribute."""
        masks: list[int] = np.unique(self.masks).tolist()
        telling = [one for one in masks if not one & OPAQUE and one & ~self.own]
        return self._sum(min(telling, key=self._owners)) if telling else None

    def _owners(self, mask: int) -> int:
        return (mask & ~VARIOUS).bit_count()

    def _sum(self, mask: int) -> Sum:
        owners = (name for at, name in enumerate(self.names) if mask >> at & 1)
        return Sum(frozenset(owners), bool(mask & VARIOUS))


@dataclass
class _Tracing:
    """The masks of the values so far."""

    nodes: Sequence[Node]
    bits: Mapping[str, int]
    sources: Sources
    own: int
    """What the receiver knows."""
    masks: list[Masks] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)

    def visit(self, index: int, node: Node) -> Masks:
        if isinstance(node, Constant):
            self.constants[index] = node.data
            return uniform(0, len(node.type.shape))
        if isinstance(node, Input):
            return uniform(self._source(node), len(node.type.shape))
        if all(i in self.constants for i in node.operands):
            held = (self.constants[i] for i in node.operands)
            self.constants[index] = np.asarray(node.primitive.meaning(*held, **node.parameters))
        return self._step(node)

    def _source(self, node: Input) -> int:
        found = self.sources.get(node.name)
        if found is None:
            return OPAQUE
        return sum(self.bits[name] for name in found.owners) | (VARIOUS if found.parts else 0)

    def _step(self, step: Step) -> Masks:
        masks, rank = [self.masks[i] for i in step.operands], len(step.type.shape)
        if all(map(self.known, masks)):
            return uniform(int(np.bitwise_or.reduce([_any(one) for one in masks])), rank)
        rule = _RULES.get(step.primitive.name)
        return uniform(OPAQUE, rank) if rule is None else rule(self, step, masks)

    def known(self, masks: Masks) -> bool:
        """True if the receiver can compute the value itself."""
        return not (masks & ~np.int64(self.own)).any()

    def chosen(self, *masks: Masks) -> int:
        """A sum, or any part of one, as a receiver chooses whose factors they get."""
        found = [_common(one, self.own) for one in masks if not self.known(one)]
        return _merged(found) | reduce(lambda a, b: a | b, (_any(m) & self.own for m in masks))


def uniform(mask: int, rank: int) -> Masks:
    """The same mask for every element."""
    return np.full((1,) * rank, mask, np.int64)


def _any(masks: Masks) -> int:
    return int(np.bitwise_or.reduce(masks, axis=None))


def _merged(masks: Sequence[int]) -> int:
    """What is certain of a value that is one of these."""
    if not masks:
        return 0
    sums_ = [one for one in masks if not one & OPAQUE]
    if not sums_:
        return OPAQUE
    return reduce(lambda a, b: a & b, sums_) | (VARIOUS if len(set(masks)) > 1 else 0)


def _common(masks: Masks, own: int) -> int:
    """What is certain of any element that the receiver does not know."""
    found: list[int] = np.unique(masks).tolist()
    unknown = [one for one in found if one & ~own]
    return _merged(unknown) if unknown else _any(masks)


def _same(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    return masks[0]


def _joined(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    return np.bitwise_or(*_ranked(step, masks))


def _ranked(step: Step, masks: Sequence[Masks]) -> list[Masks]:
    """With as many axes as the result has."""
    rank = len(step.type.shape)
    return [one.reshape((1,) * (rank - one.ndim) + one.shape) for one in masks]


def _summed(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    return np.asarray(np.bitwise_or.reduce(masks[0], axis=step.parameters["axis"]))


def _counted(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A bit of one unknown owner is a number; of two it is a product."""
    others = masks[0] & ~np.int64(tracing.own)
    return np.where(others & (others - 1), np.int64(OPAQUE), masks[0])


def _factored(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A product by a known factor: of a constant's zeros nothing remains."""
    (x, y), places = _ranked(step, masks), step.operands
    for factor, other, at in ((x, y, places[0]), (y, x, places[1])):
        if at in tracing.constants:
            nonzero = _ranked(step, [tracing.constants[at]])[0] != 0
            return other if nonzero.all() else np.where(nonzero, other, 0)
        if tracing.known(factor):
            return uniform(tracing.chosen(factor, other), len(step.type.shape))
    return uniform(OPAQUE, len(step.type.shape))


def _multiplied(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A matrix product by a known factor."""
    (x, y), (left, right) = masks, step.operands
    if left in tracing.constants:
        return _mixed(tracing.constants[left] != 0, y)
    if right in tracing.constants:
        return _mixed(tracing.constants[right].T != 0, x.T).T
    if tracing.known(x) or tracing.known(y):
        return uniform(tracing.chosen(x, y), 2)
    return uniform(OPAQUE, 2)


def _mixed(nonzero: npt.NDArray[np.bool_], masks: Masks) -> Masks:
    """The masks of factor · y, for a constant factor that is not 0 in these places."""
    if len(masks) == 1:
        rows = nonzero.any(axis=1, keepdims=True)
        return masks if rows.all() else np.where(rows, masks, 0)
    total = np.zeros((len(nonzero), masks.shape[1]), np.int64)
    for bit in (1 << at for at in range(63) if _any(masks) >> at & 1):
        entering = nonzero.astype(np.float32) @ ((masks & bit) != 0).astype(np.float32)
        total |= np.where(entering > 0, np.int64(bit), 0)
    return total


def _selected(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A choice by a known condition; or between known values, which tells the condition."""
    condition, *values = masks
    if tracing.known(condition):
        return uniform(tracing.chosen(condition, *values), len(step.type.shape))
    if all(map(tracing.known, values)):
        return _ranked(step, [_counted(tracing, step, [condition])])[0]
    return uniform(OPAQUE, len(step.type.shape))


def _reshaped(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    (one,), shape = masks, step.type.shape
    if one.size == 1:
        return one.reshape((1,) * len(shape))
    if step.type.size > LARGEST:
        return uniform(_common(one, tracing.own), len(shape))
    return np.broadcast_to(one, tracing.nodes[step.operands[0]].type.shape).reshape(shape)


def _transposed(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    return masks[0].T


def _taken(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    axis = step.parameters["axis"]
    if masks[0].shape[axis] == 1:
        return masks[0]
    return masks[0].take(np.array(step.parameters["indices"]), axis)


def _concatenated(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    if all(one.size == 1 and one.item() == masks[0].item() for one in masks):
        return masks[0]
    axis, rank = step.parameters["axis"], len(step.type.shape)
    wide = np.broadcast_shapes(*(one.take([0], axis).shape for one in masks))
    sizes = (tracing.nodes[i].type.shape[axis] for i in step.operands)
    shapes = [tuple(n if at == axis else wide[at] for at in range(rank)) for n in sizes]
    parts = [np.broadcast_to(one, shape) for one, shape in zip(masks, shapes, strict=True)]
    return np.concatenate(parts, axis)


def _sorted(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """Rows in any order: each may be any of them."""
    keys, rows = masks
    if tracing.known(rows):
        return uniform(OPAQUE, len(step.type.shape))
    return uniform(tracing.chosen(rows) | (_any(keys) & tracing.own), len(step.type.shape))


_RULES: dict[str, Callable[[_Tracing, Step, list[Masks]], Masks]] = {
    **dict.fromkeys("negate within narrow share reveal logical_not".split(), _same),
    **dict.fromkeys("truncate truncate_exact widen read_as proven mask".split(), _same),
    **dict.fromkeys(("add", "subtract", "logical_xor"), _joined),
    **dict.fromkeys(("sum_over", "parity"), _summed),
    **dict.fromkeys(("multiply", "logical_and"), _factored),
    "bit_to_word": _counted,
    "matmul": _multiplied,
    "select": _selected,
    "reshape": _reshaped,
    "transpose": _transposed,
    "take": _taken,
    "concat": _concatenated,
    "sort_rows": _sorted,
}
