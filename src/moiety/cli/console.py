"""What the terminal shows: results on standard output, everything else on standard error.

Texts of partners (a job's purpose, a peer's last words) are shown as text: no markup, no control
characters.
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.markup import escape

from moiety.run.steps import Event

stderr = Console(stderr=True, highlight=False, soft_wrap=True)
stdout = Console(highlight=False)


def out(text: str) -> None:
    """Prints a result, unstyled."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(body: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Prints a result for a machine or for a person."""
    out(json.dumps(body) if as_json else printable(text))


def problem(what: str, hint: str) -> None:
    """Prints an error in one sentence, and its hint."""
    stderr.print(f"[bold red]error:[/] {shown(what)}")
    if hint:
        stderr.print(f"[cyan]hint:[/]  {shown(hint)}")


def printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def shown(text: str) -> str:
    """The text as it is, for printing among markup."""
    return escape(printable(text))


def listener(who: str, *, as_json: bool) -> Callable[[Event], None]:
    """A listener that prints each event of a run, as a line of JSON or for a person."""
    if as_json:
        return lambda event: _machine(who, event)
    return lambda event: person(who, event)


def _machine(who: str, event: Event) -> None:
    """Prints one event; that nobody reads any more is no reason to end a job."""
    line = {"who": who, **{key: value for key, value in vars(event).items() if value}}
    with suppress(BrokenPipeError):
        sys.stderr.write(json.dumps({"event": line}) + "\n")
        sys.stderr.flush()


_COLOURS = ("green", "magenta", "blue", "yellow")


def person(who: str, event: Event) -> None:
    """Prints one event: finished steps with their seconds, notes, and progress on a terminal."""
    colour = _COLOURS[sum(who.encode()) % len(_COLOURS)]
    name = f"[{colour}]{shown(who):>9}[/]"
    if event.state == "done":
        stderr.print(f"{name} [green]✓[/] {shown(event.text)} [dim]{event.seconds:.1f} s[/]")
    elif event.state == "noted":
        style = "bold red" if "SIMULATED" in event.text else "dim"
        stderr.print(f"{name} · [{style}]{shown(event.text)}[/]")
    elif event.state == "begun" and stderr.is_terminal:
        stderr.print(f"{name} [dim]… {shown(event.text)}[/]", end="\r")
    elif event.state == "under way" and stderr.is_terminal and event.total:
        share = 100 * event.done // event.total
        stderr.print(f"{name} [dim]… {event.step} {share:3d} %[/]{' ' * 30}", end="\r")
