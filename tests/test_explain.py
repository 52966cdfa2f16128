"""Explanations and rehearsals: nothing that costs is left out, and measured equals predicted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import moiety
import moiety.array as xp
from moiety import From, Kept, Results, Shared, To
from moiety.cli import console
from moiety.cli.main import app, main
from moiety.errors import InternalError, UsageError
from moiety.function.function import Page
from moiety.plan.explain import Measured, Took
from moiety.plan.pipeline import Target
from moiety.run.rehearsal import rehearse

SOURCE = """
import moiety
import moiety.array as xp
from moiety import From, Kept, Results, To

@moiety.secure
def score(
    x: From("bank", low=-8, high=8), w: From("payco", low=-1, high=1), steps=1
) -> Results(p=To("bank"), q=Kept()):
    y = x @ w
    for _ in range(steps):
        y = xp.clip(y * 0.3 + 1, 0, 1)
    return {"p": y, "q": y < 0.5}
"""


@moiety.secure
def score(x: From("bank", low=-8, high=8), w: From("payco", low=-1, high=1)) -> Results(
    p=To("bank"), q=Kept()
):
    y = xp.clip(x @ w, 0, 1)
    return {"p": y, "q": y < 0.5}


DATA = {"x": np.linspace(-8, 8, 20).reshape(10, 2), "w": np.array([0.75, -0.3])}


@pytest.fixture(scope="module")
def compiled():
    return score.compile(DATA)


def test_an_explanation_accounts_for_every_byte_and_round(compiled):
    page, cost = compiled.explain().data, compiled.plan.cost
    assert sum(line.option.sent for line in page.lines) == cost.link(0, 1)
    assert sum(line.option.received for line in page.lines) == cost.link(1, 0)
    assert sum(line.option.dealt for line in page.lines) == page.dealt == cost.dealt
    assert max(line.ends for line in page.lines) == page.rounds == len(cost.rounds)
    assert sum(part.sent for part in page.parts) == cost.link(0, 1)
    assert page.seconds["total"] == pytest.approx(
        sum(page.seconds[name] for name in ("rounds", "bytes", "dealing", "work"))
    )
    assert page.hash == compiled.plan.hash.hex()


def test_each_step_says_where_it_comes_from_and_what_was_rejected(compiled):
    lines = {line.call.split("(")[0]: line for line in compiled.explain().data.lines}
    product = lines["masked_matmul"]
    assert product.source.startswith("test_explain.py:") and lines["less_than"].rejected
    assert product.error > 0 and product.ulps > 0 and "bits" in product.width
    text = str(compiled.explain())
    assert "not DPF prefix parity" in text or (
        "not dealt digit tables" in text and "levels" in text and "passes" in text
    )


def test_a_run_in_memory_measures_what_was_predicted(compiled):
    outcome = rehearse(compiled, DATA)
    page = compiled.explain(outcome.measured)
    assert all(part.measured for part in page.data.parts) and "measured" in str(page)
    for one in outcome.results:
        assert one.from_real <= one.bound and one.from_clear <= one.bound
    assert [one.receiver for one in outcome.results] == ["bank", "kept as shares"]


def test_a_run_that_took_other_bytes_is_our_fault(compiled):
    measured = rehearse(compiled, DATA).measured
    first, second, *others = measured.levels
    wrong = [
        Measured(
            [first, Took(second.rounds, second.sent + 1, second.received), *others],
            measured.dealt,
            0.1,
        ),
        Measured(measured.levels[:-1], measured.dealt, 0.1),
        Measured(measured.levels, measured.dealt + 1, 0.1),
    ]
    for one in wrong:
        with pytest.raises(InternalError, match="predicted"):
            compiled.explain(one)


def test_notebooks_show_a_table_and_machines_get_json(compiled):
    page = compiled.explain()
    shown = page._repr_html_()
    assert shown.count("<tr>") > 5 and "masked table" in shown and "<script" not in shown
    assert json.loads(json.dumps(page.data.json))["lines"][0]["option"]["way"]


# the command line


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lending.py").write_text(SOURCE)
    for name, data in DATA.items():
        np.save(tmp_path / f"{name}.npy", data)
    return tmp_path


def cli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_explain_shows_the_plan_for_a_network(folder):
    place, shapes = f"{folder}/lending.py:score", ("--shape", "x=10,2", "--shape", "w=2")
    plain = cli("explain", place, *shapes, "--network", "wan")
    assert plain.exit_code == 0 and "lending.py:10" in plain.stdout and "20 ms" in plain.stdout
    machine = cli("explain", place, *shapes, "--json")
    assert json.loads(machine.stdout)["title"] == "score"
    skipped = cli("explain", place, *shapes, "--arg", "steps=2", "--skip", "narrow", "--json")
    assert "narrow" not in [one["name"] for one in json.loads(skipped.stdout)["passes"]]


@pytest.mark.parametrize("how", [["--twin"], ["--profile", "clear"], []])
def test_try_runs_a_function_among_local_parties(folder, how):
    arguments = [f"--arg={name}={folder}/{name}.npy" for name in DATA]
    done = cli("try", f"{folder}/lending.py:score", *arguments, *how, "--json")
    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout)
    (p, q) = body["results"]
    assert p["from_real"] <= p["bound"] and p["receiver"] == "bank" and len(q["value"]) == 10
    assert ("explanation" in body) == ("clear" not in how)


MISTAKES = {
    "no file": (["explain", "nowhere.py:f"], "there is no file"),
    "no function": (["explain", "{}/lending.py:xp"], "no secure function"),
    "a bad shape": (["explain", "{}/lending.py:score", "--shape", "x=ten"], "the shape"),
    "no value": (["try", "{}/lending.py:score", "--arg", "x"], "name=value"),
    "no array": (["try", "{}/lending.py:score", "--arg", "x=no.npy"], "no file"),
    "no literal": (["try", "{}/lending.py:score", "--arg", "x=oops"], "x=oops"),
    "no network": (
        ["explain", "{}/lending.py:score", "--shape=x=3,2", "--shape=w=2", "--network=moon"],
        "network profile",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_a_sentence(folder, name):
    words, match = MISTAKES[name]
    done = cli(*(word.format(folder) for word in words))
    assert isinstance(done.exception, UsageError) and match in str(done.exception)


@pytest.mark.parametrize(("profile", "match"), [("three", "does not exist yet"), ("3", "no prof")])
def test_a_profile_that_is_not_there_is_refused(folder, profile, match):
    arguments = [f"--arg={name}={folder}/{name}.npy" for name in DATA]
    done = cli("try", f"{folder}/lending.py:score", *arguments, "--profile", profile)
    assert isinstance(done.exception, UsageError) and match in str(done.exception)


@moiety.secure
def odds(x: Shared(low=-30, high=30), y: From("bank", low=0, high=1)) -> To("bank"):
    return xp.sigmoid(x) + y


def test_an_approximated_step_shows_what_was_chosen_and_what_was_not():
    page = odds.compile({"x": (50,), "y": (50,)}, target=Target(network="wan")).explain()
    (one,) = page.data.replaced
    assert one.source.startswith("test_explain.py:") and one.asked.startswith("sigmoid of values")
    assert one.option.error <= one.budget == 1e-3
    assert all(each.error <= 1e-3 and each.rounds for each in one.rejected)
    assert "errs by" in next(each.why for each in one.refused if "5 sines" in each.name)
    told, shown = str(page), page._repr_html_()
    for name in (one.option.way, one.rejected[0].way, one.refused[0].name):
        assert name in told and name in shown
    assert max(map(len, told.splitlines())) <= 160


def test_texts_of_others_are_shown_as_text(compiled):
    """A file may have any name, and a way any sign."""
    data = compiled.explain().data
    hostile = "<script>alert(1)</script>\x1b[31m"
    line = replace(data.lines[0], source=hostile, option=replace(data.lines[0].option, way=hostile))
    page = Page(replace(data, title=hostile, lines=(line, *data.lines[1:])))
    assert "<script" not in page._repr_html_() and "&lt;script&gt;" in page._repr_html_()
    assert "\x1b" not in console.printable(str(page))


def test_a_comparison_of_what_rounding_cannot_tell_apart_is_said(tmp_path):
    (tmp_path / "near.py").write_text(
        "import moiety.array as xp\nfrom moiety import From, To, secure\n\n"
        "@secure\ndef above(a: From('bank', low=0, high=1), b: From('payco', low=0, high=1)) "
        "-> To('bank'):\n    return xp.sum(a > b)\n"
    )
    a = np.linspace(0.1, 0.9, 9)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", a - 1e-8)
    given = [f"--arg={name}={tmp_path / name}.npy" for name in "ab"]
    result = CliRunner().invoke(app, ["try", "--twin", f"{tmp_path}/near.py:above", *given])
    assert result.exit_code == 0 and "beyond the bound" in result.output


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return xp.var(a)", "mine.py:6: AttributeError"),
        ("return a // 7", "mine.py:6: TypeError"),
        ("raise ValueError('my own check')", "my own check"),
        ("return (", "mine.py:6: '(' was never closed"),
        ("return xp.grad(lambda w: xp.sum(w), 3)(a)", "argument 3 of 1"),
        ("return a * steps", "needs its public parameter steps"),
    ],
)
def test_mistakes_in_a_users_file_are_told_as_such(tmp_path, monkeypatch, capsys, body, words):
    head = "import moiety.array as xp\nfrom moiety import From, To, secure\n\n@secure\n"
    path = tmp_path / "mine.py"
    path.write_text(
        head + f"def f(a: From('bank', low=0, high=1), steps) -> To('bank'):\n    {body}\n"
    )
    steps = [] if "steps" in body else ["--arg", "steps=2"]
    monkeypatch.setattr("sys.argv", ["moiety", "explain", f"{path}:f", "--shape", "a=3", *steps])
    with pytest.raises(SystemExit) as ended:
        main()
    told = "".join(capsys.readouterr())
    assert ended.value.code == 2 and words in told and "Traceback" not in told
