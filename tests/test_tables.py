"""Kernels of dealt tables and orders against their meaning, at sizes that cross chunks."""

import secrets

import numpy as np
import pytest

from moiety import _core
from moiety.errors import PeerMisbehaved
from moiety.protocols import boolean, comparison, equality, lookup, permutation, piecewise
from moiety.protocols.additive import signed
from moiety.protocols.boolean import BitScale
from moiety.protocols.comparison import SignMask
from moiety.protocols.correlations import Correlation
from moiety.protocols.equality import UnitMask
from moiety.protocols.lookup import RotatedTable, UnitVector
from moiety.protocols.permutation import Shuffle
from moiety.protocols.piecewise import BitsScale, Lines
from moiety.protocols.truncation import WrapProduct
from moiety.ring import Stream
from moiety.run import twin
from protocol_kit import both, contexts, drawn, integers, run

SIZES = (0, 1, 7, 8, 63, 64, 65, 1000, 20_003)
TABLE = tuple(secrets.randbelow(2**40) - 2**39 for _ in range(11))
DEALT = [
    *(UnitVector(n, bits) for n in SIZES[:-1] for bits in (1, 2, 3, 6, 7, 9)),
    *(
        RotatedTable(n, bits, r, TABLE)
        for n in SIZES[:-1]
        for bits, r in ((4, 64), (5, 23), (9, 41))
    ),
    RotatedTable(77, 1, 13, (3, -1)),
    *(
        UnitMask(n, ring, digit)
        for n in SIZES
        for ring, digit in ((64, 4), (23, 6), (1, 4), (9, 1))
    ),
    *(Shuffle(owner, n, 3, 37) for owner in (0, 1) for n in SIZES[1:]),
]


def streams():
    return Stream(bytes(range(16)), 3), Stream(bytes(range(1, 17)), 3)


@pytest.mark.parametrize("correlation", DEALT, ids=str)
def test_the_fast_way_deals_what_the_definition_deals(correlation, monkeypatch):
    fast = correlation.deal(streams())
    monkeypatch.setattr(type(correlation), "_correct", Correlation._correct)
    assert fast == correlation.deal(streams())
    assert len(fast) == correlation.size()


@pytest.mark.parametrize("count", SIZES[:-1])
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 6, 7, 10])
def test_one_hot_vectors(count, bits):
    x = drawn(0, 2**bits - 1, count)
    first, second = run(
        (UnitVector(count, bits),), lambda ctx, x: lookup.one_hot(ctx, x, bits), (x,)
    )
    assert np.array_equal(first ^ second, x[:, None] == np.arange(2**bits, dtype=np.uint64))


@pytest.mark.parametrize("count", SIZES[:-1])
@pytest.mark.parametrize(("bits", "ring"), [(4, 64), (5, 41), (9, 64)])
def test_tables_at_secret_places(count, bits, ring):
    x, mask = drawn(0, len(TABLE) - 1, count), RotatedTable(count, bits, ring, TABLE)
    first, second = run((mask,), lambda ctx, x: lookup.entry(ctx, x, mask), (x,))
    expected = np.array(TABLE)[x.astype(np.int64)]
    assert np.array_equal(signed(first + second, ring).view(np.int64), expected)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize(("ring", "digit"), [(64, 4), (23, 6), (12, 3), (4, 4), (9, 1)])
def test_equality_by_digits(count, ring, digit):
    x = drawn(0, 2**ring - 1, count)
    x[::3] = 0
    bill = UnitMask(count, ring, digit), *equality.tree_triples(count, ring, digit)
    first, second = run(bill, lambda ctx, x: equality.zero(ctx, x, ring, digit), (x,))
    assert np.array_equal(first ^ second, x == 0)


@pytest.mark.parametrize("count", SIZES)
def test_one_table_serves_several_cuts(count):
    x, cuts = drawn(-(2**20), 2**20, count), np.array([-(2**20), 0, 5], np.int64)
    tree = comparison.tree_triples(count, 22)
    bill = SignMask(count, 23), *(triples for triples in tree for _ in cuts)
    first, second = run(
        bill, lambda ctx, x: piecewise.signs(ctx, x, cuts.view(np.uint64), 23), (x,)
    )
    assert np.array_equal(first ^ second, x.view(np.int64) < cuts[:, None])


@pytest.mark.parametrize("owner", [0, 1])
@pytest.mark.parametrize(("rows", "columns", "ring"), [(20_003, 1, 64), (1000, 5, 33), (65, 2, 64)])
def test_orders_across_chunks(owner, rows, columns, ring):
    order = np.argsort(np.frombuffer(secrets.token_bytes(8 * rows), np.uint64))
    x = integers(-(2**30), 2**30, rows * columns).reshape(rows, columns)
    mask = np.frombuffer(secrets.token_bytes(x.nbytes), np.uint64).reshape(x.shape)
    shuffle = Shuffle(owner, rows, columns, ring)
    sides = [
        permutation.permute(ctx, shuffle, order if ctx.party == owner else None, share)
        for ctx, share in zip(contexts((shuffle,)), (mask, x - mask), strict=True)
    ]
    first, second = twin.lockstep(sides).results
    assert np.array_equal(signed(first + second, ring), x[order])


@pytest.mark.parametrize("count", [0, 1, 2, 9, 1000, 50_000])
def test_keys_are_sorted_as_numpy_sorts_them(count):
    part = Stream(secrets.token_bytes(16), 1).part([(64 * count, False)])
    order = np.argsort(part.words(0, count, 64), kind="stable")
    assert np.array_equal(_core.shuffle_order(part, count), order.astype(np.uint64))
    few = np.arange(count, dtype=np.uint64) * np.uint64(7) % np.uint64(5)
    few = few if count % 2 else few << np.uint64(61)
    part = _core.Dealt(bytes(16), 0, 0, [(64 * count, True)], few.tobytes())
    assert np.array_equal(_core.shuffle_order(part, count), np.argsort(few, kind="stable"))


def refused(side, message, bill):
    """Whether the peer's message of a protocol's first round is refused."""

    def run(ctx, _):
        protocol = side(ctx)
        next(protocol)
        with pytest.raises(PeerMisbehaved):
            protocol.send({1 - ctx.party: message})
        return None
        yield

    both(bill, run, np.zeros(1, np.uint64))


def test_messages_that_are_not_what_is_due_are_refused():
    x, flags = np.zeros(11, np.uint64), np.zeros(11, np.uint8)
    lines = Lines((1, 0), (0, 0))
    sides = [
        (lambda ctx: boolean.scale(ctx, flags, x, ring=7), BitScale((11,), (11,), (11,), 7), 12),
        (
            lambda ctx: piecewise.piecewise(ctx, flags[None], x, lines, ring=7),
            BitsScale(11, 1, 7),
            12,
        ),
        (lambda ctx: piecewise.widen(ctx, x, 20, 3), WrapProduct(11, 47), 2),
        (lambda ctx: lookup.one_hot(ctx, x, 3), UnitVector(11, 3), 5),
        (lambda ctx: lookup.entry(ctx, x, table), table := RotatedTable(11, 5, 9, TABLE), 7),
        (lambda ctx: equality.zero(ctx, x, 3), UnitMask(11, 3), 5),
    ]
    for side, mask, due in sides:
        for message in (b"", bytes(due - 1), bytes(due + 1), b"\xff" * due):
            refused(side, message, (mask,))


def test_shapes_that_do_not_fit_are_refused():
    part = _core.Dealt(bytes(16), 0, 0, [(size, False) for size in (4, 16, 64, 64)])
    whole, good = bytes(9), [(4, 1, 1)]
    assert _core.deal_scaled(part, part, (4, 1), 16, [(4, 1, 0)])
    for shape, axes in (
        ((4, 1), good),
        ((4, 1), [(3, 1, 0)]),
        ((4, 1), [(5, 1, 0)]),
        ((4, 1), [(4, 2, 0)]),
        ((4, 1), [(2**40, 0, 0), (2**40, 0, 0)]),
    ):
        with pytest.raises(ValueError, match=r"length|end of the stream"):
            _core.scale_words(whole, whole, part, shape, 16, axes, True)
        with pytest.raises(ValueError, match=r"length|end of the stream"):
            _core.deal_scaled(part, part, shape, 16, axes)
    x = np.zeros(4, np.uint64)
    with pytest.raises(ValueError, match="lines"):
        _core.draw_lines(whole, whole, part, x, 16, x[:0], x[:0], True)
    with pytest.raises(ValueError, match="offsets"):
        _core.draw_lines(whole, whole, part, x, 16, x[:2], x[:3], True)
    for bits in (0, 33):
        with pytest.raises(ValueError, match="bits"):
            _core.one_hot(b"", b"", part, (1, bits))
    for shape in ((1, 0, 4), (1, 65, 4), (1, 4, 0), (1, 4, 7)):
        with pytest.raises(ValueError, match="bits"):
            _core.equal_digits(b"", b"", part, shape)
    rows = np.zeros(2, np.uint64)
    part = _core.Dealt(bytes(16), 0, 0, [(64, False), (128, False), (128, False)])
    with pytest.raises(ValueError, match="rows"):
        _core.mask_rows(rows, np.array([0, 2], np.uint64), part, (2, 1, 64))
    with pytest.raises(ValueError, match="places"):
        _core.mask_rows(rows, rows[:1], part, (2, 1, 64))
    with pytest.raises(ValueError, match="rows"):
        _core.mask_rows(rows, rows, part, (3, 1, 64))
    for ring, shift in ((64, 64), (64, 0), (1, 0), (20, 20)):
        with pytest.raises(ValueError, match=r"bits|length"):
            _core.truncate_words(x, b"", b"", part, shift, True, ring)
    for shape in ((4, 20, 0), (4, 20, 19), (4, 65, 3)):
        with pytest.raises(ValueError, match="bits"):
            _core.floor_words(b"", b"", part, x, shape, True)
