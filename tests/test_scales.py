"""Kernels of scales, lines and wider rings against their meaning, at sizes that cross chunks."""

import secrets

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.protocols import boolean, piecewise
from moiety.protocols.additive import signed
from moiety.protocols.boolean import BitScale
from moiety.protocols.correlations import Correlation
from moiety.protocols.piecewise import BitsScale, Lines
from moiety.protocols.truncation import WrapProduct
from moiety.ring import Stream
from protocol_kit import coins, drawn, run

SIZES = (0, 1, 7, 8, 63, 64, 65, 1000, 20_003)
SHAPES = [
    ((5,), (5,)),
    ((3, 1), (3, 4)),
    ((3, 4), (1, 4)),
    ((4,), (3, 1)),
    ((2, 1, 3), (4, 1)),
    ((2, 600), (600,)),
    ((600,), (2, 600)),
    ((2, 3, 100), (2, 1, 1)),
    ((1,), (700,)),
    ((), (9,)),
    ((9,), ()),
    ((), ()),
    ((0, 3), (3,)),
]


DEALT = [
    *(BitsScale(n, cuts, ring) for n in SIZES for cuts, ring in ((1, 64), (2, 35), (5, 7))),
    *(
        BitScale(bits, words, np.broadcast_shapes(bits, words), ring)
        for bits, words in [*SHAPES, ((20_003,), (20_003,)), ((700, 1), (700, 9))]
        for ring in (64, 21)
    ),
    *(WrapProduct(n, shift) for n in SIZES for shift in (5, 32)),
]


def streams():
    return Stream(bytes(range(16)), 3), Stream(bytes(range(1, 17)), 3)


@pytest.mark.parametrize("correlation", DEALT, ids=str)
def test_the_fast_way_deals_what_the_definition_deals(correlation, monkeypatch):
    fast = correlation.deal(streams())
    monkeypatch.setattr(type(correlation), "_correct", Correlation._correct)
    assert fast == correlation.deal(streams())
    assert len(fast) == correlation.size()


@pytest.mark.parametrize(("bits", "words"), SHAPES)
@pytest.mark.parametrize("ring", [64, 21])
def test_scaling_broadcasts(bits, words, ring):
    shape = np.broadcast_shapes(bits, words)
    flags = coins(*bits)
    x = drawn(-(2**19), 2**19, int(np.prod(words, dtype=int))).reshape(words)
    first, second = run(
        (BitScale(bits, words, shape, ring),),
        lambda ctx, x, flags: boolean.scale(ctx, flags, x, ring=ring),
        (x,),
        (flags,),
    )
    assert first.shape == shape
    assert np.array_equal(signed(first + second, ring), flags * x)


@given(st.data())
def test_axes_name_every_pair_once(data):
    shape = data.draw(st.lists(st.integers(1, 4), max_size=4))
    operands = [
        tuple(
            data.draw(st.sampled_from([size, 1])) for size in shape[data.draw(st.integers(0, 2)) :]
        )
        for _ in range(2)
    ]
    whole = np.broadcast_shapes(*operands)
    entries = [np.arange(int(np.prod(one, dtype=int))).reshape(one) for one in operands]
    expected = [np.broadcast_to(one, whole).reshape(-1) for one in entries]
    places = np.zeros((1, 2), int)
    for size, *steps in boolean.axes(whole, *operands):
        places = (places[:, None] + np.arange(size)[:, None] * np.array(steps)).reshape(-1, 2)
    assert np.array_equal(places, np.stack(expected, -1))


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("ring", [64, 37])
def test_scaling_across_chunks(count, ring):
    flags, x = coins(count), drawn(-(2**35), 2**35, count)
    first, second = run(
        (BitScale((count,), (count,), (count,), ring),),
        lambda ctx, x, flags: boolean.scale(ctx, flags, x, ring=ring),
        (x,),
        (flags,),
    )
    assert np.array_equal(signed(first + second, ring), flags * x)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize(
    ("slopes", "offsets"), [((0, 1, 0), (-9, 0, 9)), ((-3, 2), (0, 7)), ((5,), (1,))]
)
def test_lines_across_chunks(count, slopes, offsets):
    cuts, x = len(slopes) - 1, drawn(-(2**20), 2**20, count)
    place = np.frombuffer(secrets.token_bytes(count), np.uint8) % (cuts + 1)
    below = (np.arange(cuts)[:, None] >= place).astype(np.uint8)
    first, second = run(
        (BitsScale(count, cuts, 30),),
        lambda ctx, x, below: piecewise.piecewise(ctx, below, x, Lines(slopes, offsets), ring=30),
        (x,),
        (below,),
    )
    expected = np.array(slopes)[place] * x.view(np.int64) + np.array(offsets)[place]
    assert np.array_equal(signed(first + second, 30).view(np.int64), expected)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize(("ring", "shift"), [(20, 0), (35, 14), (64, 18), (63, 1), (5, 3)])
def test_wider_rings_across_chunks(count, ring, shift):
    half = 1 << (ring - 2)
    x = drawn(-half, half - 1, count)
    first, second = run(
        (WrapProduct(count, 64 - ring + shift),),
        lambda ctx, x: piecewise.widen(ctx, x & np.uint64(2**ring - 1), ring, shift),
        (x,),
    )
    off = (first + second).view(np.int64) - (x.view(np.int64) >> shift)
    assert set(off.tolist()) <= ({0, 1} if shift else {0})
