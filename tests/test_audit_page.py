"""The page on audits: its examples run, and its table names every attack."""

import re
from pathlib import Path

import pytest

import moiety.audit

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "audit.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert capsys.readouterr().out


def test_every_attack_is_in_the_table():
    named = set(re.findall(r"^\| `(\w+)`", PAGE, re.M))
    assert named == {name for name in moiety.audit.__all__ if name.islower()}
    assert all(callable(getattr(moiety.audit, name)) for name in moiety.audit.__all__)
    with pytest.raises(AttributeError):
        moiety.audit.nothing  # noqa: B018
