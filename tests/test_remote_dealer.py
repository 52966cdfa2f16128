"""What a dealer sends and does that stops the parties, before anything leaks."""

from functools import partial

import pytest

from moiety.errors import (
    MaterialError,
    PeerError,
    PeerLost,
    PeerMisbehaved,
)
from moiety.message import encode
from moiety.run.dealing import Dealer
from moiety.wire.frame import Kind
from refused_kit import NAMES, X, Y, exits, held, loop, me, start, watching
from remote_kit import among


def after(service, lots):
    """Serves so many lots as it should; then what both parties ask for next."""
    for _ in range(lots):
        service._deal(service._asked())
    return service._asked()


def says(lot, service):
    after(service, 0)
    for channel in service.channels:
        channel.send(Kind.DEAL, lot)


def sends(change, party, service, *, lots=0):
    """Deals one lot whose corrections are changed for one party."""
    asked = after(service, lots)
    parts = service.dealer.deal(asked.bill, asked.runs, asked.masks, asked.seeds)
    for part, channel in zip(parts, service.channels, strict=True):
        channel.send(Kind.DEAL, encode({"lot": part.lot.lot}))
    flows = [part.open() for part in parts]
    for at in (1, 0):
        if asked.bill.sizes[at]:
            data = next(flows[at])
            service.channels[at].send(Kind.MATERIAL, change(data) if at == party else data)
    service.serve()


def replays(service):
    """The same lot's number for the second lot as for the first."""
    numbers = iter([b"0" * 16, b"0" * 16])
    service.dealer.draw = lambda: next(numbers)
    service.serve()


def parts(service):
    """Another lot's number for each party."""
    after(service, 0)
    for at, channel in enumerate(service.channels):
        channel.send(Kind.DEAL, encode({"lot": bytes([at]) * 16}))
    service.serve()


BROKEN = {
    "no lot": (partial(says, b"lot"), PeerMisbehaved, "the dealer"),
    "a lot without a number": (
        partial(says, encode({"lot": b"", "seed": bytes(16)})),
        PeerMisbehaved,
        "the dealer",
    ),
    "a short number": (partial(says, encode({"lot": bytes(15)})), MaterialError, "wrong lengths"),
    "a truncated lot": (partial(sends, lambda d: d[:-1], 1), MaterialError, "bytes of corrections"),
    "an oversized lot": (partial(sends, lambda d: d + b"1", 1), PeerMisbehaved, "dealer"),
    "an empty lot": (partial(sends, lambda d: b"", 1), MaterialError, "bytes of corrections"),
    "padding that is set": (
        partial(sends, lambda d: b"\xff" * len(d), 1),
        PeerMisbehaved,
        "packed words",
    ),
    "a truncated lot for party 0": (
        partial(sends, lambda d: d[:-1], 0),
        MaterialError,
        "bytes of corrections",
    ),
    "a replayed lot": (replays, MaterialError, "used before"),
    "two lots as one": (parts, MaterialError, "another lot"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_dealer_that_misbehaves_stops_both_parties(name):
    dealer, kind, words = BROKEN[name]
    counts = {}
    *found, _ = among(NAMES, watching(loop, counts), dealer=dealer)
    assert all(isinstance(one, MaterialError | PeerError) for one in found), found
    assert any(isinstance(one, kind) and words in str(one) for one in found), found
    assert set(exits(found)) <= {4, 7}
    if name in ("no lot", "a lot without a number", "a short number"):
        assert counts == {0: 0, 1: 0}, "nothing goes to the peer"
    if name == "two lots as one":
        assert counts == {0: 1, 1: 1}, "nothing but the opening goes to the peer"


@pytest.mark.parametrize("lots", [0, 1, 2])
@pytest.mark.parametrize("when", ["before the lot", "within it"])
def test_a_dealer_that_dies_ends_the_run_at_both(lots, when):
    def dies(service):
        asked = after(service, lots)
        if when == "before the lot":
            return
        made = service.dealer.deal(asked.bill, asked.runs, asked.masks, asked.seeds)
        for part, channel in zip(made, service.channels, strict=True):
            channel.send(Kind.DEAL, encode({"lot": part.lot.lot}))
        flows = [part.open() for part in made]
        service._one_run(asked.bill, flows) if asked.runs > 1 else None

    *found, _ = among(NAMES, loop, dealer=dies)
    assert all(isinstance(one, PeerLost) for one in found), found
    assert exits(found) == [4, 4] and any("dealer" in str(one) for one in found)


def test_a_dealer_that_repeats_itself_makes_no_party_repeat_a_mask():
    """Both runs of the parties are on the same inputs: equal masks would give equal messages."""

    def same(service):
        service.dealer = Dealer(lambda: bytes(16))
        service.serve()

    def spying(runner):
        sent, tick = [], runner.session.channel.tick
        runner.session.channel.tick = lambda data, size: (
            sent.append(bytes(data)) or tick(data, size)
        )
        runner.call(start, **held(me(runner), x=X, y=Y))
        return sent

    first, second = (among(NAMES, spying, dealer=same)[:2] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one[0] == other[0], "the openings name the same lot"
        assert all(a != b for a, b in zip(one[1:], other[1:], strict=True) if len(a) > 1)


def asks(runner, **fields):
    runner.source.channel.send(Kind.DEAL, encode(fields))
    runner.source.channel.receive(Kind.DEAL, 256)


@pytest.mark.parametrize(
    "fields",
    [
        {"order": b"x", "seed": bytes(15)},
        {"order": b"", "seed": bytes(16)},
        {"order": b"x" * 40, "seed": bytes(16)},
        {"seed": bytes(16)},
    ],
)
def test_a_dealer_refuses_what_is_no_order(fields):
    *found, service = among(NAMES, partial(asks, **fields))
    assert isinstance(service, PeerMisbehaved) and all(isinstance(one, PeerLost) for one in found)
