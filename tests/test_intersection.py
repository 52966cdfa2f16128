"""Private set intersection: the right rows, the exact traffic, the policies, hostile peers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.errors import DataError, PeerLost, PeerMisbehaved, PolicyRefused
from moiety.protocols import intersection
from moiety.protocols.intersection import PLACE, POINT, TAG, Limits, Meeting, intersect
from moiety.run import twin
from session_kit import between

DOMAIN = b"job 1, training"
LIMITS = Limits(max_peer=1000)


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(intersection, "CHUNK", 4)


def names(numbers):
    return [b"person %d" % number for number in numbers]


def meet(left, right, limits=LIMITS, domains=(DOMAIN, DOMAIN)):
    return twin.lockstep(
        [intersect(0, left, domains[0], limits), intersect(1, right, domains[1], limits)]
    )


SETS = st.lists(st.integers(0, 12), min_size=1, max_size=11, unique=True).map(names)


@given(SETS, SETS)
@settings(max_examples=40)
def test_both_parties_get_their_common_rows_in_the_same_order(left, right):
    common = set(left) & set(right)
    if not common:
        with pytest.raises(PolicyRefused, match="0 items are common"):
            meet(left, right)
        return
    transcript = meet(left, right)
    mine, theirs = transcript.results
    assert {left[row] for row in mine.rows} == common
    assert [left[row] for row in mine.rows] == [right[row] for row in theirs.rows]
    assert mine.sizes == theirs.sizes == (len(left), len(right))
    measured = [{link: len(m) for link, m in round.items()} for round in transcript.rounds]
    assert measured == intersection.rounds(mine.sizes)


def test_the_traffic_is_that_of_the_sizes_alone():
    runs = [meet(names(range(9)), names(range(start, start + 6))) for start in (0, 8)]
    assert runs[0].cost == runs[1].cost
    assert runs[0].cost.sent(0) == 8 + 9 * POINT + 6 * TAG + 1 + 6 * PLACE


def test_another_domain_has_nothing_in_common():
    with pytest.raises(PolicyRefused, match="0 items"):
        meet(names(range(5)), names(range(5)), domains=(b"training", b"scoring"))


def test_points_are_fresh_and_in_an_order_that_says_nothing():
    runs = [meet(names(range(4)), names(range(4))) for _ in range(12)]
    points = {bytes(m[0, 1][i : i + POINT]) for r in runs for m in r.rounds[1:2] for i in (0, 32)}
    assert len(points) == 24
    orders = {tuple(Meeting(0, names(range(4)), DOMAIN, LIMITS).shuffle) for _ in range(60)}
    assert len(orders) > 10


def test_too_large_a_peer_is_refused_before_any_point_is_sent():
    with pytest.raises(PolicyRefused, match="9 items; the limit is 8"):
        meet(names(range(3)), names(range(9)), Limits(max_peer=8))


def refused_run(left, right, limits):
    """The messages until one side refused, and the refusal."""
    sides = [intersect(p, items, DOMAIN, limits) for p, items in enumerate((left, right))]
    rounds, inbox = [], [None, None]
    try:
        while True:
            ticks = [s.send(i) for s, i in zip(sides, inbox, strict=True)]
            rounds.append([tick.send[1 - p] for p, tick in enumerate(ticks)])
            inbox = [{1: rounds[-1][1]}, {0: rounds[-1][0]}]
    except PolicyRefused as refusal:
        return rounds, refusal


def test_too_few_common_items_are_refused_before_they_are_named():
    rounds, refusal = refused_run(names(range(4)), names(range(2, 6)), Limits(1000, min_common=3))
    assert "2 items are common; the least allowed is 3" in str(refusal)
    assert [len(first) for first, _ in rounds] == [8, 4 * POINT, 4 * TAG]


@pytest.mark.parametrize("items", [[], [b"a", b"b", b"a"]])
def test_own_items_must_be_distinct(items):
    with pytest.raises(DataError, match="distinct"):
        intersect(0, items, DOMAIN, LIMITS)


class Liar(Meeting):
    """A peer that follows the protocol, but changes its first message of one size."""

    def __init__(self, size, change):
        super().__init__(1, names(range(3, 9)), DOMAIN, LIMITS)
        self.size, self.change = size, change

    def _tick(self, message, due):
        if len(message) == self.size:
            self.size, message = None, self.change(message)
        return super()._tick(message, due)


BENT = {
    "a point twice": (4 * POINT, lambda m: m[:POINT] * 2 + m[2 * POINT :], "twice"),
    "a point outside the group": (4 * POINT, lambda m: b"\xff" * POINT + m[POINT:], "group"),
    "the identity": (4 * POINT, lambda m: bytes(POINT) + m[POINT:], "group"),
    "tags out of order": (2 * TAG, lambda m: m[TAG:] + m[:TAG], "order"),
    "a place twice": (4 * PLACE, lambda m: m[:PLACE] * 4, "permutation"),
    "a place that is no row": (4 * PLACE, lambda m: b"\xff" * 16, "permutation"),
    "no consent": (1, lambda m: b"\x00", "accept"),
    "too few bytes": (4 * TAG, lambda m: m[1:], "bytes"),
}


@pytest.mark.parametrize("name", BENT)
def test_what_no_honest_peer_sends_is_refused(name):
    size, change, reason = BENT[name]
    with pytest.raises(PeerMisbehaved, match=reason):
        twin.lockstep([intersect(0, names(range(6)), DOMAIN, LIMITS), Liar(size, change).run()])


def test_a_session_aligns_with_progress_and_an_exact_ledger():
    told = []

    def side(items):
        def run(session):
            found = session.intersect(items, DOMAIN, LIMITS, progress=lambda *p: told.append(p))
            return found, session.ledger

        return run

    (mine, rows), (theirs, _) = between(side(names(range(9))), side(names(range(5, 10))))
    assert len(mine.rows) == len(theirs.rows) == 4 and "4 common rows" in repr(mine)
    (row,) = rows
    assert row.predicted == row.measured and row.measured.rounds == 1 + 3 + 3 + 1 + 3
    assert (5, 5) in told and (9, 9) in told


def test_a_refusal_reaches_the_other_side_as_a_loss():
    strict, loose = Limits(1000, min_common=5), Limits(1000)
    first, second = between(
        lambda s: s.intersect(names(range(6)), DOMAIN, strict),
        lambda s: s.intersect(names(range(3, 9)), DOMAIN, loose),
    )
    assert isinstance(first, PolicyRefused)
    assert isinstance(second, PeerLost) and "least allowed is 5" in str(second)


def test_places_are_rows():
    mine = meet(names(range(8)), names(range(4, 12))).results[0]
    assert np.array_equal(np.sort(mine.rows), np.arange(4, 8))
