"""Clusters for tests: workers on threads or in processes, and the data they train on."""

import hashlib
import multiprocessing
import os
import secrets
import socket
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import lightgbm
import numpy as np

from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.boosting import boost
from moiety.enclave.collectives import Collectives
from moiety.enclave.guard import Guard
from moiety.enclave.handshake import Demands
from moiety.enclave.measure import measurement
from moiety.enclave.mesh import Door, Mesh
from moiety.enclave.peering import Side
from moiety.enclave.policy import EnclavePolicy
from moiety.enclave.roster import Roster, Worker
from moiety.enclave.verify import SimulationVerifier
from moiety.enclave.worker import watch, work
from moiety.wire.certificates import Credentials, fingerprint, make_credentials
from moiety.wire.channel import Channel
from moiety.wire.plain import pair
from moiety.wire.transport import InsecureTransport
from party_kit import outcomes

JOB = bytes([9] * 32)
PATIENT = 120
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["cluster_kit"])


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


NAMES = tuple(f"w{rank}" for rank in range(5))
CREDENTIALS = {name: make_credentials(name, 2) for name in (*NAMES, "stranger")}
PLATFORM = SimulationPlatform.make()


def roster(count, addresses=None, **changes):
    """Workers w0, w1, … at free ports."""
    addresses = addresses or [f"127.0.0.1:{free_port()}" for _ in range(count)]
    workers = tuple(
        Worker(f"w{rank}", address, fingerprint(CREDENTIALS[f"w{rank}"].certificate))
        for rank, address in enumerate(addresses)
    )
    return replace(Roster(JOB, workers), **changes)


def demands(root=None, **policy):
    root = root or PLATFORM.root_der
    accepted = {
        "measurements": frozenset({measurement()}),
        "tcb_statuses": frozenset({"UpToDate"}),
        "max_age": 86_400,
        "allow_simulation": True,
        "simulation_root_sha256": hashlib.sha256(root).digest(),
    }
    return Demands(SimulationVerifier(root), EnclavePolicy(**{**accepted, **policy}))


def side(name, **policy):
    return Side(name, SimulationAttester(PLATFORM), demands(**policy))


@contextmanager
def line(near="w0", far="w1"):
    """The two ends of a channel between workers; each sees the other under its own name."""
    secret, sockets, ends = secrets.token_bytes(32), socket.socketpair(), []
    names = (near, far)
    for index, sock in enumerate(sockets):
        transport = InsecureTransport(sock, own="", peer="", secret=secret)
        transport.own_certificate = CREDENTIALS[names[index]].certificate
        transport.peer_certificate = CREDENTIALS[names[1 - index]].certificate
        ends.append(Channel(transport, names[1 - index]))
    with ends[0], ends[1]:
        yield ends


def together(count, task, *, patience=30.0):
    """What each of `count` workers makes of a task, in threads on channels without TLS."""
    watches = [Guard(silence=20.0) for _ in range(count)]
    meshes = [Mesh(rank, {}, watches[rank], False) for rank in range(count)]
    for left in range(count):
        for right in range(left + 1, count):
            near, far = pair(
                f"w{left}", f"w{right}", left_watch=watches[left], right_watch=watches[right]
            )
            meshes[left].channels[right], meshes[right].channels[left] = near, far

    def one(mesh):
        with mesh.watch:
            found = task(Collectives(mesh, patience=patience))
            mesh.watch.finish()
            return found

    return outcomes(*(partial(one, mesh) for mesh in meshes))


# ── in processes of their own ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Setting:
    """All that a worker's process needs to be a worker."""

    roster: Roster
    rank: int
    certificate: bytes
    key: bytes
    platform: str
    listen_on: str = ""

    def work(self, task, **settings):
        attester = SimulationAttester(SimulationPlatform.load(self.platform))
        root = (self.platform / "root.der").read_bytes()
        name = self.roster.names[self.rank]
        mine = Side(name, attester, demands(root))
        door = Door(Credentials(self.certificate, self.key), watch(), self.listen_on)
        return work(self.roster, mine, door, task, **settings)


def settings_of(folder, count, routes=None):
    """The settings of `count` workers; `routes` gives the address of each as another sees it."""
    home = folder / f"platform-{secrets.token_hex(4)}"
    home.mkdir(parents=True)
    SimulationPlatform.create(home)
    real = [f"127.0.0.1:{free_port()}" for _ in range(count)]
    made = []
    for rank in range(count):
        seen = [routes(rank, peer, real[peer]) if routes else real[peer] for peer in range(count)]
        own = CREDENTIALS[f"w{rank}"]
        listed = roster(count, seen)
        made.append(Setting(listed, rank, own.certificate_pem, own.key_pem, home, real[rank]))
    return made


class Running:
    """A process that runs one call, and what the call returned or raised."""

    def __init__(self, call, *arguments):
        self._near, far = _processes.Pipe(duplex=False)
        self.process = _processes.Process(target=_run, args=(far, call, *arguments))
        self.process.start()
        far.close()

    def close(self):
        self._near.close()

    def result(self, timeout=PATIENT):
        if not self._near.poll(timeout):
            self.process.kill()
            raise AssertionError(f"no result within {timeout} s")
        good, found = self._near.recv()
        self.process.join(timeout)
        assert good, found
        return found


def _run(pipe, call, *arguments):
    try:
        pipe.send((True, call(*arguments)))
    except BaseException as error:
        pipe.send((False, f"{type(error).__name__}: {error}\n{traceback.format_exc()}"))
        pipe.close()
        os._exit(1)


def results(calls, timeout=PATIENT):
    running = [Running(*call) for call in calls]
    try:
        return [one.result(timeout) for one in running]
    finally:
        for one in running:
            one.process.kill()
            one.process.join()


# ── data to train on ────────────────────────────────────────────────────────────────────────


def rows(count, columns=12, *, wide=False):
    """Rows with a categorical column (0) and missing values, and outcomes that depend on them.

    Wide outcomes differ by many powers of ten: the order of their sum changes its last bits.
    """
    drawn = np.random.default_rng(5)
    table = drawn.normal(size=(count, columns))
    table[:, 0] = drawn.integers(0, 9, count)
    table[:, -2:] = np.round(table[:, -2:])
    table[drawn.random((count, columns)) < 0.07] = np.nan
    score = np.nan_to_num(table[:, -1] - table[:, -2]) + (np.nan_to_num(table[:, 0]) % 3 == 1)
    outcome = (score + drawn.normal(size=count) > 0.3).astype(np.float32)
    return table, (score * 10 ** drawn.uniform(-9, 6, count) if wide else outcome)


def shard(whole, rank, count):
    return tuple(np.ascontiguousarray(part[rank::count]) for part in whole)


def dataset(table, label, parameters):
    return lightgbm.Dataset(table, label, params=parameters, categorical_feature=[0])


def by_sockets(rank, ports, data, parameters, rounds, seen=None):
    """LightGBM's model as trained over its own sockets."""
    seen = seen or ports
    machines = ",".join(f"127.0.0.1:{port}" for port in seen)
    network = {
        "machines": machines,
        "local_listen_port": ports[rank],
        "num_machines": len(ports),
        "tree_learner": "data",
        "pre_partition": True,
        "time_out": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    given = {**parameters, **network}
    return lightgbm.train(given, dataset(*data, given), rounds).model_to_string()


def by_channels(setting, data, parameters, rounds):
    return setting.work(
        lambda together: boost(together, partial(dataset, *data), parameters, rounds=rounds)
    )


def wait_until(true, timeout=20.0):
    ended = threading.Event()
    for _ in range(int(timeout / 0.02)):
        if true():
            return
        ended.wait(0.02)
    raise AssertionError("it did not happen in time")
