"""Scoring inside the enclave: the receiver alone gets scores, and only of agreed people."""

from dataclasses import replace

import numpy as np
import pytest

from moiety.data.bins import Bins
from moiety.enclave.job import fit
from moiety.enclave.scoring import SALT, ask_mark, ask_scores, people, rounded, score_inside
from moiety.errors import DataError, PeerLost, PeerMisbehaved, PolicyRefused
from moiety.message import encode
from moiety.party.coded import Coded
from moiety.party.seal import to_arrow
from moiety.wire.frame import Kind
from party_kit import NAMES, columns, line, other_job, outcomes

INSIDE = ('scored_by = "mpc"', 'scored_by = "enclave"')
ROWS = 20


def inside():
    return other_job(INSIDE)


def table(name, rows=ROWS, *, bins=0, labelled=False):
    """A party's applicants, as it sends them; with other bins than its clients have if asked."""
    own = columns(60)[name]
    edges = {
        n: tuple(float(one) for one in range(1, count + bins)) for n, count in own.counts.items()
    }
    cut = {n: Bins(edges[n], own.missing[n], whole=True) for n in edges}
    label = np.zeros(rows, np.uint8) if labelled else None
    return to_arrow(Coded(cut, {n: codes[:rows] for n, codes in own.codes.items()}, label))


def asking(first, second, job=None):
    """What the enclave and the two parties make of what each party asks (people, rows, table)."""
    of, trained = job or inside(), columns(60)
    model = fit(of, trained)

    def enclave(channels):
        try:
            return score_inside(of, model, trained, dict(zip(NAMES, channels, strict=True)))
        finally:
            for channel in channels:
                channel.close()

    with line("lender") as (lender, near), line("payco") as (payco, far):
        return outcomes(
            lambda: enclave([near, far]),
            lambda: asked(lender, first, mine=True),
            lambda: asked(payco, second, mine=False),
        )


def asked(channel, batch, *, mine):
    """A party's part: the mark, these applicants, and nobody after them."""
    assert len(ask_mark(channel, bytes(SALT))) == 32
    found = ask_scores(channel, *batch, mine=mine)
    if batch[1]:
        name = "lender" if mine else "payco"
        assert ask_scores(channel, people([]), 0, table(name, 0), mine=mine).size == 0
    return found


WHO = people([f"c{n}" for n in range(ROWS)])


def test_the_receiver_gets_the_models_scores_and_the_other_party_none():
    scored, mine, theirs = asking((WHO, ROWS, table("lender")), (WHO, ROWS, table("payco")))
    model = fit(inside(), columns(60))
    codes = {f"{p}.{n}": c[:ROWS] for p in NAMES for n, c in columns(60)[p].codes.items()}
    assert scored == ROWS and theirs.size == 0
    assert np.array_equal(mine, rounded(model.logit(codes)))
    assert np.array_equal(mine * 256, np.rint(mine * 256)), "14 bits"


def test_nobody_may_be_asked_for():
    nobody = people([])
    scored, mine, theirs = asking((nobody, 0, table("lender", 0)), (nobody, 0, table("payco", 0)))
    assert scored == mine.size == theirs.size == 0


def test_order_and_borders_of_ids_are_part_of_who_they_are():
    assert len({people(ids) for ids in (["a", "b"], ["b", "a"], ["ab"], ["ab", ""], [])}) == 5


@pytest.mark.parametrize(
    ("second", "error", "text"),
    [
        ((people(["others"]), ROWS, table("payco")), PolicyRefused, "of different applicants"),
        ((WHO, ROWS - 1, table("payco", ROWS - 1)), PolicyRefused, "of different applicants"),
        ((WHO, ROWS, table("payco", ROWS - 1)), PeerMisbehaved, "are not of 20 applicants"),
        ((WHO, ROWS, table("payco", bins=1)), PolicyRefused, "codes its applicants otherwise"),
        ((WHO, ROWS, table("lender")), DataError, "does not hold exactly the job's columns"),
        ((WHO, ROWS, b"no table"), DataError, "holds no Arrow table"),
    ],
)
def test_what_does_not_fit_is_refused_and_nobody_is_scored(second, error, text):
    found, *parties = asking((WHO, ROWS, table("lender")), second)
    assert isinstance(found, error) and text in str(found)
    assert all(isinstance(party, PeerLost) for party in parties)


def test_an_outcome_does_not_travel_with_applicants():
    found, *_ = asking((WHO, ROWS, table("lender", labelled=True)), (WHO, ROWS, table("payco")))
    assert isinstance(found, DataError) and "does not hold exactly" in str(found)


def test_more_applicants_than_the_job_states_are_refused():
    few = other_job(INSIDE, ("predictions = 60", "predictions = 19"))
    found, *_ = asking((WHO, ROWS, table("lender")), (WHO, ROWS, table("payco")), few)
    assert isinstance(found, PolicyRefused) and "20 predictions; the job states 19" in str(found)


@pytest.mark.parametrize(
    ("logits", "scored"),
    [(bytes(16), 3), (bytes(8), 2), (b"", 2), (bytes(15), 2), (b"\xff" * 16, 2)],
)
def test_an_enclave_that_scores_others_is_found_out(logits, scored):
    with line() as (party, enclave):
        _, found = outcomes(
            lambda: enclave.send(Kind.MODEL, encode({"logits": logits, "scored": scored})),
            lambda: ask_scores(party, WHO, 2, b"", mine=True),
        )
    assert isinstance(found, PeerMisbehaved)


@pytest.mark.parametrize("training", ["mpc", "enclave"])
def test_only_a_model_of_an_enclave_can_be_scored_there(training):
    changes = [('scored_by = "mpc"', 'scored_by = "somewhere"')]
    if training == "mpc":
        changes = [INSIDE, ('training = "enclave"', 'training = "mpc"')]
    with pytest.raises(Exception, match="scored_by"):
        other_job(*changes)


def test_scores_are_told_in_steps_and_within_bounds():
    told = rounded(np.array([0.001, 0.01, -40.0, 99.0]))
    assert told.tolist() == [0.0, 3 / 256, -16.0, 16.0]


def test_a_mark_is_of_the_rows_whatever_their_order_and_of_all_salts():
    rows, marks = columns(60), []
    turned = {
        name: replace(own, codes={n: c[::-1] for n, c in own.codes.items()}, label=_turned(own))
        for name, own in rows.items()
    }
    other = {**rows, "lender": replace(rows["lender"], label=1 - rows["lender"].label)}
    for trained, salt in ((rows, 0), (turned, 0), (other, 0), (rows, 1)):
        marks.append(marked(trained, bytes([salt]) * SALT))
    assert marks[0] == marks[1] and len({*marks}) == 3


def _turned(own):
    return None if own.label is None else own.label[::-1]


def marked(trained, salt):
    model = fit(inside(), columns(60))

    def enclave(channels):
        return score_inside(inside(), model, trained, dict(zip(NAMES, channels, strict=True)))

    def party(channel, name):
        mark = ask_mark(channel, salt)
        ask_scores(channel, people([]), 0, table(name, 0), mine=name == "lender")
        return mark

    with line("lender") as (lender, near), line("payco") as (payco, far):
        scored, mine, theirs = outcomes(
            lambda: enclave([near, far]),
            lambda: party(lender, "lender"),
            lambda: party(payco, "payco"),
        )
    assert scored == 0 and mine == theirs
    return mine
