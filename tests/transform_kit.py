"""A small bank with a table that may leave transformed, as fixtures; and its verbs."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli_kit import moiety  # noqa: F401

SCHEMA = """\
[columns.age]
kind = "int"
lower = 18
upper = 98

[columns.income]
kind = "float"
lower = 0
upper = 1e6
missing = true

[columns.home]
kind = "category"
levels = ["rented", "owned"]
"""
POLICY = """\
[columns]
clients = ["age", "income", "home"]

[transform]
max_epsilon = 4.0
"""
ROWS = 3000
SEED = bytes(range(16)).hex()


def people(rows=ROWS):
    """The table's columns."""
    rng = np.random.default_rng(4)
    income = rng.uniform(0, 1e6, rows).round(2)
    return {
        "id": [f"C-{number:07}" for number in range(rows)],
        "age": rng.integers(18, 99, rows),
        "income": [None if value < 1e5 else value for value in income],
        "home": rng.choice(["rented", "owned"], rows),
        "bad": rng.integers(0, 2, rows),
    }


@pytest.fixture
def bank(moiety, tmp_path):
    home = tmp_path / "bank"
    moiety("init", "bank", "--home", home)
    path = tmp_path / "clients.parquet"
    pq.write_table(pa.table(people()), path)
    path.with_suffix(".schema.toml").write_text(SCHEMA)
    added = ["--name", "clients", "--id", "id", "--label", "bad", "--home", home]
    assert moiety("data", "add", path, *added)[0] == 0
    (home / "policy.toml").write_text(POLICY)
    return home


@pytest.fixture
def fit(moiety, bank, tmp_path):
    """Fits a transform; returns what is printed for machines."""

    def call(*options):
        out = tmp_path / "transform.json"
        arguments = ["transform", "fit", "clients", "--out", out, "--home", bank, "--json"]
        code, text, err = moiety(*arguments, "--dimensions", "3", *options)
        assert code == 0, text + err
        return json.loads(text)

    return call


@pytest.fixture
def apply(moiety, bank, tmp_path):
    """Applies it; returns what is printed, and the table that may leave."""

    def call(name="leaves.parquet", *options):
        file, out = tmp_path / "transform.json", tmp_path / name
        arguments = ["transform", "apply", file, "clients", "--out", out, "--home", bank]
        code, text, err = moiety(*arguments, "--json", *options)
        assert code == 0, text + err
        return json.loads(text), pq.read_table(out)

    return call


def applying(bank, tmp_path, name="leaves.parquet"):
    """The words that apply the transform."""
    file = tmp_path / "transform.json"
    return ["transform", "apply", file, "clients", "--out", tmp_path / name, "--home", bank]


def account(moiety, bank):
    """What persons have spent."""
    return json.loads(moiety("transform", "account", "--home", bank, "--json")[1])


def apply_without_budget(apply, tmp_path):
    """Applies the transform where nothing is too much."""
    policy = tmp_path / "bank" / "policy.toml"
    policy.write_text(POLICY.replace("max_epsilon = 4.0", "max_epsilon = inf"))
    return apply()
