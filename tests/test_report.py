"""A party's report: every part shows, nothing is loaded or run, no text escapes its place."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from moiety.errors import DataError, UsageError
from moiety.report.assess import predictions
from moiety.report.content import (
    Check,
    Evidence,
    Learned,
    PartyReport,
    PartyRole,
    RecordReference,
    Trust,
)
from moiety.report.cost import Latency, StepCost, Traffic
from moiety.report.page import render, write
from moiety.report.stored import from_json
from moiety.report.terminal import summary, to_json
from report_kit import HOSTILE, NOW, Page, sample_report, step


def minimal(**parts):
    return PartyReport(sample_report("payco", simulated=False).header, **parts)


def variants():
    full = sample_report()
    yield "lender", full
    yield "payco", sample_report("payco")
    yield "minimal", minimal()
    yield "scores only", minimal(scores=predictions(np.array([0.1, 0.1, 0.9])))
    for name in ("columns", "steps", "learned", "trust", "oracle", "latencies", "record"):
        part = getattr(full, name)
        yield f"only {name}", minimal(**{name: part})
        yield f"without {name}", replace(full, **{name: () if isinstance(part, tuple) else None})
    yield "no enclave", minimal(trust=Trust("nobody", None, ()))


VARIANTS = dict(variants())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_page_is_well_formed_and_stands_alone(name):
    source = render(VARIANTS[name])
    page = Page(source)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", source, re.IGNORECASE)
    assert all(href.startswith("#") for href in page.all("href"))
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [each for each in names if each.startswith("on") or each in ("src", "style")]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_id_is_unique_and_every_reference_is_met(name):
    page = Page(render(VARIANTS[name]))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    wanted = {href[1:] for href in page.all("href")}
    wanted |= {each for value in page.all("aria-labelledby") for each in value.split()}
    assert wanted <= set(ids)


def test_the_policy_allows_this_very_style_sheet_and_nothing_else():
    page = Page(render(sample_report()))
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    policy = page.all("content")[0]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_the_lenders_page_says_what_was_found():
    report = sample_report()
    words = Page(render(report)).text
    found = report.comparison
    assert "Joining is worth it here" in words
    for value in (found.alone.ks, found.joint.ks, found.alone.auc, found.joint.auc):
        assert f"{value:.3f}" in words
    assert "SIMULATED" in words and "no confidentiality from the host" in words
    assert "made outside the job by the demo, which holds both tables" in words.lower()
    assert "135 scores of freely chosen applicants are enough" in words
    assert "3.1 × 10⁻⁷" in words and "✓ equal" in words


def test_a_partner_without_outcomes_is_told_why_it_sees_less():
    page = Page(render(sample_report("payco")))
    assert "outcomes stay with lender and scores are revealed to lender only" in page.text
    assert "it gets ranges and counts only" in page.text
    assert not {"Bad rate", "AUC", "KS", "IV"} & {each.strip() for each in page.words}


def test_hardware_is_not_called_simulated():
    assert "SIMULATED" not in render(sample_report(simulated=False))


def test_a_difference_between_predicted_and_measured_is_shown():
    wrong = StepCost("score", "payco", Traffic(6, 100, 100), Traffic(6, 100, 101), 0.1)
    assert "✗ differs" in render(minimal(steps=(wrong,)))
    assert "✗ differs" in shown(minimal(steps=(wrong,)))
    assert not wrong.equal and replace(wrong, predicted=wrong.measured).equal


def test_without_an_enclave_none_is_spoken_of():
    words = Page(render(VARIANTS["no enclave"])).text
    assert "No enclave took part" in words and "If the enclave is broken" not in words
    assert "If the enclave is broken" in Page(render(VARIANTS["only trust"])).text


def test_a_refusal_is_shown():
    trust = Trust("operator", None, (Check("TCB status", "UpToDate", "OutOfDate", False),))
    page = Page(render(minimal(trust=trust))).text
    assert "own policy: refused" in page and "✗ not met" in page


def hostile_report():
    report = sample_report()
    header = replace(
        report.header,
        purpose=HOSTILE,
        party=HOSTILE,
        label_holder=HOSTILE,
        scores_to=HOSTILE,
        model=HOSTILE,
        job_hash=HOSTILE,
        version=HOSTILE,
        parties=(PartyRole(HOSTILE, HOSTILE),),
    )
    column = report.columns[0]
    bins = (replace(column.bins[0], label=HOSTILE),)
    evidence = Evidence(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), NOW)
    return replace(
        report,
        header=header,
        comparison=replace(report.comparison, joint=replace(report.comparison.joint, name=HOSTILE)),
        columns=(replace(column, name=HOSTILE, unit=HOSTILE, bins=bins),),
        steps=(step(HOSTILE, HOSTILE, 1, 2, 3, 4.0),),
        learned=(Learned(HOSTILE, HOSTILE, 1, HOSTILE),),
        trust=Trust(HOSTILE, evidence, (Check(HOSTILE, HOSTILE, HOSTILE, True),)),
        latencies=(Latency(HOSTILE, 1, 1, 1.0),),
        record=RecordReference(HOSTILE, HOSTILE, HOSTILE, 1),
    )


def test_hostile_texts_stay_texts():
    source = render(hostile_report())
    page = Page(source)
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script" not in source and "\x1b" not in source and "\u202e" not in source
    assert page.text.count("<script>alert(1)</script>") > 20 and "{{ 7 * 7 }}" in page.text
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {each for each in names if each.startswith("on")}


def test_write_keeps_the_page_to_its_owner(tmp_path):
    path = tmp_path / "report.html"
    write(minimal(), path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text(encoding="utf-8") == render(minimal())
    with pytest.raises(UsageError, match="cannot write the report"):
        write(minimal(), tmp_path / "nowhere" / "report.html")


def shown(report):
    out = StringIO()
    Console(file=out, width=140, force_terminal=True, color_system="truecolor").print(
        summary(report)
    )
    return out.getvalue()


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_shows_in_a_terminal(name):
    assert VARIANTS[name].header.party in shown(VARIANTS[name])


def test_the_terminal_says_the_same_and_reads_no_markup():
    words = shown(sample_report())
    assert "Joining is worth it here" in words and "SIMULATED" in words and "(4 of 4)" in words
    assert f"{sample_report().comparison.joint.ks:.3f}" in words
    hostile = shown(hostile_report())
    assert "\u202e" not in hostile and "[bold]" in hostile
    assert "\x1b[31m{{" not in hostile and "�[31m�[bold]" in hostile


@pytest.mark.parametrize("name", VARIANTS)
def test_json_is_strict_and_whole(name):
    def refuse(word):
        raise AssertionError(word)

    content = json.loads(to_json(VARIANTS[name]), parse_constant=refuse)
    report = VARIANTS[name]
    assert content["header"]["date"] == "2026-11-23T17:22:05+00:00"
    assert len(content["steps"]) == len(report.steps)
    assert (content["comparison"] is None) == (report.comparison is None)
    assert len(to_json(report)) < 200_000


@pytest.mark.parametrize("name", VARIANTS)
def test_a_stored_report_makes_the_same_page(name):
    again = from_json(to_json(VARIANTS[name]))
    assert to_json(again) == to_json(VARIANTS[name])
    assert render(again) == render(VARIANTS[name])


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"header": {}}', '{"header": 1}'])
def test_what_is_no_stored_report_is_refused(text):
    with pytest.raises(DataError, match="not a stored report"):
        from_json(text)


def test_many_steps_of_a_part_are_shown_as_one_and_all_beneath():
    traffic = Traffic(2, 10, 20)
    many = tuple(
        StepCost(f"step {n}", "payco", traffic, traffic, 0.5, "training") for n in range(9)
    )
    few = StepCost("align", "payco", traffic, None, 0.1, "aligning")
    report = minimal(steps=(few, *many))
    words = " ".join(Page(render(report)).words)
    assert "Training, step by step" in words and "step 8" in words
    assert "training payco 18 18 90 90 180 180 ✓ equal" in " ".join(words.split())
    assert "step 8" not in shown(report) and "training with payco" in shown(report)
    assert render(report).startswith("<!doctype html>")
