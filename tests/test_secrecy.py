"""One party's view is uniform: what it drew itself, every correction, every message received.

Every way of every primitive, and whole programs; see `secrecy_kit` for what is compared. It must
catch the planted leaks, or it fails itself.
"""

import secrets
from dataclasses import replace

import numpy as np
import pytest

from moiety.lang.cost import Cost
from moiety.lang.primitive import REGISTRY, Way
from moiety.lang.types import SHARED, Masked, Private
from moiety.learn import scorecard_program, trees_program
from moiety.learn.trees_program import Forest
from moiety.ops.multiply import multiply
from moiety.protocols import additive
from moiety.protocols.additive import Triple, open_words
from moiety.run import dealing, twin
from moiety.run.dealing import fresh
from moiety.run.execute import Execution, Script
from secrecy_kit import fixed, leaks


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
    tested = {(case.values[0].name, case.values[1].name) for case in CASES}
    for primitive in REGISTRY.values():
        for way in primitive.ways:
            name = primitive.name, way.name
            assert way.local or way.reveals or name in tested, name
    owners = {
        (case.values[0].name, case.values[2].types[0].owner)
        for case in CASES
        if case.values[0].name in ("mask", "masked_matmul", "sort_rows")
    }
    assert owners == {
        *((name, Private(party)) for name in ("mask", "sort_rows") for party in (0, 1)),
        *(("masked_matmul", Masked(party)) for party in (0, 1)),
    }


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
