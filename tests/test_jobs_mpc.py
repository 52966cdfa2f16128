"""Whole jobs that train on shares, in real processes: banks, a credit union, and who is killed."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from job_kit import company, run_main  # noqa: F401
from moiety.agreement.record import verify_record
from moiety.cli.oracle import compare_with_plaintext
from moiety.cli.stage import set_stage
from moiety.cli.stories import lending, lending_terms, rural, rural_terms
from moiety.party.config import load_party
from moiety.party.predict import Scores
from moiety.party.setup import init_dealer
from process_kit import SOON
from stage_kit import APPLICANTS, copy_of, small_split

pytestmark = pytest.mark.jobs
SECONDS = 3 * SOON
"""For who was left: it may be computing, on a machine that has other work, too."""
SIZES = {"max_rows": 400, "min_common": 20, "predictions": 60}
BANKS = ("bank", "partner")
UNION = ("union", "lender", "saver")


@cache
def banks(model="scorecard", *, dealer=False):
    """Two banks' stage; whoever spoils it takes a copy."""
    terms = lending_terms(model, dealer=dealer, **SIZES)
    return set_stage(Path(mkdtemp(prefix="moiety-banks-")), lending(small_split()), terms)


@cache
def unions():
    """A credit union, two lenders and a plain dealer."""
    cast = rural(union=150, lender=240, applicants=30)
    terms = rural_terms("scorecard", dealer=True, **SIZES)
    return set_stage(Path(mkdtemp(prefix="moiety-union-")), cast, terms)


def found(play, name):
    return Scores(play.job_folder(name)).read()


def finish(company, play, *names):
    """A run of the helper and these parties that goes well."""
    helper, *parties = company.run(play, play.terms.helper, *names)
    ends = [each.end() for each in (*parties, helper)]
    assert not any(ends), "\n".join(each.story() for each in (*parties, helper))
    for name in names:
        key = load_party(play.homes[name]).signing_key.public
        newest = max(play.job_folder(name).glob("record-*.jsonl"))
        assert verify_record(newest, key).state == "complete"
    return parties


@pytest.mark.parametrize(
    ("model", "dealer"), [("scorecard", False), ("scorecard", True), ("trees", True)]
)
def test_banks_train_and_use_a_model_on_shares(company, tmp_path, model, dealer):
    play = copy_of(banks(model, dealer=dealer), tmp_path / "stage")
    bank, partner = finish(company, play, *BANKS)
    assert "nobody has seen it" in bank.result("train")
    first = found(play, "bank")
    assert len(first) == APPLICANTS and not (play.job_folder("partner") / "scores.csv").exists()
    if model == "scorecard":  # among so few rows many splits of trees are all but equal
        compare_with_plaintext(play.folder)
    for process in (bank, partner):
        parts = {step["part"] for step in process.body["steps"]}
        assert parts == {"aligning", "training", "scoring"}
        for step in process.body["steps"]:
            assert step["predicted"] == step["measured"], step
        told = [each["what"] for each in process.body["learned"]]
        assert not any("labels" in what for what in told)
    for process in finish(company, play, *BANKS):
        assert all(name != "train" for name, _ in process.told("begun"))
    assert found(play, "bank") == first


def test_a_credit_union_learns_with_two_lenders(company, tmp_path):
    play = copy_of(unions(), tmp_path / "stage")
    union, lender, saver = finish(company, play, *UNION)
    assert len(found(play, "union")) == 30
    compare_with_plaintext(play.folder)
    assert "rows to train on: union 150, lender 240, saver 240" in saver.result("shapes")
    assert saver.body["steps"] == [] and lender.body["comparison"] is None
    assert union.body["comparison"]["applicants"] == 30


@pytest.mark.parametrize("victim", ["dealer", "partner", "bank"])
def test_who_is_lost_in_training_is_named_and_the_next_run_trains_anew(company, tmp_path, victim):
    play = copy_of(banks("trees", dealer=True), tmp_path / "stage")
    names = ("dealer", *BANKS)
    processes = dict(zip(names, company.run(play, *names), strict=True))
    dead = processes.pop(victim)
    watched = processes["partner" if victim != "partner" else "bank"]
    watched.wait_for("train", "under way")
    dead.kill()
    assert dead.end() == -9
    for name, process in processes.items():
        if name != "dealer":
            assert process.end(SECONDS) == 4, process.story()
            assert victim in process.error and process.body["hint"]
        else:
            process.stop()
    assert not (play.job_folder("bank") / "scores.csv").exists()
    finish(company, play, *BANKS)
    assert len(found(play, "bank")) == APPLICANTS


def test_a_lender_that_does_not_compute_is_lost_in_training(company, tmp_path):
    play = copy_of(unions(), tmp_path / "stage")
    dealer, union, lender, saver = company.run(play, "dealer", *UNION)
    saver.on("train", "begun", saver.kill)
    assert saver.end() == -9
    for process in (union, lender):
        if process.end(SECONDS) == 4:
            assert "saver" in process.error and process.body["hint"]
    assert 4 in (union.end(), lender.end())
    dealer.stop()
    finish(company, play, *UNION)


def test_a_dealer_with_another_certificate_deals_nothing(company, tmp_path):
    play = copy_of(banks(dealer=True), tmp_path / "stage")
    shutil.rmtree(play.folder / "dealer")
    init_dealer(play.folder / "dealer")
    dealer, bank, partner = company.run(play, "dealer", *BANKS)
    codes = [process.end() for process in (bank, partner)]
    assert 3 in codes and set(codes) <= {3, 4}, bank.story() + partner.story()
    for code, process in zip(codes, (bank, partner), strict=True):
        assert code == 4 or "certificate" in process.error
    dealer.stop()


def stocked(company, play, *names):
    """The parties have got from the dealer all that a run will need."""
    commands = play.commands("offline")
    processes = [
        company.start(name, run_main, *commands[name], "--json") for name in ("dealer", *names)
    ]
    assert not any([each.end() for each in processes]), "\n".join(p.story() for p in processes)
    return [each.body for each in processes[1:]]


def test_a_run_after_offline_needs_no_dealer_and_a_broken_run_its_dealer_again(company, tmp_path):
    play = copy_of(banks(dealer=True), tmp_path / "stage")
    bodies = stocked(company, play, *BANKS)
    assert bodies[0]["lots"] == bodies[1]["lots"] > 5 and bodies[1]["bytes"] > 10_000
    bank, partner = company.run(play, *BANKS)
    bank.on("train", "under way", bank.kill)
    assert bank.end() == -9 and partner.end(SECONDS) == 4
    finish(company, play, *BANKS)
    first = found(play, "bank")
    assert len(first) == APPLICANTS and not (play.job_folder("bank") / "stock").exists()


def test_a_union_gets_its_randomness_ahead(company, tmp_path):
    play = copy_of(unions(), tmp_path / "stage")
    bodies = stocked(company, play, *UNION)
    assert bodies[2]["lots"] == 0 and not (play.job_folder("saver") / "stock").exists()
    parties = company.run(play, *UNION)
    assert not any([each.end() for each in parties]), "\n".join(p.story() for p in parties)
    assert len(found(play, "union")) == 30
    checks = parties[0].body["trust"]["checks"]
    assert [check["found"] for check in checks] == ["record-1.jsonl"]
    assert not list(play.job_folder("union").glob("stock/*"))


def test_parties_that_mean_to_do_different_things_say_so(company, tmp_path):
    play = copy_of(banks(dealer=True), tmp_path / "stage")
    bank, partner = (
        company.start(name, run_main, *play.commands(verb)[name], "--json")
        for name, verb in zip(BANKS, ("run", "offline"), strict=True)
    )
    codes = [bank.end(), partner.end()]
    assert 3 in codes and set(codes) <= {3, 4}
    assert any("moiety offline" in each.body["hint"] for each in (bank, partner))


def test_a_job_whose_enclave_would_train_is_refused_by_a_policy_that_wants_shares(
    company, tmp_path
):
    play = copy_of(banks(), tmp_path / "stage")
    play.edit("partner/policy.toml", 'training = ["mpc"]', 'training = ["enclave"]')
    (partner,) = company.run(play, "partner")
    assert partner.end() == 3 and "training" in partner.error
