"""Tables, jobs, records and the doctor on the command line; nothing personal in any sentence."""

import csv
import json
import shutil
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli_kit import fails, home, moiety  # noqa: F401
from moiety.agreement.record import Record
from moiety.data.credit import ID, LABEL
from moiety.enclave.measure import measurement
from moiety.party.agree import now
from moiety.party.config import load_party
from party_kit import job, party, stage

# ── tables ──────────────────────────────────────────────────────────────────────────────────

SCHEMA = '[columns.age]\nkind = "int"\nlower = 18\nupper = 120\n'


@pytest.fixture
def bank(moiety, tmp_path):
    moiety("init", "bank", "--home", tmp_path / "bank")
    return tmp_path / "bank"


@pytest.fixture
def people(tmp_path):
    """Writes a small table of people as CSV, with its schema; returns its path."""
    path = tmp_path / "people's list.csv"
    path.with_suffix(".schema.toml").write_text(SCHEMA)

    def write(*rows, header=("id", "age", "bad")):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return path

    write(("a-1", 30, 0), ("a-2", 41, 1), ("a-3", 52, 0))
    return write


def adding(path, bank, *more):
    return ["data", "add", path, "--name", "people", "--id", "id", "--home", bank, *more]


def test_a_table_is_added_after_it_was_read(moiety, fails, bank, people):
    path = people(("a-1", 30, 0), ("a-2", 41, 1))
    code, out, _ = moiety(*adding(path, bank, "--label", "bad", "--json"))
    assert code == 0 and json.loads(out) == {"data": "people", "rows": 2, "columns": ["age"]}
    found = load_party(bank).data_set("people")
    assert (found.path, found.label) == (path, "bad")
    assert "[data.people] already" in fails(2, *adding(path, bank))


def test_without_a_schema_one_is_proposed_and_nothing_added(moiety, bank, people):
    path = people(("a-1", 30, 0), ("a-2", 41, 1))
    schema = path.with_suffix(".schema.toml")
    schema.unlink()
    code, _, err = moiety(*adding(path, bank))
    assert code == 2 and "a schema was proposed" in err and "check every bound" in err
    assert "a person must check every line" in schema.read_text()
    assert load_party(bank).data == {}
    assert moiety(*adding(path, bank, "--schema", schema))[0] == 0
    assert list(load_party(bank).data) == ["people"]


def test_a_wrong_folder_is_told_before_anything_is_written(fails, people, tmp_path):
    path = people(("a-1", 30, 0))
    path.with_suffix(".schema.toml").unlink()
    assert "party.toml does not exist" in fails(2, *adding(path, tmp_path / "nowhere"))
    assert not path.with_suffix(".schema.toml").exists()


SECRET = "Z-77777"


@pytest.mark.parametrize(
    ("rows", "more", "text"),
    [
        ([("a-1", "thirty-secret", 0)], [], "column 'age': not a number: 1 of 1 rows (1)"),
        ([("a-1", 17, 0), (SECRET, 7777, 0)], [], "column 'age': below the declared 18"),
        ([("a-1", 30, 0), (SECRET, 7777, 0)], [], "column 'age': above the declared 120"),
        ([("a-1", 30.5, 0)], [], "column 'age': not whole"),
        ([("a-1", "", 0)], [], "column 'age': no value"),
        ([("", 30, 0)], [], "no id"),
        ([(SECRET, 30, 0), (" z 77777", 31, 0)], [], "the same id twice, after normalisation: 2"),
        ([(SECRET, 30, 7777)], ["--label", "bad"], "column 'bad': none of its"),
        ([(SECRET, 30, "")], ["--label", "bad"], "column 'bad': no value"),
        ([(SECRET, 30, 0)], ["--label", "worse"], "has no column 'worse'"),
        ([], [], "has no rows"),
    ],
)
def test_a_table_that_is_not_as_declared_is_refused(fails, bank, people, rows, more, text):
    before = (bank / "party.toml").read_bytes()
    sentence = fails(2, *adding(people(*rows), bank, *more))
    assert text in sentence
    assert not any(secret in sentence for secret in (SECRET, "secret", "7777"))
    assert (bank / "party.toml").read_bytes() == before


def test_a_missing_column_is_named_with_those_there_are(moiety, fails, bank, people):
    path = people(("a-1", 0), header=("id", "bad"))
    assert "people's list.csv has no column 'age'" in fails(2, *adding(path, bank))
    assert "its columns are id, bad" in moiety(*adding(path, bank))[2]


def test_other_mistakes_with_a_table(fails, bank, people, tmp_path):
    path = people(("a-1", 30, 0))
    taken = ["data", "add", path, "--name", "two words", "--id", "id", "--home", bank]
    assert "cannot be a name" in fails(2, *taken)
    assert "there is no file" in fails(2, *adding(tmp_path / "gone.csv", bank))
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    odd = adding(tmp_path / "table.xlsx", bank, "--schema", path.with_suffix(".schema.toml"))
    assert "cannot tell what table.xlsx is" in fails(2, *odd)
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    odd = adding(tmp_path / "broken.parquet", bank, "--schema", path.with_suffix(".schema.toml"))
    assert "broken.parquet cannot be read" in fails(2, *odd)
    (tmp_path / "bad.toml").write_text("[columns.age]\nkind = 1\n")
    assert "kind is 1" in fails(2, *adding(path, bank, "--schema", tmp_path / "bad.toml"))


# ── jobs ────────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_checked_and_signed(moiety, home):
    shutil.rmtree(home / "jobs")
    code, out, _ = moiety("job", "check", stage().job, "--home", home, "--json")
    assert code == 0 and json.loads(out) == {"job": job().hash.hex(), "admitted": True}
    assert not (home / "jobs").exists()
    code, out, _ = moiety("job", "sign", stage().job, "--home", home)
    assert code == 0 and job().hash.hex() in out
    assert (load_party(home).job_folder(job()) / "signature").stat().st_mode & 0o777 == 0o600


def test_a_job_that_the_policy_refuses_is_not_signed(fails, home):
    shutil.rmtree(home / "jobs")
    policy = home / "policy.toml"
    policy.write_text(policy.read_text().replace("max_predictions = 60", "max_predictions = 59"))
    for verb in ("check", "sign"):
        assert "max_predictions = 59" in fails(3, "job", verb, stage().job, "--home", home)
    assert not (home / "jobs").exists()


def run(path, home, name="lender"):
    return ["run", path, "--as", name, "--home", home]


def test_an_unsigned_or_altered_job_does_not_run(fails, home, tmp_path):
    altered = tmp_path / "job.toml"
    altered.write_bytes(stage().job.read_bytes() + b"\n")
    assert "lender has not signed job" in fails(3, *run(altered, home))
    shutil.rmtree(home / "jobs")
    assert "lender has not signed job" in fails(3, *run(stage().job, home))


def test_a_job_signed_by_another_key_does_not_run(fails, home):
    forged = party("payco").signing_key.sign_job(job().hash)
    (load_party(home).job_folder(job()) / "signature").write_bytes(forged)
    assert "signature of lender on the job" in fails(3, *run(stage().job, home))


def test_the_wrong_folder_or_party_is_told(fails, home, tmp_path):
    assert "is lender's folder, not payco's" in fails(2, *run(stage().job, home, "payco"))
    assert "no party 'nobody'" in fails(2, *run(stage().job, home, "nobody"))
    assert "party.toml does not exist" in fails(2, *run(stage().job, tmp_path / "gone"))


def spoilt(home, name, change):
    """The lender's table with its rows changed, in place of the one in its folder."""
    path = home / f"{name}.parquet"
    table = change(pq.read_table(path))
    pq.write_table(table, path)
    text = (home / "party.toml").read_text()
    (home / "party.toml").write_text(text.replace(str(stage().homes["lender"]), str(home)))


def with_column(name, values):
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values(table))


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        (lambda table: table.drop_columns("age"), 2, "clients.parquet has no column 'age'"),
        (lambda table: table.drop_columns(LABEL), 2, "clients.parquet has no column 'default'"),
        (
            with_column("age", lambda table: pa.array(["x"] * table.num_rows)),
            2,
            "column 'age': not a number",
        ),
        (
            with_column("age", lambda table: pa.array([999] * table.num_rows)),
            2,
            "column 'age': above the declared",
        ),
        (
            with_column(ID, lambda table: pa.array(["C-1"] * table.num_rows)),
            2,
            "the same id twice",
        ),
        (lambda table: pa.concat_tables([table, renamed(table)]), 3, "the job allows 400"),
    ],
)
def test_a_table_that_went_bad_since_stops_the_run_before_it_begins(
    fails, home, change, code, text
):
    spoilt(home, "clients", change)
    sentence = fails(code, *run(stage().job, home))
    assert text in sentence and "C-1" not in sentence and "999" not in sentence


def renamed(table):
    return table.set_column(0, ID, pa.array([f"new-{n}" for n in range(table.num_rows)]))


def test_a_missing_table_enclave_or_label_is_told(fails, home):
    config = home / "party.toml"
    text = config.read_text()
    config.write_text(text.replace("[data.clients]", "[data.customers]"))
    assert "lender has no data set 'clients'" in fails(2, *run(stage().job, home))
    config.write_text(text.replace('label = "default"', 'label = "age"'))
    assert "has label 'age', the job says 'default'" in fails(2, *run(stage().job, home))
    lines = [line for line in text.splitlines() if not line.startswith("enclave")]
    config.write_text("\n".join(lines))
    assert "names no enclave" in fails(2, *run(stage().job, home))
    config.write_text(text.replace('listen = "', 'listen = "nowhere'))
    assert "cannot listen on" in fails(2, *run(stage().job, home))


# ── records, the doctor, the enclave's operator ─────────────────────────────────────────────


def test_a_record_is_verified(moiety, fails, tmp_path):
    path, key = tmp_path / "record.jsonl", party("lender").signing_key
    with Record.create(path, "lender", key.private, job().hash, now()) as record:
        record.append("proposal", {"purpose": "[red]x[/]"}, now())
    code, out, _ = moiety("audit", "verify", path, "--key", key.public)
    assert code == 0 and "2 lines" in out
    code, out, _ = moiety("audit", "verify", path, "--json")
    assert code == 0 and json.loads(out)["state"] == "open"
    other = party("payco").signing_key.public
    assert "line 1 names the key" in fails(3, "audit", "verify", path, "--key", other)
    assert "is not a signing key" in fails(2, "audit", "verify", path, "--key", "nonsense")
    path.write_bytes(path.read_bytes().replace(b"red", b"rot"))
    assert "line 2 was altered" in fails(3, "audit", "verify", path)


def test_the_doctor_finds_what_is_amiss(moiety, home, tmp_path):
    code, out, _ = moiety("doctor", "--home", home)
    assert code == 0 and "✗" not in out and "data clients: clients.parquet" in out
    (home / "keys" / "tls.key").unlink()
    code, out, _ = moiety("doctor", "--home", home, "--json")
    findings = {each["what"]: each for each in json.loads(out)["findings"]}
    assert code == 2 and "tls.key does not exist" in findings["folder"]["text"]
    code, out, _ = moiety("doctor", "--home", tmp_path / "gone")
    assert code == 2 and "party.toml does not exist" in out


def test_the_measurement_is_printed(moiety):
    assert moiety("enclave", "measure")[1] == measurement().hex() + "\n"
    assert json.loads(moiety("enclave", "measure", "--json")[1])["measurement"]


def test_an_address_that_cannot_be_served_on(fails, tmp_path):
    serve = ["enclave", "serve", "--simulate", "--home", tmp_path / "enclave", "--listen"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = fails(2, *serve, f"127.0.0.1:{port}")
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in sentence
    assert "'nonsense' is not an address" in fails(2, *serve, "nonsense")


def test_the_demo_clears_only_what_it_made(fails, tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    assert "was not made by the demo" in fails(2, "demo", "credit", "--folder", tmp_path)
    assert (tmp_path / "thesis.doc").exists()
    sentence = fails(2, "demo", "credit", "--folder", tmp_path / "thesis.doc")
    assert "thesis.doc" in sentence
