"""Sealed Parquet shards: read at any place, refused when touched, trained on as if in memory."""

import io
import os
from functools import partial

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from cluster_kit import rows, shard, together
from moiety.enclave.boosting import boost, trees
from moiety.enclave.capsule import CapsuleHeader, DataKey, seal
from moiety.enclave.regression import regress
from moiety.enclave.sealed_file import SealedFile
from moiety.enclave.shard import Shard
from moiety.errors import DataError, PolicyRefused

HEADER = CapsuleHeader("w0/rows", 1, bytes(32), chunk_size=64)
PLAIN = bytes(range(256)) * 3
GROWN = {"objective": "binary", "num_leaves": 15, "num_threads": 1}


def sealed(data=PLAIN, header=HEADER):
    key = DataKey.random()
    return b"".join(seal(data, key, header)), key


def opened(data, key, header=HEADER):
    return SealedFile(io.BytesIO(data), key, header)


@given(st.binary(max_size=400), st.lists(st.tuples(st.integers(0, 420), st.integers(0, 200))))
def test_any_place_reads_as_in_the_plaintext(data, places):
    whole = io.BufferedReader(opened(*sealed(data)), 32)
    for place, count in places:
        whole.seek(place)
        assert whole.read(count) == data[place : place + count]
    assert whole.seek(0, os.SEEK_END) == len(data)
    whole.seek(0)
    assert whole.read() == data


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 768])
def test_a_cut_or_longer_capsule_is_refused_before_it_is_read(size):
    data, key = sealed(PLAIN[:size])
    front = len(HEADER.encode(bytes(7)))
    for length in range(front, len(data)):
        with pytest.raises(DataError):
            opened(data[:length], key)
    for more in (b"x", bytes(16), bytes(80)):
        with pytest.raises(DataError):
            opened(data + more, key)


def test_altered_and_exchanged_chunks_are_refused_when_they_are_read():
    data, key = sealed()
    front = len(HEADER.encode(bytes(7)))
    for at in range(front, len(data), 17):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(DataError):
            io.BufferedReader(opened(bytes(changed), key)).read()
    first, second = data[front : front + 80], data[front + 80 : front + 160]
    with pytest.raises(DataError, match="chunk 0"):
        opened(data[:front] + second + first + data[front + 160 :], key).read()


def test_another_capsule_than_the_expected_one_is_refused():
    data, key = sealed()
    for other in ({"data_set": "w1/rows"}, {"version": 2}, {"policy_hash": bytes([1] * 32)}):
        expected = CapsuleHeader(
            **{**{"data_set": "w0/rows", "version": 1, "policy_hash": bytes(32)}, **other},
            chunk_size=64,
        )
        with pytest.raises(PolicyRefused):
            opened(data, key, expected)


# ── tables ──────────────────────────────────────────────────────────────────────────────────


def parquet(table, label, *, group=700, **columns):
    """A Parquet file of these rows."""
    made = {f"c{n}": pa.array(table[:, n], from_pandas=True) for n in range(table.shape[1])}
    out = io.BytesIO()
    pq.write_table(pa.table({**made, "y": label, **columns}), out, row_group_size=group)
    return out.getvalue()


def read(data, *, columns=12, most=10_000, **changes):
    header = CapsuleHeader("w0/rows", 1, bytes(32))
    body, key = sealed(data, header)
    names = [f"c{n}" for n in range(columns)] if isinstance(columns, int) else columns
    given_as = {"columns": names, "label": "y", "most": most}
    return Shard(io.BytesIO(body), key, header, **{**given_as, **changes})


def test_rows_come_out_as_they_went_in():
    table, label = rows(2000)
    found = read(parquet(table, label))
    assert len(found) == 2000
    for place in (0, 699, 700, 1999, 3):
        np.testing.assert_array_equal(found[place], table[place])
    for begin, end in ((0, 2000), (650, 1500), (1999, 2000), (5, 5)):
        np.testing.assert_array_equal(found[begin:end], table[begin:end])
    np.testing.assert_array_equal(found.outcomes(), label)
    again = [np.concatenate(parts) for parts in zip(*found.batches(), strict=True)]
    np.testing.assert_array_equal(again[0], table)


def test_a_shard_trains_as_the_same_rows_in_memory():
    whole = rows(3000)
    parts = [shard(whole, rank, 2) for rank in range(2)]

    def streamed(workers):
        data = read(parquet(*parts[workers.rank])).dataset
        return trees(boost(workers, data, GROWN, rounds=5))

    def held(workers):
        def data(parameters):
            return lightgbm.Dataset(*parts[workers.rank], params=parameters)

        return trees(boost(workers, data, GROWN, rounds=5))

    found = together(2, streamed) + together(2, held)
    assert all(isinstance(one, str) for one in found), found
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"most": 1999}, "has 2,000 rows, not 1 to 1,999"),
        ({"columns": ["c0", "c99"]}, "exactly one column 'c99'"),
        ({"label": "text"}, "is string, not a number"),
    ],
)
def test_a_table_that_is_not_as_told_is_refused(change, text):
    data = parquet(*rows(2000), text=["x"] * 2000)
    with pytest.raises(DataError, match=text):
        read(data, **change)


def test_what_is_no_parquet_file_or_a_damaged_one_is_refused():
    with pytest.raises(DataError, match="no Parquet file"):
        read(b"PAR1 not at all PAR1")
    data = bytearray(parquet(*rows(2000)))
    data[1000:9000] = bytes(8000)
    with pytest.raises(DataError):
        list(read(bytes(data)).batches())


# ── regression on shards ────────────────────────────────────────────────────────────────────


def complete(count):
    table, label = rows(count, 5)
    return np.nan_to_num(table), label.astype(np.float64)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_regression_of_shards_is_that_of_all_rows(count):
    whole = complete(1500)
    parts = [shard(whole, rank, count) for rank in range(count)]

    def task(workers):
        data = read(parquet(*parts[workers.rank], group=200), columns=5)
        return regress(workers, data.batches, 5, ridge=1.0)

    found = together(count, task)
    assert len({(one.intercept, one.weights.tobytes()) for one in found}) == 1
    plain = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(*whole)
    np.testing.assert_allclose(found[0].weights, plain.coef_[0], atol=1e-6)
    assert abs(found[0].intercept - plain.intercept_[0]) < 1e-6
    assert found[0].logit(whole[0]).shape == (1500,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2.0])
def test_all_workers_stop_at_one_workers_bad_rows(bad):
    whole = complete(300)

    def task(workers):
        table, label = (part.copy() for part in shard(whole, workers.rank, 3))
        if workers.rank == 1:
            (label if bad == 2 else table[2])[4] = bad
        return regress(workers, partial(iter, [(table, label)]), 5, ridge=1.0)

    said = [str(one) for one in together(3, task)]
    assert all("outcome other than 0 and 1" in one or "stopped: DataError" in one for one in said)
    assert any("outcome other than 0 and 1" in one for one in said)
