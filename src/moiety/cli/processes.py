"""The demo's three processes, and their progress in one stream."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from moiety.cli import console
from moiety.cli.stage import Stage
from moiety.errors import MoietyError
from moiety.run.steps import Event


@dataclass
class Child:
    """One process of the demo: who it is, and what it said."""

    who: str
    process: subprocess.Popen[str]
    output: str = ""
    error: dict[str, str] = field(default_factory=dict)


def run_all(stage: Stage, *, as_json: bool) -> dict[str, str]:
    """Starts enclave, lender and payco, relays their progress, and returns what each printed.

    Raises:
        MoietyError: a process failed; the first failure is told with its own sentence.
    """
    children = [_start(who, command) for who, command in stage.commands().items()]
    threads = [threading.Thread(target=_relay, args=(child, as_json)) for child in children]
    for thread in threads:
        thread.start()
    try:
        for child in children:
            child.output = child.process.stdout.read() if child.process.stdout else ""
            child.process.wait()
    finally:
        _stop(children)
        for thread in threads:
            thread.join()
    _raise_first(children)
    return {child.who: child.output for child in children}


def _start(who: str, command: Iterable[str]) -> Child:
    process = subprocess.Popen(
        [sys.executable, "-m", "moiety", *command, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Child(who, process)


def _relay(child: Child, as_json: bool) -> None:
    for line in child.process.stderr or ():
        try:
            event = json.loads(line)["event"]
        except (ValueError, KeyError, TypeError):
            console.stderr.print(f"{child.who}: {line.rstrip()}", markup=False)
            continue
        if as_json:
            console.stderr.print(line.rstrip(), markup=False)
        else:
            console.person(event.pop("who"), Event(**event))


def _stop(children: list[Child]) -> None:
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
            child.process.wait()


def _raise_first(children: list[Child]) -> None:
    for child in children:
        if child.process.returncode:
            body = json.loads(child.output or "{}")
            error = MoietyError(
                f"{child.who}: {body.get('error', f'exit {child.process.returncode}')}",
                hint=body.get("hint", ""),
            )
            error.exit_code = child.process.returncode
            raise error
