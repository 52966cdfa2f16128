"""Whole jobs in real processes: parties by `moiety run`, and an enclave that serves one or many."""

import sys
from pathlib import Path

import pytest

from moiety.cli import console
from moiety.cli.main import main
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.guard import Patience
from moiety.enclave.serve import serve
from moiety.wire.certificates import make_credentials
from process_kit import Process
from stage_kit import base, copy_stage

KEPT = "(kept from an earlier run)"
INTRODUCTION = 1.0
"""So many seconds the kit's service gives a caller to say who it is."""


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
        enclave = self.start("enclave", run_service, stage.address, platform)
        enclave.wait_for("start", "noted", "listening on")
        return enclave

    def stop(self):
        for member in self.members:
            member.stop()


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
