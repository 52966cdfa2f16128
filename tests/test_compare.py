"""Ways compared: each is really run, every cell is measured, and attacks find what is there."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from moiety.audit import Finding
from moiety.cli.compare import page
from moiety.cli.compare.compared import Subject
from moiety.cli.compare.leakage import Received, attacks, numbers
from moiety.cli.compare.models import learner, matrix, one_hot
from moiety.cli.compare.plain import joined, local, pooled
from moiety.cli.compare.result import LOCAL, POOLED, Comparison, Row
from moiety.cli.compare.show import cell
from moiety.cli.compare.task import load_task
from moiety.cli.compare.ways import ways
from moiety.cli.stage import Terms, set_stage
from moiety.cli.stories import credit
from moiety.data.credit import CreditSplit, split_credit
from moiety.errors import UsageError
from moiety.learn.metrics import auc
from moiety.plan.network import NETWORKS
from moiety.report.stored import from_json
from moiety.run.steps import silent
from stage_kit import divide, ids_of

CLIENTS, APPLICANTS = 2500, 1300


@cache
def stage():
    whole = split_credit("thin", seed=3, overlap=1.0)
    clients, chosen = whole.lender.slice(0, CLIENTS), whole.applicants.slice(0, APPLICANTS)
    common, _ = divide(whole.payco, {*ids_of(clients), *ids_of(chosen)})
    part = CreditSplit(clients, chosen, common)
    terms = Terms(max_rows=40_000, min_common=100, predictions=2000)
    return set_stage(Path(mkdtemp(prefix="moiety-compare-")), credit(part), terms)


@cache
def task():
    return load_task(stage().job)


@cache
def whole():
    return joined(task())


def finding(**changes):
    fields = {"attack": "a", "against": "b", "measure": "m", "value": 0.5, "guess": 0.1}
    return Finding(**{**fields, "interval": (0.4, 0.6), "trials": 10, **changes})


def test_rows_are_joined_by_person_and_the_reference_is_the_better_model():
    rows = whole()
    assert {one.rows for one in rows.clients.values()} == {CLIENTS}
    lender, payco = rows.applicants.values()
    assert lender.ids.tolist() == payco.ids.tolist() and lender.rows == APPLICANTS
    alone, together = local(task()), pooled(task())
    assert auc(rows.outcomes, together.logits) > auc(rows.outcomes, alone.logits) + 0.05
    assert together.memory > 1 << 27 and together.seconds > 0
    assert np.array_equal(pooled(task()).logits, together.logits), "the same each time"


def received(told):
    return {
        one.attack: one
        for one in attacks(task(), whole(), Received(np.arange(len(told)), told), "a test")
    }


def test_attacks_restore_what_was_sent_plainly_and_nothing_from_noise():
    plain = received(numbers(whole().applicants["payco"]))
    assert all(one.leaks for one in plain.values())
    assert plain["reconstruction"].value > 0.9 and plain["linkage"].value > 0.9
    noise = np.random.default_rng(5).normal(size=(APPLICANTS, 4))
    blind = received(noise)
    assert not any(one.leaks for one in blind.values())
    assert blind["reconstruction"].value == pytest.approx(blind["reconstruction"].guess, abs=0.02)


def test_the_same_seed_finds_the_same():
    noise = np.random.default_rng(5).normal(size=(APPLICANTS, 4))
    assert received(noise) == received(noise)


def test_a_surrogates_rows_are_the_models_own():
    trained, _ = whole().parts(task(), ["lender", "payco"])
    rows = matrix(trained)
    label = trained["lender"].label.astype(float)
    predicted = learner(task().job, trained)(rows, label)(rows[:50])
    assert predicted.shape == (50,) and 0 < predicted.min() and predicted.max() < 1
    wide = one_hot(trained)
    assert (
        wide.sum(axis=1) == len(trained["lender"].codings) + len(trained["payco"].codings)
    ).all()


def test_ways_differ_in_what_they_sign():
    made = ways(task())
    assert [one.name for one in made][:3] == [f"transform, ε = {e:g}" for e in (1, 3, 8)]
    assert [one.terms.transform.get("epsilon") for one in made[:3]] == [1.0, 3.0, 8.0]
    assert [(one.terms.training, one.terms.scored_by, one.terms.dealer) for one in made[3:]] == [
        ("enclave", "enclave", False),
        ("enclave", "mpc", False),
        ("mpc", "mpc", True),
    ]


def row(name, **changes):
    fields = {"auc": 0.7, "ks": 0.4, "seconds": 10.0, "processor": 12.0}
    return Row(name, **{**fields, "memory": {"a": 1 << 28, "b": 1 << 20}, **changes})


def test_what_a_network_would_take_is_rounds_and_bytes_beside_the_measured_time():
    one = row("x", traffic={"a → b": 10**8, "b → a": 2 * 10**8}, rounds=100)
    assert one.bytes == 3 * 10**8 and one.peak == 1 << 28
    assert one.on(NETWORKS["wan"]) == pytest.approx(10 + 100 * 0.02 + 24)


def test_a_table_a_page_and_json_say_the_same():
    rows = (
        row(LOCAL, auc=0.62),
        row("x", traffic={"a → b": 10**6}, findings=(finding(), finding(attack="c", value=0.45))),
        row("y <b>", epsilon=3.0, delta=1e-6, findings=(finding(interval=(0.05, 0.6)),)),
        row(POOLED, auc=0.77),
    )
    found = Comparison("a purpose", "scorecard", 100, 40, 5.0, rows)
    assert found.attacks == ["a", "c"]
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["rows"][1]["difference"] == pytest.approx(-0.07)
    assert plain["rows"][1]["findings"][0]["leaks"] and not plain["rows"][2]["findings"][0]["leaks"]
    assert [cell(one) for one in (None, *rows[1].findings)] == ["–", "0.5*", "0.45*"]
    text = page.render(found)
    assert "y &lt;b&gt;" in text and "<script" not in text and "https:" not in text
    assert text.count("<svg") == 2 and "0.700" in text and "−0.070" in text


def test_a_task_that_not_every_way_can_do_is_refused(tmp_path):
    text = stage().job.read_text(encoding="utf-8").replace('"enclave"', '"mpc"')
    path = tmp_path / "job.toml"
    path.write_text(text.replace('kind = "scorecard"', 'kind = "perceptron"'), encoding="utf-8")
    with pytest.raises(UsageError, match="not something that every way can do"):
        load_task(path, stage().folder)


def test_fewer_predictions_than_applicants_are_refused():
    job = replace(task().job, predictions=10)
    with pytest.raises(UsageError, match="1,300 applicants in common, and the job states 10"):
        Subject(replace(task(), job=job))


@pytest.mark.jobs
def test_every_way_is_run_and_every_cell_is_of_that_run(tmp_path):
    subject = Subject(task())
    rows = {one.way: one for one in subject.rows(tmp_path / "runs", silent)}
    assert next(iter(rows)) == LOCAL and list(rows)[-1] == POOLED and len(rows) == 8
    reference = rows[POOLED].auc
    for way in ("enclave", "enclave → MPC", "MPC, profile dealer"):
        assert rows[way].auc == pytest.approx(reference, abs=0.003)
        assert rows[way].found("attribute inference").leaks, "scores tell of the other's columns"
    assert rows["transform, ε = 1"].auc < reference - 0.02
    uniform = [one.found("uniformity of messages") for one in rows.values()]
    assert [one is not None for one in uniform] == [False] * 5 + [True] * 2 + [False]
    for place, way in enumerate(ways(task())):
        folder = tmp_path / "runs" / f"way-{place}"
        report = next(folder.glob("lender/jobs/*/report.json")).read_text(encoding="utf-8")
        measured = from_json(report).comparison
        assert rows[way.name].auc == pytest.approx(measured.joint.auc, abs=1e-9)
        assert rows[way.name].ks == pytest.approx(measured.joint.ks, abs=1e-9)
        assert set(rows[way.name].memory) == {"lender", "payco", *({way.terms.helper} - {""})}
        assert rows[way.name].traffic["payco → lender"] > 10_000
        assert min(rows[way.name].memory.values()) > 1 << 26
    found = Comparison.of(task(), tuple(rows.values()), subject.people, 1.0)
    assert (found.people, found.applicants) == (CLIENTS, APPLICANTS)
    assert len(page.render(found)) > 20_000
