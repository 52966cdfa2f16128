"""Bills as bytes: every correlation of every way survives, and nothing else is dealt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.errors import PeerMisbehaved
from moiety.lang.primitive import REGISTRY
from moiety.message import decode as plain
from moiety.message import encode
from moiety.plan import bill as bills
from moiety.plan import billing
from moiety.protocols.additive import MatrixTriple
from moiety.run import twin
from moiety.run.dealing import Dealer

PLANS = {
    f"{primitive.name}, {way.name}, {number}": twin.alone(primitive, way, example, copies=2)
    for primitive in REGISTRY.values()
    for number, example in enumerate(primitive.examples)
    for way in primitive.ways
    if way.accepts(*example.types)
}
SAMPLE = PLANS["less_than, DPF prefix parity, 1"].bill


@pytest.mark.parametrize("name", PLANS)
def test_a_bill_survives_its_encoding(name):
    bill = PLANS[name].bill
    sent = billing.encode(bill)
    again = billing.decode(sent, sender="payco")
    assert (again.plan, again.steps, again.sizes) == (bill.plan, bill.steps, bill.sizes)
    assert billing.encode(again) == sent


def test_what_is_dealt_for_a_decoded_bill_fits_the_plan():
    plan = PLANS["multiply, Beaver triple, 0"]
    again = billing.decode(billing.encode(plan.bill), sender="payco")
    lots = Dealer().deal(again)
    (spending,) = lots[1].spend(plan.bill, 1)
    spending.complete()
    assert len(spending.corrections) == plan.cost.dealt


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_another_bill_or_none(at, bit):
    data = bytearray(billing.encode(SAMPLE))
    data[at % len(data)] ^= 1 << bit
    try:
        other = billing.decode(bytes(data), sender="payco")
    except PeerMisbehaved:
        return
    assert (other.plan, other.steps) != (SAMPLE.plan, SAMPLE.steps)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_bill_or_refused(data):
    try:
        billing.decode(data, sender="payco")
    except PeerMisbehaved:
        pass


def with_item(**changed):
    body = plain(billing.encode(SAMPLE), billing.SCHEMA, 1 << 20)
    step = plain(body["steps"][0], billing.STEP, 1 << 20)
    item = {**plain(step["items"][0], billing.ITEM, 1 << 20), **changed}
    step["items"] = [encode(item)]
    return encode({"plan": body["plan"], "steps": [encode(step)]})


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Waves"},
        {"name": "Correlation"},
        {"name": "object"},
        {"numbers": []},
        {"numbers": [1, 2, 3]},
        {"numbers": [2**50, 23]},
        {"numbers": [-1, 23]},
        {"flags": [True]},
        {"parts": [b""]},
    ],
    ids=str,
)
def test_a_wrong_item_is_refused(changed):
    with pytest.raises(PeerMisbehaved, match="payco asks for"):
        billing.decode(with_item(**changed), sender="payco")


def test_a_product_without_its_mask_is_refused():
    bill = PLANS["masked_matmul, masked table, 0"].bill
    body = plain(billing.encode(bill), billing.SCHEMA, 1 << 20)
    steps = [plain(step, billing.STEP, 1 << 20) for step in body["steps"]]
    for origin in ({"input": None, "step": None}, {"input": None, "step": 99}):
        changed = [encode({**step, **origin}) for step in steps]
        with pytest.raises(PeerMisbehaved):
            billing.decode(encode({**body, "steps": changed}), sender="payco")


@pytest.mark.parametrize("wrong", [MatrixTriple(2, 2, 2, 0), MatrixTriple(1, 1 << 40, 1, 64)])
def test_fields_that_cannot_be_dealt_are_refused(wrong):
    asked = billing.encode(bills.bill(bytes(32), {0: [wrong]}, {}))
    with pytest.raises(PeerMisbehaved, match="cannot be dealt"):
        billing.decode(asked, sender="payco")
