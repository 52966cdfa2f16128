"""The ways that are compared, and one real run of each: processes, sockets, reports, views."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moiety.agreement.record import verify_record
from moiety.agreement.signing import public_key
from moiety.cli.compare.task import Task
from moiety.cli.processes import Child, Tell, run_all
from moiety.cli.stage import Stage, Terms, set_stage
from moiety.party.config import load_party
from moiety.report.content import PartyReport
from moiety.report.stored import from_json

EPSILONS = (1.0, 3.0, 8.0)
Link = tuple[str, str]
"""From whom, to whom."""


@dataclass(frozen=True)
class Way:
    """One way to do the task; what must be trusted is a fact about it, not a measurement."""

    name: str
    terms: Terms = field(repr=False)
    trust: str
    hardware: str = "none"
    epsilon: float | None = None
    """Of a row's representation; None where nothing has noise."""


@dataclass(frozen=True, repr=False)
class Run:
    """What one run left behind."""

    way: Way
    stage: Stage
    seconds: float
    children: Mapping[str, Child]
    report: PartyReport
    """The receiver's."""
    traffic: Mapping[Link, int]
    """Payload bytes on each link."""
    views: Mapping[str, Path]

    def __repr__(self) -> str:
        return f"Run({self.way.name}, {self.seconds:.1f} s)"

    @property
    def rounds(self) -> int:
        """Messages that had to wait for the one before, between the two parties."""
        return sum(step.measured.rounds for step in self.report.steps)


def ways(task: Task) -> tuple[Way, ...]:
    """All ways that this version has, in the order of the table."""
    host = "the enclave's vendor and code"
    transformed = tuple(
        Way(
            f"transform, ε = {epsilon:g}",
            task.transform(epsilon),
            trust="nobody: each row's noise is its protection",
            epsilon=epsilon,
        )
        for epsilon in EPSILONS
    )
    return (
        *transformed,
        Way(
            "enclave",
            task.terms(scored_by="enclave"),
            trust=f"{host}: with all rows, the model, all scores",
            hardware="SGX; simulated here",
        ),
        Way(
            "enclave → MPC",
            task.terms(),
            trust=f"{host}: with training rows and the model; with applicants, against collusion",
            hardware="SGX for training; simulated here",
        ),
        Way(
            "MPC, profile dealer",
            task.terms(training="mpc", dealer=True),
            trust="a dealer: not to collude with a party, and to deal honestly",
        ),
    )


def run_way(task: Task, way: Way, folder: Path, tell: Tell) -> Run:
    """One run, in folders and processes of its own.

    Raises:
        MoietyError: a process failed, with its own sentence.
    """
    stage = set_stage(folder, task.actors, way.terms)
    views = {name: folder / f"{name}.view" for name in stage.homes}
    commands = stage.commands()
    for name, view in views.items():
        commands[name] += ["--view", str(view)]
    began = time.perf_counter()
    children = run_all(commands, tell=tell)
    seconds = time.perf_counter() - began
    return Run(
        way=way,
        stage=stage,
        seconds=seconds,
        children=children,
        report=from_json(_report(stage, task.receiver.name).read_text(encoding="utf-8")),
        traffic=_traffic(stage),
        views=views,
    )


def _report(stage: Stage, name: str) -> Path:
    return stage.page(name).with_name("report.json")


def _traffic(stage: Stage) -> dict[Link, int]:
    """Bytes on each link, as the parties' records tell."""
    found = {}
    for name in stage.homes:
        (path,) = stage.page(name).parent.glob("record-*.jsonl")
        key = public_key(load_party(stage.homes[name]).signing_key.public)
        for entry in verify_record(path, key).entries:
            if entry.event == "traffic":
                peer = str(entry.body["peer"])
                found[(name, peer)] = int(str(entry.body["sent"]))
                found[(peer, name)] = int(str(entry.body["received"]))
    return found
