"""A worker whose peer is gone, frozen or stuck ends within seconds, with a sentence."""

import os
import signal
import time
from functools import partial

import pytest

from cluster_kit import Running, dataset, rows, settings_of, shard, together, wait_until
from moiety.enclave.boosting import boost
from moiety.enclave.worker import SILENCE, end
from moiety.errors import ConfigError, PeerError

pytestmark = pytest.mark.jobs

SOON = 5.0
ENDLESS = 1_000_000
GROWN = {"objective": "binary", "num_leaves": 15, "num_threads": 1}


def endless(setting, data, folder, patience=60.0, parameters=GROWN):
    """A worker that trains until something ends it; tells its rank's file when it has begun."""
    words = os.open(folder / f"{setting.rank}.said", os.O_WRONLY | os.O_CREAT)
    os.dup2(words, 2)

    def make(given):
        (folder / f"{setting.rank}.begun").touch()
        return dataset(*data, given)

    try:
        setting.work(lambda w: boost(w, make, parameters, rounds=ENDLESS), patience=patience)
    except BaseException as error:
        end(error)


class Cluster:
    """Three workers in the midst of training."""

    def __init__(self, folder, *, patience=60.0, size=3000):
        self.folder, whole = folder, rows(size)
        settings = settings_of(folder, 3)
        self.workers = [
            Running(endless, settings[r], shard(whole, r, 3), folder, patience) for r in range(3)
        ]
        for rank in range(3):
            wait_until((folder / f"{rank}.begun").exists, 60)
        time.sleep(1)
        assert all(worker.process.is_alive() for worker in self.workers)

    def signal(self, rank, number):
        os.kill(self.workers[rank].process.pid, number)

    def ends(self, rank, within):
        """The exit code and last words of a worker that ends in time."""
        process = self.workers[rank].process
        process.join(within)
        assert not process.is_alive(), f"w{rank} still runs after {within} s"
        return process.exitcode, (self.folder / f"{rank}.said").read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
            worker.close()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_worker_that_is_killed_ends_the_others_at_once(tmp_path, lost):
    with Cluster(tmp_path) as cluster:
        cluster.signal(lost, signal.SIGKILL)
        for rank in {0, 1, 2} - {lost}:
            code, words = cluster.ends(rank, SOON)
            assert code == 4
            assert f"w{lost} closed the connection" in words or "stopped: " in words, words
            assert "Traceback" not in words


def test_a_worker_that_is_frozen_is_given_up_after_its_silence(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.signal(1, signal.SIGSTOP)
        said = [cluster.ends(rank, SILENCE + SOON) for rank in (0, 2)]
        assert {code for code, _ in said} == {4}
        assert any(f"w1 has been silent for {SILENCE:g} s" in words for _, words in said), said


def test_a_worker_ends_the_others_with_what_it_is_told(tmp_path):
    """An interrupted worker says so; nobody goes on with half a sum."""
    with Cluster(tmp_path) as cluster:
        cluster.signal(2, signal.SIGINT)
        for rank in (0, 1):
            code, words = cluster.ends(rank, SOON)
            assert code == 4 and "w2 stopped: it was interrupted" in words, words
        assert cluster.ends(2, SOON)[0] != 0


def test_a_worker_whose_rows_lightgbm_refuses_ends_the_others_with_fixed_words(tmp_path):
    """No value of its rows is in anybody's words."""
    table, label = rows(300)
    counted, shards = {**GROWN, "objective": "poisson"}, ((table, label), (table, label - 7654))
    found = [
        Running(endless, setting, data, tmp_path, 60.0, counted)
        for setting, data in zip(settings_of(tmp_path, 2), shards, strict=True)
    ]
    said = []
    for rank, one in enumerate(found):
        one.process.join(60)
        one.process.kill()
        said.append((one.process.exitcode, (tmp_path / f"{rank}.said").read_text()))
        one.close()
    assert said[0] == (4, "w1 stopped: data are not as declared\n")
    assert said[1] == (2, "LightGBM refuses the data or the parameters\n")


def test_workers_with_different_parameters_do_not_begin():
    def task(workers):
        grown = {**GROWN, "num_leaves": 15 + (workers.rank == 1)}
        return boost(workers, partial(dataset, *rows(300)), grown, rounds=3)

    found = together(2, task)
    assert "w1 has another plan" in str(found[0]) or "w0 stopped" in str(found[1])
    assert all(isinstance(one, PeerError) for one in found)


@pytest.mark.parametrize("name", ["machines", "local_listen_port", "num_machines", "tree_learner"])
def test_parameters_that_open_sockets_are_refused(name):
    with pytest.raises(ConfigError, match=name):
        (found,) = together(1, lambda w: boost(w, dataset, {**GROWN, name: "x"}, rounds=1))
        raise found
