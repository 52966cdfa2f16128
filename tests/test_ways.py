"""Every way of every primitive, from the registry: its meaning, its exact price, its refusals.

A new primitive or way needs no test here: its examples are what is run.
"""

import secrets
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety import ops
from moiety.errors import MaterialError
from moiety.lang.cost import Cost, Formula, both_ways, octets
from moiety.lang.primitive import DEALER, REGISTRY
from moiety.lang.types import BIT, SHARED, words
from moiety.protocols import comparison, truncation
from moiety.protocols.additive import signed
from moiety.protocols.base import Context
from moiety.protocols.boolean import BitWord
from moiety.protocols.correlations import Supply
from moiety.ring import Stream
from moiety.run import twin

CASES = [
    pytest.param(primitive, way, example, id=f"{primitive.name}-{way.name}-{number}")
    for primitive in REGISTRY.values()
    for number, example in enumerate(primitive.examples)
    for way in primitive.ways
    if way.accepts(*example.types)
]


def near_edges(lo, hi, shift=0):
    """Values at and around the bounds, zero, and multiples of 2^shift."""
    steps = {1 << s for s in (0, shift, 31, 32)}
    around = {lo, hi, 0} | {
        base + sign * s for base in (0, lo, hi) for s in steps for sign in (1, -1)
    }
    return sorted(v for v in around | {v + d for v in around for d in (1, -1)} if lo <= v <= hi)


def as_words(values, shape):
    return np.array([v % 2**64 for v in values], dtype=np.uint64).reshape(shape)


@st.composite
def inputs(draw, example):
    """Plaintext operands within the example's bounds, mostly near the edges; cyclic if long."""
    found = {}
    for index, type in enumerate(example.types):
        edges = st.sampled_from(near_edges(type.lo, type.hi, example.parameters.get("shift", 0)))
        element = st.one_of(edges, st.integers(type.lo, type.hi))
        values = draw(st.lists(element, min_size=1, max_size=min(type.size, 13)))
        words = as_words(values, -1).astype(np.uint8 if type.kind == BIT else np.uint64)
        found[f"x{index}"] = np.resize(words, type.shape)
    return found


def plain(type, results, name="y0"):
    """A result in the clear, from what the parties returned."""
    held = [result[name] for result in results if name in result]
    if type.owner != SHARED:
        return held[type.owner.party if isinstance(type.owner, twin.Masked) else 0]
    if type.kind == BIT:
        return held[0] ^ held[1]
    return signed(held[0] + held[1], type.ring)


def approximation(primitive, example):
    """What a primitive states of its error for exact operands, in units of the last place."""
    if primitive.accuracy is None:
        return 0
    result = primitive.rule(*example.types, **example.parameters)
    exact = [0.0] * len(example.types)
    stated = primitive.accuracy(*example.types, errors=exact, **example.parameters)
    return stated * 2**result.fraction


def nonzero(cost):
    return [{link: size for link, size in messages.items() if size} for messages in cost.rounds]


@pytest.mark.parametrize(("primitive", "way", "example"), CASES)
@given(data=st.data())
def test_a_way_computes_the_meaning_at_the_stated_price(primitive, way, example, data):
    program = twin.alone(primitive, way, example)
    plaintext = data.draw(inputs(example))
    result = program.nodes[-1].type
    transcript = twin.run(program, twin.split(program, plaintext))
    expected, found = program.clear(plaintext)["y0"], plain(result, transcript.results)
    assert found.shape == expected.shape == result.shape
    wrong = (found ^ expected) if result.kind == BIT else (found - expected).view(np.int64)
    assert np.abs(wrong.astype(np.int64)).max() <= result.error + approximation(primitive, example)
    assert nonzero(transcript.cost) == nonzero(program.cost)


@pytest.mark.parametrize("primitive", REGISTRY.values(), ids=lambda p: p.name)
def test_every_way_has_an_example_and_a_source(primitive):
    for way in primitive.ways:
        assert any(way.accepts(*example.types) for example in primitive.examples), way.name
        assert way.source and way.name
        assert bool(way.reveals) == bool(way.simulator)
    assert len({way.name for way in primitive.ways}) == len(primitive.ways)


@pytest.mark.parametrize(("primitive", "way", "example"), CASES)
def test_corrections_have_the_predicted_length(primitive, way, example):
    program = twin.alone(primitive, way, example, copies=2)
    cost, alone = program.cost, program.price(program.nodes[-1])
    assert program.bill.sizes == (cost.common, cost.dealt) == (2 * alone.common, 2 * alone.dealt)


@pytest.mark.parametrize("primitive", REGISTRY.values(), ids=lambda p: p.name)
def test_a_plaintext_operand_is_handled_by_whoever_holds_it(primitive):
    """Operands of one owner need no protocol, but where a primitive is about owners."""
    if primitive.name in ("share", "reveal", "mask", "masked_matmul"):
        return
    ways = primitive.ways_for(
        DEALER, tuple(replace(t, owner=twin.Private(1)) for t in primitive.examples[0].types)
    )
    assert any(way.local for way in ways)


def shares_of(values):
    mask = np.frombuffer(secrets.token_bytes(8 * len(values)), np.uint64)
    return mask, values - mask


def both(bill, sides):
    """Runs two parties' sides of a bare protocol with a freshly dealt bill."""
    keys = secrets.token_bytes(16), secrets.token_bytes(16)
    sent = [item.deal((Stream(keys[0], i), Stream(keys[1], i))) for i, item in enumerate(bill)]
    contexts = []
    for p in (0, 1):
        parts = [data[len(data) - c.size(p) :] for c, data in zip(bill, sent, strict=True)]
        shares = [(c, c.take(p, Stream(keys[p], i), parts[i])) for i, c in enumerate(bill)]
        contexts.append(Context(p, Supply(shares)))
    return twin.lockstep([side(ctx) for side, ctx in zip(sides, contexts, strict=True)])


@pytest.mark.parametrize("digit", range(1, 7))
@pytest.mark.parametrize("ring", [1, 2, 7, 24, 63, 64])
def test_the_sign_with_digits_of_any_width(ring, digit):
    half = 1 << (ring - 1)
    spread = [secrets.randbelow(2 * half) - half for _ in range(50)]
    x = as_words(near_edges(-half, half - 1) + spread, -1)
    bill = (
        comparison.SignMask(x.size, ring, digit),
        *comparison.tree_triples(x.size, ring - 1, digit),
    )
    zero, one = shares_of(x)
    transcript = both(
        bill,
        [
            lambda ctx: comparison.negative(ctx, zero, ring, digit),
            lambda ctx: comparison.negative(ctx, one, ring, digit),
        ],
    )
    first, second = transcript.results
    assert np.array_equal(first ^ second, (x.view(np.int64) < 0).astype(np.uint8))
    opened = [both_ways(bits) for bits in comparison.opened_bits(x.size, ring - 1, digit)]
    assert transcript.cost == Cost((both_ways(ring * x.size), *opened))


@pytest.mark.parametrize(
    ("ring", "shift"), [(64, 1), (64, 14), (64, 62), (37, 14), (16, 14), (3, 1)]
)
def test_the_floor_near_the_bounds(ring, shift):
    bound = 1 << (ring - 2)
    spread = [secrets.randbelow(2 * bound) - bound for _ in range(50)]
    x = as_words(near_edges(-bound, bound - 1, shift) + spread, -1)
    bill = (
        truncation.FloorMask(x.size, ring, shift),
        *comparison.tree_triples(x.size, shift),
        BitWord(x.size),
    )
    zero, one = shares_of(x)
    first, second = both(
        bill,
        [
            lambda ctx: truncation.floor(ctx, zero, ring, shift),
            lambda ctx: truncation.floor(ctx, one, ring, shift),
        ],
    ).results
    assert np.array_equal((first + second).view(np.int64), x.view(np.int64) >> shift)


def test_the_approximate_floor_uses_both_roundings():
    """Error 0 or 1, never more; on even spread both occur, so the bound is tight."""
    x = as_words(near_edges(-(2**62), 2**62 - 1, 24) * 200, -1)
    zero, one = shares_of(x)
    first, second = both(
        (truncation.WrapProduct(x.size, 24),),
        [
            lambda ctx: truncation.approximate(ctx, zero, 24),
            lambda ctx: truncation.approximate(ctx, one, 24),
        ],
    ).results
    assert set(((first + second).view(np.int64) - (x.view(np.int64) >> 24)).tolist()) == {0, 1}


def test_one_comparison_of_words_costs_fifteen_bytes():
    less = REGISTRY["less_than"]
    x = words((1,), SHARED, (-(2**62), 2**62 - 1))
    assert less.ways[0].price((x, x), {}).link(0, 1) == 8 + 3 + 2 + 1 + 1


def test_a_supply_gives_what_its_bill_says_once():
    draw = (np.zeros(3, np.uint8), np.zeros(3, np.uint64))
    supply = Supply([(BitWord(3), draw)])
    with pytest.raises(MaterialError, match="asks for"):
        supply.take(BitWord(4))
    supply = Supply([(BitWord(3), draw)])
    assert supply.take(BitWord(3)) is draw
    with pytest.raises(MaterialError):
        supply.take(BitWord(3))
    with pytest.raises(MaterialError, match="unspent"):
        Supply([(BitWord(3), draw)]).finish()


def test_the_table_prices_with_the_same_formulas():
    entries = ops.table()
    planned_away = {"approximated"}
    assert {entry.primitive for entry in entries} == set(REGISTRY) - planned_away
    assert all(not REGISTRY[name].ways for name in planned_away)
    sent = next(e for e in entries if e.primitive == "mask")
    assert (sent.sent, sent.dealt) == ("0→1 8·k·m", "")
    times = next(e for e in entries if e.primitive == "masked_matmul")
    assert (times.sent, times.dealt) == ("1→0 8·k·n", "8·m·n")


def test_formulas_are_polynomials():
    n, m = Formula.size("n"), Formula.size("m")
    assert str((n + 1) * (m + 2) * 8) == "8·m·n + 16·n + 8·m + 16"
    assert str(octets(9 * n + 1)) == "⌈(9·n + 1)/8⌉" and str(octets(16 * n)) == "2·n"
    assert n * 0 == 0 and 2 * n == n + n and str(n * 0) == "0"
