"""Commands run in this process, as fixtures: what a person sees and what a machine reads."""

import json
import shutil
import sys

import pytest

from moiety.cli.main import main
from party_kit import stage


@pytest.fixture
def moiety(monkeypatch, capsys):
    """Runs one command; returns its exit code, standard output and standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["moiety", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return ended.value.code or 0, out, err

    return call


@pytest.fixture
def fails(moiety):
    """The sentence with which a command fails, for a person and for a machine alike."""

    def call(code, *arguments):
        plain, out, err = moiety(*arguments)
        assert plain == code and not out
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, err
        again, out, events = moiety(*arguments, "--json")
        assert again == code and all("event" in json.loads(line) for line in events.splitlines())
        (line,) = out.splitlines()
        body = json.loads(line)
        assert set(body) == {"error", "hint", "exit_code"} and body["exit_code"] == code
        assert body["error"].splitlines()[0] == errors[0].removeprefix("error: ").strip()
        assert bool(body["hint"]) == ("\nhint:" in err)
        return body["error"]

    return call


@pytest.fixture
def home(tmp_path):
    """The lender's folder of the common stage, to be spoilt."""
    shutil.copytree(stage().homes["lender"], tmp_path / "lender")
    return tmp_path / "lender"
