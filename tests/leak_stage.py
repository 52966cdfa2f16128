"""A job in real processes that stand still to be looked at, over wires that keep all they carry."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from moiety.cli.stage import Stage, Terms, set_stage
from moiety.cli.stories import credit
from moiety.data.credit import ID, CreditSplit, split_credit
from moiety.data.ids import normalise_id

PATIENCE = 120.0
CLIENTS, APPLICANTS, ALONE = 600, 200, 100


# ── the stage ───────────────────────────────────────────────────────────────────────────────


def small_stage(folder: Path, model: str) -> Stage:
    """A job with some hundred people of the credit data; a fifth of each party's are its own."""
    whole = split_credit("thin", seed=5)
    lender, applicants = whole.lender.slice(0, CLIENTS), whole.applicants.slice(0, APPLICANTS)
    known = {*_ids(lender), *_ids(applicants)}
    keep = np.array([one in known for one in _ids(whole.payco)])
    keep[np.flatnonzero(~keep)[:ALONE]] = True
    split = CreditSplit(lender, applicants, whole.payco.filter(pa.array(keep)))
    terms = Terms(model=model, max_rows=2000, min_common=100, predictions=APPLICANTS)
    return set_stage(folder, credit(split), terms)


def _ids(table: pa.Table) -> list[str]:
    return [normalise_id(one) for one in table[ID].to_pylist()]


# ── wires ───────────────────────────────────────────────────────────────────────────────────


class Relay:
    """A wire to `target` that keeps what the caller `sent` and what was `answered`."""

    def __init__(self, target: str) -> None:
        self.sent, self.answered = bytearray(), bytearray()
        self._target = target
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.address = f"127.0.0.1:{self._sockets[0].getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        """One call: a job calls each address once."""
        with suppress(OSError):
            caller = self._sockets[0].accept()[0]
            self._sockets.append(caller)
            callee = self._dial()
            self._sockets.append(callee)
            back = threading.Thread(target=_pump, args=(callee, caller, self.answered))
            self._threads.append(back)
            back.start()
            _pump(caller, callee, self.sent)

    def _dial(self) -> socket.socket:
        """The callee may not listen yet."""
        host, port = self._target.split(":")
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection((host, int(port)))
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join()


def _pump(source: socket.socket, sink: socket.socket, record: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            record += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def tapped(stage: Stage) -> Iterator[dict[str, Relay]]:
    """Leads all three connections of a stage over relays: the parties' own, and to the enclave."""
    payco = stage.homes["payco"] / "party.toml"
    (lender_address,) = (
        line.split('"')[1] for line in payco.read_text().splitlines() if line.startswith("address")
    )
    relays = {name: Relay(stage.address) for name in stage.homes}
    relays["peers"] = Relay(lender_address)
    for name, home in stage.homes.items():
        _replace(home / "party.toml", stage.address, relays[name].address)
    _replace(payco, lender_address, relays["peers"].address)
    try:
        yield relays
    finally:
        for relay in relays.values():
            relay.close()


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


# ── processes ───────────────────────────────────────────────────────────────────────────────

Look = Callable[[str, str, int], None]

_STOPPING = """
import os, resource, signal, sys
from moiety.cli import console, main

def stop(moment):
    if moment == core:
        if os.fork() == 0:
            os.abort()
        os.wait()
    os.kill(os.getpid(), signal.SIGSTOP)

def tell_and_stop(who, event):
    tell(who, event)
    moment = f"{event.step} {event.state}"
    if moment in moments:
        moments.remove(moment)
        stop(moment)

most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
moments, core = set(sys.argv.pop(1).split(",")), sys.argv.pop(1)
tell, console._machine = console._machine, tell_and_stop
main()
"""
"""The command `moiety`, which stops itself right after it told of certain moments.

At one of them its copy is aborted first, so that the kernel writes the core of all its memory.
"""


def run_and_look(
    stage: Stage, moments: Mapping[str, list[str]], cores: Mapping[str, str], look: Look
) -> None:
    """Runs the job to its end; at its moments each process stands still while `look` is called.

    What each prints is in the stage's folder `logs`; in its own folder under `tmp` it works, and
    there its core is and its temporary files would be.
    """
    (stage.folder / "logs").mkdir()
    children = {
        who: _start(
            who, [",".join(moments.get(who, [])), cores.get(who, ""), *command], stage.folder
        )
        for who, command in stage.commands().items()
    }
    with ThreadPoolExecutor(len(children)) as pool:
        try:
            jobs = [pool.submit(_follow, *one, stage.folder, look) for one in children.items()]
            ended, running = wait(jobs, timeout=PATIENCE, return_when=FIRST_EXCEPTION)
        finally:
            for child in children.values():
                if child.returncode is None:
                    os.kill(child.pid, signal.SIGKILL)
    for job in (*ended, *running):
        job.result()


def _start(who: str, arguments: list[str], folder: Path) -> subprocess.Popen:
    place = folder / "tmp" / who
    place.mkdir(parents=True)
    with (
        (folder / "logs" / f"{who}.out").open("wb") as out,
        (folder / "logs" / f"{who}.err").open("wb") as err,
    ):
        return subprocess.Popen(
            [sys.executable, "-c", _STOPPING, *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=place,
            env={**os.environ, "TMPDIR": str(place), "HOME": str(place)},
        )


def _follow(who: str, child: subprocess.Popen, folder: Path, look: Look) -> None:
    out, err = (folder / "logs" / f"{who}.{end}" for end in ("out", "err"))
    while True:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            child.returncode = os.waitstatus_to_exitcode(status)
            assert child.returncode == 0, f"{who} failed: {out.read_text()} {err.read_text()}"
            return
        event = json.loads(err.read_text().splitlines()[-1])["event"]
        look(who, f"{event['step']} {event['state']}", child.pid)
        os.kill(child.pid, signal.SIGCONT)
