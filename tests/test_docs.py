"""The documentation is true: its commands, links, names, keys and figures follow from the code."""

import importlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from docs_kit import in_the_clear
from moiety.cli.main import app
from moiety.cli.stage import Terms
from moiety.data.ids import normalise_id
from moiety.enclave.capsule import CapsuleHeader, DataKey, seal
from moiety.lang.primitive import REGISTRY
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import SCORE_BITS, WEIGHT_BITS
from moiety.learn.scorecard import Points
from moiety.learn.secret_model import HALF
from moiety.party.coded import Coded
from moiety.party.seal import to_arrow
from moiety.run.dealing import LOT
from moiety.run.session import HASH

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "moiety"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MINUS = "\N{MINUS SIGN}"


def named(page):
    return str(page.relative_to(ROOT))


def told(text):
    """Words and numbers of a page, with plain signs and spaces, without thousands' commas."""
    plain = " ".join(text.replace(MINUS, "-").replace("**", "").replace("\n> ", "\n").split())
    return re.sub(r"(?<=\d),(?=\d{3})", "", plain)


def anchors(page):
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_names_stand_in_the_files_that_are_named_with_them(page):
    text = page.read_text(encoding="utf-8")
    for name, path in re.findall(r"`([A-Za-z_][\w.]*)`[,\s(]+`([\w/]+)\.py`", text):
        if not (SOURCE / f"{path}.py").exists():
            continue
        found = importlib.import_module("moiety." + path.replace("/", "."))
        for part in name.split("."):
            found = getattr(found, part)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_named_exist(page):
    tests = {path.name for path in (ROOT / "tests").glob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")):
        below = [SOURCE / name, ROOT / name, *SOURCE.rglob(name)]
        assert name in tests or any(path.exists() for path in below), name


def verbs(command, words=()):
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from verbs(child, (*words, name))


def shown_commands(page):
    """What stands after `moiety` in the lines of code blocks, fenced or indented."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```|^((?:    .*\n)+)", text, re.M | re.S)
    for line in "\n".join(fenced or indented for fenced, indented in blocks).splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["moiety"]:
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_that_are_shown_exist_with_their_options(page):
    known = dict(verbs(typer.main.get_command(app)))
    for words in shown_commands(page):
        verb = next(v for n in (3, 2, 1) if (v := tuple(words[:n])) in known or n == 1)
        assert verb in known, words
        options = {opt for each in known[verb].params for opt in each.opts + each.secondary_opts}
        assert {word for word in words if word.startswith("--")} <= options | {"--help"}, words


def test_every_key_of_the_files_is_documented():
    told_keys = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    names = ("agreement/manifest.py", "party/config.py", "enclave/policy_file.py")
    read = [SOURCE / name for name in names]
    pattern = re.compile(r'\.(?:text|whole|flag|names|table|tables)\(\s*"(\w+)"')
    for path in read:
        for key in pattern.findall(path.read_text(encoding="utf-8")):
            assert re.search(rf"[`\[ .]{key}[`\]. ]", told_keys), key


@pytest.fixture(scope="module")
def clear():
    return in_the_clear()


@pytest.fixture(scope="module")
def walk():
    return told((ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8"))


def test_the_walkthroughs_client(clear, walk):
    raw = re.search(r"client `(\S+)`", walk)[1]
    one, column = normalise_id(raw), "payco.bill_amt1"
    assert raw in clear.tables["payco"]["id"].to_pylist() and f"`{one}`" in walk
    cut, row = clear.bins[column], clear.common.index(one)
    code = int(clear.codes[column][row])
    number = clear.number("payco", one, "bill_amt1")
    assert f"`bill_amt1` = {number}:" in walk and f"{number} becomes {code}" in walk
    assert f"bin {code}, “{told(cut.labels()[code])}”" in walk
    table, weight = clear.card.tables[column], clear.card.weights[column][code]
    total = (int(clear.label.sum()), len(clear.label))
    assert f"bin {code}: {table.rows[code]} rows, {table.events[code]} of them defaulted" in walk
    assert f"where {total[0]} of all {total[1]} did" in walk
    assert f"{table.woe[code]:+.4f}" in walk and f"{weight:.4f}" in walk
    assert f"coefficient of {clear.card.coefficients[column]:.4f}" in walk
    assert f"the word {round(weight * 2**WEIGHT_BITS)}," in walk
    assert f"the lender's label {clear.label[row]}" in walk


def test_the_walkthroughs_applicant(clear, walk):
    one = normalise_id(re.search(r"`(\S+)` is a client of payco", walk)[1])
    assert one in clear.applicants and f"finds {len(clear.applicants)} such" in walk
    assert f"(`bill_amt1` = {clear.number('payco', one, 'bill_amt1')}, bin" in walk
    assert f"credit limit of {clear.number('applicants', one, 'limit_bal')}" in walk
    assert f"an age of {clear.number('applicants', one, 'age')}" in walk
    parts = clear.parts(one)
    sums = [sum(part for name, part in parts.items() if name.startswith(who)) for who in "lp"]
    first = clear.card.intercept + HALF
    for part in (first, *sums, first + sum(sums)):
        assert f"| {part:.4f} |" in walk
    units = int(np.floor((first + sum(sums)) * 2**SCORE_BITS))
    score = units / 2**SCORE_BITS
    points = round(float(Points().of(np.array([score]))[0]))
    assert f"lender: {units}/256 = {score}, " in walk
    assert f"probability of {100 / (1 + np.exp(-score)):.1f} %, {points} points" in walk


def test_the_walkthroughs_sizes(clear, walk):
    own = {
        name.removeprefix("payco."): codes
        for name, codes in clear.codes.items()
        if name.startswith("payco.")
    }
    bins = {name: clear.bins[f"payco.{name}"] for name in own}
    header = CapsuleHeader("payco/clients", 1, bytes(32))
    capsule = sum(map(len, seal(to_arrow(Coded(bins, own)), DataKey.random(), header)))
    assert f"{len(clear.common)} rows by {len(own)} columns: {capsule} bytes" in walk
    assert f"among {clear.tables['payco'].num_rows} others" in walk
    assert f"count what agrees, {len(clear.common)};" in walk
    assert f"at most {Terms().predictions} predictions" in walk


def test_the_walkthroughs_ranking(walk):
    rows = json.loads((ROOT / "benches" / "results" / "demo.json").read_text())["rows"]
    alone, joint = rows[0]["alone"], rows[0]["joint"]
    assert f"KS {alone['ks']:.3f} alone and {joint['ks']:.3f} joint" in walk


def test_the_walkthroughs_traffic(clear, walk):
    counts = [
        tuple(cut.count for name, cut in clear.bins.items() if name.startswith(who)) for who in "lp"
    ]
    missing = tuple(tuple(False for _ in own) for own in counts)
    program = PublicShape("scorecard", tuple(counts), missing).program(1, 0)
    wide = [sum(own) for own in counts]
    size = program.cost.sent(0) + program.cost.sent(1) + 2 * (HASH + LOT)
    assert f"{wide[0]} columns at the lender, {wide[1]} at payco" in walk
    (ring,) = {s.type.ring for _, s in program.steps() if s.primitive.name == "mask"}
    assert f"{wide[1]} words of {ring} bits" in walk
    assert f"{len(program.cost.rounds) + 1} rounds and {size} bytes" in walk
    assert f"sends {program.nodes[-2].type.width} bits" in walk


def test_the_generated_pages_are_in_step():
    """Operators, verbs, errors, figures; and who learns what, in the threat model."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_reference.py", "--check"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_threat_model_names_every_way_that_sends_and_every_event_of_a_record():
    told_by = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = [row.split(" | ")[:2] for row in told_by.splitlines() if row.startswith("| `")]
    named = {(first.strip("| `"), second) for first, second in rows}
    for primitive in REGISTRY.values():
        for way in primitive.ways:
            assert ((primitive.name, way.name) in named) == (not way.local), way.name
    written = re.compile(r'(?:\.note|record\.append)\(\s*"([a-z-]+)"')
    for path in (SOURCE / "party").glob("*.py"):
        for event in written.findall(path.read_text(encoding="utf-8")):
            assert f"`{event}`" in told_by, event


def test_figures_in_the_readme_are_the_measured_ones():
    rows = json.loads((ROOT / "benches" / "results" / "demo.json").read_text())["rows"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = {e["split"]: e for e in rows if (e["story"], e["model"]) == ("credit", "scorecard")}
    for split in ("thin", "fate", "strong"):
        alone, joint = found[split]["alone"], found[split]["joint"]
        shown = (
            f"| {alone['ks']:.3f} | {joint['ks']:.3f} | {alone['auc']:.3f} | {joint['auc']:.3f} |"
        )
        assert f"`{split}`" in text and shown in text, split


def test_the_ways_in_the_readme_are_those_compared():
    found = json.loads((ROOT / "benches" / "results" / "compare.json").read_text())["rows"]
    rows = {each["way"]: each for each in found}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {
        "the lender alone": "local only",
        "transform, ε = 8": "transform, ε = 8",
        "enclave → MPC": "enclave → MPC",
        "MPC throughout": "MPC, profile dealer",
        "all rows pooled": "pooled plaintext",
    }
    for name, way in named.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        attacks = {one["attack"]: one for one in rows[way]["findings"]}
        told = attacks.get("attribute inference")
        value = told["value"] if told else rows["enclave"]["findings"][2]["guess"]
        assert cells[1] == f"{rows[way]['auc']:.3f}" and cells[-1] == f"{value:.3f}", name
        if rows[way]["traffic"]:
            size, rounds = rows[way]["bytes"] / 1e6, rows[way]["rounds"]
            assert cells[2] == (f"{size:.0f} MB" if size > 99 else f"{size:.1f} MB"), name
            assert cells[3] == str(rounds), name


@pytest.mark.jobs
def test_the_example_does_the_job_without_the_demo(tmp_path):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    done = subprocess.run(
        ["bash", ROOT / "examples" / "three_terminals.sh", tmp_path / "job"],
        env={**os.environ, "PYTHON": sys.executable, "PORT": str(min(port, 65000))},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Joining is worth it here" in done.stdout
    assert "whole and complete" in done.stdout
