"""What a party accepts as its share of the model, and as material."""

from dataclasses import replace

import numpy as np
import pytest

from handover_kit import LIMIT, MODEL, SIGNING, digest, shape, share_of
from moiety.agreement.signing import SigningKey
from moiety.enclave.handover import (
    ModelShare,
    receive_material,
    receive_share,
)
from moiety.enclave.job import train
from moiety.errors import DataError, MaterialError, PeerMisbehaved, PolicyRefused
from moiety.message import decode, encode
from moiety.run.dealing import Lot, Material
from moiety.wire.frame import Kind
from party_kit import columns, job, line, other_job, outcomes


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
        ({"shape": shape(hidden=3)}, "another model than the job's"),
        ({"shape": shape(clip=4)}, "another model than the job's"),
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

    lot = Lot(0, bytes(16), bytes(32), bytes(16))
    good = Material(lot, []).encode()
    assert received(good).lot == lot
    for broken in (b"", good[:-1], good + b"\0"):
        with pytest.raises(PeerMisbehaved):
            received(broken)
    with pytest.raises(MaterialError):
        received(Material(replace(lot, seed=b"short"), []).encode())


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
