"""One party's view is uniform: what it drew itself, every correction, every message received.

Inputs and input shares are fixed and only the protocol's randomness is drawn anew, so that the
shares' own randomness cannot hide a fault. Chi-square on the bytes of each part of the view, and of
the sum, difference and exclusive or of each pair. This finds blunders (no mask, a short mask, a
mask used twice); it is no proof. It must catch four planted leaks, or it fails itself.
"""

import itertools
import math
import secrets
from dataclasses import replace

import numpy as np
import pytest

from moiety.lang.cost import Cost
from moiety.lang.primitive import REGISTRY, Way
from moiety.lang.types import BIT, SHARED, Private
from moiety.learn import scorecard_program, trees_program
from moiety.learn.trees_program import Forest
from moiety.ops.multiply import multiply
from moiety.protocols import additive
from moiety.protocols.additive import Triple, open_words
from moiety.ring import Stream, pack_bits, pack_words
from moiety.run import dealing, twin
from moiety.run.dealing import Dealer, Material, fresh
from moiety.run.execute import Execution, Script

RUNS = 60
LEAST = 256
"""Bytes that make a part of a view worth a test."""
SIGNIFICANCE = 1e-6


def parts_of_view(program, brought, draw=fresh):
    """What each party sees in one run with fresh randomness, except what a reveal sends."""
    brought, uses = twin.masked(program, brought, dealer := Dealer(draw))
    material, corrections = recorded(dealer.deal(program.bill, masks=uses))
    transcript = twin.run(program, brought, material)
    views = [transcript.view(party) for party in (0, 1)]
    for receiver in program.receivers:
        views[receiver].pop()
    for item in program.bill.items:
        for party in (0, 1):
            views[party].append(item.part(corrections[party], party))
            views[party].append(drawn(item, material[party].lot))
    return views


def recorded(material):
    """The parts of a lot for one run, and the corrections in them."""
    corrections = [next(part._source) for part in material]
    return tuple(Material(m.lot, [c]) for m, c in zip(material, corrections, strict=True)), (
        corrections
    )


def drawn(item, lot):
    """What a party draws from its own seed before it is corrected."""
    stream = Stream(lot.key(0), item.stream)
    fields = [f for f in item.correlation._random() if f.only in (None, lot.party)]
    arrays = [field.draw(stream) for field in fields]
    return b"".join(
        pack_bits(array) if field.is_bits else pack_words(array, field.bits)
        for field, array in zip(fields, arrays, strict=True)
    )


def combinations(first, second):
    """Sum, difference and exclusive or of two messages, as little-endian numbers."""
    size = min(len(first), len(second))
    a, b = (int.from_bytes(part[:size], "little") for part in (first, second))
    whole = 1 << 8 * size
    return [value.to_bytes(size, "little") for value in ((a + b) % whole, (a - b) % whole, a ^ b)]


def improbability(data):
    """The probability that uniform bytes are as uneven as these (Wilson, Hilferty 1931)."""
    observed = np.frombuffer(data, np.uint8)
    if len(data) < 2048:
        observed, cells = np.concatenate([observed & 15, observed >> 4]), 16
    else:
        cells = 256
    expected, freedom = len(observed) / cells, cells - 1
    counts = np.bincount(observed, minlength=cells)
    square = float(((counts - expected) ** 2).sum() / expected)
    scale = 2 / (9 * freedom)
    normal = ((square / freedom) ** (1 / 3) - (1 - scale)) / math.sqrt(scale)
    return math.erfc(normal / math.sqrt(2)) / 2


def leaks(program, brought, draw=fresh):
    """The parts of either view, and pairs of them, that are not uniform."""
    runs = [parts_of_view(program, brought, draw) for _ in range(RUNS)]
    tests = {}
    for party in (0, 1):
        columns = list(zip(*(run[party] for run in runs), strict=True))
        names = [(party, index) for index, column in enumerate(columns) if min(map(len, column))]
        for _, index in names:
            tests[party, index] = b"".join(columns[index])
        for (_, i), (_, j) in itertools.combinations(names, 2):
            joint = [combinations(*pair) for pair in zip(columns[i], columns[j], strict=True)]
            for name, column in zip("+-^", zip(*joint, strict=True), strict=True):
                tests[party, i, name, j] = b"".join(column)
    worth = {name: data for name, data in tests.items() if len(data) >= LEAST}
    assert worth
    return [name for name, data in worth.items() if improbability(data) < SIGNIFICANCE / len(worth)]


def fixed(program):
    """Inputs of constant value, as shares drawn once."""
    plaintext = {}
    for name, type in program.inputs.items():
        element = np.uint8 if type.kind == BIT else np.uint64
        plaintext[name] = np.full(type.shape, min(max(3, type.lo), type.hi), element)
    return twin.split(program, plaintext)


def padded(example, result):
    return any(type.size % 8 for type in (*example.types, result))


CASES = [
    pytest.param(primitive, way, example, id=f"{primitive.name}-{way.name}-{number}")
    for primitive in REGISTRY.values()
    for number, example in enumerate(primitive.examples)
    for way in primitive.ways
    if way.accepts(*example.types)
    and not way.local
    and not way.reveals
    and max(type.size for type in example.types) >= 128
    and not padded(example, primitive.rule(*example.types, **example.parameters))
]


@pytest.mark.parametrize(("primitive", "way", "example"), CASES)
def test_views_are_uniform(primitive, way, example):
    program = twin.alone(primitive, way, example)
    assert leaks(program, fixed(program)) == []


def test_no_interactive_way_is_left_out():
    tested = {case.values[1].name for case in CASES}
    for primitive in REGISTRY.values():
        for way in primitive.ways:
            assert way.local or way.reveals or way.name in tested, way.name


PROGRAMS = [
    scorecard_program.build(64, (8, 8), receiver=0, bound=4.0),
    trees_program.build(32, (4, 8), Forest(2, 2), receiver=1, bound=2.0),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=["scorecard", "trees"])
def test_views_of_whole_programs_are_uniform(program):
    assert leaks(program, fixed(program)) == []


REVEALS = [
    pytest.param(way, example, id=f"{way.name}-{number}")
    for primitive in REGISTRY.values()
    for way in primitive.ways
    if way.reveals
    for number, example in enumerate(primitive.examples)
]


@pytest.mark.parametrize(("way", "example"), REVEALS)
def test_a_reveal_sends_what_its_simulator_makes_from_result_and_own_share(way, example):
    program = twin.alone(REGISTRY["reveal"], way, example)
    brought = fixed(program)
    transcript = twin.run(program, brought)
    result = program.nodes[-1].type
    assert isinstance(result.owner, Private)
    receiver = result.owner.party
    value = transcript.results[receiver]["y0"]
    simulated = way.simulator(example.types[0], value, brought[receiver]["x0"])
    assert transcript.view(receiver) == [simulated]
    assert transcript.view(1 - receiver) == []
    assert transcript.results[1 - receiver] == {}


def planted(body, uses=1, rounds=1):
    """The program of a way of `multiply` that does something it must not."""
    honest = multiply.ways[-1]
    bill = (Triple(512),) * uses

    def repeated(x, y):
        return Cost(honest.cost(x, y).rounds * rounds)

    way = replace(honest, name=body.__name__, body=body, bill=lambda x, y: bill, cost=repeated)
    return twin.alone(multiply, way, multiply.examples[0])


def honest_twice(ctx, x, y):
    yield from additive.multiply(ctx, x.words, y.words)
    return (yield from additive.multiply(ctx, y.words, x.words))


def low_byte_unmasked(ctx, x, y):
    a, b, c = ctx.supply.take(Triple(512))
    mask = np.uint64(2**64 - 256)
    d, e = yield from open_words(ctx, x.words - (a & mask), y.words - (b & mask))
    return c + d + e


def own_share_sent(ctx, x, y):
    *_, c = ctx.supply.take(Triple(512))
    d, e = yield from open_words(ctx, x.words, y.words)
    return c + d + e


def mask_of_56_bits(ctx, x, y):
    a, b, c = ctx.supply.take(Triple(512))
    mask = np.uint64(2**56 - 1)
    d, e = yield from open_words(ctx, x.words - (a & mask), y.words - (b & mask))
    return c + d + e


def triple_used_twice(ctx, x, y):
    a, b, c = ctx.supply.take(Triple(512))
    yield from open_words(ctx, x.words - a, y.words - b)
    d, e = yield from open_words(ctx, y.words - a, x.words - b)
    return c + d * b + a * e


@pytest.mark.parametrize(
    "body", [low_byte_unmasked, own_share_sent, mask_of_56_bits, triple_used_twice]
)
def test_planted_leaks_are_caught(body):
    program = planted(body, rounds=2 if body is triple_used_twice else 1)
    assert leaks(program, fixed(program)) != []


def test_equal_seeds_of_both_parties_are_caught():
    def careless():
        while True:
            lot, seed = fresh(), fresh()
            yield from (lot, seed, seed)

    program, draws = planted(honest_twice, uses=2, rounds=2), careless()
    assert leaks(program, fixed(program), lambda: next(draws)) != []


def test_the_honest_form_of_the_planted_leaks_is_clean():
    program = planted(honest_twice, uses=2, rounds=2)
    assert leaks(program, fixed(program)) == []


def test_a_seed_replays_a_transcript_and_another_does_not():
    program = planted(honest_twice, uses=2, rounds=2)
    brought = fixed(program)
    seeds = secrets.token_bytes(16), secrets.token_bytes(16)
    once, again, other = (
        twin.run(program, brought, dealer=twin.replayed(seed)).rounds
        for seed in (seeds[0], seeds[0], seeds[1])
    )
    assert once == again != other


def test_no_repr_shows_a_secret():
    program = planted(honest_twice, uses=2, rounds=2)
    marked = 0x5EC2E75EC2E75EC2
    material = dealing.deal(program)
    brought = fixed(program)
    script = Script(program, 0)
    spending = next(dealing.deal(program)[0].spend(program.bill, 0))
    execution = Execution(script, script.bind(brought[0]), spending)
    next(execution.run())
    shown = repr([material, spending, execution.values, twin.run(program, brought), Way, program])
    assert str(marked) not in shown and material[0].lot.seed.hex() not in shown
    assert str(int(brought[0]["x0"][0])) not in shown
    assert SHARED == program.inputs["x0"].owner
