"""The demo's three processes, and their progress in one stream."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from signal import SIGTERM

from moiety.cli import console
from moiety.errors import MoietyError, PeerError
from moiety.run.steps import Event

GRACE = 10.0
Tell = Callable[[str, str], None]
"""Gets each line of a process's progress, and who it is."""


@dataclass
class Child:
    """One process of the demo: who it is, and what it said."""

    who: str
    process: subprocess.Popen[str]
    output: str = ""
    peak: int = 0
    """The most memory that it held, in bytes; known when it has ended."""
    processor: float = 0.0
    """Seconds of processor time."""

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        process = self.process
        if process.returncode is None:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not pid:
                return None
            process.returncode = os.waitstatus_to_exitcode(status)
            self.peak = usage.ru_maxrss * 1024
            self.processor = usage.ru_utime + usage.ru_stime
        return process.returncode


def run_all(commands: Mapping[str, list[str]], *, tell: Tell) -> dict[str, Child]:
    """Starts a process for each of these, relays their progress, and returns them when they ended.

    Raises:
        MoietyError: a process failed; the cause is told with its own sentence.
    """
    children = [_start(who, command) for who, command in commands.items()]
    threads = [
        threading.Thread(target=reader, args=(child, tell))
        for child in children
        for reader in (_relay, _collect)
    ]
    for thread in threads:
        thread.start()
    try:
        _wait(children)
    finally:
        _stop(children)
        for thread in threads:
            thread.join()
    _raise_cause(children)
    return {child.who: child for child in children}


def _wait(children: list[Child]) -> None:
    """Until all have ended, or GRACE seconds after one has failed."""
    failed = 0.0
    while None in (codes := [child.ended() for child in children]):
        if any(codes):
            failed = failed or time.monotonic()
            if time.monotonic() - failed > GRACE:
                return
        time.sleep(0.05)


def _start(who: str, command: Iterable[str]) -> Child:
    process = subprocess.Popen(
        [sys.executable, "-m", "moiety", *command, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Child(who, process)


def _collect(child: Child, tell: Tell) -> None:
    with child.process.stdout or io.StringIO() as stream:
        child.output = stream.read()


def _relay(child: Child, tell: Tell) -> None:
    with child.process.stderr or io.StringIO() as stream:
        for line in stream:
            tell(child.who, line.rstrip())


def told(who: str, line: str) -> None:
    """A line of a process's progress, as JSON."""
    console.stderr.print(line if line.startswith("{") else f"{who}: {line}", markup=False)


def shown(who: str, line: str) -> None:
    """The same for people."""
    try:
        fields = json.loads(line)["event"]
        event = Event(**{name: fields[name] for name in fields if name != "who"})
    except (ValueError, KeyError, TypeError):
        console.stderr.print(f"{who}: {line}", markup=False)
        return
    console.person(who, event)


def unheard(who: str, line: str) -> None:
    """Nothing: the process works unheard."""


def _stop(children: list[Child]) -> None:
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
    for child in children:
        try:
            child.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def _raise_cause(children: list[Child]) -> None:
    """The failure that is not just another process's end, if there is one."""
    failed = [child for child in children if child.process.returncode]
    failed.sort(key=lambda child: child.process.returncode in (PeerError.exit_code, -SIGTERM))
    for child in failed:
        what, hint = _last_words(child)
        error = MoietyError(f"{child.who}: {what}", hint=hint)
        error.exit_code = max(child.process.returncode, 1)
        raise error


def _last_words(child: Child) -> tuple[str, str]:
    """The error and hint that a failed process printed as JSON; else how it ended."""
    code = child.process.returncode
    try:
        body = json.loads(child.output.splitlines()[-1])
        return str(body["error"]), str(body["hint"])
    except (ValueError, IndexError, KeyError, TypeError):
        return (f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"), ""
