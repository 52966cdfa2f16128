"""Material, drivers and sessions: spent once, counted exactly, and what misuse is told."""

from dataclasses import replace

import numpy as np
import pytest

from moiety.errors import (
    DataError,
    InternalError,
    MaterialError,
    PeerError,
    PeerMisbehaved,
    PolicyRefused,
    UsageError,
)
from moiety.lang.cost import Cost
from moiety.lang.primitive import DEALER
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, Private, words
from moiety.ops.convert import reveal
from moiety.plan.candidates import cheapest
from moiety.protocols.base import Tick, together
from moiety.run import dealing, twin
from moiety.run.dealing import Dealer, Material, lot_key
from moiety.run.execute import Script
from session_kit import between

SMALL = words((4,), SHARED, (-100, 100))


def revealed_product(x, y):
    return {"z": reveal(x * y, to=0)}


def planned(y):
    return cheapest(trace(revealed_product, {"x": SMALL, "y": y}), DEALER)


PROGRAM = planned(words((4,), Private(1), (-5, 5)))
OTHER = planned(words((4,), Private(1), (-5, 6)))
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
    with pytest.raises(MaterialError, match="another plan"):
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
    good = dealing.deal(PROGRAM)[1]
    short = Material(replace(good.lot, lot=bytes(15)), good._source)
    with pytest.raises(MaterialError, match="lengths"):
        Material.decode(short.encode(), limit=PROGRAM.cost.dealt)
    uneven = Material(replace(good.lot, runs=2), [b"123"])
    with pytest.raises(MaterialError, match="3 bytes of corrections for 2 runs"):
        Material.decode(uneven.encode(), limit=PROGRAM.cost.dealt)


def test_corrections_of_another_length_are_refused():
    first, second = dealing.deal(PROGRAM)
    whole = next(second._source)
    for lot, party, corrections in ((second.lot, 1, whole[:-1]), (first.lot, 0, b"1")):
        with pytest.raises(MaterialError, match="bytes of corrections"):
            next(Material(lot, [corrections]).spend(PROGRAM.bill, party)).complete()
    with pytest.raises(MaterialError, match="bytes of corrections"):
        next(Material(second.lot, []).spend(PROGRAM.bill, 1)).complete()


def test_what_is_sent_first_waits_for_no_corrections():
    """They are there before a peer's message is used, and cannot be read sooner."""
    parts, asked = dealing.deal(PROGRAM), []

    def source():
        asked.append(True)
        yield from parts[1].open()

    spending = next(Material(parts[1].lot, source()).spend(PROGRAM.bill, 1))
    protocol = Script(PROGRAM, 1).run(BROUGHT[1], spending)
    assert next(protocol).send and not asked
    step, (item, *_) = next(iter(PROGRAM.bill.steps.items()))
    unread = spending.of(step).packed(item.correlation)
    with pytest.raises(ValueError, match="corrections"):
        unread.words(2, 4, item.correlation.ring)
    spending.complete()
    spending.complete()
    assert asked == [True] and unread.words(2, 4, item.correlation.ring).size == 4


def test_two_lots_never_share_a_stream():
    one, two = dealing.deal(PROGRAM), dealing.deal(PROGRAM)
    assert one[0].lot.lot != two[0].lot.lot and one[0].lot.seed != two[0].lot.seed
    keys = {lot_key(bytes(16), bytes([lot] * 16), run) for lot in (0, 1) for run in (0, 1, 256)}
    assert len(keys) == 6
    runs = [Dealer(lambda: bytes(16)).deal(PROGRAM.bill, 2)[1]._source for _ in range(2)]
    first, second = map(list, runs)
    assert first == second and first[0] != first[1]


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
        "agree on plan and lot",
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
    assert "another plan" in str(first) + str(second)
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
        session.channel.exchange(PROGRAM.hash + material[0].lot.lot, 48)
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
