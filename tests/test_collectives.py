"""Collectives among threads: what they compute, and how they end when a worker fails."""

import time

import numpy as np
import pytest

from cluster_kit import together
from moiety.enclave.collectives import SMALL
from moiety.enclave.lightgbm_link import along_ring, by_halves
from moiety.errors import MoietyError, PeerLost, PeerMisbehaved

COUNTS = [1, 2, 3, 4, 5]
SIZES = [1, SMALL // 8 - 1, SMALL, 3 << 20]


def values(rank, size=1000):
    return np.random.default_rng(rank).normal(size=size) * 10.0 ** (rank * 3)


def good(found):
    for one in found:
        assert not isinstance(one, Exception), one
    return found


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("size", SIZES)
def test_each_gets_what_each_had_for_it(count, size):
    def task(workers):
        parts = [bytes([workers.rank, peer]) * size for peer in range(count)]
        return workers.exchange(parts, [2 * size] * count)

    for rank, came in enumerate(good(together(count, task))):
        assert [bytes(part) for part in came] == [
            bytes([peer, rank]) * size for peer in range(count)
        ]


@pytest.mark.parametrize("count", COUNTS)
def test_parts_of_different_sizes_and_none(count):
    def task(workers):
        sizes = [1000 * rank for rank in range(count)]
        return workers.allgather(bytes([workers.rank]) * sizes[workers.rank], sizes)

    for came in good(together(count, task)):
        assert [bytes(part) for part in came] == [bytes([r]) * 1000 * r for r in range(count)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (400, 400)])
def test_a_sum_has_the_same_bits_everywhere(count, shape):
    size = int(np.prod(shape))
    parts = [values(rank, size).reshape(shape) for rank in range(count)]
    due = parts[0].copy()
    for part in parts[1:]:
        due = due + part
    for found in good(together(count, lambda workers: workers.allreduce(parts[workers.rank]))):
        assert found.shape == shape
        assert found.tobytes() == due.tobytes()


@pytest.mark.parametrize("count", COUNTS)
def test_a_broadcast_and_a_barrier(count):
    def task(workers):
        said = [workers.broadcast(bytes([workers.rank]), root, 8) for root in range(count)]
        workers.barrier()
        return said

    assert good(together(count, task)) == [[bytes([root]) for root in range(count)]] * count


def test_nobody_passes_a_barrier_before_all_are_there():
    def task(workers):
        if workers.rank == 1:
            time.sleep(0.3)
        began = time.monotonic()
        workers.barrier()
        return began, time.monotonic()

    times = good(together(3, task))
    assert min(end for _, end in times) >= max(begin for begin, _ in times)


def test_another_model_is_named():
    def task(workers):
        workers.agree(bytes([workers.rank == 2] * 32), "model")

    found = together(3, task)
    assert all(isinstance(one, MoietyError) for one in found)
    assert any("w2 has another model" in str(one) for one in found[:2])


def test_a_worker_that_does_another_step_ends_all():
    def task(workers):
        if workers.rank == 1:
            return workers.allgather(b"one byte more", [13] * 3)
        return workers.allgather(b"twelve bytes", [12] * 3)

    found = together(3, task)
    assert all(isinstance(one, (PeerMisbehaved, PeerLost)) for one in found), found
    assert any("sent TICK of 13 bytes" in str(one) for one in found)


def test_a_worker_that_fails_ends_all_with_its_reason():
    def task(workers):
        if workers.rank == 2:
            raise PeerLost("w9 closed the connection during the task")
        workers.barrier()

    found = together(4, task)
    assert all("w9 closed the connection" in str(one) for one in found), found


def test_a_worker_that_lives_but_never_answers_is_given_up():
    def task(workers):
        if workers.rank == 1:
            time.sleep(3)
        began = time.monotonic()
        try:
            workers.barrier()
        finally:
            assert time.monotonic() - began < 2

    found = together(2, task, patience=0.5)
    assert "w1 took longer than 0.5 s" in str(found[0])
    assert isinstance(found[1], PeerLost)


def named(one, other):
    return b"(" + one + b"+" + other + b")"


@pytest.mark.parametrize(
    ("count", "due"),
    [
        (1, b"0"),
        (2, b"(0+1)"),
        (3, b"(0+(1+2))"),
        (4, b"((0+2)+(1+3))"),
        (5, b"((0+2)+(1+(3+4)))"),
        (6, b"((0+(2+3))+(1+(4+5)))"),
        (8, b"(((0+4)+(2+6))+((1+5)+(3+7)))"),
    ],
)
def test_sums_by_halves(count, due):
    assert by_halves([b"%d" % rank for rank in range(count)], named) == due


def test_sums_along_a_ring_end_at_home():
    parts = [b"0", b"1", b"2"]
    assert along_ring(parts, 0, named) == b"((1+2)+0)"
    assert along_ring(parts, 1, named) == b"((2+0)+1)"
    assert along_ring(parts, 2, named) == b"((0+1)+2)"
