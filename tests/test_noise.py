"""Noise that is told: its exact distribution, who draws it, fresh in every run of a runner."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest

import moiety
import moiety.array as xp
from cli_kit import moiety as command  # noqa: F401
from moiety import From, Kept, Results, Shared, To
from moiety.errors import UsageError
from moiety.function.noise import TAIL
from moiety.function.runner import Owned
from moiety.lang.types import Private
from moiety.run import dealing, twin
from moiety.run.local import Clear, Twin
from moiety.run.noise import drawn
from moiety.run.rehearsal import rehearse
from remote_kit import among

X, Y = np.linspace(0, 1, 12).reshape(6, 2), np.linspace(-1, 0.5, 12).reshape(6, 2)


@moiety.secure
def totals(x: From("bank", low=-1, high=1), y: From("payco", low=-1, high=1)) -> Results(
    bank=To("bank", noise=0.5), payco=To("payco", noise=2.0), kept=Kept()
):
    both = xp.sum(x + y, axis=0)
    return {"bank": both, "payco": both, "kept": both}


def test_the_other_party_draws_the_noise_within_proven_bounds():
    compiled = totals.compile({"x": X.shape, "y": Y.shape})
    by = {one.input.name: one for one in compiled.noise}
    assert {name: one.party for name, one in by.items()} == {"bank, noise": 1, "payco, noise": 0}
    assert by["bank, noise"].scale == Fraction(1, 2) * 2**18
    assert by["bank, noise"].most == TAIL * 2**17
    assert compiled.plan.inputs["bank, noise"].owner == Private(1)
    assert set(compiled.arguments) == {"x", "y"}
    for party, name in ((0, "payco, noise"), (1, "bank, noise")):
        found = drawn(compiled.noise, party)
        assert set(found) == {name} and found[name].shape == (2,)
        assert (np.abs(found[name].view(np.int64)) <= by[name].most).all()
    with pytest.raises(KeyError):
        compiled.plan.clear(compiled.encode_all({"x": X, "y": Y}))
    assert compiled.clear(x=X, y=Y)["bank"] == pytest.approx((X + Y).sum(axis=0), abs=1e-4)
    assert compiled.real(x=X, y=Y)["bank"] == pytest.approx((X + Y).sum(axis=0))


def test_the_message_to_the_receiver_carries_the_noise():
    """The receiver can compute the noisy value only: the message to it has the noise in it."""
    compiled = totals.compile({"x": X.shape, "y": Y.shape})
    words = compiled.encode_all({"x": X, "y": Y}) | drawn(compiled.noise)
    plan = compiled.plan
    found = twin.run(plan, twin.split(plan, words), dealing.deal(plan)).results
    exact = compiled.clear(x=X, y=Y)
    noise = compiled.decoded({name: words[name] for name in ("bank, noise", "payco, noise")})
    for party, name in enumerate(("bank", "payco")):
        told = compiled.decode({name: found[party][name]})[name]
        assert np.array_equal(told, exact[name] + noise[f"{name}, noise"])
        assert name not in found[1 - party]


BOTH = pytest.mark.parametrize("kind", [Clear, Twin])


def spread(found):
    exact = (X + Y).sum(axis=0)
    return np.abs(np.concatenate([one - exact for one in found]))


@BOTH
def test_every_call_draws_anew(kind):
    run = kind(("bank", "payco"))
    given = {"x": Owned.of("bank", X), "y": Owned.of("payco", Y)}
    found = [run.call(totals, **given) for _ in range(120)]
    bank, payco = (spread([one[name] for one in found]) for name in ("bank", "payco"))
    assert len(np.unique(bank)) > 230
    assert 0.3 < bank.mean() < 0.8 and 1.2 < payco.mean() < 3.2


@moiety.secure
def watch(
    x: From("bank", low=-1, high=1),
    y: From("payco", low=-1, high=1),
    w: Shared(low=-1, high=1, coins=True),
) -> Results(w=Kept(), seen=To("bank", noise=0.25)):
    return {"w": xp.clip(w + xp.mean(x), -1, 1), "seen": xp.sum(y)}


@moiety.secure
def start(x: From("bank", low=-1, high=1), y: From("payco", low=-1, high=1)) -> Results(w=Kept()):
    return {"w": xp.clip(xp.sum(x * 0.0) + xp.sum(y * 0.0), -1, 1)}


def algorithm(runner):
    mine = runner.parties[runner.session.party] if hasattr(runner, "session") else None
    given = {
        name: Owned(owner, data.shape, data if mine in (owner, None) else None)
        for name, owner, data in (("x", "bank", X), ("y", "payco", Y))
    }
    w = runner.call(start, **given)["w"]
    done = runner.repeat(watch, state={"w": w}, given=given, spans=[slice(None)] * 40)
    return done.results["seen"]


def test_every_run_of_a_loop_draws_anew_between_parties():
    bank, payco, _ = among(("bank", "payco"), algorithm)
    assert payco == [None] * 40
    off = np.array([float(one) for one in bank]) - Y.sum()
    assert len(np.unique(off)) == 40 and 0.1 < np.abs(off).mean() < 0.6


def test_a_rehearsal_counts_noise_as_no_error():
    compiled = totals.compile({"x": X.shape, "y": Y.shape})
    outcome = rehearse(compiled, {"x": X, "y": Y})
    assert all(one.from_real <= one.bound < 1e-3 for one in outcome.results)
    compiled.explain(outcome.measured)


SOURCE = """
import moiety, moiety.array as xp
from moiety import From, To

@moiety.secure
def f(x: From("bank", low=-1, high=1), y: From("payco", low=-1, high=1)) -> To(
    "bank", noise=100.0
):
    return xp.sum(x) + xp.sum(y)

@moiety.secure
def bare(x: From("bank", low=-1, high=1), y: From("payco", low=-1, high=1)) -> To("bank"):
    return xp.sum(x) + xp.sum(y)
"""


@pytest.mark.parametrize("options", [["--twin"], ["--profile", "clear"], []])
def test_a_function_is_tried_with_its_noise(command, tmp_path, options):
    path = tmp_path / "f.py"
    path.write_text(SOURCE)
    arguments = ["try", f"{path}:f", "--arg", "x=[1.0,1.0]", "--arg", "y=[1.0,0.0]", "--json"]
    code, out, err = command(*arguments, *options)
    assert code == 0, err
    (result,) = json.loads(out)["results"]
    assert result["value"] != 3.0 and result["from_real"] < 1e-3


@pytest.mark.parametrize("verb", ["try", "explain"])
def test_the_command_line_refuses_a_bare_sum(command, tmp_path, verb):
    path = tmp_path / "f.py"
    path.write_text(SOURCE)
    more = ["--arg", "x=[1.0]", "--arg", "y=[1.0]"] if verb == "try" else ["--shape", "x=1"]
    more += ["--shape", "y=1"] if verb == "explain" else []
    code, _, err = command(verb, f"{path}:bare", *more)
    assert code == 2 and "f.py:13: the result result of bare is a sum" in err and "noise=" in err


def test_what_cannot_be_noisy_is_refused():
    def made(body, result):
        def function(x: From("bank", low=0, high=1), y: From("payco", low=0, high=1)) -> result:
            return body(x, y)

        return moiety.secure(function).compile({"x": (2,), "y": (2,)})

    with pytest.raises(UsageError, match="noise on the booleans"):
        made(lambda x, y: x < y, To("bank", noise=1.0))
    with pytest.raises(UsageError, match="last place is") as caught:
        made(lambda x, y: x + y, To("bank", noise=1e-9))
    assert "at least" in caught.value.hint
    with pytest.raises(UsageError, match="64 signed bits"):
        made(lambda x, y: x + y, To("bank", noise=1e14))
    for scale in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UsageError, match="noise of scale"):
            To("bank", noise=scale)

    @moiety.secure
    def alone(x: From("bank", low=0, high=1)) -> To("bank", noise=1.0):
        return x

    with pytest.raises(UsageError, match="no other party to draw it"):
        alone.compile({"x": (2,)})
