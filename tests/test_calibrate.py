"""What a machine and a link are measured to be: texts, fits, agreement, the command."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from moiety.cli import calibrate, link, load, rates
from moiety.cli.arena import Arena
from moiety.cli.load import Wanted
from moiety.cli.main import app
from moiety.cli.rates import SAMPLES, Row, Sample, fitted
from moiety.errors import ConfigError, MoietyError, UsageError
from moiety.lang.cost import Work
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, words
from moiety.plan.calibration import Calibration
from moiety.plan.explain import effort
from moiety.plan.network import MACHINE, Machine, Network
from moiety.plan.pipeline import Target, compile
from moiety.run import twin
from moiety.wire.plain import pair

RATES = st.floats(0, 10, allow_subnormal=False)
LAN = Network("loopback", 0.0, 2e9)


@given(
    latency=st.floats(0, 5),
    bandwidth=st.floats(1, 1e11),
    rates=st.lists(RATES, min_size=8, max_size=8),
    name=st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=40),
)
def test_a_calibration_is_its_text(latency, bandwidth, rates, name):
    made = Calibration.measured(Network(name, latency, bandwidth), Machine(*rates))
    again = Calibration.read(made.text)
    assert again == made and again.text == made.text
    assert made.network.latency == pytest.approx(latency, rel=6e-3)


GOOD = Calibration.measured(LAN, MACHINE).text
WRONG = {
    "not TOML": ("[network", "not TOML"),
    "no machine": (GOOD.split("[machine]")[0], "no key machine"),
    "a key less": (GOOD.replace("hash", "# hash"), "no key machine.hash"),
    "a key more": (GOOD + "speed = 3.0\n", "a strange key machine.speed"),
    "a table more": (GOOD + "[moon]\n", "a strange key moon"),
    "a negative time": (GOOD.replace("step = ", "step = -"), "step takes"),
    "no number": (GOOD.replace("step = ", 'step = "1" #'), "step is no number"),
    "not finite": (GOOD.replace("latency = 0.0", "latency = inf"), "latency is no number"),
    "a true number": (GOOD.replace("latency = 0.0", "latency = true"), "latency is no number"),
    "no bandwidth": (GOOD.replace("bandwidth = ", "bandwidth = 0.0 #"), "0.0 bytes per second"),
    "no table": ("network = 1\nmachine = 2\n", "network is not a table"),
    "a long name": (GOOD.replace("loopback", "x" * 41), "name of up to 40"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_text_that_is_no_calibration_is_refused_in_a_sentence(name):
    text, match = WRONG[name]
    with pytest.raises(ConfigError) as told:
        Calibration.read(text)
    assert match in f"{told.value} ({told.value.hint})"


def test_of_two_machines_the_slower_counts():
    mine = Calibration(LAN, replace(MACHINE, hash=1.0, step=0.0))
    theirs = Calibration(Network("peer", 1.0, 1.0), replace(MACHINE, hash=0.5, step=2.0))
    both = mine.slower(theirs)
    assert (both.network, both.machine.hash, both.machine.step) == (LAN, 1.0, 2.0)


def test_the_fit_finds_the_rates_that_made_the_times():
    true = Machine(1e-10, 2e-8, 5e-8, 3e-9, 2e-9, 1e-9, 3e-5, 1e-4)
    rows = []
    for sample in SAMPLES:
        plan = sample.wanted.compiled().plan
        work = replace(effort(plan), round=len(plan.cost.rounds))
        seconds = true.seconds(work)
        rows.append(Row(sample.name, work, 0.0, seconds, seconds, sample.clocked))
    assert asdict(fitted(rows)) == pytest.approx(asdict(true), rel=1e-6)
    noise = np.random.default_rng(1).uniform(0.9, 1.1, len(rows))
    shaken = [
        replace(row, seconds=row.seconds * n, processor=row.processor * n)
        for row, n in zip(rows, noise, strict=True)
    ]
    found = fitted(shaken)
    assert all(0.6 < row.predicted(found) / row.measured < 1.6 for row in shaken)


def test_every_kind_of_work_has_a_sample():
    total = sum((effort(sample.wanted.compiled().plan) for sample in SAMPLES), Work())
    assert all(count for kind, count in asdict(total).items() if kind != "round")


def test_both_ends_of_a_link_agree():
    ends = [
        Calibration.measured(LAN, replace(MACHINE, hash=3e-8)),
        Calibration.measured(LAN, replace(MACHINE, product=5e-9)),
    ]
    channels = pair()

    def side(at):
        with channels[at] as channel:
            found = link.agreed(channel, ends[at], 0.0)
            channel.finish()
        return found

    with ThreadPoolExecutor(2) as pool:
        first, second = (future.result() for future in [pool.submit(side, at) for at in (0, 1)])
    assert first == second and first.text == second.text
    assert (first.machine.hash, first.machine.product) == (3e-8, 5e-9)
    assert first.network.name == "peer" and first.network.bandwidth > 1e6


def test_a_machine_changes_the_plan():
    type = words((200,), SHARED, (-(2**40), 2**40), 18)
    program = trace(lambda x, y: {"y": x < y}, {"x": type, "y": type})
    machines = (replace(MACHINE, hash=0.0), replace(MACHINE, hash=1e-3))
    ways = [
        next(s.way.name for _, s in compile(program, Target(network="wan", machine=m)).steps())
        for m in machines
    ]
    assert ways[0] == "DPF prefix parity" and ways[1].startswith("dealt digit tables")


# the command


@pytest.fixture
def small(monkeypatch):
    """Samples that take no time."""
    few = (
        Sample("a chain", "chain", ("x=1",), ("depth=4",), clocked=True),
        Sample("products", "product", ("x=100", "y=100")),
    )
    monkeypatch.setattr(calibrate, "SAMPLES", few)
    monkeypatch.setattr(calibrate, "BLOCK", 1 << 18)


def cli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


SOURCE = """
import moiety
import moiety.array as xp
from moiety import From, To

@moiety.secure
def score(x: From("bank", low=-8, high=8), w: From("payco", low=-1, high=1)) -> To("bank"):
    return xp.sigmoid(x @ w)
"""


def test_calibrate_writes_what_explain_and_try_read(small, tmp_path):
    out = tmp_path / "calibration.toml"
    done = cli("calibrate", "--out", out, "--repeats", 1, "--json")
    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout)
    found = Calibration.read(out.read_text())
    assert body["machine"] == asdict(found.machine) and body["hash"] > 0 and body["tls"] > 0
    assert [row["rounds"] for row in body["samples"]] == [6, 2]
    (tmp_path / "lending.py").write_text(SOURCE)
    place = f"{tmp_path}/lending.py:score"
    shown = cli("explain", place, "--shape", "x=2,3", "--shape", "w=3", "--calibration", out)
    assert shown.exit_code == 0 and "score on loopback (0 ms one way" in shown.stdout
    wan = cli(
        *("explain", place, "--shape", "x=2,3", "--shape", "w=3", "--calibration", out),
        *("--network", "wan", "--error", "0.01", "--force", "12 sines"),
    )
    assert "score on wan" in wan.stdout and "→ 12 sines" in wan.stdout
    ran = cli(
        *("try", place, "--arg", "x=[[1,2,3]]", "--arg", "w=[0.5,0.25,-1]"),
        *("--calibration", out, "--error", "0.01", "--twin", "--json"),
    )
    assert ran.exit_code == 0, ran.output
    (result,) = json.loads(ran.stdout)["results"]
    assert result["from_real"] <= result["bound"] < 0.02


MISTAKES = {
    "both ends": (["--listen", "h:1", "--peer", "h:2"], "one party listens"),
    "no address": (["--peer", "nowhere"], "not an address"),
    "no port": (["--listen", "nowhere:many"], "not an address"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_before_anything_is_measured(name, tmp_path):
    words, match = MISTAKES[name]
    done = cli("calibrate", "--out", tmp_path / "c.toml", *words)
    assert isinstance(done.exception, UsageError)
    assert match in f"{done.exception} {done.exception.hint}"
    assert not (tmp_path / "c.toml").exists()


def test_a_calibration_file_must_be_there_and_small(tmp_path):
    with pytest.raises(UsageError, match="no calibration file"):
        load.calibration(tmp_path / "none.toml")
    large = tmp_path / "large.toml"
    large.write_text("#" * (1 << 17))
    with pytest.raises(UsageError, match="too large"):
        load.calibration(large)


# the processes


def test_an_order_survives_the_way_to_another_process():
    wanted = Wanted("a.py:f", ("x=3,2",), ("n=4",), 20, "wan", GOOD, 1e-3, ("DPF",), ("narrow",))
    assert Wanted.decode(wanted.encode()) == wanted
    assert Wanted.decode(Wanted("a.py:f").encode()) == Wanted("a.py:f")


def test_a_party_that_made_another_plan_is_noticed(tmp_path, capfd):
    file = tmp_path / "lending.py"
    file.write_text(SOURCE)
    wanted = Wanted(f"{file}:score", ("x=2,3", "w=3"))
    compiled = wanted.compiled()
    file.write_text(SOURCE.replace("low=-8", "low=-7"))
    brought = twin.split(compiled.plan, rates.zeros(compiled))
    with pytest.raises(MoietyError, match="another plan"), Arena() as arena:
        arena.order(wanted, compiled, brought)


def test_a_party_that_fails_says_why(tmp_path, capfd):
    file = tmp_path / "lending.py"
    file.write_text(SOURCE)
    wanted = Wanted(f"{file}:score", ("x=2,3", "w=3"))
    compiled = wanted.compiled()
    file.write_text("")
    brought = twin.split(compiled.plan, rates.zeros(compiled))
    with pytest.raises(MoietyError, match="failed; it said why"), Arena() as arena:
        arena.order(wanted, compiled, brought)
    assert "no secure function 'score'" in capfd.readouterr().err
