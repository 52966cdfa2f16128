"""A sum that was kept is known as one: later calls, loops and parties apart tell it no more."""

import numpy as np
import pytest

import moiety
import moiety.array as xp
from moiety import From, Kept, Results, Shared, To
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Owned, Secret
from moiety.function.signature import Signature
from moiety.function.sums import Sum
from moiety.run.local import Clear, Twin
from remote_kit import among

UNIT = {"low": -1, "high": 1}


def of_both(body, arguments, results):
    """A secure function of bank and payco, who compute."""
    return Function(body, Signature(arguments, (), results, False, ("bank", "payco")))


WIDE = Shared(low=-20, high=20, coins=True)
bring = of_both(lambda y: {"y": y}, {"y": From("payco", **UNIT)}, {"y": Kept()})


@moiety.secure
def double(w: Shared(low=-4, high=4)) -> Results(w=Kept()):
    return {"w": w * 2}


@moiety.secure
def squares(w: Shared(low=-4, high=4)) -> Results(w=Kept()):
    return {"w": w * w}


@moiety.secure
def told(w: WIDE) -> To("bank", coins=True):
    return w


@moiety.secure
def merged(x: From("bank", **UNIT), w: WIDE) -> To("bank", coins=True):
    return xp.sum(x) + w


BOTH = pytest.mark.parametrize("kind", [Clear, Twin])


@BOTH
def test_a_kept_sum_is_told_by_no_later_call(kind):
    run = kind(("bank", "payco"))
    y = run.call(bring, y=Owned.of("payco", np.ones((2, 2)) / 2))["y"]
    doubled = run.call(double, w=y.reshape((4,)).rows(slice(1, 3)))["w"]
    for secret in (y, doubled, y.raised(24), Secret.concat([y, y])):
        assert secret.sum_of == Sum(frozenset({"payco"}))
        with pytest.raises(UsageError, match="1 contributor, payco"):
            run.call(told, w=secret)
    with pytest.raises(UsageError, match="2 contributors, bank and payco"):
        run.call(merged, x=Owned.of("bank", np.ones(2)), w=y)
    squared = run.call(squares, w=y)["w"]
    payco = frozenset({"payco"})
    assert squared.sum_of == Sum(payco, alone=payco)
    assert float(run.call(told, w=squared)["result"][0, 0]) == 0.25
    mixed = Secret.concat([squared, y])
    assert mixed.sum_of == Sum(frozenset({"payco"}), parts=True)
    with pytest.raises(UsageError, match="1 contributor in each of its parts, payco"):
        run.call(told, w=mixed)


watched = of_both(
    lambda y, w: {"w": xp.concat([w[1:], y]), "seen": w[:1]},
    {"y": From("payco", **UNIT), "w": Shared(low=-20, high=20)},
    {"w": Kept(), "seen": To("bank")},
)


@moiety.secure
def known(n: From("public", low=-20, high=20)) -> Results(w=Kept()):
    return {"w": n}


@BOTH
def test_a_state_is_watched_as_it_changes(kind):
    """Public zeros at first; after two calls the first place holds what payco brought."""
    run = kind(("bank", "payco"))
    w = run.call(known, n=np.zeros(2))["w"]
    assert w.sum_of == Sum()
    spans = [slice(at, at + 1) for at in range(2)]
    given = {"y": Owned.of("payco", np.ones(3))}
    done = run.repeat(watched, state={"w": w}, given=given, spans=spans[:1], batched=("y",))
    assert done.state["w"].sum_of == Sum(parts=True)
    with pytest.raises(UsageError, match="no contributor in common"):
        run.repeat(watched, state={"w": w}, given=given, spans=spans, batched=("y",))


def test_parties_apart_refuse_alike_before_anything_is_told():
    def algorithm(name):
        def run(runner):
            own = Owned("payco", (2,), np.ones(2) if name == "payco" else None)
            third = Owned("third", (2,), np.ones(2) if name == "third" else None)
            kept = runner.call(bring, y=own)["y"]
            assert kept.sum_of == Sum(frozenset({"payco"}))
            return runner.call(told, w=third)["result"]

        return run

    names = ("bank", "payco", "third")
    found = among(names, [algorithm(name) for name in names])
    assert all(isinstance(one, UsageError) for one in found[:3]), found
    assert all("1 contributor, third" in str(one) for one in found[:3])


@moiety.secure
def own_square(y: From("payco", **UNIT), x: From("bank", **UNIT)) -> Results(w=Kept(), v=Kept()):
    return {"w": x * x, "v": x * y}


@moiety.secure
def added(y: From("payco", **UNIT), w: Shared(low=-20, high=20, coins=True)) -> To(
    "bank", coins=True
):
    return y + w


@moiety.secure
def weighed(y: From("payco", **UNIT), w: Shared(low=-20, high=20, coins=True)) -> To(
    "bank", coins=True
):
    return xp.sum(y * w)


@BOTH
def test_what_a_receiver_kept_of_its_own_hides_nothing(kind):
    run, one = kind(("payco", "bank")), np.ones(3) / 2
    mine, theirs = Owned.of("bank", one), Owned.of("payco", one)
    kept = run.call(own_square, x=mine, y=theirs)
    for function in (added, weighed):
        with pytest.raises(UsageError, match="contributor"):
            run.call(function, y=theirs, w=kept["w"])
    assert run.call(added, y=theirs, w=kept["v"])["result"] == pytest.approx([0.75] * 3, abs=1e-4)


@moiety.secure
def of_three(x: From("bank", **UNIT), y: From("payco", **UNIT), z: From("third", **UNIT)) -> To(
    "bank"
):
    return x + y + z


@BOTH
def test_only_an_owners_own_array_counts(kind):
    run, one = kind(("bank", "payco", "third")), np.ones(3) / 2
    x, y = Owned.of("bank", one), Owned.of("payco", one)
    assert run.call(of_three, x=x, y=y, z=Owned.of("third", one))["result"].tolist() == [1.5] * 3
    with pytest.raises(UsageError, match="2 contributors, bank and payco"):
        run.call(of_three, x=x, y=y, z=np.zeros(3))
    with pytest.raises(UsageError, match="z of of_three is third's, and is given payco's"):
        run.call(of_three, x=x, y=y, z=y)


@moiety.secure
def clipped(w: Shared(low=-4, high=4), f: Shared(dtype=bool)) -> Results(
    w=To("bank"), f=To("bank")
):
    return {"w": xp.clip(w, -4, 4), "f": f ^ (w > 3)}


@BOTH
def test_what_all_know_is_shared_as_it_is(kind):
    run = kind(("bank", "payco"))
    found = run.call(clipped, w=np.array([0.5, 1.0]), f=np.array([True, False]))
    assert found["w"].tolist() == [0.5, 1.0] and found["f"].tolist() == [True, False]
