"""Transforms on the command line: charged before anything is written, streamed, accounted for."""

import math
import subprocess

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli_kit import fails, moiety  # noqa: F401
from moiety.data import read
from moiety.party.transform_file import load_transform
from transform_kit import (  # noqa: F401
    ROWS,
    SEED,
    account,
    apply,
    apply_without_budget,
    applying,
    bank,
    fit,
    people,
)


def test_a_table_leaves_as_noisy_points_and_everybody_is_charged(
    moiety, bank, fit, apply, tmp_path, monkeypatch
):
    monkeypatch.setattr(read, "PIECE", 1000)
    told = fit()
    assert told["columns"] == 5 and told["dimensions"] == 3 and told["learned_epsilon"] == 0
    assert 2.99 < told["release_epsilon"] <= 3.0
    assert account(moiety, bank)["persons"] == 0
    done, table = apply()
    assert done["rows"] == ROWS and done["epsilon"] == told["release_epsilon"]
    assert table.column_names == ["id", "t0", "t1", "t2"]
    assert table["id"].to_pylist() == [f"c{number:07}" for number in range(ROWS)]
    points = np.column_stack([table[f"t{k}"].to_numpy() for k in range(3)])
    assert points.std() == pytest.approx(told["sigma"], rel=0.1)
    file = tmp_path / "leaves.parquet"
    assert pq.ParquetFile(file).num_row_groups == 3
    assert file.stat().st_mode & 0o777 == 0o600
    found = account(moiety, bank)
    assert found["persons"] == ROWS and found["spent"] == pytest.approx(done["epsilon"])
    assert found["left"] == pytest.approx(done["left"]) and found["budget"]["epsilon"] == 4.0
    (release,) = found["releases"]
    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True)
    assert release["sha256"] == digest.stdout.split()[0] == done["sha256"]
    assert (release["name"], release["persons"]) == ("clients", ROWS)


def test_a_person_reads_sentences(moiety, bank, fit, apply):
    fit()
    apply()
    code, out, _ = moiety("transform", "account", "--home", bank)
    first, second = out.splitlines()
    assert code == 0 and first.startswith(
        "3,000 persons in 1 releases; who has spent most: epsilon"
    )
    assert "clients: 3,000 persons, epsilon 3 at delta 1e-06, sha256 " in second


def test_what_leaves_is_the_projected_row_and_noise(fit, apply, tmp_path):
    fit("--epsilon", "1000", "--clip", "3", "--seed", SEED)
    made = load_transform(tmp_path / "transform.json")
    _, table = apply_without_budget(apply, tmp_path)
    given = people()
    income = np.array(given["income"], float)
    gone = np.isnan(income)
    rows = np.column_stack(
        [
            (given["age"] - 58) / 40,
            np.where(gone, 0, income / 5e5 - 1),
            gone,
            given["home"] == "rented",
            given["home"] == "owned",
        ]
    )
    points = np.column_stack([table[f"t{k}"].to_numpy() for k in range(3)])
    off = points - rows @ made.mechanism.projection
    assert np.abs(off.mean(axis=0)).max() < 0.02
    assert off.std() == pytest.approx(made.mechanism.sigma, rel=0.05)


def test_a_release_too_many_is_refused_and_nothing_is_written(
    moiety, fails, bank, fit, apply, tmp_path
):
    fit()
    apply()
    before = account(moiety, bank)
    sentence = fails(3, *applying(bank, tmp_path, "again.parquet"))
    assert "3,000 of 3,000 persons would have spent" in sentence and "left" in sentence
    assert account(moiety, bank) == before
    assert not list(tmp_path.glob("again*"))


def test_what_left_once_is_not_written_over(fails, bank, fit, apply, tmp_path):
    fit("--epsilon", "1")
    apply()
    before = (tmp_path / "leaves.parquet").read_bytes()
    assert "exists already" in fails(2, *applying(bank, tmp_path))
    assert (tmp_path / "leaves.parquet").read_bytes() == before


def test_the_transform_is_for_its_owner_only_and_follows_from_the_seed(fit, tmp_path):
    fit("--seed", SEED)
    path = tmp_path / "transform.json"
    first = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    fit("--seed", SEED)
    assert path.read_bytes() == first
    path.unlink()
    fit()
    assert path.read_bytes() != first


@pytest.mark.parametrize("method", ["pca", "supervised"])
def test_a_projection_that_is_learnt_is_charged_first(moiety, bank, fit, method, monkeypatch):
    monkeypatch.setattr(read, "PIECE", 1000)
    told = fit("--method", method, "--share", "0.4")
    assert 0 < told["learned_epsilon"] < told["release_epsilon"]
    found = account(moiety, bank)
    assert found["spent"] == pytest.approx(told["learned_epsilon"])
    assert found["releases"][0]["name"] == "clients, learnt"


def test_labels_leave_flipped_and_are_charged(moiety, bank, fit, apply):
    fit("--epsilon", "1", "--labels-epsilon", "2")
    done, table = apply()
    assert done["epsilon"] == pytest.approx(3.0, abs=0.01)
    flips = (table["label"].to_numpy() != people()["bad"]).mean()
    assert flips == pytest.approx(1 / (1 + math.exp(2)), abs=0.03)


def test_agreed_scales_and_edges_are_taken(fit, tmp_path):
    path = tmp_path / "agreed.toml"
    path.write_text(
        "cut = 2.0\n[scales]\nage = [40, 10]\n"
        "[edges]\nincome = [250000.0, 500000.0]\nhome = [1.0]\n"
    )
    assert fit("--agreed", path)["columns"] == 1 + 4 + 2
    columns = load_transform(tmp_path / "transform.json").encoding.columns
    assert (columns["age"].centre, columns["age"].unit) == (40, 20)
    assert columns["income"].bins.edges == (250000.0, 500000.0)


def test_without_noise_nothing_leaves_but_by_an_endless_budget(fails, bank, fit, apply, tmp_path):
    assert fit("--epsilon", "inf")["release_epsilon"] is None
    assert "epsilon inf" in fails(3, *applying(bank, tmp_path))
    done, _ = apply_without_budget(apply, tmp_path)
    assert done["epsilon"] is None and done["left"] is None
