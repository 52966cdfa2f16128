"""What the enclave gives out: never more than was asked, agreed and stated."""

import numpy as np
import pytest

from handover_kit import SIGNING, handing_over, shape, share_of, trained
from moiety.enclave.handover import (
    LARGEST_BATCH,
    deal_again,
    read_share,
    receive_material,
)
from moiety.errors import PeerLost, PeerMisbehaved, PolicyRefused
from moiety.message import encode
from moiety.wire.frame import Kind
from party_kit import NAMES, job, line, other_job, outcomes


def numbers(material):
    return [each.lot.lot for each in material]


def test_each_party_gets_a_share_and_material_for_what_both_asked():
    dealt, (mine, lots), (theirs, others) = handing_over([1, 1, 5])
    assert dealt == 7
    assert mine.digest == theirs.digest and mine.simulated and mine.rows == 60
    assert numbers(lots) == numbers(others) and len(set(numbers(lots))) == 3
    joined = {name: mine.arrays[name] + theirs.arrays[name] for name in mine.arrays}
    assert all(np.array_equal(joined[name], trained().model.arrays[name]) for name in joined)


def test_a_share_says_nothing_by_its_repr():
    _, (share, lots), _ = handing_over([1])
    assert repr(share) == "ModelShare(scorecard, 3 arrays, SIMULATED)"
    assert "seed" not in repr(lots[0])


def test_no_batch_at_all_may_be_asked():
    dealt, (share, lots), _ = handing_over([])
    assert dealt == 0 and lots == [] and share.arrays


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (([1, 2], [2, 1]), "ask for different batches"),
        (([3], [1, 2]), "ask for different batches"),
        (([], [1]), "ask for different batches"),
        (([0],), "a batch is of 1 to"),
        (([-1, 5],), "a batch is of 1 to"),
        (([LARGEST_BATCH + 1],), "a batch is of 1 to"),
        (([30, 31],), "ask for 61 predictions; the job states 60"),
        (([1] * 61,), "ask for 61 predictions; the job states 60"),
    ],
)
def test_a_request_that_is_not_agreed_or_not_allowed_is_refused(asked, text):
    found, *parties = handing_over(*asked)
    assert isinstance(found, PolicyRefused) and text in str(found)
    assert all(isinstance(party, PeerLost) for party in parties)


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        encode({"batches": [1]}),
        encode({"batches": "many", "header": b""}),
        encode({"batches": [1.0], "header": b""}),
        encode({"batches": [[1]], "header": b""}),
        encode({"batches": [1], "header": None}),
    ],
)
def test_a_request_in_another_form_is_refused(request_):
    found, *_ = handing_over([1], sends=lambda channel, _: channel.send(Kind.MATERIAL, request_))
    assert isinstance(found, PeerMisbehaved)


def test_parties_that_bring_data_get_a_new_model_or_none():
    request = encode({"batches": [1], "header": b"of another model"})
    found, *_ = handing_over([1], sends=lambda channel, _: channel.send(Kind.MATERIAL, request))
    assert isinstance(found, PolicyRefused) and "ask for another" in str(found)


# ── a later run: material only ──────────────────────────────────────────────────────────────


def dealing_again(*headers, batches=(1, 2)):
    """What the enclave makes of parties that name models, and what material they get."""

    def enclave_side(channels):
        try:
            return deal_again(job(), dict(zip(NAMES, channels, strict=True)))
        finally:
            for channel in channels:
                channel.close()

    def party_side(channel, header):
        channel.send(Kind.MATERIAL, encode({"batches": list(batches), "header": header}))
        return [receive_material(channel) for _ in batches]

    with line("lender") as (lender, first), line("payco") as (payco, second):
        return outcomes(
            lambda: enclave_side([first, second]),
            lambda: party_side(lender, headers[0]),
            lambda: party_side(payco, headers[-1]),
        )


def test_a_kept_model_gets_fresh_material_and_is_itself_not_sent():
    _, (share, lots), _ = handing_over([1, 2])
    dealt, again, others = dealing_again(share.header)
    assert dealt == 3
    assert numbers(again) == numbers(others) and not set(numbers(again)) & set(numbers(lots))
    assert [each.lot.plan for each in again] == [each.lot.plan for each in lots]
    assert read_share(share.message, job(), 0, SIGNING.public).digest == share.digest


def test_parties_must_name_the_same_model_of_this_job():
    _, (share, _), _ = handing_over([1])
    other = other_job(("predictions = 60", "predictions = 59"))
    cases = [
        ((share.header, b""), "ask for different batches or models"),
        ((b"",), "name no model that they have"),
        ((b"nonsense",), "not plain CBOR"),
        ((share_of(of=other)["header"],), "a model of another job"),
        ((share_of(shape=shape(kind="trees"))["header"],), "another model than the job's"),
    ]
    for headers, text in cases:
        found, *parties = dealing_again(*headers)
        assert isinstance(found, PolicyRefused | PeerMisbehaved) and text in str(found)
        assert all(isinstance(party, PeerLost) for party in parties)
    found, *_ = dealing_again(share.header, batches=(30, 31))
    assert "ask for 61 predictions" in str(found)
