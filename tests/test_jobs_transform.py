"""Whole jobs whose parties transform their rows: what leaves them, once, and what it costs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from job_kit import company, run_main  # noqa: F401
from moiety.agreement.manifest import load_job, parse_job
from moiety.audit import View
from moiety.cli.stage import set_stage
from moiety.cli.stories import EDGES, SCALES, credit, credit_terms, rural
from moiety.errors import ConfigError, PolicyRefused
from moiety.party.config import load_party
from moiety.party.predict import Scores
from moiety.transform import Ledger
from moiety.transform.mechanism import RADIUS
from stage_kit import APPLICANTS, CLIENTS, TERMS, Play, small_split

pytestmark = pytest.mark.jobs
NAMES = ("lender", "payco")
SIZES = {"max_rows": 400, "min_common": 20, "predictions": 60}


def stage_of(folder, actors, terms):
    made = set_stage(folder, actors, terms)
    return Play(made.folder, made.actors, made.terms, made.address)


def columns(folder, *, epsilon=8.0, budget=20.0, model="scorecard"):
    """A lender, and a payment company that transforms its rows."""
    cast = credit(small_split())
    terms = credit_terms(model, "transform", payco=cast[1].columns, epsilon=epsilon)
    return stage_of(folder, cast, replace(terms, budget=budget, **SIZES))


def rows(folder):
    """A credit union, and two lenders who transform rows."""
    scales = SCALES
    edges = {name: cuts for name, cuts in EDGES.items() if name not in scales}
    table = {"dimensions": 6, "epsilon": 8.0, "labels_epsilon": 2.0}
    terms = replace(TERMS, training="transform", horizontal=True, scales=scales, edges=edges)
    terms = replace(terms, model="logistic", scores_to="union", transform=table, budget=30.0)
    return stage_of(folder, rural(union=150, lender=240, applicants=30), terms)


def finish(company, play, names=NAMES):
    parties = company.run(play, *names)
    assert not any(each.end() for each in parties), "\n".join(each.story() for each in parties)
    return parties


def account(play, name):
    party = load_party(play.homes[name])
    budget = party.rules.transform
    return Ledger(party.home, budget.max_epsilon, budget.delta).account()


def test_the_receiver_gets_noisy_points_and_the_same_ones_again(company, tmp_path):
    play, views = columns(tmp_path / "stage"), [tmp_path / "first.view", tmp_path / "again.view"]
    reports = []
    for view in views:
        commands = play.commands()
        commands["lender"] += ["--view", str(view)]
        parties = [company.start(name, run_main, *commands[name], "--json") for name in NAMES]
        assert not any(each.end() for each in parties), parties[0].story() + parties[1].story()
        reports.append(parties[0].body)
    assert len(Scores(play.job_folder("lender")).read()) == APPLICANTS
    first, again = (View.read(path).only(step="the transform").payloads for path in views)
    points = np.frombuffer(first[0], "<i4").reshape(-1, 8)
    assert len(points) == CLIENTS + APPLICANTS
    assert first[0][: len(again[0])] == again[0], "what left once leaves again as it was"
    spent = account(play, "payco")
    assert [one.persons for one in spent.releases] == [CLIENTS, APPLICANTS]
    assert spent.spent == pytest.approx(8, rel=1e-3)
    told = reports[0]["header"]
    assert told["way"] == "transform" and not told["simulated"]
    noisy = [one for one in reports[0]["learned"] if "noisy numbers" in one["what"]]
    assert [(one["party"], one["values"]) for one in noisy] == [("lender", points.size)]
    assert_noise(points)


def assert_noise(points):
    """Of its deviation, and no row's own size: rows themselves are RADIUS long at most."""
    assert np.abs(points.mean(axis=0)).max() < RADIUS
    assert 0.8 * RADIUS < points.std() < 5 * RADIUS


def test_nobody_is_charged_beyond_the_budget_by_another_job(company, tmp_path):
    play = columns(tmp_path / "stage", budget=10.0)
    finish(company, play)
    play.edit("job.toml", 'purpose = "', 'purpose = "again ')
    for name in NAMES:
        play.edit(f"{name}/policy.toml", 'purposes = ["', 'purposes = ["again ')
    play.sign()
    before = account(play, "payco")
    lender, payco = company.run(play, *NAMES)
    assert (payco.end(), lender.end()) == (3, 4)
    assert "persons would have spent up to epsilon" in payco.error
    assert account(play, "payco") == before
    assert "epsilon" not in lender.error, "what an owner has spent stays with it"


def test_a_policy_refuses_a_larger_epsilon_before_anything(tmp_path):
    play = columns(tmp_path / "stage")
    play.edit("payco/policy.toml", "max_epsilon = 20.0", "max_epsilon = 7.0")
    with pytest.raises(PolicyRefused, match="epsilon = 8 is above"):
        play.sign()


def test_owners_of_rows_send_points_and_flipped_labels(company, tmp_path):
    play, names = rows(tmp_path / "stage"), ("union", "lender", "saver")
    union, *_ = finish(company, play, names)
    assert len(Scores(play.job_folder("union")).read()) == 30
    assert "630 rows, own ones included" in union.result("transform")
    told = account(play, "lender").releases
    assert [(one.persons, one.cost.xi) for one in told] == [(240, 2.0)]
    assert account(play, "union").persons == 0, "the receiver's rows do not leave it"
    each = 32 + 6 * 4 + 1
    kept = [(play.job_folder(name) / "released.bin").read_bytes() for name in names[1:]]
    labels = [np.frombuffer(one, np.uint8).reshape(240, each)[:, -1] for one in kept]
    assert all(set(one) == {0, 1} for one in labels)
    true = play.actors[1].tables["clients"]["default"].to_numpy()
    flips = (labels[0] != true).mean()
    assert 0.03 < flips < 0.25, "about one in eight at epsilon 2"
    again = finish(company, play, names)
    assert "scored 0 applicants" in again[0].result("train")
    shutil.rmtree(play.folder)


def test_a_transform_job_says_what_it_must(tmp_path):
    job = load_job(columns(Path(tmp_path) / "stage").job)
    assert job.way == "transform" and not job.helped and job.enclave_host == ""
    assert (job.representation.epsilon, job.representation.dimensions) == (8.0, 8)


def test_a_row_has_its_points_once_whatever_order_it_comes_in(company, tmp_path):
    play = columns(tmp_path / "stage")
    finish(company, play)
    (play.job_folder("lender") / "alignment-train.json").unlink()
    finish(company, play)
    spent = account(play, "payco")
    assert len(spent.releases) == 2 and spent.spent == pytest.approx(8, rel=1e-3)


def test_a_receiver_that_lost_its_scores_gets_the_same_points_again(company, tmp_path):
    play = columns(tmp_path / "stage")
    finish(company, play)
    folder = play.job_folder("lender")
    first = Scores(folder).read()
    for name in ("scored.bin", "scores.csv"):
        (folder / name).unlink()
    finish(company, play)
    assert Scores(folder).read() == first
    assert len(account(play, "payco").releases) == 2


def test_owners_who_encode_otherwise_are_refused(company, tmp_path):
    play = rows(tmp_path / "stage")
    schema = next((play.homes["saver"]).glob("clients.schema.toml"))
    text = schema.read_text(encoding="utf-8")
    head = "[columns.pay_0]\n"
    schema.write_text(text.replace(head, f"{head}missing = true\n"), encoding="utf-8")
    parties = company.run(play, "union", "lender", "saver")
    ends = [each.end() for each in parties]
    assert ends[0] == 4 and "turns its columns into other numbers" in parties[0].error


def test_rows_of_several_owners_have_no_learnt_projection(tmp_path):
    text = rows(tmp_path / "stage").job.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="which none learns alone"):
        parse_job(text.replace("dimensions = 6", 'dimensions = 6\nmethod = "pca"').encode())
