"""A real process that a test can watch, hold and kill at any of its events.

It is forked from a server that has imported `moiety` already, then runs a function with its own
standard output and error; nothing in it knows of the test.
"""

import json
import multiprocessing
import os
import signal
import threading
from contextlib import suppress

SOON = 5.0
"""Within so many seconds a process must have stopped that has a reason to."""
PATIENT = 60.0

_servers = multiprocessing.get_context("forkserver")
_servers.set_forkserver_preload(["__main__", "moiety.cli.main", "job_kit"])


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
