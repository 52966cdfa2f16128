"""A small stage for whole jobs, and real processes of `moiety` that a test can watch and stop.

A process is forked from a server that has imported `moiety` already, then runs its `main` with its
own arguments, folders, standard output and error; nothing in it knows of the test.
"""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from moiety.agreement.manifest import load_job
from moiety.cli import console
from moiety.cli.main import main
from moiety.cli.stage import Stage, Terms, set_stage
from moiety.data.credit import ID, CreditSplit, split_credit
from moiety.data.ids import normalise_id
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.guard import Patience
from moiety.enclave.serve import serve
from moiety.party.config import load_party
from moiety.party.predict import Scores
from moiety.party.spent import SpentIds
from moiety.wire.certificates import make_credentials

CLIENTS, APPLICANTS, ALONE = 240, 40, 15
KEPT = "(kept from an earlier run)"
TERMS = Terms(max_rows=400, min_common=20, predictions=60)
SOON = 5.0
"""Within so many seconds the others must have stopped."""
PATIENT = 60.0
INTRODUCTION = 1.0
"""So many seconds the kit's service gives a caller to say who it is."""

_servers = multiprocessing.get_context("forkserver")
_servers.set_forkserver_preload(["__main__", "moiety.cli.main", "job_kit"])


# ── the stage ───────────────────────────────────────────────────────────────────────────────


@cache
def small_split():
    """A few hundred people of the credit data: common clients and applicants, and some alone."""
    whole = split_credit("thin", seed=3)
    known = set(_ids(whole.payco))
    lender, alone = _divide(whole.lender, known)
    applicants, new = _divide(whole.applicants, known)
    clients, chosen = lender.slice(0, CLIENTS), applicants.slice(0, APPLICANTS)
    common, others = _divide(whole.payco, set(_ids(clients)) | set(_ids(chosen)))
    return CreditSplit(
        lender=pa.concat_tables([clients, alone.slice(0, ALONE)]),
        applicants=pa.concat_tables([new.slice(0, ALONE), chosen]),
        payco=pa.concat_tables([others.slice(0, ALONE), common]),
    )


def _ids(table):
    return [normalise_id(one) for one in table[ID].to_pylist()]


def _divide(table, wanted):
    mask = pa.array([one in wanted for one in _ids(table)])
    return table.filter(mask), table.filter(pc.invert(mask))


def make_stage(folder, terms=TERMS):
    return set_stage(folder, small_split(), terms)


@cache
def base():
    """One stage for all tests; whoever spoils one takes a copy."""
    return make_stage(Path(mkdtemp(prefix="moiety-stage-")))


def scores(play):
    """What the lender has learnt so far, by id."""
    return Scores(play.job_folder("lender")).read()


def spent(play, name):
    """The ids that a party has written down as scored."""
    key = load_party(play.homes[name]).signing_key.derive(load_job(play.job).hash)
    return SpentIds(play.job_folder(name), key)


class Play(Stage):
    """A copy of the stage: the same keys, tables, job and signatures, and no run yet."""

    def edit(self, path, old, new):
        """Replaces one text in a file of the stage."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text, (path, old)
        file.write_text(text.replace(old, new), encoding="utf-8")

    def job_folder(self, name):
        """The folder with this party's runs of the one job."""
        (folder,) = (self.homes[name] / "jobs").iterdir()
        return folder


def copy_stage(folder):
    shutil.copytree(base().folder, folder)
    return Play(folder, base().split, base().enclave_address)


# ── processes ───────────────────────────────────────────────────────────────────────────────


class Process:
    """One process: its events as they come, and what it said at the end."""

    def __init__(self, who, folder, target, *arguments):
        self.who, self.events, self.noise = who, [], []
        self._changed, self._hooks, self._deaf = threading.Condition(), [], False
        folder.mkdir(parents=True, exist_ok=True)
        self._out, pipe = folder / "stdout", folder / "stderr"
        os.mkfifo(pipe)
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()
        self._process = _servers.Process(
            target=_redirected, args=(str(self._out), str(pipe), target, *arguments)
        )
        self._process.start()

    def on(self, step, state, action):
        """Calls `action` as soon as the process tells such an event."""
        self._hooks.append((step, state, action))
        return self

    def wait_for(self, step, state="done", text=""):
        """Returns once such an event was told; fails if it never is."""

        def told():
            return any(
                (event["step"], event["state"]) == (step, state) and text in event.get("text", "")
                for event in self.events
            )

        with self._changed:
            self._changed.wait_for(lambda: told() or not self._reader.is_alive(), PATIENT)
            assert told(), f"{self.who} never told {step} {state} {text}:\n{self.story()}"

    def signal(self, number):
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def deafen(self):
        """Nobody reads what it tells from now on."""
        self._deaf = True

    @property
    def alive(self):
        return self._process.is_alive()

    def end(self, timeout=PATIENT):
        """The exit code; fails if the process does not end in time."""
        self._process.join(timeout)
        assert not self.alive, f"{self.who} still runs after {timeout} s:\n{self.story()}"
        self._reader.join(SOON)
        return self._process.exitcode

    @property
    def body(self):
        """What it printed: one line of JSON."""
        (line,) = self._out.read_text().splitlines()
        return json.loads(line)

    @property
    def error(self):
        """Its sentence; there is nothing else on its standard output, and no noise."""
        assert self.noise == [], self.story()
        assert self.body["exit_code"] == self._process.exitcode
        return self.body["error"]

    def told(self, state="noted"):
        """The sentences of all events of that state, by step."""
        return [(each["step"], each.get("text", "")) for each in self.events_of(state)]

    def events_of(self, state):
        return [event for event in self.events if event["state"] == state]

    def result(self, step):
        """The sentence with which a step ended."""
        return next(text for name, text in self.told("done") if name == step)

    def story(self):
        lines = [f"{each['step']} {each['state']} {each.get('text', '')}" for each in self.events]
        return "\n".join([self.who, *lines, *self.noise, self._out.read_text()[:2000]])

    def stop(self):
        """Ends the process whatever it does."""
        if self.alive:
            self.kill()
            self._process.join()

    def _read(self, pipe):
        with open(pipe, encoding="utf-8") as stream:
            for line in stream:
                self._hear(line.rstrip())
                if self._deaf:
                    break
        with self._changed:
            self._changed.notify_all()

    def _hear(self, line):
        try:
            event = json.loads(line)["event"]
        except (ValueError, KeyError, TypeError):
            self.noise.append(line)
            return
        for hook in [one for one in self._hooks if one[:2] == (event["step"], event["state"])]:
            self._hooks.remove(hook)
            hook[2]()
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()


def _redirected(output, events, target, *arguments):
    """In the child: standard output and error go where the test reads them."""
    for path, flags, to in ((output, os.O_WRONLY | os.O_CREAT, 1), (events, os.O_WRONLY, 2)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, to)
        os.close(opened)
    target(*arguments)


def run_main(*arguments):
    sys.argv = ["moiety", *arguments]
    main()


def run_service(address, platform):
    """The enclave's service as `enclave serve` starts it, with less patience for callers."""
    serve(
        address,
        credentials=make_credentials("enclave", 1),
        attester=SimulationAttester(SimulationPlatform.load(Path(platform))),
        listener=console.listener("enclave", as_json=True),
        patience=Patience(introduction=INTRODUCTION),
    )


class Company:
    """The processes of one test; all are ended with it."""

    def __init__(self, folder):
        self._folder = folder
        self.members = []

    def start(self, who, target, *arguments):
        place = self._folder / f"{who}-{len(self.members)}"
        self.members.append(Process(who, place, target, *arguments))
        return self.members[-1]

    def run(self, play, *names):
        """Starts these processes of a play, by the commands that its demo would use."""
        commands = play.commands()
        return [self.start(name, run_main, *commands[name], "--json") for name in names]

    def serve(self, stage):
        """An enclave that serves job after job; it listens when this returns."""
        platform = str(stage.folder / "enclave" / "platform")
        enclave = self.start("enclave", run_service, stage.enclave_address, platform)
        enclave.wait_for("start", "noted", "listening on")
        return enclave

    def stop(self):
        for member in self.members:
            member.stop()


# ── fixtures ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def play(tmp_path):
    """A copy of the stage that a test may spoil."""
    return copy_stage(tmp_path / "stage")


@pytest.fixture
def company(tmp_path):
    """What starts processes, and ends them with the test."""
    company = Company(tmp_path / "processes")
    yield company
    company.stop()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One enclave that serves all tests of a file, one after the other."""
    company = Company(tmp_path_factory.mktemp("service"))
    yield company.serve(base())
    company.stop()


def seconds(call):
    """How long a call took."""
    began = time.monotonic()
    call()
    return time.monotonic() - began
