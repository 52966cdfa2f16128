"""What is refused or stopped between parties and a third owner, before anything leaks."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Kept, To
from moiety.errors import (
    DataError,
    PeerError,
    PeerLost,
    PeerMisbehaved,
    PolicyRefused,
    UsageError,
)
from moiety.run.loop import mark
from moiety.wire.frame import Kind
from refused_kit import NAMES, THREE, X, Y, Z, held, loop, me, start, watching
from remote_kit import among


@moiety.secure
def total(
    x: From("bank", low=-1, high=1),
    y: From("payco", low=0, high=1),
    z: From("third", low=-1, high=1),
) -> To("bank"):
    return xp.sum(x) + xp.sum(y) + xp.sum(z)


@moiety.secure
def scaled(
    x: From("bank", low=-1, high=1),
    y: From("payco", low=0, high=1),
    p: From("public", low=0, high=9),
) -> Kept():
    return xp.clip(xp.sum(x) * p, -1, 1) + xp.sum(y)


# ── parties that mean different things ──────────────────────────────────────────────────────


def test_parties_with_other_plans_are_refused_by_the_dealer():
    def coarse(runner):
        runner.fraction = 16
        return loop(runner)

    counts = {}
    *found, service = among(NAMES, [watching(loop, counts), watching(coarse, counts)])
    assert isinstance(service, PolicyRefused) and "different lots" in str(service)
    assert all(isinstance(one, PeerError) for one in found) and counts == {0: 0, 1: 0}


def careless(service):
    """Deals for what the first party asks, whatever the second does."""
    bank, payco = service.channels
    heard = []
    payco.receive, receive = (lambda kind, limit: heard.pop()), payco.receive

    def both(kind, limit, first=bank.receive):
        heard.append(first(kind, limit))
        receive(kind, limit)
        return heard[-1]

    bank.receive = both
    service.serve()


@pytest.mark.parametrize("case", ["plans", "public numbers", "earlier calls"])
def test_parties_that_mean_different_things_are_refused_by_each_other(case):
    """Whatever the dealer lets pass: nothing but the opening is sent."""

    def differing(runner):
        given = held(me(runner), x=X, y=Y)
        if case == "earlier calls" and me(runner) == "payco":
            runner._course.update(b"another call")
        p = 3.0 if case == "public numbers" and me(runner) == "payco" else 2.0
        if case == "plans" and me(runner) == "payco":
            runner.fraction = 16
        return runner.call(scaled, **given, p=np.array(p))

    counts = {}
    *found, _ = among(NAMES, watching(differing, counts), dealer=careless)
    assert all(isinstance(one, PeerError) for one in found), found
    assert any("another plan than ours" in str(one) for one in found)
    assert counts == {0: 1, 1: 1}


def test_a_peer_that_dies_ends_the_run():
    def dies(runner):
        given = held(me(runner), x=X, y=Y)
        runner.call(start, **given)
        raise UsageError("it was switched off")

    bank, payco, service = among(NAMES, [loop, dies])
    assert isinstance(payco, UsageError) and isinstance(bank, PeerLost) and bank.exit_code == 4
    assert isinstance(service, PeerLost)


BAD = {
    "NaN": (np.where(X > 0.9, np.nan, X), "not finite"),
    "infinity": (np.where(X > 0.9, np.inf, X), "not finite"),
    "out of bounds": (X * 1.01, "declared bounds"),
    "text": (X.astype(str), "not numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_refused_before_anything_is_sent(name):
    data, words = BAD[name]
    counts = {}
    bank, payco, service = among(NAMES, watching(partial(loop, x=data), counts))
    assert isinstance(bank, DataError) and words in str(bank) and bank.exit_code == 2
    assert isinstance(payco, PeerLost) and isinstance(service, PeerLost)
    assert counts[0] == 0 and "1.01" not in str(payco)


# ── a third owner ───────────────────────────────────────────────────────────────────────────


def joint(runner, z=Z):
    return runner.call(total, **held(me(runner), x=X, y=Y, z=z))["result"]


def instead(runner, send, said=None):
    """The third owner sends something else than shares of z."""
    compiled = runner.compiled(total, given := held("third", x=X, y=Y, z=Z))
    right = mark(compiled, "z", replace(compiled.plan.inputs["z"], shape=given["z"].shape))
    for channel, data in zip(runner.channels, send, strict=True):
        channel.send(Kind.SHARE, right if said is None else said)
        if data is not None:
            channel.send(*data)
    if None in send:
        raise UsageError("it stops")
    return None


RIGHT = (Kind.SHARE, bytes(16)), (Kind.SHARE, bytes(8 * Z.size))
THIRD = {
    "too few rows": ((RIGHT[0], (Kind.SHARE, bytes(8 * Z.size - 16))), PeerMisbehaved),
    "too many rows": ((RIGHT[0], (Kind.SHARE, bytes(8 * Z.size + 16))), PeerMisbehaved),
    "a short seed": (((Kind.SHARE, bytes(15)), RIGHT[1]), PeerMisbehaved),
    "a long seed": (((Kind.SHARE, bytes(17)), RIGHT[1]), PeerMisbehaved),
    "another message": (((Kind.TICK, bytes(16)), RIGHT[1]), PeerMisbehaved),
    "nothing": ((None, None), PeerLost),
    "one share only": ((RIGHT[0], None), PeerLost),
}


@pytest.mark.parametrize("name", THIRD)
def test_a_third_owner_that_misbehaves_stops_the_others(name):
    send, kind = THIRD[name]
    counts = {}
    works = [watching(joint, counts)] * 2 + [partial(instead, send=send)]
    bank, payco, _, _ = among(THREE, works)
    assert all(isinstance(one, PeerError) and one.exit_code == 4 for one in (bank, payco))
    assert any(isinstance(one, kind) and "third" in str(one) for one in (bank, payco))
    assert max(counts.values()) <= 1, "nothing but an opening was sent"


@pytest.mark.parametrize("said", [bytes(32), bytes(31), bytes(33), b""])
def test_a_third_owner_says_what_it_sends(said):
    works = [joint, joint, partial(instead, send=RIGHT, said=said)]
    bank, payco, _, _ = among(THREE, works)
    assert all(isinstance(one, PeerError) for one in (bank, payco))
    assert any(isinstance(one, PeerMisbehaved) and "third" in str(one) for one in (bank, payco))


def test_a_third_owner_of_another_program_is_refused():
    def coarse(runner):
        runner.fraction = 12
        return joint(runner)

    bank, payco, _, _ = among(THREE, [joint, joint, coarse])
    found = [one for one in (bank, payco) if isinstance(one, PeerMisbehaved)]
    assert found and "another program than ours" in str(found[0])


@moiety.secure
def count(
    x: From("bank", low=-1, high=1),
    y: From("payco", low=0, high=1),
    z: From("third", low=0, high=2, dtype=int),
) -> To("bank"):
    return xp.sum(x) + xp.sum(y) + xp.sum(z)


@pytest.mark.parametrize("z", [np.zeros((6, 2)), np.ones((6, 2)), -np.ones((6, 2))])
def test_a_third_owner_sends_as_many_bytes_whatever_its_data(z):
    """What it is and a seed to one, what it is and the array to the other, once for both calls."""

    def counted(runner):
        given = held("third", x=X, y=Y, z=z)
        for _ in range(2):
            runner.call(total, **given)
        return [(one.totals.sent_messages, one.totals.sent_bytes) for one in runner.channels]

    def twice(runner):
        given = held(me(runner), x=X, y=Y, z=z)
        return [runner.call(total, **given) for _ in range(2)]

    *_, third, service = among(THREE, [twice, twice, counted])
    assert third == [(2, 32 + 16), (2, 32 + 8 * z.size)] and service.runs == 2


def test_an_array_that_is_used_in_two_ways_is_sent_as_each():
    def both(runner):
        given = held(me(runner), x=X, y=Y, z=Z)
        return [runner.call(total, **given)["result"], runner.call(count, **given)["result"]]

    bank, *_ = among(THREE, both)
    assert bank == pytest.approx([X.sum() + Y.sum() + Z.sum()] * 2, abs=1e-3)


@pytest.mark.parametrize("name", ["NaN", "out of bounds"])
def test_bad_data_of_a_third_owner_stay_with_it(name):
    data, words = BAD[name]
    bank, payco, third, _ = among(THREE, partial(joint, z=data))
    assert isinstance(third, DataError) and words in str(third)
    assert all(isinstance(one, PeerLost) for one in (bank, payco))


def test_a_third_owner_of_other_shapes_is_refused():
    def other(runner):
        shapes = {"x": X, "y": Y, "z": Z[:3]}
        return runner.call(total, **held("third", **shapes))["result"]

    bank, payco, _, _ = among(THREE, [joint, joint, other])
    assert all(isinstance(one, PeerError) for one in (bank, payco))
    found = [one for one in (bank, payco) if isinstance(one, PeerMisbehaved)]
    assert found and "third sends shares of another array" in str(found[0])
