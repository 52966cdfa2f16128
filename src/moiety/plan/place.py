"""Pass 2. What one party holds stays in the clear with it: a table is not shared to be multiplied.

Steps whose operands one party holds already run at that party. Here, products of a table that
several owners hold together become sums, or rows, of products of each owner's own part; and a
party's table that multiplies shared matrices is masked, once for all its products.
"""

from functools import reduce

from moiety.lang.program import Program, Step
from moiety.lang.trace import Value
from moiety.lang.types import BIT, PUBLIC, SHARED, Private
from moiety.plan.rewrite import Rewrite, needed

Masks = dict[int, Value]
"""The masked tables by the index of the table's value."""


def place(program: Program) -> Program:
    """The same meaning with products at the owners of their tables."""
    masks: dict[int, Value] = {}

    def visit(rewrite: Rewrite, index: int, step: Step) -> Value | None:
        if step.primitive.name != "matmul":
            return None
        return _product(rewrite, masks, *rewrite.operands(step))

    return needed(Rewrite(program).run(visit))


def _product(rewrite: Rewrite, masks: Masks, x: Value, y: Value) -> Value:
    """X · y, with each owner's part of x by itself; a table on the right goes to the left."""
    parts = _parts(rewrite, x)
    if parts is not None:
        several = _by_columns if parts[1] else _by_rows
        return several(rewrite, masks, parts[0], y)
    if y.type.owner != SHARED and x.type.owner == SHARED and x.type.kind != BIT:
        return _turned(rewrite, masks, x, y)
    other = _parts(rewrite, y)
    if other is not None and x.type.owner == SHARED and x.type.kind != BIT:
        return _turned(rewrite, masks, x, y)
    owned = isinstance(x.type.owner, Private) and x.type.kind != BIT
    if owned and y.type.owner not in (x.type.owner, PUBLIC) and y.type.kind != BIT:
        shared = y if y.type.owner == SHARED else rewrite.apply("share", y)
        return _masked(rewrite, masks, x, shared)
    return rewrite.apply("matmul", x, y)


def _masked(rewrite: Rewrite, masks: Masks, x: Value, y: Value) -> Value:
    """The product of a table that is masked once, also where its transpose multiplies."""
    turned = rewrite.made_by(x)
    transposed = turned is not None and turned.primitive.name == "transpose"
    table = rewrite.value(turned.operands[0]) if turned is not None and transposed else x
    if table.index not in masks:
        masks[table.index] = rewrite.apply("mask", table)
    given = {"transposed": True} if transposed else {}
    return rewrite.apply("masked_matmul", masks[table.index], y, **given)


def _turned(rewrite: Rewrite, masks: Masks, x: Value, y: Value) -> Value:
    """X · y = (yᵀ · xᵀ)ᵀ."""
    product = _product(rewrite, masks, _transpose(rewrite, y), _transpose(rewrite, x))
    return _transpose(rewrite, product)


def _transpose(rewrite: Rewrite, x: Value) -> Value:
    before = rewrite.made_by(x)
    if before is not None and before.primitive.name == "transpose":
        return rewrite.value(before.operands[0])
    return rewrite.apply("transpose", x)


def _parts(rewrite: Rewrite, x: Value) -> tuple[list[Value], bool] | None:
    """The parts that owners hold of a table, and whether they lie side by side (columns)."""
    step, turned = rewrite.made_by(x), False
    if step is not None and step.primitive.name == "transpose":
        step, turned = rewrite.made_by(rewrite.value(step.operands[0])), True
    if step is None or step.primitive.name != "concat" or len(step.type.shape) != 2:
        return None
    parts = [rewrite.value(i) for i in step.operands]
    if step.type.owner != SHARED or not any(isinstance(p.type.owner, Private) for p in parts):
        return None
    columns = (step.parameters["axis"] == 1) != turned
    return [_transpose(rewrite, part) for part in parts] if turned else parts, columns


def _by_columns(rewrite: Rewrite, masks: Masks, parts: list[Value], y: Value) -> Value:
    """[A B] · y = A · y' + B · y''."""
    products, begin = [], 0
    for part in parts:
        rows = range(begin, begin + part.shape[1])
        some = rewrite.apply("take", y, indices=rows, axis=0)
        products.append(_product(rewrite, masks, part, some))
        begin = rows.stop
    return reduce(lambda left, right: rewrite.apply("add", left, right), products)


def _by_rows(rewrite: Rewrite, masks: Masks, parts: list[Value], y: Value) -> Value:
    """The products of the parts, one below the other."""
    products = [_product(rewrite, masks, part, y) for part in parts]
    return rewrite.apply("concat", *products, axis=0)
