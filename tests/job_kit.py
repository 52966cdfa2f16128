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
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa

from moiety.cli.main import main
from moiety.cli.stage import Stage, Terms, set_stage
from moiety.data.credit import ID, CreditSplit, split_credit
from moiety.data.ids import normalise_id

CLIENTS, APPLICANTS, ALONE = 240, 40, 15
TERMS = Terms(max_rows=400, min_common=20, predictions=60)
SOON = 5.0
"""Within so many seconds the others must have stopped."""
PATIENT = 40.0

_servers = multiprocessing.get_context("forkserver")
_servers.set_forkserver_preload(["moiety.cli.main"])


# ── the stage ───────────────────────────────────────────────────────────────────────────────


@cache
def small_split():
    """A few hundred people of the credit data: common clients and applicants, and some alone."""
    whole = split_credit("thin", seed=3)
    known = set(_ids(whole.payco))
    lender, alone = _divide(whole.lender, known)
    applicants, new = _divide(whole.applicants, known)
    clients = lender.slice(0, CLIENTS)
    chosen = applicants.slice(0, APPLICANTS)
    wanted = set(_ids(clients)) | set(_ids(chosen))
    common, others = _divide(whole.payco, wanted)
    return CreditSplit(
        lender=pa.concat_tables([clients, alone.slice(0, ALONE)]),
        applicants=pa.concat_tables([new.slice(0, ALONE), chosen]),
        payco=pa.concat_tables([others.slice(0, ALONE), common]),
    )


def _ids(table):
    return [normalise_id(one) for one in table[ID].to_pylist()]


def _divide(table, wanted):
    mask = pa.array([one in wanted for one in _ids(table)])
    return table.filter(mask), table.filter(pa.compute.invert(mask))


class Play:
    """A copy of a stage, with its own keys' jobs and records: what one test may spoil."""

    def __init__(self, stage):
        self.stage = stage
        self.folder = stage.folder
        self.homes = stage.homes

    def edit(self, path, old, new):
        """Replaces one text in a file of the stage."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) >= 1, (path, old)
        file.write_text(text.replace(old, new), encoding="utf-8")

    def job_folder(self, name):
        """The one folder with this party's run."""
        (folder,) = (self.homes[name] / "jobs").iterdir()
        return folder

    def command(self, who):
        return self.stage.commands()[who]


def copy_stage(base, folder):
    """The stage with the same keys, tables, job and signatures, and no run yet."""
    shutil.copytree(base.folder, folder)
    return Play(Stage(folder, base.split, base.enclave_address))


def make_stage(folder, terms=TERMS):
    return set_stage(folder, small_split(), terms)


# ── processes ───────────────────────────────────────────────────────────────────────────────


class Process:
    """One `moiety` process: its events as they come, and what it said at the end."""

    def __init__(self, who, arguments, folder):
        self.who = who
        self.events = []
        self.noise = []
        self._changed = threading.Condition()
        self._hooks = []
        folder.mkdir(parents=True, exist_ok=True)
        self._out, pipe = folder / f"{who}-{time.monotonic_ns()}.out", folder / "events.pipe"
        os.mkfifo(pipe)
        self._process = _servers.Process(
            target=_run, args=([*arguments, "--json"], str(self._out), str(pipe))
        )
        self._process.start()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def on(self, step, state, action, done=0):
        """Calls `action` as soon as the process tells such an event."""
        self._hooks.append((step, state, done, action))
        return self

    def wait_for(self, step, state="done", text="", timeout=PATIENT):
        """The first event of that kind, which may have happened already."""
        found = []

        def there():
            found[:] = [
                event
                for event in self.events
                if (event["step"], event["state"]) == (step, state)
                and text in event.get("text", "")
            ]
            return found or not self._reader.is_alive()

        with self._changed:
            self._changed.wait_for(there, timeout)
        assert found, f"{self.who} never told {step} {state} {text}:\n{self.story()}"
        return found[0]

    def signal(self, number):
        os.kill(self._process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    @property
    def alive(self):
        return self._process.is_alive()

    def end(self, timeout=PATIENT):
        """The exit code; fails if the process does not end in time."""
        self._process.join(timeout)
        assert not self.alive, f"{self.who} still runs after {timeout} s:\n{self.story()}"
        self._reader.join(5)
        return self._process.exitcode

    @property
    def output(self):
        return self._out.read_text() if self._out.exists() else ""

    @property
    def body(self):
        """The JSON on its standard output: exactly one line."""
        (line,) = self.output.splitlines()
        return json.loads(line)

    @property
    def error(self):
        return self.body["error"]

    def done(self, step):
        """The sentences of that step's ends."""
        return [
            event["text"]
            for event in self.events
            if (event["step"], event["state"]) == (step, "done")
        ]

    def notes(self):
        return [event["text"] for event in self.events if event["state"] == "noted"]

    def story(self):
        told = [f"{event['step']} {event['state']} {event.get('text', '')}" for event in self.events]
        return "\n".join([*told, *self.noise, self.output])

    def stop(self):
        """Ends the process whatever it does."""
        if self.alive:
            self.kill()
            self._process.join()

    def _read(self, pipe):
        with open(pipe, encoding="utf-8") as stream:
            for line in stream:
                try:
                    event = json.loads(line)["event"]
                except (ValueError, KeyError, TypeError):
                    self.noise.append(line.rstrip())
                    continue
                for hook in list(self._hooks):
                    step, state, done, action = hook
                    if (event["step"], event["state"]) == (step, state) and (
                        event.get("done", 0) >= done
                    ):
                        self._hooks.remove(hook)
                        action()
                with self._changed:
                    self.events.append(event)
                    self._changed.notify_all()
        os.unlink(pipe)
        with self._changed:
            self._changed.notify_all()


def _run(arguments, output, events):
    """In the child: standard output and error go where the test reads them; then `moiety`."""
    for path, flags, descriptor in ((output, os.O_WRONLY | os.O_CREAT, 1), (events, os.O_WRONLY, 2)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["moiety", *arguments]
    main()
