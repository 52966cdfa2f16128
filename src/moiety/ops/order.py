"""Rows in an order that one party alone knows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from moiety.errors import UsageError
from moiety.lang.cost import Cost, octets
from moiety.lang.primitive import DEALER, Array, Operand, example, owned, primitive
from moiety.lang.types import BIT, PUBLIC, SHARED, Private, Type, joined, words
from moiety.ops import rules
from moiety.ops.rules import signed_words
from moiety.protocols import permutation
from moiety.protocols.base import Context, Protocol
from moiety.protocols.permutation import Shuffle


def _sorted(keys: Type, x: Type, *, inverse: bool = False) -> Type:
    rules.all_words(keys, x)
    if len(x.shape) != 2 or keys.shape != x.shape[:1]:
        raise UsageError(f"rows of shape {x.shape} by keys of shape {keys.shape}")
    return replace(x, owner=joined((keys.owner, x.owner)))


def _order(keys: Array, *, inverse: bool) -> Array:
    """Row i of the result is row order[i] of the operand."""
    order = np.argsort(keys.view(np.int64), kind="stable")
    return np.argsort(order, kind="stable") if inverse else order


def _rows(keys: Type, x: Type, *, errors: Sequence[float], **_: bool) -> float:
    """Each row keeps its error."""
    return errors[1]


def _shuffle(keys: Type, x: Type) -> Shuffle:
    owner = keys.owner.party if isinstance(keys.owner, Private) else 0
    rows, columns = x.shape
    return Shuffle(owner, rows, columns, x.ring)


def _cost(keys: Type, x: Type, **_: bool) -> Cost:
    owner, rows = _shuffle(keys, x).owner, x.shape[0]
    places = octets(rows * permutation.place_bits(rows))
    return Cost(({(owner, 1 - owner): places}, {(1 - owner, owner): octets(x.size * x.ring)}))


def _owned_keys(keys: Type, x: Type) -> bool:
    return owned(keys, x) and x.kind != BIT


@primitive(
    rule=_sorted,
    shapes=("256", "256 w"),
    examples=(
        example(words((256,), Private(0), (0, 16)), signed_words(64, 256, 2)),
        example(signed_words(64, 256, owner=Private(1)), words((256, 1), SHARED, (-9, 9), ring=13)),
        example(words((9,), Private(1), (0, 3)), signed_words(64, 9, 3), inverse=True),
        example(words((1,), Private(0), (0, 0)), signed_words(64, 1, 3)),
        example(words((5,), PUBLIC, (0, 3), 3), signed_words(64, 5, 3)),
    ),
)
def sort_rows(keys: Array, x: Array, *, inverse: bool = False) -> Array:
    """The rows of x as keys sort them, equal ones in order; or, inverse, back from that order."""
    return x[_order(keys, inverse=inverse)]


sort_rows.accuracy = _rows


@sort_rows.way(
    DEALER,
    name="dealt share translation",
    accepts=_owned_keys,
    cost=_cost,
    bill=lambda keys, x, **_: (_shuffle(keys, x),),
    source="Chase, Ghosh, Poburinnaya (ASIACRYPT 2020), with a dealer",
)
def _(ctx: Context, keys: Operand, x: Operand, *, inverse: bool = False) -> Protocol[Array]:
    order = None if keys.data is None else _order(keys.data, inverse=inverse)
    return (yield from permutation.permute(ctx, _shuffle(keys.type, x.type), order, x.words))


@sort_rows.way(
    DEALER,
    name="public order",
    accepts=lambda keys, x: (keys.owner, x.owner) == (PUBLIC, SHARED),
    source="linear in the shares",
)
def _(ctx: Context, keys: Operand, x: Operand, *, inverse: bool = False) -> Array:
    return sort_rows.meaning(keys.words, x.words, inverse=inverse)
