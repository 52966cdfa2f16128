"""What may not leave does not, and costs nobody anything; nor does a process that dies let it."""

import json
import os
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli_kit import fails, moiety  # noqa: F401
from moiety.data import read
from moiety.errors import UsageError
from moiety.transform import Ledger
from moiety.transform.stored import Transform
from transform_kit import POLICY, ROWS, account, applying, bank, fit, people  # noqa: F401


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--dimensions", "5"], 2, "5 dimensions of a table with 5 feature"),
        (["--epsilon", "0"], 2, "epsilon is 0"),
        (["--delta", "1"], 2, "delta 1"),
        (["--method", "magic"], 2, "method = 'magic'"),
        (["--seed", "beef"], 2, "seed is not as it should be"),
        (["--method", "pca", "--epsilon", "30"], 3, "would have spent"),
    ],
)
def test_settings_that_cannot_be_are_refused(fails, bank, tmp_path, options, code, words):
    out = tmp_path / "transform.json"
    base = ["transform", "fit", "clients", "--out", out, "--home", bank, "--dimensions", "3"]
    assert words in fails(code, *base, *options)
    assert not out.exists()


def test_columns_that_the_policy_does_not_admit_do_not_leave(fails, bank, fit, tmp_path):
    fit()
    policy = bank / "policy.toml"
    policy.write_text(POLICY.replace('"age", ', ""))
    assert "columns age are not among [columns] clients" in fails(3, *applying(bank, tmp_path))
    policy.write_text("")
    base = ["transform", "fit", "clients", "--out", tmp_path / "new.json", "--home", bank]
    assert "no column is among [columns] clients" in fails(3, *base)


def test_an_unset_budget_lets_nothing_leave(fails, bank, fit, tmp_path):
    fit()
    (bank / "policy.toml").write_text(POLICY.split("[transform]")[0])
    assert "more than the 0 at delta" in fails(3, *applying(bank, tmp_path))


SPOILT = {
    "another form": {"is": "recipe"},
    "another version": {"version": 2},
    "a key too many": {"more": 1},
    "noise by a text": {"deviation": "0"},
    "half a step of noise": {"deviation": 0.5},
    "noise below none": {"deviation": -1},
    "a clip of nothing": {"clip": 0},
    "a clip that is none": {"clip": float("nan")},
    "delta by a text": {"delta": "much"},
    "a certain failure": {"delta": 1.0},
    "labels by a text": {"labels_epsilon": "much"},
    "labels below none": {"labels_epsilon": -1.0},
    "no columns": {"columns": {}},
    "bins for numbers": {"columns": {"age": {"kind": "bins", "edges": []}}},
    "a projection of other columns": {"projection": [[1.0, 0.0]] * 4},
    "no fewer dimensions": {"projection": [[0.0] * 5] * 5},
    "a projection of texts": {"projection": [["much"] * 3] * 5},
    "a projection of lists": {"projection": [[[1.0]]] * 5},
    "a projection beyond one": {"projection": [[9e307] * 3] * 5},
    "a projection that is none": {"projection": [[float("nan")] * 3] * 5},
}


@pytest.fixture
def body(fit, tmp_path):
    """A transform as its file has it."""
    fit()
    return json.loads((tmp_path / "transform.json").read_text())


def test_a_transform_is_read_as_it_was_written(body):
    text = json.dumps(body, indent=1) + "\n"
    assert Transform.from_json(text).to_json() == text


@pytest.mark.parametrize("name", SPOILT)
def test_a_transform_that_is_none_is_refused(body, name):
    with pytest.raises(UsageError) as caught:
        Transform.from_json(json.dumps(body | SPOILT[name]))
    assert caught.value.hint


def test_a_file_that_holds_no_transform_is_refused(moiety, fails, bank, tmp_path):
    for content in (b"", b"{}", b"[1]", b"{", b"\xff"):
        (tmp_path / "transform.json").write_bytes(content)
        assert "this is no transform" in fails(2, *applying(bank, tmp_path))
    assert account(moiety, bank)["persons"] == 0


def test_noise_that_was_taken_out_of_a_file_is_charged_as_it_is(moiety, fails, bank, fit, tmp_path):
    """What is charged follows from the noise, whatever the file was made for."""
    fit()
    path = tmp_path / "transform.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"deviation": 0}))
    assert "epsilon inf" in fails(3, *applying(bank, tmp_path))
    path.write_text(json.dumps(body | {"deviation": body["deviation"] // 4}))
    assert "would have spent" in fails(3, *applying(bank, tmp_path))


def test_rows_that_do_not_fit_cost_nobody_anything(moiety, fails, bank, fit, tmp_path, monkeypatch):
    monkeypatch.setattr(read, "PIECE", 1000)
    fit()
    given = people()
    given["age"][2500] = 17
    pq.write_table(pa.table(given), tmp_path / "clients.parquet")
    words = fails(2, *applying(bank, tmp_path))
    assert "after row 2,000, column 'age': below the declared 18: 1 of 1000 rows (501)" in words
    given = people()
    given["id"][2999] = given["id"][0]
    pq.write_table(pa.table(given), tmp_path / "clients.parquet")
    assert "a person is twice in one release" in fails(2, *applying(bank, tmp_path))
    assert account(moiety, bank)["persons"] == 0
    assert not list(tmp_path.glob("leaves*"))


def test_a_table_that_changes_meanwhile_does_not_leave(moiety, bank, fit, tmp_path, monkeypatch):
    fit()
    path, charge = tmp_path / "clients.parquet", Ledger.charge

    def then_changed(self, *arguments, **options):
        number = charge(self, *arguments, **options)
        given = people()
        given["id"][7] = "somebody else"
        pq.write_table(pa.table(given), path)
        return number

    monkeypatch.setattr(Ledger, "charge", then_changed)
    code, _, err = moiety(*applying(bank, tmp_path))
    assert code == 2 and "changed while it was read" in err
    assert not list(tmp_path.glob("leaves*"))


# ── killed ──────────────────────────────────────────────────────────────────────────────────

KILLED = """
import os, signal, sys
from pathlib import Path
from moiety.data import read
from moiety.party import transform_file
from moiety.party.config import load_party

read.PIECE = 500
home, file, out, where, at = sys.argv[1:]
calls = 0

def dying(function):
    def called(*arguments):
        global calls
        calls += 1
        if calls == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return called

setattr(transform_file, where, dying(getattr(transform_file, where)))
made = transform_file.load_transform(Path(file))
transform_file.apply_transform(load_party(Path(home)), "clients", made, Path(out))
"""


@pytest.mark.parametrize(
    ("where", "at", "charged"),
    [("_ids", 1, False), ("_leaving", 1, True), ("_leaving", 4, True), ("_write", 1, True)],
)
def test_a_process_that_dies_has_written_nothing_that_was_not_charged(
    moiety, bank, fit, tmp_path, where, at, charged
):
    fit()
    out = tmp_path / "leaves.parquet"
    command = [sys.executable, "-c", KILLED, bank, tmp_path / "transform.json", out, where, str(at)]
    done = subprocess.run(list(map(str, command)), env=os.environ, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    found = account(moiety, bank)
    assert found["persons"] == (ROWS if charged else 0)
    assert [one["sha256"] for one in found["releases"]] == ([None] if charged else [])
