"""Runners: plans are made once, loops keep their bounds, secrets are what they are taken for."""

import numpy as np
import pytest

import moiety
import moiety.array as xp
from learn_kit import opened
from moiety import From, Kept, Results, Shared, To
from moiety.errors import DataError, UsageError
from moiety.function.runner import Owned, Secret, blocks, taken
from moiety.run.local import Clear, Twin

BOTH = pytest.mark.parametrize("kind", [Clear, Twin])


@moiety.secure
def keep(x: From("a", low=-2, high=2)) -> Results(x=Kept()):
    return {"x": x}


@moiety.secure
def step(
    x: From("a", low=-4, high=4),
    y: From("b", low=-4, high=4),
    w: Shared(low=-2, high=2, coins=True),
) -> Results(w=Kept(), seen=To("b", exact=True)):
    return {"w": xp.clip(0.5 * w + xp.sum(x) * 0.1 + xp.sum(y) * 0.2, -2, 2), "seen": xp.sum(x)}


@BOTH
def test_a_loop_carries_its_state_and_collects_results(kind):
    run = kind(("a", "b"))
    x, y = np.arange(6) / 4, np.ones(6)
    found = run.repeat(
        step,
        state={"w": run.call(keep, x=Owned.of("a", np.zeros(())))["x"]},
        given={"x": Owned.of("a", x), "y": Owned.of("b", y)},
        spans=blocks(6, 2, 2),
        batched=("x", "y"),
    )
    w, seen = 0.0, []
    for _ in range(2):
        for at in (0, 2, 4):
            w = np.clip(0.5 * w + x[at : at + 2].sum() * 0.1 + 0.4, -2, 2)
            seen.append(x[at : at + 2].sum())
    assert abs(opened(found.state["w"]) - w) < 1e-3
    assert [float(one) for one in found.results["seen"]] == pytest.approx(seen)
    assert run.spent["step"].calls == 6 and run.spent["step"].rounds > 0


def test_spans_may_differ_by_argument():
    given = {"x": Owned.of("a", np.arange(9)), "w": 3}
    same = taken(given, ("x",), slice(2, 4))
    other = taken(given, ("x",), {"x": slice(3, 8, 2), "y": slice(0, 1)})
    assert same["x"].data.tolist() == [2, 3] and same["w"] == 3
    assert other["x"].data.tolist() == [3, 5, 7] and other["x"].shape == (3,)


@BOTH
def test_public_arrays_are_told_apart_however_long(kind):
    @moiety.secure
    def scaled(x: From("a", low=-1, high=1), factor=None) -> To("a"):
        return xp.sum(x * factor)

    run, x = kind(("a", "b")), Owned.of("a", np.ones(3000))
    one, other = np.ones(3000), np.ones(3000)
    other[1500] = 9.0
    found = [float(run.call(scaled, x=x, factor=factor)["result"]) for factor in (one, other)]
    assert found == [3000.0, 3008.0]


@BOTH
def test_a_result_that_is_constant_is_kept_once(kind):
    """Its shares add up to it: not both parties hold all of it."""

    @moiety.secure
    def slope(x: From("a", low=-1, high=1), y: From("b", low=-1, high=1)) -> Results(w=Kept()):
        return {"w": xp.grad(lambda x: xp.sum(x * 0.5 - y))(x)}

    run = kind(("a", "b"))
    w = run.call(slope, x=Owned.of("a", np.ones(3)), y=Owned.of("b", np.ones(3)))["w"]
    assert opened(w).tolist() == [0.5] * 3


def test_spans_of_a_masked_table_are_consecutive_rows():
    @moiety.secure
    def turn(x: From("a", low=-1, high=1), z: From("b", low=-1, high=1), w: WEIGHTS) -> Results(
        w=Kept()
    ):
        return {"w": xp.clip(x.T @ (x @ w) * 0.25 + xp.sum(z), -4, 4)}

    data = np.random.default_rng(3).uniform(-1, 1, (8, 3))

    def ended(kind, spans):
        run = kind(("a", "b"))
        given = {"x": Owned.of("a", data), "z": Owned.of("b", np.zeros(2))}
        w = run.call(weights, n=np.ones(3))["w"]
        done = run.repeat(turn, state={"w": w}, given=given, spans=spans, batched=("x",))
        return opened(done.state["w"])

    back = [slice(-4, None), slice(None, 4)]
    assert np.abs(ended(Twin, back) - ended(Clear, back)).max() < 1e-3
    with pytest.raises(UsageError, match="every 2 rows of x"):
        ended(Twin, [slice(0, 8, 2), slice(1, 8, 2)])


@BOTH
def test_functions_of_other_parties_are_refused(kind):
    with pytest.raises(UsageError, match="among"):
        kind(("b", "a")).call(keep, x=Owned.of("a", np.zeros(2)))
    with pytest.raises(UsageError, match="among"):
        kind(("b", "c")).call(keep, x=Owned.of("a", np.zeros(2)))


WEIGHTS = Shared(low=-4, high=4, coins=True)


@moiety.secure
def weights(n: From("public", low=-4, high=4)) -> Results(w=Kept()):
    return {"w": n}


MISFITS = {
    "wider bounds": Shared(low=-1, high=1),
    "a whole number": Shared(low=-9, high=9, dtype=int),
}


@BOTH
@pytest.mark.parametrize("name", MISFITS)
def test_a_secret_must_be_what_it_is_declared_to_be(kind, name):
    def same(w):
        return w

    same.__annotations__ = {"w": MISFITS[name], "return": Kept()}
    run = kind(("a", "b"))
    kept = run.call(keep, x=Owned.of("a", np.zeros(2)))["x"]
    with pytest.raises(UsageError, match="declares w"):
        run.call(moiety.secure(same), w=kept)


@BOTH
def test_coins_of_a_secret_must_be_declared(kind):
    @moiety.secure
    def third(x: From("a", low=-1, high=1), y: From("b", low=-1, high=1)) -> Results(w=Kept()):
        return {"w": x * y}

    @moiety.secure
    def told(w: Shared(low=-9, high=9)) -> To("a"):
        return w

    run = kind(("a", "b"))
    w = run.call(third, x=Owned.of("a", np.ones(2)), y=Owned.of("b", np.ones(2)))["w"]
    assert w.type.error
    with pytest.raises(UsageError, match="declares w"):
        run.call(told, w=w)


@BOTH
def test_a_loop_that_leaves_its_bounds_is_refused(kind):
    @moiety.secure
    def grows(w: Shared(low=-4, high=4, coins=True)) -> Results(w=Kept()):
        return {"w": 2 * w}

    run = kind(("a", "b"))
    w = run.call(keep, x=Owned.of("a", np.zeros(2)))["x"]
    with pytest.raises(UsageError, match="takes w") as caught:
        run.repeat(grows, state={"w": w}, given={}, spans=[slice(None)])
    assert "clip" in caught.value.hint


@BOTH
def test_arguments_out_of_bounds_are_refused_in_the_clear_as_well(kind):
    with pytest.raises(DataError, match="declared bounds"):
        kind(("a", "b")).call(keep, x=Owned.of("a", np.array([0, 5.0])))


@BOTH
def test_secrets_are_raised_and_joined_without_a_message(kind):
    run = kind(("a", "b"))
    kept = [run.call(keep, x=Owned.of("a", np.array([[v, -v]])))["x"] for v in (0.5, 1.25)]
    both = Secret.concat(kept)
    fine = both.raised(24)
    assert both.shape == (2, 2) and fine.type.fraction == 24
    assert opened(fine).tolist() == [[0.5, -0.5], [1.25, -1.25]]
    assert opened(Secret.concat(kept, axis=1)).tolist() == [[0.5, -0.5, 1.25, -1.25]]
    with pytest.raises(UsageError, match="kinds"):
        Secret.concat([both, fine])


@BOTH
@pytest.mark.parametrize("parties", ["bank", ("bank",), ("bank", "bank")])
def test_a_runner_is_among_two_parties_at_least(kind, parties):
    with pytest.raises(UsageError, match="a runner among") as caught:
        kind(parties)
    assert "at least two" in caught.value.hint
