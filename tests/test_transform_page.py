"""docs/transform.md: its example runs, its keys and figures are those of the code and the bench."""

import json
import re
from pathlib import Path

import pytest

from moiety.party.transform_file import read_agreed
from moiety.transform.mechanism import RADIUS
from moiety.transform.settings import Settings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "transform.md").read_text(encoding="utf-8")
BENCH = json.loads((ROOT / "benches" / "results" / "transform.json").read_text(encoding="utf-8"))


def test_the_example_runs_and_learns(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(example, "transform.md", "exec"), {})
    said, score = capsys.readouterr().out.splitlines()
    assert said.startswith("Guarantee(rho=") and "delta=1e-06" in said
    assert 0.55 < float(score) < 0.8


def test_the_figures_are_the_measured_ones():
    for each in BENCH["rows"]:
        if each["method"] == "pca" and each["dimensions"] == 8:
            epsilon = "∞" if each["epsilon"] is None else f"{each['epsilon']:g}"
            row = f"| {epsilon} | {each['sigma']:.2f} | {each['auc']['mean']:.3f} |"
            assert row in PAGE
    assert f"the lender alone (AUC {BENCH['alone']['auc']:.3f})" in PAGE
    assert f"all columns in the clear ({BENCH['joint']['auc']:.3f})" in PAGE
    assert f"{BENCH['clients']:,} rows" in PAGE


def test_constants_and_defaults_are_the_codes():
    assert f"R = {RADIUS}" in PAGE and Settings().share == 0.25


@pytest.mark.parametrize("key", ["scales", "edges", "cut"])
def test_what_may_be_agreed_is_named(key, tmp_path):
    path = tmp_path / "agreed.toml"
    path.write_text("cut = 3.0\n[scales]\nage = [40, 10]\n[edges]\nincome = [1e5, 2e5]\n")
    found = read_agreed(path)
    assert f"`{key}`" in PAGE or f"`[{key}]`" in PAGE
    assert (
        getattr(found, key)
        == {
            "scales": {"age": (40.0, 10.0)},
            "edges": {"income": (1e5, 2e5)},
            "cut": 3.0,
        }[key]
    )
