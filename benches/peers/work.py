"""The works of the comparison with peers, as protocols of the profile `dealer`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.lang.cost import Cost, both_ways, octets
from moiety.protocols import additive, comparison, truncation
from moiety.protocols.additive import MatrixTriple, OwnedProduct, Triple
from moiety.protocols.base import Context, Protocol
from moiety.protocols.comparison import SignMask
from moiety.protocols.correlations import Correlation
from moiety.protocols.truncation import WrapProduct
from moiety.ring import Stream, decode, encode

FRACTION = 18
Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Work:
    """One row: plaintext operands, the protocol, its bill and price, and what the clear gives."""

    name: str
    size: str
    plain: Callable[[np.random.Generator], Arrays]
    body: Callable[..., Protocol[Any]]
    bill: tuple[Correlation, ...]
    cost: Cost
    expected: Callable[..., Any]
    decoded: Callable[[Any, Any], Any]
    owner: int | None = None

    def brought(self, party: int) -> Arrays:
        """A party's shares of the operands, from a public seed: both make the same ones."""
        plain = self.plain(np.random.default_rng(7))
        masks = np.random.default_rng(8)
        shares = []
        for index, operand in enumerate(plain):
            if index == 0 and self.owner is not None:
                shares.append(decode(operand, FRACTION) if party == self.owner else None)
                continue
            mask = masks.integers(0, 1 << 64, operand.shape, np.uint64)
            shares.append(operand - mask if party else mask)
        return tuple(shares)

    def error(self, first: Any, second: Any) -> float:
        """The largest difference from the plaintext result."""
        plain = self.plain(np.random.default_rng(7))
        found = self.decoded(first, second)
        return float(np.abs(found - self.expected(*plain)).max())


def reals(*shapes: tuple[int, ...], bound: float) -> Callable[[np.random.Generator], Arrays]:
    """Uniform fixed-point numbers in (-bound, bound)."""
    return lambda rng: tuple(encode(rng.uniform(-bound, bound, s), FRACTION) for s in shapes)


def truncated(product: Protocol[Any], ctx: Context) -> Protocol[Any]:
    """The product, scaled back to `FRACTION` bits."""
    z = yield from product
    flat = yield from truncation.approximate(ctx, z.reshape(-1), FRACTION)
    return flat.reshape(z.shape)


def summed(first: Any, second: Any) -> Any:
    """The reals that two arrays of shares stand for."""
    return decode(first + second, FRACTION)


def multiply(n: int) -> Work:
    """x · y for n pairs, truncated."""
    return Work(
        name="multiply",
        size=f"{n}",
        plain=reals((n,), (n,), bound=8),
        body=lambda ctx, x, y: truncated(additive.multiply(ctx, x, y), ctx),
        bill=(Triple(n), WrapProduct(n, FRACTION)),
        cost=Cost((both_ways(128 * n), both_ways(n))),
        expected=lambda x, y: decode(x, FRACTION) * decode(y, FRACTION),
        decoded=summed,
    )


def negative(n: int, ring: int, digit: int) -> Work:
    """x < 0 for n words that are proven to fit in `ring` bits."""
    tree = map(both_ways, comparison.opened_bits(n, ring - 1, digit))
    shift = np.int64(64 - ring)
    return Work(
        name=f"x < 0, {ring} bits, digits of {digit}",
        size=f"{n}",
        plain=lambda rng: (
            (rng.integers(-(2**63), 2**63 - 1, n, np.int64) >> shift).view(np.uint64),
        ),
        body=lambda ctx, x: comparison.negative(ctx, x, ring, digit),
        bill=(SignMask(n, ring, digit), *comparison.tree_triples(n, ring - 1, digit)),
        cost=Cost((both_ways(ring * n), *tree)),
        expected=lambda x: x.view(np.int64) < 0,
        decoded=lambda a, b: (a ^ b).astype(float),
    )


def matrices(m: int, k: int, n: int) -> Work:
    """A product of two shared matrices, truncated."""
    return Work(
        name="matmul",
        size=f"({m}×{k})·({k}×{n})",
        plain=reals((m, k), (k, n), bound=1),
        body=lambda ctx, x, y: truncated(additive.matrix_multiply(ctx, x, y), ctx),
        bill=(MatrixTriple(m, k, n), WrapProduct(m * n, FRACTION)),
        cost=Cost((both_ways(64 * (m * k + k * n)), both_ways(m * n))),
        expected=lambda x, y: decode(x, FRACTION) @ decode(y, FRACTION),
        decoded=summed,
    )


def owned(m: int, k: int, n: int) -> Work:
    """A product of a table in the clear at its owner and a shared matrix, truncated.

    Its owner brings reals: that they become words, and are masked and sent, is part of the time.
    """

    def body(ctx: Context, x: Any, y: Any) -> Protocol[Any]:
        words = encode(x, FRACTION) if x is not None else None
        return truncated(additive.owned_multiply(ctx, product, words, y), ctx)

    product = OwnedProduct(0, m, k, n)
    sent = {(0, 1): octets(64 * m * k), (1, 0): octets(64 * k * n)}
    return Work(
        name="matmul, owned table",
        size=f"({m}×{k})·({k}×{n})",
        plain=reals((m, k), (k, n), bound=1),
        body=body,
        bill=(product, WrapProduct(m * n, FRACTION)),
        cost=Cost((sent, both_ways(m * n))),
        expected=lambda x, y: decode(x, FRACTION) @ decode(y, FRACTION),
        decoded=summed,
        owner=0,
    )


def works(scale: float = 1.0) -> list[Work]:
    """All rows; `scale` shrinks them for a rehearsal."""
    n, side, rows = (max(8, int(size * scale)) for size in (1_000_000, 1_000, 100_000))
    return [
        multiply(n),
        negative(n, 64, 3),
        negative(n, 64, 4),
        negative(n, 24, 4),
        matrices(side, side, side),
        owned(rows, 100, 1),
    ]


def deal(bill: tuple[Correlation, ...], keys: tuple[bytes, bytes]) -> list[bytes]:
    """The corrections of a bill; correlation i has stream i."""
    return [item.deal((Stream(keys[0], i), Stream(keys[1], i))) for i, item in enumerate(bill)]
