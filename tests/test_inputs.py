"""A capsule on its way into the enclave, and what it may hold: nothing hostile becomes columns."""

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.data.bins import Bins
from moiety.enclave.capsule import TAG_SIZE, CapsuleHeader, DataKey, open_capsule, seal
from moiety.enclave.inputs import read_columns
from moiety.enclave.upload import PIECE, SLACK, CapsuleReader, largest_capsule, send_capsule
from moiety.errors import DataError, PeerMisbehaved, PolicyRefused
from moiety.party.coded import Coded
from moiety.party.seal import to_arrow
from moiety.wire.frame import Kind
from party_kit import columns, job, line, outcomes

MEMBER = job().member("lender")
HEADER = CapsuleHeader("lender/clients", 1, job().hash, chunk_size=32)
PLAIN = bytes(range(200))


# ── the capsule on its way ──────────────────────────────────────────────────────────────────


def sent(pieces, key, *, end=True, limit=1 << 20):
    """What the enclave gets from these pieces."""

    def send(channel):
        with channel:
            for piece in pieces:
                channel.send(Kind.CAPSULE, piece)
            if end:
                channel.send(Kind.CAPSULE, b"")

    def receive(channel):
        with channel:
            return b"".join(open_capsule(CapsuleReader(channel, limit), key, HEADER))

    with line() as (guest, enclave):
        return outcomes(lambda: send(guest), lambda: receive(enclave))[1]


def sealed():
    key = DataKey.random()
    return key, list(seal(PLAIN, key, HEADER))


def test_a_capsule_arrives_whatever_its_pieces():
    key, pieces = sealed()
    assert sent(pieces, key) == PLAIN
    assert sent([b"".join(pieces)], key) == PLAIN
    assert sent([bytes([one]) for one in b"".join(pieces)], key) == PLAIN


@settings(max_examples=60)
@given(st.data())
def test_a_capsule_with_any_bit_altered_is_refused(data):
    key, pieces = sealed()
    which = data.draw(st.integers(0, len(pieces) - 1))
    at = data.draw(st.integers(0, 8 * len(pieces[which]) - 1))
    altered = bytearray(pieces[which])
    altered[at // 8] ^= 1 << at % 8
    found = sent([*pieces[:which], bytes(altered), *pieces[which + 1 :]], key)
    assert isinstance(found, DataError | PolicyRefused)
    assert found.hint


@given(st.permutations(range(8)))
def test_chunks_in_another_order_are_refused(order):
    key, pieces = sealed()
    assert len(pieces) == 8
    if list(order) != list(range(8)):
        assert isinstance(sent([pieces[one] for one in order], key), DataError | PolicyRefused)


@given(st.integers(0, 7), st.booleans())
def test_a_missing_or_repeated_chunk_is_refused(which, repeated):
    key, pieces = sealed()
    changed = [*pieces[:which], *([pieces[which]] * 2 if repeated else []), *pieces[which + 1 :]]
    assert isinstance(sent(changed, key), DataError | PolicyRefused)


def test_a_capsule_that_ends_early_is_a_lost_peer():
    key, pieces = sealed()
    found = sent(pieces, key, end=False)
    assert "lender closed the connection" in str(found)


def test_pieces_and_capsules_above_their_bounds_are_refused():
    key, pieces = sealed()
    found = sent([bytes(PIECE + 1)], key, limit=1 << 30)
    assert isinstance(found, PeerMisbehaved) and f"at most {PIECE}" in str(found)
    total = len(b"".join(pieces))
    assert sent(pieces, key, limit=total) == PLAIN
    found = sent(pieces, key, limit=total - 1)
    assert isinstance(found, PeerMisbehaved) and "larger capsule than its columns" in str(found)


def test_what_is_no_capsule_piece_is_refused():
    with line() as (guest, enclave):
        guest.send(Kind.MODEL, b"")
        with pytest.raises(PeerMisbehaved, match="sent MODEL where CAPSULE is due"):
            CapsuleReader(enclave, 10).read(1)


@pytest.mark.parametrize(("rows", "names"), [(1, 1), (1000, 23), (200_000, 3)])
def test_an_honest_capsule_is_within_its_bound(rows, names):
    member = replace(MEMBER, columns=tuple(f"column_{n}" for n in range(names)), max_rows=rows)
    codes = {name: np.zeros(rows, np.uint8) for name in member.columns}
    bins = dict.fromkeys(codes, Bins((), whole=True))
    plain = to_arrow(Coded(bins, codes, np.zeros(rows, np.uint8)))
    key, sizes = DataKey.random(), []
    with line() as (guest, enclave):
        _, found = outcomes(
            lambda: sizes.append(send_capsule(guest, seal(plain, key, HEADER_OF_USE))),
            lambda: b"".join(
                open_capsule(CapsuleReader(enclave, largest_capsule(member)), key, HEADER_OF_USE)
            ),
        )
    assert found == plain
    assert sizes[0] <= largest_capsule(member) - SLACK // 2
    assert PIECE == HEADER_OF_USE.chunk_size + TAG_SIZE


HEADER_OF_USE = CapsuleHeader("lender/clients", 1, job().hash)


# ── what it may hold ────────────────────────────────────────────────────────────────────────


def table(**changes):
    """The lender's columns as Arrow, some replaced by `name=(array, metadata)`; `...` drops one."""
    own = columns(20)["lender"]
    facts = {"bins": "4", "missing": "0"}
    parts = {name: (pa.array(codes, pa.uint8()), facts) for name, codes in own.codes.items()}
    parts["label"] = (pa.array(own.label, pa.uint8()), {"bins": "2", "missing": "0"})
    parts = {name: part for name, part in {**parts, **changes}.items() if part is not ...}
    fields = [pa.field(name, each.type, metadata=meta) for name, (each, meta) in parts.items()]
    return pa.table([each for each, _ in parts.values()], schema=pa.schema(fields))


def stream(made):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return sink.getvalue()


def read(plaintext, member=MEMBER):
    return read_columns(job(), member, plaintext)


def test_what_an_owner_seals_is_read_back():
    own = columns(20)["lender"]
    found = read(stream(table()))
    assert list(found.codes) == list(MEMBER.columns)
    assert all(np.array_equal(found.codes[name], own.codes[name]) for name in own.codes)
    assert np.array_equal(found.label, own.label)
    assert repr(found) == "Columns(5 columns)"


FACTS = {"bins": "4", "missing": "0"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"age": ...}, "exactly the job's columns"),
        ({"label": ...}, "exactly the job's columns"),
        ({"extra": (pa.array([0] * 20, pa.uint8()), FACTS)}, "exactly the job's columns"),
        ({"age": (pa.array([0] * 20, pa.int64()), FACTS)}, "not of bin codes"),
        ({"age": (pa.array(["a"] * 20), FACTS)}, "not of bin codes"),
        ({"age": (pa.array([None] + [0] * 19, pa.uint8()), FACTS)}, "not of bin codes"),
        ({"age": (pa.array([4] + [0] * 19, pa.uint8()), FACTS)}, "beyond its 4 bins"),
        ({"age": (pa.array([0] * 20, pa.uint8()), {})}, "bins is not told"),
        ({"age": (pa.array([0] * 20, pa.uint8()), {"bins": "256", "missing": "0"})}, "not told"),
        ({"age": (pa.array([0] * 20, pa.uint8()), {"bins": "-1", "missing": "0"})}, "not told"),
        ({"age": (pa.array([0] * 20, pa.uint8()), {"bins": "4", "missing": "2"})}, "missing is"),
        ({"label": (pa.array([2] + [0] * 19, pa.uint8()), FACTS)}, "other than 0 and 1"),
    ],
)
def test_columns_that_are_not_the_jobs_are_refused(changes, text):
    with pytest.raises(DataError, match=text):
        read(stream(table(**changes)))


def test_columns_in_another_order_are_refused():
    made = table()
    with pytest.raises(DataError, match="exactly the job's columns"):
        read(stream(made.select([*made.schema.names[1:], made.schema.names[0]])))


def test_a_label_from_the_wrong_party_is_refused():
    payco = job().member("payco")
    own = columns(20)["payco"].codes
    fields = {name: (pa.array(codes, pa.uint8()), FACTS) for name, codes in own.items()}
    label = {"label": (pa.array([1] * 20, pa.uint8()), FACTS)}
    parts = {**fields, **label}
    schema = pa.schema([pa.field(name, each.type, metadata=m) for name, (each, m) in parts.items()])
    made = pa.table([each for each, _ in parts.values()], schema=schema)
    assert read(stream(made.drop_columns("label")), payco).label is None
    with pytest.raises(DataError, match="exactly the job's columns"):
        read(stream(made), payco)


def test_a_stream_cut_off_anywhere_is_refused_or_whole():
    whole = stream(table())
    for length in range(0, len(whole), 7):
        try:
            found = read(whole[:length])
        except DataError:
            continue
        assert np.array_equal(found.label, columns(20)["lender"].label), length


@settings(max_examples=300)
@given(st.data())
def test_a_hostile_stream_is_refused_or_well_formed(data):
    """Nothing but DataError comes out of Arrow, whatever bytes a party seals."""
    whole = bytearray(stream(table()))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(whole))
    except DataError:
        return
    assert list(found.codes) == list(MEMBER.columns)
    assert all(codes.max(initial=0) < found.counts[name] for name, codes in found.codes.items())
    assert found.label.max(initial=0) <= 1


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(data):
    with pytest.raises(DataError):
        read(data)
