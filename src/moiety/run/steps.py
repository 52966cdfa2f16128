"""The steps of a run as people and machines see them: begun, under way, done."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run: `state` is begun, under way, done or noted."""

    step: str
    state: str
    text: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0


Listener = Callable[[Event], None]


def silent(_: Event) -> None:
    """Listens to nothing."""


@dataclass
class Steps:
    """Tells a listener what runs now, and keeps what each finished step took."""

    listener: Listener = silent
    current: str = "start"
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, text: str) -> Iterator["Step"]:
        """Runs one step; on success its `result` and seconds are told."""
        self.current = name
        self.listener(Event(name, "begun", text))
        begun = time.monotonic()
        step = Step(name, self.listener)
        yield step
        self.seconds[name] = time.monotonic() - begun
        self.listener(Event(name, "done", step.result, seconds=self.seconds[name]))

    def progress(self, done: int, total: int) -> None:
        """Tells how far the current step is."""
        self.listener(Event(self.current, "under way", done=done, total=total))

    def note(self, text: str) -> None:
        """Tells something worth knowing within the current step."""
        self.listener(Event(self.current, "noted", text))


@dataclass
class Step:
    """One step under way; `result` is the sentence told when it is done."""

    name: str
    listener: Listener
    result: str = ""

    def progress(self, done: int, total: int) -> None:
        """Tells how far the step is."""
        self.listener(Event(self.name, "under way", done=done, total=total))
