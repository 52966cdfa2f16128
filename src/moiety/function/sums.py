"""Revealed sums: whose data enter a result that its receiver could solve for them.

A value is a sum where every step from private data to it is linear, with factors that the receiver
knows: constants, and what it holds itself. For each element a mask says whose data enter. What is
known of programs is their structure, no linear algebra: an owner whose share cancels still counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np

from moiety.function.masks import (
    ANYONE,
    FREE,
    OPAQUE,
    OWNERS,
    VARIOUS,
    Masks,
    any_of,
    entering,
    every,
    joined,
    ranked,
    summed,
    uniform,
    unknown,
)
from moiety.lang.program import Constant, Input, Node, Step

LARGEST = 1 << 22
"""Elements that are told apart when they change places."""


@dataclass(frozen=True)
class Sum:
    """Owners whose data enter each element of a sum; `parts`: those of others enter some, too.

    With `alone` it is no sum, of data of these owners; each of `alone` knows an element, or all.
    """

    owners: frozenset[str] = frozenset()
    parts: bool = False
    alone: frozenset[str] = frozenset()


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
        """All elements together; None if nobody can make anything of them."""
        kinds = np.unique(self.masks & ~np.int64(FREE)).tolist()
        opaque = [kind for kind in kinds if kind & OPAQUE]
        lone = (kind for kind in opaque if _contributors(kind) == 1 and not kind & ANYONE)
        single = reduce(or_, lone, 0)
        if len(opaque) == len(kinds):
            owners, alone = (self._sum(mask).owners for mask in (every(self.masks), single))
            return Sum(owners, alone=alone) if alone else None
        if single:
            return self._sum(reduce(and_, kinds) & OWNERS | VARIOUS)
        mask = any_of([self.masks], self.own)
        return Sum(parts=True) if mask & FREE else self._sum(mask)

    @property
    def fewest(self) -> Sum | None:
        """The sum of others' data to which the fewest owners contribute."""
        found = np.unique(self.masks)
        telling = found[unknown(found, self.own) & ((found & OPAQUE) == 0)].tolist()
        return self._sum(min(telling, key=_contributors)) if telling else None

    def _sum(self, mask: int) -> Sum:
        owners = (name for at, name in enumerate(self.names) if mask >> at & 1)
        return Sum(frozenset(owners), bool(mask & VARIOUS))


def _contributors(mask: int) -> int:
    return (mask & OWNERS).bit_count()


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
            return OPAQUE | ANYONE
        owners = sum(self.bits[name] for name in found.owners)
        if not found.alone or not owners & ~self.own:
            return owners | (VARIOUS if found.parts else 0)
        known = any(self.bits[name] & self.own for name in found.alone)
        return self.own | VARIOUS if known else owners | OPAQUE

    def opaque(self, masks: Sequence[Masks], rank: int) -> Masks:
        """What is no sum of these; whose data it is made of stays known."""
        mask = reduce(or_, map(every, masks), OPAQUE)
        return uniform(OPAQUE | mask & OWNERS | (ANYONE if mask & VARIOUS else 0), rank)

    def _step(self, step: Step) -> Masks:
        masks, rank = [self.masks[i] for i in step.operands], len(step.type.shape)
        if all(map(self.known, masks)):
            return uniform(reduce(or_, map(every, masks)) & ~FREE, rank)
        rule = _RULES.get(step.primitive.name)
        return self.opaque(masks, rank) if rule is None else rule(self, step, masks)

    def known(self, masks: Masks) -> bool:
        """True if the receiver can compute the value itself."""
        return not unknown(masks, self.own).any()

    def scaled(self, step: Step, other: Masks, factor: Masks) -> Masks:
        """What a factor that the receiver knows makes of any element; it may be 0."""
        mask = any_of([other], self.own) | FREE | every(factor) & self.own
        return uniform(mask, len(step.type.shape))


def _same(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    return masks[0]


def _joined(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    first, second = (ranked(one, len(step.type.shape)) for one in masks)
    return joined(first, second, tracing.own)


def _summed(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    return summed(masks[0], step.parameters["axis"], tracing.own)


def _factored(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A product by a known factor: of a constant's zeros nothing remains."""
    rank, pairs = len(step.type.shape), zip(masks, step.operands, strict=True)
    for (factor, at), other in zip(pairs, reversed(masks), strict=True):
        if at in tracing.constants:
            nonzero = ranked(tracing.constants[at], rank) != 0
            found = ranked(other, rank)
            return found if nonzero.all() else np.where(nonzero, found, 0)
        if tracing.known(factor):
            return tracing.scaled(step, other, factor)
    return tracing.opaque(masks, rank)


def _multiplied(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A matrix product by a known factor."""
    (x, y), (left, right) = masks, step.operands
    if left in tracing.constants:
        return entering(tracing.constants[left] != 0, y, tracing.own)
    if right in tracing.constants:
        return entering(tracing.constants[right].T != 0, x.T, tracing.own).T
    for factor, other in ((x, y), (y, x)):
        if tracing.known(factor):
            return tracing.scaled(step, other, factor)
    return tracing.opaque(masks, 2)


def _selected(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    """A choice by a known condition; or between known values, which tells the condition."""
    (condition, *values), rank = masks, len(step.type.shape)
    if tracing.known(condition):
        own = every(condition) & tracing.own
        return uniform(any_of(values, tracing.own) | own, rank)
    if all(map(tracing.known, values)):
        return ranked(condition, rank)
    return tracing.opaque(masks, rank)


def _reshaped(tracing: _Tracing, step: Step, masks: list[Masks]) -> Masks:
    (one,), shape = masks, step.type.shape
    if one.size == 1:
        return one.reshape((1,) * len(shape))
    if step.type.size > LARGEST:
        return uniform(any_of([one], tracing.own), len(shape))
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
        return tracing.opaque(masks, len(step.type.shape))
    mask = any_of([rows], tracing.own) | every(keys) & tracing.own
    return uniform(mask, len(step.type.shape))


_RULES: dict[str, Callable[[_Tracing, Step, list[Masks]], Masks]] = {
    **dict.fromkeys("negate within narrow share reveal logical_not".split(), _same),
    **dict.fromkeys("truncate truncate_exact widen read_as proven mask bit_to_word".split(), _same),
    **dict.fromkeys(("add", "subtract", "logical_xor"), _joined),
    **dict.fromkeys(("sum_over", "parity"), _summed),
    **dict.fromkeys(("multiply", "logical_and"), _factored),
    "matmul": _multiplied,
    "select": _selected,
    "reshape": _reshaped,
    "transpose": _transposed,
    "take": _taken,
    "concat": _concatenated,
    "sort_rows": _sorted,
}
