"""What parties see over several runs, masked tables, contributed shares and openings of sessions.

Each honest case has a dishonest twin that must be caught: keys that runs share, a mask that serves
two tables, a lot that is spent twice, a seed that two arrays share, a message whose size tells.
"""

from dataclasses import replace

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Kept, Results, Shared
from moiety.errors import InternalError, MaterialError, PeerMisbehaved
from moiety.lang.types import SHARED, bits, words
from moiety.ops.multiply import multiply
from moiety.plan.hoist import masked
from moiety.plan.pipeline import Target
from moiety.protocols.base import Tick
from moiety.ring import KEY, Stream, pack_bits, pack_words
from moiety.run import contribute, dealing, twin
from moiety.run.dealing import Dealer, Lot, Material, fresh
from moiety.run.session import HASH
from moiety.run.tables import masking
from secrecy_kit import RUNS, fixed, leaks, uneven
from session_kit import between


@moiety.secure
def step(
    x: From("bank", low=-1, high=1),
    z: From("payco", low=-1, high=1),
    w: Shared(low=-4, high=4, coins=True),
    v: Shared(low=-4, high=4, coins=True),
) -> Results(w=Kept(), v=Kept()):
    miss = x @ w + z @ v
    return {"w": xp.clip(x.T @ miss, -4, 4), "v": xp.clip(z.T @ (miss * 0.5), -4, 4)}


def hoisted():
    """A step of a loop whose two tables were masked before."""
    shapes = {"x": (16, 8), "z": (16, 8), "w": (8,), "v": (8,)}
    return step.compile(shapes, target=Target(masked=("x", "z"))).plan


PLAN = hoisted()


def test_the_plan_under_test_multiplies_masked_tables_both_ways():
    names = [s.primitive.name for _, s in PLAN.steps()]
    assert names.count("masked_matmul") == 4 and "mask" not in names
    assert {masked("x"), masked("z")} <= set(PLAN.inputs)


def test_several_runs_of_one_lot_look_uniform_together():
    assert leaks(PLAN, fixed(PLAN), runs=2) == []


def test_keys_that_runs_share_are_caught(monkeypatch):
    monkeypatch.setattr(Lot, "key", lambda lot, run: dealing.lot_key(lot.seed, lot.lot, 0))
    assert leaks(PLAN, fixed(PLAN), runs=2) != []


def test_correlations_that_share_a_stream_are_caught(monkeypatch):
    """As if a bill named one stream for all its items."""
    x = words((128,), SHARED, (-9, 9))
    plan = twin.alone(multiply, multiply.ways[-1], replace(multiply.examples[0], types=(x, x)))
    two = twin.alone(
        multiply, multiply.ways[-1], replace(multiply.examples[0], types=(x, x)), copies=2
    )
    assert leaks(plan, fixed(plan)) == [] == leaks(two, fixed(two))
    monkeypatch.setattr(Stream, "__init__", one_stream(Stream.__init__))
    assert leaks(two, fixed(two)) != []


def one_stream(made):
    return lambda self, key, stream: made(self, key, 0)


# ── masked tables ───────────────────────────────────────────────────────────────────────────


def sent_tables(draw):
    """What the other party is sent of two tables of one owner that are nearly alike."""
    dealer, plan = Dealer(draw), masking(PLAN.inputs[masked("x")])
    table = np.full((16, 8), 3, np.uint64)
    sent = []
    for changed in (table, table + np.uint64(1)):
        transcript = twin.run(plan, ({"x": changed}, {}), dealer.deal(plan.bill))
        sent += transcript.view(1)
    return [[], sent]


def test_a_table_and_its_change_look_unrelated():
    assert uneven([sent_tables(fresh) for _ in range(RUNS)]) == []


def test_a_mask_that_serves_two_tables_is_caught():
    def careless():
        one = fresh()
        return sent_tables(lambda: one)

    assert uneven([careless() for _ in range(RUNS)]) != []


def test_a_lot_masks_one_table():
    plan = masking(PLAN.inputs[masked("x")])
    lots = Dealer().deal(plan.bill)
    brought = ({"x": np.zeros((16, 8), np.uint64)}, {})
    twin.run(plan, brought, lots)
    with pytest.raises(MaterialError, match="used before"):
        twin.run(plan, brought, lots)


# ── lots ────────────────────────────────────────────────────────────────────────────────────

X = words((128,), SHARED, (-9, 9))
PRODUCT = twin.alone(multiply, multiply.ways[-1], replace(multiply.examples[0], types=(X, X)))


def test_a_lot_that_is_spent_twice_is_caught_and_refused():
    shares = fixed(PRODUCT)
    assert uneven([with_fixed(shares) for _ in range(RUNS)]) != []
    lots = Dealer().deal(PRODUCT.bill)
    twin.run(PRODUCT, shares, lots)
    with pytest.raises(MaterialError, match="used before"):
        twin.run(PRODUCT, shares, lots)


def with_fixed(shares):
    """What the parties would see if one lot served two runs."""
    lots = Dealer().deal(PRODUCT.bill)
    corrections = [next(lot._source) for lot in lots]
    views = [[], []]
    for _ in range(2):
        copies = tuple(Material(m.lot, [c]) for m, c in zip(lots, corrections, strict=True))
        transcript = twin.run(PRODUCT, shares, copies)
        for party in (0, 1):
            views[party] += transcript.view(party)
    return views


# ── shares of owners that do not compute ────────────────────────────────────────────────────


class Recorded:
    """A channel's sending end that keeps what is sent."""

    def __init__(self):
        self.sent = []

    def send(self, kind, payload):
        self.sent.append(bytes(payload))


def contributed(type, data, times=2):
    """What each computing party is sent, twice, and draws from its seeds."""
    channels = Recorded(), Recorded()
    for _ in range(times):
        contribute.send(channels, type, data, bytes(32))
    seeds, rests = (channel.sent[1::2] for channel in channels)
    drawn = [Stream(seed, 0).bytes(len(rests[0])) for seed in seeds]
    return [[*seeds, *drawn], rests]


TABLES = [words((40, 8), SHARED, (-9, 9), 18), bits((64, 8), SHARED)]


@pytest.mark.parametrize("type", TABLES, ids=["words", "bits"])
def test_contributed_shares_look_uniform_to_each(type):
    data = np.ones(type.shape, np.uint8 if type.kind == bits((), SHARED).kind else np.uint64)
    assert uneven([contributed(type, data) for _ in range(RUNS)]) == []
    (first, *_), (rest, *_) = contributed(type, data)
    assert len(first) == KEY
    packed = pack_bits(data) if data.dtype == np.uint8 else pack_words(data, 64)
    assert len(rest) == len(packed) and rest != packed


def test_a_seed_that_two_arrays_share_is_caught(monkeypatch):
    type, data = TABLES[0], np.ones(TABLES[0].shape, np.uint64)

    def careless():
        one = fresh()
        monkeypatch.setattr(contribute.secrets, "token_bytes", lambda size: one)
        found = contributed(type, data)
        monkeypatch.undo()
        return [found[0], found[1]]

    assert uneven([careless() for _ in range(RUNS)]) != []


# ── openings, and sizes ─────────────────────────────────────────────────────────────────────


def opening(value, about=b"job"):
    """The first bytes that each party sends in a session, and sizes of all that follow."""
    lots = Dealer().deal(PRODUCT.bill)
    shares = twin.split(PRODUCT, dict.fromkeys(PRODUCT.inputs, np.full((128,), value, np.uint64)))

    def side(session):
        said, tick = [], session.channel.tick
        session.channel.tick = lambda data, size: said.append(bytes(data)) or tick(data, size)
        session.run(PRODUCT, shares[session.party], lots[session.party], receivers=(), about=about)
        return said

    return between(side, side)


def test_the_opening_tells_nothing_of_inputs():
    """It is a hash of what is public, and the lot's number."""
    one, other = opening(0), opening(9)
    for party in (0, 1):
        assert one[party][0][:HASH] == other[party][0][:HASH]
        assert one[party][0][HASH:] != other[party][0][HASH:]
        assert list(map(len, one[party])) == list(map(len, other[party]))
    assert one[0][0] == one[1][0]
    assert opening(0, about=b"another")[0][0][:HASH] != one[0][0][:HASH]
    lots = [[opening(0)[0][0][HASH:]] for _ in range(RUNS)]
    assert uneven([[one] for one in lots]) == []


def telling_size(ctx, x, y):
    """Sends a byte more where an input is large."""
    ctx.supply.take(multiply.ways[-1].bill(X, X)[0])
    message = bytes(2048 + bool((x.words > 5).any()))
    yield Tick({1 - ctx.party: message}, {1 - ctx.party: len(message)})
    return x.words


def test_a_message_whose_size_depends_on_data_is_caught():
    way = replace(multiply.ways[-1], name="telling", body=telling_size)
    program = twin.alone(multiply, way, replace(multiply.examples[0], types=(X, X)))
    large = tuple({n: np.full((128,), 9, np.uint64) for n in ("x0", "x1")} for _ in (0, 1))
    small = tuple({n: np.zeros(128, np.uint64) for n in ("x0", "x1")} for _ in (0, 1))
    with pytest.raises(PeerMisbehaved, match="bytes where"):
        twin.run(program, (large[0], small[1]))
    lots = Dealer().deal(program.bill)

    def side(session):
        return session.run(program, large[session.party], lots[session.party], receivers=())

    found = between(side, side)
    assert all(isinstance(one, InternalError) and "predicted" in str(one) for one in found), found
