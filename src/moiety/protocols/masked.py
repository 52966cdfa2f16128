"""A table in the clear at its owner times shared matrices: it is sent once, masked, and not shared.

The owner holds X and a random U; it sends E = X - U, which is uniform to the other party. For each
product with a shared Y the dealer deals a fresh v to the other party, and shares of U · v. The
other party sends F = y' - v, where y' is its share of Y: uniform, too. Then with y the owner's
share, the owner's result is X·(y + F) + u and the other's E·v + (U·v - u), which add up to X·Y.

U may serve any number of products, also with rows of X alone and with Xᵀ, but never another table:
E of two tables under one mask would tell their difference.

Source: Beaver (CRYPTO 1991) with one operand's mask kept, as in Mohassel, Zhang (SecureML, S&P
2017, §4.1); semi-honest, two parties and a dealer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias, overload

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.errors import InternalError
from moiety.protocols.additive import masked, pieces
from moiety.protocols.base import Context, Protocol, Tick
from moiety.protocols.correlations import Array, Correlation, Field, Rows
from moiety.ring import Pieces, Reals, matmul, matmul_transposed, received, unpack_words


@dataclass(frozen=True)
class Mask(Correlation):
    """U (rows × columns), which its owner alone is dealt, for one table."""

    owner: int
    rows: int
    columns: int
    ring: int = 64

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.rows, self.columns), self.ring, only=self.owner),)

    def _dependent(self) -> tuple[Field, ...]:
        return ()

    def _values(self, *random: Array) -> Iterable[Array]:
        return ()


@dataclass(frozen=True)
class MaskedProduct(Correlation):
    """v (m × n), or (k × n), known to the other party; shares of U · v, or of Uᵀ · v if transposed.

    U are m rows of the mask that the step's table was masked with, of k columns.
    """

    owner: int
    m: int
    k: int
    n: int
    ring: int = 64
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """The product's shape."""
        return (self.k if self.transposed else self.m), self.n

    def _random(self) -> tuple[Field, ...]:
        inner = self.m if self.transposed else self.k
        return (Field((inner, self.n), self.ring, only=1 - self.owner),)

    def _dependent(self) -> tuple[Field, ...]:
        return (Field(self.shape, self.ring),)

    def _values(self, *random: Array) -> Iterable[Array]:
        raise InternalError("a masked product is dealt from its mask")

    needs_mask = True

    def _correct_rows(self, mask: Rows, first: Dealt, second: Dealt) -> bytes:
        table = mask.mask
        if not isinstance(table, Mask) or (table.owner, table.columns) != (self.owner, self.k):
            raise InternalError(f"{self} is dealt from {table}")
        drawn = first, second
        shape, place = (self.m, self.k, self.n), (table.rows, table.ring, mask.row)
        return _core.deal_masked(
            (mask.part, place), (drawn[1 - self.owner], first), shape, self.ring, self.transposed
        )


class Sent:
    """What a party was sent of another's table: packed; its words are made when asked for."""

    def __init__(self, message: bytes, shape: tuple[int, int], ring: int) -> None:
        self.shape = shape
        self._message, self._ring = message, ring
        length = -(-shape[0] * shape[1] * ring // 8)
        if len(message) != length:
            raise InternalError(f"a table of {len(message)} bytes, not {length}")

    @cached_property
    def words(self) -> Array:
        """E."""
        count = self.shape[0] * self.shape[1]
        return unpack_words(self._message, count, self._ring).reshape(self.shape)

    def times(self, y: Array) -> Array:
        """E · Y."""
        flat = np.ascontiguousarray(y)
        return received(_core.multiply_packed, self._message, self._ring, self.shape[0], flat)

    def __repr__(self) -> str:
        return f"Sent(table {self.shape})"


Table: TypeAlias = Array | Reals | Sent
"""A table in a product: in the clear at its owner, or what was sent of it."""


@overload
def whole(table: Table) -> Array: ...
@overload
def whole(table: Table | None) -> Array | None: ...
def whole(table: Table | None) -> Array | None:
    """Its words, if it is here."""
    return table.words if isinstance(table, Reals | Sent) else table


def send_masked(ctx: Context, mask: Mask, x: Array | Reals | None) -> Protocol[Table]:
    """The table at its owner, who sends it less the mask; E at the other party; one round."""
    part, other = ctx.supply.packed(mask), 1 - ctx.party
    count = mask.rows * mask.columns
    size = -(-count * mask.ring // 8)
    if x is not None:
        yield Tick({other: _message(x, part, mask)})
        return x
    answer = yield Tick(expect={other: size})
    return Sent(answer[other], (mask.rows, mask.columns), mask.ring)


def _message(x: Array | Reals, part: Dealt, mask: Mask) -> Pieces:
    """The table less its mask."""
    if isinstance(x, Reals):
        flat = x.values.reshape(-1)
        kernel = partial(_core.mask_reals, flat, x.fraction, part, 0, mask.ring)
    else:
        kernel = partial(_core.mask_span, masked(x), part, 0, mask.ring, subtract=True)
    return pieces(mask.rows * mask.columns, mask.ring, kernel)


def times(
    ctx: Context, product: MaskedProduct, table: Callable[[], Table], y: Array
) -> Protocol[Array]:
    """Shares of X · Y, or Xᵀ · Y; one round in which the owner is silent.

    The table is X at its owner and E at the other party; it need not be there before the round.
    """
    part, other, ring = ctx.supply.packed(product), 1 - ctx.party, product.ring
    rows, columns = product.shape
    if ctx.party == product.owner:
        answer = yield Tick(expect={other: -(-y.size * ring // 8)})
        opened = y + unpack_words(answer[other], y.size, ring).reshape(y.shape)
    else:
        yield Tick({other: _core.mask_words([masked(y)], part, 0, ring, subtract=True)})
        opened = part.words(0, y.size, ring).reshape(y.shape)
    share = part.words(1, rows * columns, ring).reshape(rows, columns)
    return _product(table(), opened, product.transposed) + share


def _product(table: Table, y: Array, transposed: bool) -> Array:
    if transposed:
        return matmul_transposed(whole(table), y)
    return matmul(table, y) if isinstance(table, np.ndarray) else table.times(y)
