"""What the enclave gives out: never more than asked, agreed and stated; and what parties accept."""

import hashlib
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from moiety.agreement.signing import SigningKey
from moiety.enclave.handover import (
    LARGEST_BATCH,
    ModelShare,
    ask,
    deal_again,
    hand_over,
    read_share,
    receive_material,
    receive_share,
)
from moiety.enclave.job import train
from moiety.errors import DataError, MaterialError, PeerLost, PeerMisbehaved, PolicyRefused
from moiety.message import decode, encode
from moiety.run.dealing import Material
from moiety.wire.frame import Kind
from party_kit import NAMES, columns, job, line, other_job, outcomes

SIGNING = SigningKey.create()
DOMAIN = b"moiety model header v1\0"
MODEL = {"header": bytes, "signature": bytes, "salt": bytes, "arrays": dict[str, bytes]}
SALT = bytes(32)
LIMIT = 1 << 28


@cache
def trained():
    return train(job(), columns())


def handing_over(*asked, of=None, sends=None):
    """What the enclave makes of two parties' requests, and what each party gets."""
    of = of or job()

    def enclave_side(channels):
        try:
            return hand_over(
                of,
                trained(),
                signing=SIGNING,
                production=False,
                measurement=bytes(32),
                channels=dict(zip(NAMES, channels, strict=True)),
            )
        finally:
            for channel in channels:
                channel.close()

    def party_side(channel, index, batches):
        (sends or ask)(channel, batches)
        share = receive_share(channel, of, index, SIGNING.public)
        return share, [receive_material(channel) for _ in batches]

    with line("lender") as (lender, first), line("payco") as (payco, second):
        return outcomes(
            lambda: enclave_side([first, second]),
            lambda: party_side(lender, 0, asked[0]),
            lambda: party_side(payco, 1, asked[-1]),
        )


def test_each_party_gets_a_share_and_material_for_what_both_asked():
    dealt, (mine, lots), (theirs, others) = handing_over([1, 1, 5])
    assert dealt == 7
    assert mine.digest == theirs.digest and mine.simulated and mine.rows == 60
    assert [lot.lot for lot in lots] == [lot.lot for lot in others]
    assert len({lot.lot for lot in lots}) == 3
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
    assert [lot.lot for lot in again] == [lot.lot for lot in others]
    assert not {lot.lot for lot in again} & {lot.lot for lot in lots}
    assert [lot.plan for lot in again] == [lot.plan for lot in lots]
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


# ── what a party accepts as its share ───────────────────────────────────────────────────────


def share_of(party=0, signer=SIGNING, of=None, arrays=None, **changes):
    """An enclave's message with a share of zeros, its header signed, both changed as told."""
    shape = trained().model.shape
    zeros = {name: np.zeros_like(words) for name, words in trained().model.arrays.items()}
    sent = {name: words.tobytes() for name, words in zeros.items()}
    sent = sent if arrays is None else arrays(sent)
    facts = {
        "job": (of or job()).hash,
        "shape": shape.to_fields(),
        "simulated": True,
        "measurement": bytes(32),
        "rows": 60,
        "predictions": 1,
        "shares": [digest(sent)] * 2,
    }
    header = encode({**facts, **changes})
    signature = signer.sign(header, DOMAIN)
    return {"header": header, "signature": signature, "salt": SALT, "arrays": sent}


def digest(arrays):
    named = b"".join(name.encode() + b"\0" + arrays[name] for name in sorted(arrays))
    return hashlib.sha256(SALT + named).digest()


def got(message, party=0):
    payload = message if isinstance(message, bytes) else encode(message)
    with line() as (guest, enclave):
        found, _ = outcomes(
            lambda: receive_share(guest, job(), party, SIGNING.public),
            lambda: enclave.send(Kind.MODEL, payload),
        )
    if isinstance(found, Exception):
        raise found
    return found


def shape(**changes):
    return {**trained().model.shape.to_fields(), **changes}


def test_the_kit_makes_a_share_that_is_accepted():
    assert isinstance(got(share_of()), ModelShare)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"of": other_job(("predictions = 60", "predictions = 59"))}, "does not name"),
        ({"shares": [bytes(32)] * 2}, "does not name"),
        ({"shares": []}, "does not name"),
        ({"arrays": lambda sent: {**sent, "features_0": bytes(8)}}, "another shape"),
        ({"arrays": lambda sent: {"intercept": sent["intercept"]}}, "another shape"),
        ({"arrays": lambda sent: {**sent, "intercept": b""}}, "another shape"),
        ({"arrays": lambda sent: {**sent, "intercept": bytes(16)}}, "another shape"),
        ({"shape": shape(kind="trees")}, "another model than the job's"),
        ({"shape": shape(kind="magic")}, "another model than the job's"),
        ({"shape": shape(trees=1, depth=2)}, "another model than the job's"),
        ({"shape": shape(counts=[[4], [4]])}, "another model than the job's"),
        ({"shape": shape(counts=[])}, "another model than the job's"),
        ({"shape": shape(counts=[[0] * 5, [4] * 18])}, "another model than the job's"),
        ({"shape": shape(counts=[[10**9] * 5, [4] * 18])}, "another model than the job's"),
        ({"rows": "60"}, "`rows`"),
        ({"more": 1}, "does not belong"),
    ],
)
def test_a_share_that_is_not_of_this_job_is_refused(changes, text):
    with pytest.raises(PeerMisbehaved, match=text):
        got(share_of(**changes))


def test_a_header_signed_by_another_key_or_altered_is_refused():
    with pytest.raises(PolicyRefused, match="the enclave on the model's header"):
        got(share_of(signer=SigningKey.create()))
    message = share_of()
    altered = bytearray(message["header"])
    altered[-1] ^= 1
    with pytest.raises(PolicyRefused, match="the enclave on the model's header"):
        got({**message, "header": bytes(altered)})
    with pytest.raises(PolicyRefused, match="the enclave on the model's header"):
        got({**message, "signature": b"short"})
    with pytest.raises(PeerMisbehaved, match="does not name"):
        got({**message, "salt": bytes([1] * 32)})


def test_the_other_partys_share_is_not_taken_for_ones_own():
    message = share_of(shares=[bytes(32), digest(share_of()["arrays"])])
    assert got(message, party=1)
    with pytest.raises(PeerMisbehaved, match="does not name"):
        got(message, party=0)


def test_material_in_another_form_is_refused():
    def received(payload):
        with line() as (guest, enclave):
            enclave.send(Kind.MATERIAL, payload)
            return receive_material(guest)

    good = Material(0, bytes(16), bytes(32), bytes(16), b"")
    assert received(good.encode()).lot == bytes(16)
    for broken in (b"", good.encode()[:-1], good.encode() + b"\0"):
        with pytest.raises(PeerMisbehaved):
            received(broken)
    with pytest.raises(MaterialError):
        received(replace(good, seed=b"short").encode())


def test_labels_that_are_all_alike_train_nothing():
    sealed = columns()
    owner = job().labelled.name
    sealed[owner] = replace(sealed[owner], label=np.zeros(60, np.uint8))
    with pytest.raises(DataError, match="all labels are alike"):
        train(job(), sealed)


def test_capsules_of_different_lengths_train_nothing():
    sealed = {**columns(60), "payco": columns(59)["payco"]}
    with pytest.raises(DataError, match="same number of aligned rows"):
        train(job(), sealed)


def test_the_model_travels_in_canonical_form():
    message = share_of()
    assert decode(encode(message), MODEL, LIMIT) == message
