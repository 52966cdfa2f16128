"""docs/language.md shows the example as it is, and what is printed of it as it is printed."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from learn_kit import opened
from moiety import From, Kept, Results, secure
from moiety.cli.main import app
from moiety.function.runner import Owned
from moiety.run.local import Clear, Twin

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "score.py"
PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
SHAPES = {"x": (1000, 10), "z": (1000, 4), "w": (10,), "v": (4,)}


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("score", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(*words):
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


def test_the_functions_are_those_of_the_example():
    source = EXAMPLE.read_text(encoding="utf-8")
    shown, step, _ = BLOCKS
    assert shown.split("\n\n\n")[0] in source
    assert shown.split("\n\n\n")[1].strip() in source and step.strip() in source


def test_the_plan_is_shown_as_it_is_printed():
    (excerpt,) = re.findall(r"    \$ moiety explain .*?(?=\n\n)", PAGE, re.S)
    command, *lines = [line.removeprefix("    ") for line in excerpt.splitlines()]
    found = printed(*command.replace("$ moiety ", "").split()).splitlines()
    assert [line for line in lines if line != "…" and line not in found] == []


def test_the_lines_from_python_run(example, capsys):
    exec(compile(BLOCKS[-1], "language.md", "exec"), {"score": example.score})
    rounds, digest = capsys.readouterr().out.split()
    assert f"\n    {rounds} rounds, " in PAGE and len(digest) == 64


@secure
def start(w: From("bank", low=-4, high=4), v: From("bank", low=-4, high=4)) -> Results(
    w=Kept(), v=Kept()
):
    return {"w": w, "v": v}


def test_its_step_descends_on_shares_as_in_the_clear(example):
    rng = np.random.default_rng(1)
    x, z = rng.uniform(-2, 2, (200, 10)), rng.uniform(-2, 2, (200, 4))
    bank = {"x": x, "y": (x[:, 0] > z[:, 0]).astype(float)}
    given = {name: Owned.of("bank", data) for name, data in bank.items()}

    def weights(kind):
        run = kind(("bank", "payco"))
        state = run.call(start, w=Owned.of("bank", np.zeros(10)), v=Owned.of("bank", np.zeros(4)))
        tables = {**given, "z": Owned.of("payco", z)}
        state = run.repeat(example.step, state=state, given=tables, spans=20 * [slice(None)]).state
        return np.concatenate([opened(state[name]) for name in ("w", "v")])

    clear, shared = weights(Clear), weights(Twin)
    assert np.abs(clear - shared).max() < 0.01
    right = (x @ shared[:10] + z @ shared[10:] > 0) == bank["y"]
    assert right.mean() > 0.9
