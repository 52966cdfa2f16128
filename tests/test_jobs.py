"""Whole jobs in three processes: what they leave behind, and how they end when all is not well."""

import json
import stat
from dataclasses import replace
from signal import SIGINT

import pytest

from job_kit import KEPT, company, play, service  # noqa: F401
from moiety.agreement.record import verify_record
from moiety.agreement.record_line import line_hash
from moiety.cli.oracle import compare_with_plaintext
from moiety.cli.stage import set_stage
from moiety.data.credit import ID
from moiety.data.ids import normalise_id
from moiety.party.config import load_party
from process_kit import SOON
from stage_kit import APPLICANTS, TERMS, Play, scores, spent

pytestmark = pytest.mark.jobs
NAMES = ("lender", "payco")
WATCHED = {
    "fast": "where training reads memory: depends on rows and labels",
    "constant-flow": "where training reads memory: its kernels, as sizes alone decide",
}


def finished(company, play):
    """Both parties' processes after a run that went well."""
    parties = company.run(play, *NAMES)
    assert [each.end() for each in parties] == [0, 0], "\n".join(each.story() for each in parties)
    return parties


# ── a job that goes well ────────────────────────────────────────────────────────────────────


def test_a_job_and_the_same_job_again(service, company, play):
    lender, payco = finished(company, play)
    first = scores(play)
    assert len(first) == APPLICANTS == len(spent(play, "lender")) == len(spent(play, "payco"))
    assert lender.body["header"]["party"] == "lender" and lender.noise == payco.noise == []
    assert "scores.csv" not in [path.name for path in play.job_folder("payco").iterdir()]
    assert_private(play)
    assert_nobody_is_named(play, (service, lender, payco))
    assert_records_agree(play)
    again = finished(company, play)
    assert scores(play) == first
    for process in again:
        assert "scored 0 applicants on shares; 40 were scored before" in process.result("predict")
        assert KEPT in process.result("align-train") and KEPT in process.result("hand-over")
    assert again[0].body["comparison"] == lender.body["comparison"]
    assert_private(play)


def assert_private(play):
    """What a job leaves behind is its owner's, and holds nobody else's rows."""
    for name in NAMES:
        folder = play.job_folder(name)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert set(modes.values()) == {0o600}, modes
        assert not any(path.endswith(".tmp") for path in modes)


def assert_nobody_is_named(play, processes):
    """No id is in anything that was told, printed or written, but the lender's list of scores."""
    told = [each.story() + json.dumps(each.events) for each in processes]
    written = [
        path.read_bytes().decode(errors="replace")
        for name in NAMES
        for path in play.job_folder(name).iterdir()
        if path.name != "scores.csv"
    ]
    tables = [table for actor in play.actors for table in actor.tables.values()]
    spelt = [id for table in tables for id in table[ID].to_pylist()]
    named = {normalise_id(one) for one in spelt} | set(spelt)
    for text in told + written:
        assert not [one for one in named if one in text]
    assert set(scores(play)) < {normalise_id(one) for one in spelt}


def assert_records_agree(play):
    """Each record is whole, and the head in it is a line of the other's: a rewrite would show."""
    seen, lines = {}, {}
    for name in NAMES:
        path = play.job_folder(name) / "record-1.jsonl"
        seen[name] = verify_record(path, load_party(play.homes[name]).signing_key.public)
        lines[name] = path.read_bytes().splitlines()
        assert seen[name].state == "complete"
    for name, other in (NAMES, NAMES[::-1]):
        (told,) = [entry.body for entry in seen[name].entries if entry.event == "peer-head"]
        assert told["party"] == other
        assert line_hash(lines[other][told["lines"] - 1]) == told["head"]


def test_not_more_are_scored_than_the_job_states_over_all_its_runs(service, company, play):
    restated(play, "predictions = 60", "predictions = 25")
    for process in finished(company, play):
        assert "scored 25 applicants on shares; 15 were scored before, or are" in process.result(
            "predict"
        )
    assert len(scores(play)) == 25
    for process in finished(company, play):
        assert "scored 0 applicants" in process.result("predict")
    assert len(scores(play)) == 25 == len(spent(play, "payco"))


def restated(play, old, new):
    """Another job on the same stage, signed by both."""
    play.edit("job.toml", old, new)
    for home in play.homes.values():
        for folder in (home / "jobs").iterdir():
            (folder / "signature").unlink()
            folder.rmdir()
    play.sign()


# ── jobs that must not run ──────────────────────────────────────────────────────────────────


def refusals(company, play, codes, *texts):
    """Both parties end with these codes and sentences, and no model, score or report is made."""
    parties = company.run(play, *NAMES)
    assert tuple(each.end() for each in parties) == codes, "\n".join(p.story() for p in parties)
    for process, text in zip(parties, texts, strict=True):
        assert text in process.error, process.error
        assert process.body["hint"] and str(play.folder) not in process.error
    for home in play.homes.values():
        left = {path.name for path in home.glob("jobs/*/*")}
        assert not left & {"report.html", "scores.csv", "scored.bin", "model.share"}
    return parties


def test_parties_with_different_jobs(service, company, play):
    job, other = play.job, play.folder / "other.toml"
    other.write_text(job.read_text().replace("predictions = 60", "predictions = 59"))
    job.rename(play.folder / "kept.toml")
    other.rename(job)
    play.sign()
    (payco,) = company.run(play, "payco")
    payco.wait_for("load")
    job.rename(play.folder / "other.toml")
    (play.folder / "kept.toml").rename(job)
    (lender,) = company.run(play, "lender")
    for process, peer in ((lender, "payco"), (payco, "lender")):
        assert process.end() == 3, process.story()
        assert process.error.startswith(f"{peer} runs job ")
        assert "compare with sha256sum job.toml" in process.body["hint"]


def test_too_few_in_common(service, company, play):
    for path in ("job.toml", "lender/policy.toml", "payco/policy.toml"):
        play.edit(path, "min_common = 20", "min_common = 250")
    restated(play, "min_common = 250", "min_common = 250")
    text = "240 items are common; the least allowed is 250"
    parties = company.run(play, *NAMES)
    assert sorted(each.end() for each in parties) in ([3, 3], [3, 4])
    assert any(text in each.error for each in parties)


def test_an_enclave_that_one_party_does_not_accept(service, company, play):
    good = load_party(play.homes["lender"]).rules.enclave.policy.measurements
    play.edit("lender/policy.toml", next(iter(good)).hex(), "ab" * 32)
    lender, payco = company.run(play, *NAMES)
    assert (lender.end(), payco.end()) == (5, 4), lender.story() + payco.story()
    assert f"measurement {next(iter(good)).hex()} is not among" in lender.error
    assert "the evidence of the enclave is refused" in payco.error
    assert "seal" not in [step for step, _ in lender.told("begun")]


def test_a_simulation_under_a_production_policy(service, company, play):
    play.edit("payco/policy.toml", "allow_simulation = true\n", "")
    play.edit("payco/policy.toml", 'simulation_root = "simulation-root.der"\n', "")
    lender, payco = company.run(play, *NAMES)
    assert (lender.end(), payco.end()) == (4, 5), lender.story() + payco.story()
    assert "evidence is not authentic" in payco.error
    assert payco.body["hint"].startswith("it is a SIMULATION's evidence")


def test_a_model_that_one_party_lost_is_not_trained_again(service, company, play):
    finished(company, play)
    before = scores(play)
    (play.job_folder("payco") / "model.share").unlink()
    parties = company.run(play, *NAMES)
    assert [each.end() for each in parties] == [3, 3]
    assert all("with a model that one party lacks" in each.error for each in parties)
    assert scores(play) == before


def test_two_runs_of_one_party_at_once(service, company, play):
    (first,) = company.run(play, "payco")
    first.wait_for("load", "begun")
    (second,) = company.run(play, "payco")
    assert second.end() == 2 and "another process runs this job" in second.error
    (lender,) = company.run(play, "lender")
    assert (lender.end(), first.end()) == (0, 0), lender.story()


def test_an_interrupted_party_says_so(service, company, play):
    lender, payco = company.run(play, *NAMES)
    payco.on("align-train", "begun", payco.pause)
    payco.wait_for("align-train", "begun")
    lender.wait_for("align-train", "begun")
    lender.signal(SIGINT)
    assert lender.end(SOON) == 130 and lender.body["error"] == "interrupted"
    payco.resume()
    assert payco.end(SOON) == 4
    assert payco.error == "lender stopped: it was interrupted"


def test_nobody_reads_the_progress(service, company, play):
    """A job outlives the reader of its events."""
    lender, payco = company.run(play, *NAMES)
    lender.wait_for("load", "begun")
    lender.deafen()
    assert (lender.end(), payco.end()) == (0, 0), payco.story()
    assert lender.body["header"]["party"] == "lender"


# ── a job that stays in the enclave ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(("model", "leakage"), [("scorecard", "fast"), ("trees", "constant-flow")])
def test_a_job_that_is_scored_in_the_enclave(company, play, tmp_path, model, leakage):
    terms = replace(TERMS, scored_by="enclave", model=model, leakage=leakage)
    made = set_stage(tmp_path / "inside", play.actors, terms)
    inside = Play(made.folder, made.actors, made.terms, made.address)
    serving = company.serve(inside)
    lender, payco = finished(company, inside)
    first = scores(inside)
    assert len(first) == APPLICANTS == len(spent(inside, "payco"))
    assert compare_with_plaintext(inside.folder).largest_difference < 2**-9, "1/256 in log-odds"
    for name in NAMES:
        assert not (inside.job_folder(name) / "model.share").exists()
    assert payco.body["scores"] is None and lender.body["header"]["way"] == "enclave"
    told = [(one["party"], one["what"]) for one in lender.body["learned"]]
    assert ("enclave", "bin codes and scores of applicants") in told
    assert [what for who, what in told if who == "operator"] == [WATCHED[leakage]]
    checks = {one["rule"]: one["found"] for one in lender.body["trust"]["checks"]}
    assert checks["leakage profile"] == lender.body["trust"]["leakage"] == leakage
    finished(company, inside)
    assert scores(inside) == first
    assert_private(inside)
    assert serving.alive
