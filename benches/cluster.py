"""Boosting by several workers: attested channels, LightGBM alone, and its plaintext sockets.

Each worker is a process with one thread on one core, and an equal part of the rows. Seconds are of
the slowest worker from binning to its finished model, connections made before. Channels and sockets
take turns, so that other work on the machine disturbs both.

    python benches/cluster.py [--quick]
"""

import hashlib
import json
import socket
import statistics
import sys
import tempfile
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from lightgbm.basic import _LIB
from machine import pin
from scale import held

from moiety.data.credit import COLUMNS, LABEL, TABLE
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.boosting import boost, trees
from moiety.enclave.capsule import CapsuleHeader, DataKey, seal
from moiety.enclave.handshake import Demands
from moiety.enclave.measure import measurement
from moiety.enclave.mesh import Door
from moiety.enclave.peering import Side
from moiety.enclave.policy import EnclavePolicy
from moiety.enclave.roster import Roster, Worker
from moiety.enclave.shard import Shard
from moiety.enclave.verify import SimulationVerifier
from moiety.enclave.worker import watch, work
from moiety.wire.certificates import fingerprint, make_credentials

PARAMETERS = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "learning_rate": 0.1}
NETWORK = {"tree_learner": "data", "pre_partition": True, "verbosity": -1}
EXACT = {"deterministic": True, "force_row_wise": True}
CASES = (
    # table, rows, columns, rounds, workers
    ("credit", 30_000, 23, 100, (1, 2, 4)),
    ("synthetic", 1_000_000, 50, 30, (1, 2)),
)
SHARDS = (
    ("sealed shards", 1_000_000, 50, 20, 3),
    ("sealed shards", 10_000_000, 50, 20, 3),
)
HEADER = CapsuleHeader("rows", 1, bytes(32))
GROUP = 1 << 16
REPEATS = 3
PATIENCE = 3600


def measure(cases=CASES, repeats=REPEATS, shards=SHARDS):
    """One row for each table and number of workers, medians over the repeats; and for shards."""
    rows = []
    for name, size, columns, rounds, counts in cases:
        alone = _median([_run("alone", 1, (name, size, columns, rounds)) for _ in range(repeats)])
        for count in counts:
            rows.append(_row((name, size, columns, rounds), count, repeats) | {"alone": alone})
    return {"rows": rows, "shards": [_shards(*case) for case in shards]}


def _shards(name, size, columns, rounds, count):
    found = _run("shards", count, (name, size, columns, rounds))
    facts = {"table": name, "rows": size, "columns": columns, "rounds": rounds, "workers": count}
    return facts | {key: found[key] for key in ("seconds", "cpu", "memory", "sent")}


def _row(case, count, repeats):
    ways = ("channels", "sockets") if count > 1 else ("channels", "alone")
    found = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            found[way].append(_run(way, count, case))
    models = {one["model"] for runs in found.values() for one in runs}
    if len(models) > 1:
        raise RuntimeError("channels and sockets give different trees")
    pairs = [
        mine["seconds"] / theirs["seconds"] for mine, theirs in zip(*found.values(), strict=True)
    ]
    name, size, columns, rounds = case
    facts = {"table": name, "rows": size, "columns": columns, "rounds": rounds, "workers": count}
    sent = found["channels"][0]["sent"]
    ratio = {"ratio": statistics.median(pairs), "sent": sent}
    return facts | ratio | {way: _median(runs) for way, runs in found.items()}


def _median(runs):
    return {key: statistics.median(run[key] for run in runs) for key in ("seconds", "cpu")}


def _run(way, count, case):
    """What the slowest of the workers took, and the digest of the trees."""
    context = get_context("spawn")
    ports = [_port() for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        SimulationPlatform.create(Path(folder))
        own = [make_credentials(f"w{rank}", 1) for rank in range(count)]
        start, pipes, running = context.Barrier(count), [], []
        for rank in range(count):
            near, far = context.Pipe(duplex=False)
            given = (way, rank, ports, own, folder, case, start, far)
            running.append(context.Process(target=TARGETS.get(way, _worker), args=given))
            running[-1].start()
            far.close()
            pipes.append(near)
        found = []
        for pipe in pipes:
            if not pipe.poll(PATIENCE):
                raise RuntimeError("a worker gives no result")
            found.append(pipe.recv())
        for process in running:
            process.join()
    most = {key: max(one.get(key, 0) for one in found) for key in ("seconds", "cpu", "memory")}
    return most | {"model": found[0]["model"], "sent": found[0]["sent"]}


def _worker(way, rank, ports, own, folder, case, start, pipe):
    pin(rank)
    table, label = _part(case, rank, len(ports))
    start.wait()
    sent = 0
    if way == "channels":
        data = partial(_dataset, table, label)
        model, times, sent = _by_channels(rank, ports, own, folder, data, case[3])
    else:
        model, times = _by_lightgbm(rank, ports, (table, label, case[3]))
    pipe.send(_told(model, times, sent))


def _on_shards(_, rank, ports, own, folder, case, start, pipe):
    """Trains on a sealed shard that is streamed; memory beside what the process held before."""
    pin(rank)
    file, key = Path(folder) / f"{rank}.sealed", DataKey.random()
    with file.open("wb") as out:
        for piece in seal(
            _table(Path(folder) / f"{rank}.parquet", case, rank, len(ports)), key, HEADER
        ):
            out.write(piece)
    start.wait()
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    names = [f"c{column}" for column in range(case[2])]
    with file.open("rb") as sealed:
        shard = Shard(sealed, key, HEADER, columns=names, label="y", most=case[1])
        found = _by_channels(rank, ports, own, folder, shard.dataset, case[3])
    pipe.send(_told(*found) | {"memory": held("VmHWM") - before})


def _table(path, case, rank, count):
    """The pieces of a Parquet file with this worker's rows, which are drawn a group at a time."""
    schema = pa.schema([(f"c{n}", pa.float32()) for n in range(case[2])] + [("y", pa.float32())])
    left, number = case[1] // count, 0
    with pq.ParquetWriter(path, schema) as writer:
        while left:
            table, label = _drawn([7, rank, number], min(left, GROUP), case[2])
            writer.write_table(pa.table([*table.T.copy(), label], schema=schema))
            left, number = left - len(label), number + 1
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece
    path.unlink()


def _told(model, times, sent):
    digest = hashlib.sha256(trees(model).encode()).hexdigest()
    return {"seconds": times[0], "cpu": times[1], "model": digest, "sent": sent}


def _by_channels(rank, ports, own, folder, data, rounds):
    root = (Path(folder) / "root.der").read_bytes()
    workers = tuple(
        Worker(f"w{other}", f"127.0.0.1:{port}", fingerprint(own[other].certificate))
        for other, port in enumerate(ports)
    )
    policy = EnclavePolicy(
        measurements=frozenset({measurement()}),
        tcb_statuses=frozenset({"UpToDate"}),
        max_age=86_400,
        allow_simulation=True,
        simulation_root_sha256=hashlib.sha256(root).digest(),
    )
    attester = SimulationAttester(SimulationPlatform.load(Path(folder)))
    side = Side(f"w{rank}", attester, Demands(SimulationVerifier(root), policy))
    eyes, sent = watch(), []

    def train(collectives):
        collectives.barrier()
        clock = _Clock()
        model = boost(collectives, data, PARAMETERS, rounds=rounds)
        times = clock.read()
        sent.append(sum(channel.totals.sent_bytes for channel in eyes.channels))
        return model, times

    model, times = work(Roster(bytes(32), workers), side, Door(own[rank], eyes), train)
    return model, times, sent[0]


def _by_lightgbm(rank, ports, task):
    table, label, rounds = task
    given = {**PARAMETERS, **EXACT, "verbosity": -1}
    if len(ports) > 1:
        given |= NETWORK | {"num_machines": len(ports)}
        machines = ",".join(f"127.0.0.1:{port}" for port in ports)
        if _LIB.LGBM_NetworkInit(machines.encode(), ports[rank], 2, len(ports)):
            raise RuntimeError("LightGBM's sockets do not connect")
    clock = _Clock()
    made = lightgbm.train(given, _dataset(table, label, given), num_boost_round=rounds)
    text = made.model_to_string()
    times = clock.read()
    _LIB.LGBM_NetworkFree()
    return text, times


class _Clock:
    """Seconds, and seconds of processor time, from now."""

    def __init__(self):
        self._began = time.perf_counter(), time.process_time()

    def read(self):
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


def _dataset(table, label, parameters):
    return lightgbm.Dataset(table, label, params=parameters)


def _part(case, rank, count):
    """This worker's rows: every `count`-th, or drawn for it alone."""
    name, size, columns, _ = case
    if name == "credit":
        read = pq.read_table(TABLE, columns=[*COLUMNS, LABEL])
        whole = np.column_stack([column.to_numpy() for column in read.columns]).astype(np.float64)
        return whole[rank::count, :columns], whole[rank::count, columns].astype(np.float32)
    return _drawn([7, rank, count], size // count, columns)


def _drawn(seed, size, columns):
    drawn = np.random.default_rng(seed)
    table = drawn.standard_normal((size, columns), np.float32)
    score = table[:, 0] - table[:, 1] * table[:, 2] + np.abs(table[:, 3])
    return table, (score + drawn.standard_normal(len(table)) > 0.5).astype(np.float32)


def _port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


TARGETS = {"shards": _on_shards}
QUICK = (("credit", 30_000, 23, 30, (1, 2)), ("synthetic", 1_000_000, 50, 30, (2,)))

if __name__ == "__main__":
    quick = "--quick" in sys.argv
    json.dump(measure(QUICK, 1, SHARDS[:1]) if quick else measure(), sys.stdout, indent=1)
