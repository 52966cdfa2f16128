"""Control messages: what is meant comes back; all else is PeerMisbehaved and no other error."""

from math import inf, nan

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.errors import InternalError, PeerMisbehaved
from moiety.message import DEPTH, decode, encode

LIMIT = 4096
SCHEMA = {
    "name": str,
    "rows": int,
    "key": bytes,
    "final": bool,
    "bound": float,
    "until": int | None,
    "edges": list[float],
    "columns": [{"name": str, "width": int}],
    "owner": {"key": bytes},
    "limits": dict[str, int],
}
FIELDS = {
    "name": "payco",
    "rows": 800_000,
    "key": b"\x00\xff",
    "final": True,
    "bound": 0.1,
    "until": None,
    "edges": [1.0, -2.5],
    "columns": [{"name": "income", "width": 8}],
    "owner": {"key": b"k"},
    "limits": {"rows": 7},
}
integers = st.integers(-(2**64), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
fields = st.fixed_dictionaries(
    {
        "name": st.text(),
        "rows": integers,
        "key": st.binary(),
        "final": st.booleans(),
        "bound": floats,
        "until": integers | st.none(),
        "edges": st.lists(floats),
        "columns": st.lists(st.fixed_dictionaries({"name": st.text(), "width": integers})),
        "owner": st.fixed_dictionaries({"key": st.binary()}),
        "limits": st.dictionaries(st.text(), integers),
    }
)


@given(fields)
def test_what_is_encoded_is_decoded(message):
    data = encode(message)
    assert decode(data, SCHEMA, len(data)) == message
    assert encode(dict(reversed(message.items()))) == data


def test_known_answer():
    """RFC 8949 appendix A items under keys in canonical order: by length, then by bytes."""
    data = encode({"bb": 1, "c": [True, None, b"x"], "a": 1.5, "d": 1.1, "e": -1})
    assert data.hex() == (
        "a5"
        "6161" + "f93e00"
        "6163" + "83f5f64178"
        "6164" + "fb3ff199999999999a"
        "6165" + "20"
        "626262" + "01"
    )  # fmt: skip


@given(fields, st.data())
def test_a_changed_byte_is_refused_or_means_something_else(message, data):
    good = encode(message)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    try:
        read = decode(bytes(bad), SCHEMA, len(bad))
    except PeerMisbehaved:
        return
    assert encode(read) == bytes(bad) != good


@given(st.binary(max_size=200), st.sampled_from([SCHEMA, {}, {"a": int}, {"a": [list[int]]}]))
def test_random_bytes_raise_nothing_else(data, schema):
    try:
        read = decode(data, schema, LIMIT)
    except PeerMisbehaved:
        return
    assert encode(read) == data


@given(st.recursive(st.binary() | st.integers() | st.none() | st.text(), st.lists), st.integers(0))
def test_any_cbor_raises_nothing_else(value, tag):
    for hostile in (value, {"a": value}, cbor2.CBORTag(tag % 2**64, value)):
        try:
            decode(cbor2.dumps(hostile), {"a": int}, LIMIT)
        except PeerMisbehaved:
            continue
        assert type(value) is int


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("", "not plain CBOR"),
        ("a0", "has no `a` in the message"),
        ("01", "has int where the message must be dict"),
        ("a1616101ff", "not plain CBOR|canonical"),
        ("a161610100", "canonical"),
        ("a1616118 01", "canonical"),
        ("b801616101", "canonical"),
        ("a1617a01", "has no `a`"),
        ("a2616101617a01", "a field that does not belong"),
        ("a2616101616101", "not plain CBOR"),
        ("a10101", "not plain CBOR"),
        ("a1416101", "a key that is not text"),
        ("bf616101ff", "not plain CBOR"),
        ("a16161f5", "has bool where `a` must be int"),
        ("a16161f93c00", "has float where `a` must be int"),
        ("a16161f97e00", "not finite"),
        ("a16161f97c00", "not finite"),
        ("a16161f7", "not plain"),
        ("a16161e0", "not plain"),
        ("a16161c249010000000000000000", "not plain CBOR"),
        ("a16161d8236161", "not plain CBOR"),
        ("a16161d81c80", "not plain CBOR"),
        ("a161615b7fffffffffffffff", "not plain CBOR"),
        ("a161619b7fffffffffffffff", "not plain CBOR"),
        ("a1616162c328", "not plain CBOR"),
        ("a16161" + "81" * 100 + "00", "not plain CBOR|nested"),
    ],
)
def test_each_fault_has_its_name(data, fault):
    with pytest.raises(PeerMisbehaved, match=fault) as refusal:
        decode(bytes.fromhex(data), {"a": int}, LIMIT, sender="payco")
    assert str(refusal.value).startswith("payco sent a control message that ")


def test_a_limit_is_a_limit():
    data = encode({"a": 1})
    assert decode(data, {"a": int}, len(data)) == {"a": 1}
    with pytest.raises(PeerMisbehaved, match=f"has {len(data)} bytes, more than {len(data) - 1}"):
        decode(data, {"a": int}, len(data) - 1)


@pytest.mark.parametrize("name", list(SCHEMA))
def test_every_field_is_needed_and_of_its_type(name):
    short = {key: value for key, value in FIELDS.items() if key != name}
    with pytest.raises(PeerMisbehaved, match=f"has no `{name}`"):
        decode(encode(short), SCHEMA, LIMIT)
    for wrong in ({"a": "b"}, ["a"], "text", b"bytes", 1, True, 1.5):
        if type(wrong) is type(FIELDS[name]) and not isinstance(wrong, dict | list):
            continue
        if name == "until" and type(wrong) is int:
            continue
        with pytest.raises(PeerMisbehaved, match=r"where|has no `key`"):
            decode(encode(FIELDS | {name: wrong}), SCHEMA, LIMIT)


def test_a_fault_never_quotes_the_peer():
    secret = "4111111111111111"
    for message in ({secret: 1}, {"a": secret}, {"a": 1, secret: secret}, {"a": {secret: 1}}):
        with pytest.raises(PeerMisbehaved) as refusal:
            decode(encode(message), {"a": int}, LIMIT)
        assert secret not in f"{refusal.value} {refusal.value.hint}"


def test_our_own_mistakes_are_ours():
    deep: list[object] = []
    for _ in range(DEPTH):
        deep = [deep]
    for wrong in (nan, inf, 2**64, {1: 2}, (1, 2), {3}, "\ud800", deep, object()):
        with pytest.raises(InternalError, match="cannot be encoded"):
            encode({"a": wrong})
    with pytest.raises(InternalError, match="schema"):
        decode(encode({"a": 1}), {"a": int | str}, LIMIT)
