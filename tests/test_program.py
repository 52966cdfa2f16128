"""Programs: types and refusals, text and hash, levels, oracles, material, sessions, misuse."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.errors import (
    DataError,
    InternalError,
    MaterialError,
    MoietyError,
    PeerError,
    PeerMisbehaved,
    PolicyRefused,
    UsageError,
)
from moiety.lang.cost import Cost, both_ways
from moiety.lang.program import Program, Step
from moiety.lang.trace import trace
from moiety.lang.types import PUBLIC, SHARED, Private, Type, bits, broadcast, signed_bits, words
from moiety.learn import scorecard_program, trees_program
from moiety.learn.trees_program import CODES, Forest
from moiety.ops.compare import logical_and, select
from moiety.ops.convert import bit_to_word, reveal, truncate, truncate_exact
from moiety.ops.local import concat, narrow, reshape, sum_over, take, within
from moiety.protocols.base import Tick, together
from moiety.ring import decode, encode
from moiety.run import dealing, twin
from moiety.run.dealing import Material
from moiety.run.session import Session
from moiety.wire.plain import pair

SMALL = words((4,), SHARED, (-100, 100))


def of(function, **inputs):
    return trace(function, inputs)


def product(x, y):
    return {"z": x * y}


def revealed_product(x, y):
    return {"z": reveal(x * y, to=0)}


def plain(name, program, results):
    type = program.nodes[program.outputs[name]].type
    assert type.owner == SHARED
    return results[0][name] + results[1][name]


# types and rules


def test_types_know_their_width():
    assert [signed_bits(*b) for b in ((0, 0), (-1, 0), (0, 1), (-128, 127), (0, 255))] == [
        1,
        1,
        2,
        8,
        9,
    ]
    assert words((2, 3), SHARED, (-5, 7), 4, ring=9).size == 6
    assert (
        str(words((2,), Private(1), (0, 3), 4, ring=9)) == "fixed4[2] private(1) in [0, 3] mod 2^9"
    )
    assert str(bits((2,), PUBLIC)) == "bit[2] public"
    assert broadcast((3, 1), (4,)) == (3, 4) and broadcast((), (2,)) == (2,)


@pytest.mark.parametrize("bounds", [(0, 2**63), (-(2**63) - 1, 0), (3, 2)])
def test_a_type_that_does_not_fit_is_refused(bounds):
    with pytest.raises(UsageError, match="does not fit"):
        words((1,), SHARED, bounds)


WIDE = words((4,), SHARED, (-(2**62), 2**62 - 1), 30)
HALF = words((4,), SHARED, (-100, 100), 1)
BITS = bits((4,), SHARED)
REFUSED = {
    "a product that overflows": (lambda x: x * x, WIDE),
    "a sum that overflows": (lambda x: x + x + x, WIDE),
    "a comparison that overflows": (lambda x: x < 2**62 + 1, WIDE),
    "two scales": (lambda x: x + truncate_exact(x, shift=1), HALF),
    "a word where a bit is due": (lambda x: logical_and(x, x), SMALL),
    "a bit where a word is due": (lambda x: x + x, BITS),
    "fewer fraction bits than none": (lambda x: truncate_exact(x, shift=2), HALF),
    "an approximate truncation of 63 bits": (lambda x: truncate(x + x, shift=1), WIDE),
    "an approximate truncation of narrow shares": (
        lambda x: truncate(narrow(x, ring=9), shift=1),
        HALF,
    ),
    "a floor without room": (lambda x: truncate_exact(narrow(x, ring=8), shift=1), HALF),
    "a ring that is too narrow": (lambda x: narrow(x, ring=8) + x, SMALL),
    "a reveal of coins": (lambda x: reveal(truncate(x, shift=1), to=0), HALF),
    "a reveal of coins after exact floor": (
        lambda x: reveal(truncate_exact(truncate(x, shift=1), shift=1), to=0),
        replace(WIDE, lo=-9, hi=9),
    ),
    "a comparison of coins": (lambda x: reveal(truncate(x, shift=1) < 3, to=0), WIDE),
    "a reveal of what is not shared": (lambda x: reveal(reveal(x, to=0), to=1), SMALL),
    "shapes that do not broadcast": (lambda x: x + np.arange(3), SMALL),
    "an axis that is not there": (lambda x: sum_over(x, axis=1), SMALL),
    "an index that is not there": (lambda x: take(x, indices=(4,), axis=0), SMALL),
    "another number of elements": (lambda x: reshape(x, shape=(3,)), SMALL),
    "parts that do not meet": (lambda x: concat(x, reshape(x, shape=(2, 2)), axis=0), SMALL),
    "a matrix product of vectors": (lambda x: x @ x, SMALL),
    "a real constant": (lambda x: x + 0.5, SMALL),
    "a decision on a secret": (lambda x: x + 1 if x < 3 else x, SMALL),
}


@pytest.mark.parametrize("name", REFUSED)
def test_programs_that_could_go_wrong_are_refused_when_written(name):
    function, type = REFUSED[name]
    with pytest.raises(UsageError):
        of(lambda x: {"y": function(x)}, x=type)


def test_coins_may_be_revealed_by_saying_so():
    program = of(lambda x: {"y": reveal(truncate(x, shift=1), to=0, coins_too=True)}, x=HALF)
    assert "coins_too=True" in program.text and "±1 ulp" in program.text


def test_bounds_errors_and_rings_are_carried():
    def function(x, w):
        y = truncate(x * 3, shift=1)
        return {"y": y * y, "z": narrow(w, ring=20) * 2 + 1, "b": within(w, lo=0, hi=5, by="us")}

    types = {
        name: program.nodes[index].type
        for program in [of(function, x=HALF, w=SMALL)]
        for name, index in program.outputs.items()
    }
    assert (types["y"].lo, types["y"].hi, types["y"].error) == (-22650, 22801, 303)
    assert (types["z"].lo, types["z"].hi, types["z"].ring) == (-199, 201, 20)
    assert (types["b"].lo, types["b"].hi) == (0, 5)


def test_ways_are_chosen_by_how_operands_are_held():
    table = words((4, 4), Private(0), (0, 9))

    def ways(x, y):
        program = of(lambda x, y: {"z": x @ y}, x=x, y=y)
        return [step.way.name for _, step in program.steps()]

    assert ways(table, replace(table, owner=SHARED)) == ["owned matrix"]
    assert ways(table, replace(table, owner=Private(1))) == [
        "owner's share is the value",
        "owned matrix",
    ]
    assert ways(table, table) == ways(table, replace(table, owner=PUBLIC)) == ["in the clear"]
    assert ways(*[replace(table, owner=SHARED)] * 2) == ["Beaver matrix triple"]
    assert ways(replace(table, owner=PUBLIC), replace(table, owner=SHARED)) == ["public factor"]


# text, hash, levels


TEXT = """\
moiety program 1, profile dealer
%0 = input x: int[4] shared in [-100, 100]
%1 = input y: int[4] shared in [-100, 100]
%2 = multiply(%0, %1) by Beaver triple: int[4] shared in [-10000, 10000]
%3 = reveal(%2, to=0) by send the share: int[4] private(0) in [-10000, 10000]
return z = %3"""


def test_the_text_says_everything_and_the_hash_follows_it():
    program = of(revealed_product, x=SMALL, y=SMALL)
    assert program.text == TEXT and program.receivers == {0}
    hashes = {
        of(revealed_product, x=SMALL, y=SMALL).hash,
        of(revealed_product, x=SMALL, y=replace(SMALL, hi=99)).hash,
        of(lambda x: {"z": x + np.array([1, 2, 3, 4])}, x=SMALL).hash,
        of(lambda x: {"z": x + np.array([1, 2, 3, 3])}, x=replace(SMALL, hi=99)).hash,
        of(lambda x: {"z": x + np.array([1, 2, 4, 4])}, x=replace(SMALL, hi=99)).hash,
    }
    assert len(hashes) == 5 and program.hash in hashes


def test_independent_steps_share_rounds():
    def function(x, y):
        return {"z": (x * y) * (y * y), "c": x < y}

    program = of(function, x=SMALL, y=SMALL)
    assert [len(level.cost.rounds) for level in program.levels] == [0, 2, 1]
    assert len(program.levels[1].interactive) == 3
    assert program.cost.rounds[0] == Cost((both_ways(512, 512, 4 * 9),)).rounds[0]


def test_a_program_that_was_tampered_with_is_refused():
    program = of(revealed_product, x=SMALL, y=SMALL)
    step = program.nodes[2]
    assert isinstance(step, Step)
    for bad in (
        replace(step, operands=(0, 2)),
        replace(step, type=replace(step.type, hi=5)),
        replace(step, way=program.nodes[3].way),
    ):
        if bad.way is not step.way:
            bad = replace(
                program.nodes[3], operands=(0,), way=replace(step.way, accepts=lambda *t: False)
            )
        with pytest.raises(InternalError):
            Program("dealer", (*program.nodes[:2], bad, *program.nodes[3:]), program.outputs)
    with pytest.raises(InternalError):
        Program("dealer", program.nodes, {"z": 9})


def test_values_of_two_programs_do_not_mix():
    kept = []
    of(lambda x: kept.append(x) or {"y": x}, x=SMALL)
    with pytest.raises(InternalError):
        of(lambda x: {"y": x + kept[0]}, x=SMALL)


# the same program in the clear and on shares


def everything(x, y, p, q, b):
    """Uses every way of combining owners and kinds."""
    m = p @ q + x
    c = (m < y) ^ (b & (y < m))
    n = select(c, m, y - 3) + bit_to_word(~c) * x
    s = sum_over(concat(n, -n * 2, axis=0), axis=1) - np.arange(6)
    return {"s": s, "r": reveal(s, to=1)}


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.booleans())
def test_shares_give_what_the_meaning_gives(numbers, flip):
    shapes = {"x": (3, 5), "y": (3, 5), "p": (3, 4), "q": (4, 5), "b": (3, 1)}
    owners = {"x": Private(0), "y": SHARED, "p": Private(1), "q": Private(0), "b": SHARED}
    types = {
        name: bits(shape, SHARED) if name == "b" else words(shape, owners[name], (-1000, 1000))
        for name, shape in shapes.items()
    }
    program = trace(everything, types)
    data = {
        name: np.resize(np.array(numbers), shape).astype(np.int64) for name, shape in shapes.items()
    }
    inputs = {name: array.view(np.uint64) for name, array in data.items()}
    inputs["b"] = np.full((3, 1), flip, np.uint8)
    expected = program.clear(inputs)
    transcript = twin.run(program, twin.split(program, inputs))
    assert np.array_equal(plain("s", program, transcript.results), expected["s"])
    assert np.array_equal(transcript.results[1]["r"], expected["r"])
    assert "r" not in transcript.results[0]


@pytest.mark.parametrize("dims", [(3, 5), (0, 4), (4, 0)])
@pytest.mark.parametrize("receiver", [0, 1])
def test_the_scorecard_scores_as_real_arithmetic_does(dims, receiver):
    generator = np.random.default_rng()
    program = scorecard_program.build(40, dims, receiver=receiver, bound=2.5)
    weights = generator.uniform(-2.5, 2.5, sum(dims))
    features = generator.integers(0, 2, (40, sum(dims)))
    inputs = {"intercept": encode([[-1.25]], 24)}
    ends = np.cumsum((0, *dims))
    for party in (0, 1):
        if dims[party]:
            own = slice(ends[party], ends[party + 1])
            inputs[f"weights_{party}"] = encode(weights[own, None], 24)
            inputs[f"features_{party}"] = features[:, own].astype(np.uint64)
    transcript = twin.run(program, twin.split(program, inputs))
    score = transcript.results[receiver]["score"]
    assert np.array_equal(score, program.clear(inputs)["score"])
    assert transcript.results[1 - receiver] == {}
    logit = features @ weights - 1.25
    assert np.abs(decode(score, 10)[:, 0] - logit).max() <= 2**-10 + 1e-5
    assert len(transcript.rounds) == 6


def forest_inputs(rows, dims, forest, generator):
    """Random trees with missing values, and their scores computed by walking each tree."""
    nodes, columns = forest.trees * forest.nodes, sum(dims)
    column = generator.integers(0, columns, nodes)
    missing_right = generator.integers(0, 2, nodes)
    thresholds = generator.integers(1, CODES + 1, nodes)
    leaves = encode(generator.uniform(-2, 2, forest.trees * forest.leaves), 24)
    codes, missing = (
        generator.integers(0, CODES, (rows, columns)),
        generator.random((rows, columns)) < 0.3,
    )
    codes[missing] = 0
    chosen = np.eye(columns, dtype=np.uint64)[:, column]
    inputs = {
        "thresholds": thresholds[None].astype(np.uint64),
        "leaves": leaves[:, None],
        "base": encode([[0.5]], 24),
    }
    for party, (first, last) in enumerate(((0, dims[0]), (dims[0], columns))):
        own = slice(first, last)
        inputs[f"features_{party}"] = np.hstack([codes[:, own], missing[:, own]]).astype(np.uint64)
        away = chosen[own] * (missing_right * CODES).astype(np.uint64)
        inputs[f"selection_{party}"] = np.vstack([chosen[own], away])
    left = np.where(missing[:, column], missing_right == 0, codes[:, column] < thresholds)
    left = left.reshape(rows, forest.trees, forest.nodes)
    node = np.zeros((rows, forest.trees), np.int64)
    for _ in range(forest.depth):
        node = 2 * node + 2 - np.take_along_axis(left, node[:, :, None], 2)[:, :, 0]
    values = leaves.view(np.int64).reshape(forest.trees, forest.leaves)
    reached = values[np.arange(forest.trees), node - forest.nodes]
    return inputs, (reached.sum(axis=1) + (1 << 23)) >> 14


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_trees_score_as_walking_them_does(depth):
    forest = Forest(trees=3, depth=depth)
    inputs, expected = forest_inputs(30, (2, 3), forest, np.random.default_rng())
    program = trees_program.build(30, (2, 3), forest, receiver=0, bound=2.0)
    assert np.array_equal(program.clear(inputs)["score"].view(np.int64)[:, 0], expected)
    transcript = twin.run(program, twin.split(program, inputs))
    assert np.array_equal(transcript.results[0]["score"].view(np.int64)[:, 0], expected)
    assert len(transcript.rounds) == len(program.cost.rounds) == 9 + (depth - 1).bit_length()


@pytest.mark.parametrize(("trees", "depth"), [(0, 3), (3, 0), (3, 6)])
def test_forests_that_do_not_fit_are_refused(trees, depth):
    with pytest.raises(UsageError):
        Forest(trees, depth)


# material


PROGRAM = of(revealed_product, x=SMALL, y=words((4,), Private(1), (-5, 5)))
OTHER = of(revealed_product, x=SMALL, y=words((4,), Private(1), (-5, 6)))
X = np.array([1, 2, 3, 2**64 - 4], np.uint64)
Y = np.array([5, 2**64 - 5, 0, 1], np.uint64)
BROUGHT = twin.split(PROGRAM, {"x": X, "y": Y})


def test_material_is_spent_once_and_for_its_own_program():
    material = dealing.deal(PROGRAM)
    assert np.array_equal(twin.run(PROGRAM, BROUGHT, material).results[0]["z"], X * Y)
    with pytest.raises(MaterialError, match="before"):
        twin.run(PROGRAM, BROUGHT, material)
    with pytest.raises(MaterialError, match="not sent"):
        material[0].encode()
    fresh = dealing.deal(OTHER)
    with pytest.raises(MaterialError, match="another program"):
        twin.run(PROGRAM, BROUGHT, fresh)
    with pytest.raises(MaterialError, match="before"):
        twin.run(OTHER, BROUGHT, fresh)


def test_material_is_for_one_party():
    first, second = dealing.deal(PROGRAM)
    with pytest.raises(MaterialError, match="dealt for party 1"):
        twin.run(PROGRAM, BROUGHT, (second, first))


def test_material_is_not_spent_on_inputs_that_are_refused():
    material = dealing.deal(PROGRAM)
    with pytest.raises(DataError):
        twin.run(PROGRAM, ({"x": X[:3]}, BROUGHT[1]), material)
    assert not material[0].spent


def test_a_lot_that_arrives_twice_is_refused_in_one_session():
    sent = [part.encode() for part in dealing.deal(PROGRAM)]

    def side(session):
        for _ in range(2):
            part = Material.decode(sent[session.party], limit=PROGRAM.cost.dealt)
            session.run(PROGRAM, BROUGHT[session.party], part, receivers={0})

    for error in between(side, side):
        assert isinstance(error, (MaterialError, PeerError))


def test_material_survives_its_encoding_and_hostile_bytes_do_not():
    sent = [part.encode() for part in dealing.deal(PROGRAM)]
    arrived = tuple(Material.decode(data, limit=PROGRAM.cost.dealt) for data in sent)
    assert np.array_equal(twin.run(PROGRAM, BROUGHT, arrived).results[0]["z"], X * Y)
    with pytest.raises(PeerMisbehaved):
        Material.decode(sent[1][:-1], limit=PROGRAM.cost.dealt)
    with pytest.raises(PeerMisbehaved):
        Material.decode(sent[1] + bytes(600), limit=PROGRAM.cost.dealt)
    short = replace(dealing.deal(PROGRAM)[1], lot=bytes(15))
    with pytest.raises(MaterialError, match="lengths"):
        Material.decode(short.encode(), limit=PROGRAM.cost.dealt)


def test_corrections_of_another_length_are_refused():
    first, second = dealing.deal(PROGRAM)
    cut = replace(second, corrections=second.corrections[:-1])
    with pytest.raises(MaterialError, match="bytes of corrections"):
        cut.spend(PROGRAM, 1)
    with pytest.raises(MaterialError, match="bytes of corrections"):
        replace(first, corrections=b"1").spend(PROGRAM, 0)


def test_two_lots_never_share_a_stream():
    one, two = dealing.deal(PROGRAM), dealing.deal(PROGRAM)
    assert one[0].lot != two[0].lot and one[0].seed != two[0].seed
    seeds = (bytes(16), bytes([1] * 16))
    lots = [dealing.corrections(PROGRAM, lot, seeds) for lot in (bytes(16), bytes([1] * 16))]
    assert lots[0] != lots[1]


# protocols and their drivers


def test_together_merges_one_way_silent_and_long_protocols():
    def talker(party, rounds):
        heard = []
        for i in range(rounds):
            one_way = i % 2
            sends = party == one_way
            received = (
                yield Tick({1 - party: bytes([i] * 3)}, {}) if sends else Tick({}, {1 - party: 3})
            )
            heard.append(received.get(1 - party))
        return heard

    def silent():
        yield Tick()
        return "silent"

    sides = [together(talker(p, 3), silent(), talker(p, 1), together()) for p in (0, 1)]
    transcript = twin.lockstep(sides)
    assert len(transcript.rounds) == 3
    assert transcript.results[1][0] == [bytes([0] * 3), None, bytes([2] * 3)]
    assert transcript.results[0] == [[None, bytes([1] * 3), None], "silent", [None], []]
    assert transcript.cost.link(0, 1) == 3 + 3 + 3 and transcript.cost.link(1, 0) == 3


def one_tick(peer, message, expected):
    yield Tick({peer: message}, {peer: expected})


def test_wrong_sizes_and_unequal_endings_are_refused():
    with pytest.raises(PeerMisbehaved, match="sent 3 bytes where 4"):
        twin.lockstep([one_tick(1, b"abc", 0), one_tick(0, b"", 4)])
    with pytest.raises(InternalError, match="ended before"):
        twin.lockstep([one_tick(1, b"", 0), iter_nothing()])


def iter_nothing():
    return
    yield


def test_inputs_outside_their_bounds_are_refused_without_being_shown():
    secret = np.array([4242, 0, 0, 0], np.uint64)
    with pytest.raises(DataError) as caught:
        twin.run(PROGRAM, ({"x": X}, {"x": X, "y": secret}))
    assert "4242" not in str(caught.value) and "y" in str(caught.value)
    for bad in (X[:3], X.astype(np.int64)):
        with pytest.raises(DataError):
            twin.run(PROGRAM, ({"x": bad}, BROUGHT[1]))
    with pytest.raises(UsageError, match="did not bring"):
        twin.run(PROGRAM, ({}, BROUGHT[1]))


def between(*sides):
    """Runs both ends of one connection in threads; a side that fails tells the other why."""
    channels = pair()

    def end(party):
        with channels[party] as channel:
            try:
                return sides[party](Session(channel, party))
            except MoietyError as error:
                channel.abort(str(error))
                return error

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(end, party) for party in (0, 1)]]


def ready(program, material, brought=BROUGHT, receivers=(0,)):
    def side(session):
        outputs = session.run(
            program, brought[session.party], material[session.party], receivers=receivers
        )
        return outputs, session.ledger

    return side


def test_a_session_gives_the_result_and_a_ledger_that_matches_the_prediction():
    side = ready(PROGRAM, dealing.deal(PROGRAM))
    (outputs, rows), (nothing, theirs) = between(side, side)
    assert np.array_equal(outputs["z"], X * Y) and nothing == {}
    assert [row.step for row in rows] == [
        "agree on program and lot",
        "prepare",
        "multiply",
        "reveal",
    ]
    assert [row.way for row in theirs][2:] == ["Beaver triple", "send the share"]
    assert all(row.predicted == row.measured for row in rows + theirs)
    sent, received = PROGRAM.cost.sent(0) + 48, PROGRAM.cost.received(0) + 48
    assert sum(row.measured.rounds for row in rows) == len(PROGRAM.cost.rounds) + 1
    assert sum(row.measured.sent for row in rows) == sent
    assert sum(row.measured.received for row in rows) == received


def test_a_peer_with_another_program_or_lot_is_refused_before_anything_is_sent():
    ours, other = dealing.deal(PROGRAM), dealing.deal(OTHER)
    first, second = between(ready(PROGRAM, ours), ready(OTHER, other))
    assert isinstance(first, PeerError) and isinstance(second, PeerError)
    assert "another program" in str(first) + str(second)
    again = dealing.deal(PROGRAM)
    mixed = (dealing.deal(PROGRAM)[0], again[1])
    first, second = between(ready(PROGRAM, mixed), ready(PROGRAM, mixed))
    assert "another lot" in str(first) + str(second)


def test_a_session_refuses_a_receiver_that_is_not_permitted():
    material = dealing.deal(PROGRAM)
    side = ready(PROGRAM, material, receivers=(1,))
    first, second = between(side, side)
    assert isinstance(first, PolicyRefused) and isinstance(second, PolicyRefused)
    assert not material[0].spent


def test_a_peer_out_of_step_is_refused():
    material = dealing.deal(PROGRAM)

    def intruder(session):
        session.channel.exchange(PROGRAM.hash + material[0].lot, 48)
        session.channel.exchange(bytes(63), 64)

    first, _ = between(ready(PROGRAM, material), intruder)
    assert isinstance(first, PeerMisbehaved)


def test_a_row_that_misses_its_prediction_is_our_fault():
    def side(session):
        return session.drive(
            one_tick(session.peer, b"abc", 3), step="s", way="w", predict=lambda _: Cost()
        )

    first, _ = between(side, side)
    assert isinstance(first, InternalError) and "predicted" in str(first)


def test_type_errors_of_calls_outside_a_program_say_what_to_do():
    with pytest.raises(TypeError, match=r"reveal\.meaning"):
        reveal(X, to=0)
    assert isinstance(SMALL, Type)
