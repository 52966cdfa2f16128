"""A vector in an order that one party holds: shares, messages, hostile peers."""

import secrets

import numpy as np
import pytest

from moiety.errors import PeerMisbehaved, UsageError
from moiety.lang.types import PUBLIC, SHARED, Private, words
from moiety.ops.order import sort_rows
from moiety.protocols import permutation
from moiety.protocols.permutation import Shuffle
from moiety.ring import pack_words
from moiety.run import twin
from plan_kit import planned
from protocol_kit import contexts, integers


@pytest.mark.parametrize("owner", [0, 1])
@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
def test_every_row_lands_where_the_order_says(owner, rows):
    order = np.argsort(np.frombuffer(secrets.token_bytes(8 * rows), np.uint64))
    x = integers(-(2**63), 2**63 - 1, 3 * rows + 7)[: 3 * rows].reshape(rows, 3)
    mask = np.frombuffer(secrets.token_bytes(x.nbytes), np.uint64).reshape(x.shape)
    shuffle = Shuffle(owner, rows, 3)
    parties = zip(contexts((shuffle,)), (mask, x - mask), strict=True)
    sides = [
        permutation.permute(ctx, shuffle, order if ctx.party == owner else None, share)
        for ctx, share in parties
    ]
    first, second = twin.lockstep(sides).results
    assert np.array_equal(first + second, x[order])


def test_sorting_and_back_is_nothing():
    keys = integers(0, 15, 400)
    x = integers(-(2**40), 2**40, 800).reshape(400, 2)
    types = {
        "keys": words((400,), Private(1), (0, 15)),
        "x": words((400, 2), SHARED, (-(2**40), 2**40)),
    }

    def function(keys, x):
        there = sort_rows(keys, x)
        return {"there": there, "back": sort_rows(keys, there, inverse=True)}

    plan = planned(function, **types)
    transcript = twin.run(plan, twin.split(plan, {"keys": keys, "x": x}))
    first, second = transcript.results
    assert np.array_equal(first["back"] + second["back"], x)
    assert np.array_equal(first["there"] + second["there"], x[np.argsort(keys, kind="stable")])
    assert [nonzero for nonzero in transcript.cost.rounds] == list(plan.cost.rounds)
    assert plan.cost.rounds[:2] == ({(1, 0): 400 * 9 // 8}, {(0, 1): 8 * 800})


def test_the_first_message_is_a_fresh_uniform_order():
    """The identity is sent as a permutation in which each row is as likely anywhere."""
    rows, shuffle, places = 8, Shuffle(0, 8, 1), np.zeros((8, 8))
    x = np.zeros((rows, 1), np.uint64)
    for _ in range(2000):
        ctx, _ = contexts((shuffle,))
        tick = next(permutation.permute(ctx, shuffle, np.arange(rows), x))
        delta = permutation.unpack_words(tick.send[1], rows, 3).astype(np.int64)
        places[np.arange(rows), delta] += 1
    assert np.abs(places - 250).max() < 6 * 250**0.5


def test_a_message_that_is_no_permutation_is_refused():
    for bad in ([0, 0, 1, 2, 3], [0, 1, 2, 3, 7]):
        shuffle = Shuffle(0, 5, 1)
        _, ctx = contexts((shuffle,))
        side = permutation.permute(ctx, shuffle, None, np.zeros((5, 1), np.uint64))
        next(side)
        with pytest.raises(PeerMisbehaved, match="permutation"):
            side.send({0: pack_words(np.array(bad, np.uint64), 3)})


def test_what_cannot_be_sorted_is_refused():
    x = words((4, 2), SHARED, (0, 9))
    for keys in (words((5,), Private(0), (0, 9)), words((4,), SHARED, (0, 9))):
        with pytest.raises(UsageError):
            planned(lambda keys, x: {"y": sort_rows(keys, x)}, keys=keys, x=x)
    public = words((4,), PUBLIC, (0, 9))
    assert not planned(lambda keys, x: {"y": sort_rows(keys, x)}, keys=public, x=x).cost.rounds
