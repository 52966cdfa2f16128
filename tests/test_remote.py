"""Algorithms among parties: loops over masked tables, streamed lots, owners who send shares."""

import numpy as np
import pytest

import moiety
from moiety import array as xp
from moiety.errors import DataError, MoietyError, PeerError, PolicyRefused, UsageError
from moiety.function.runner import Owned, Secret, blocks
from moiety.function.signature import From, Kept, Results, Shared, To
from moiety.run.local import Clear, Twin
from moiety.run.preview import Preview
from moiety.run.supply import Limits
from remote_kit import among

RNG = np.random.default_rng(5)
X, Y = RNG.uniform(-1, 1, (60, 3)), RNG.integers(0, 2, 60)
MORE = RNG.uniform(-1, 1, (20, 3))


@moiety.secure
def start(x: From("bank", low=-1, high=1), y: From("payco", low=0, high=1)) -> Kept():
    return xp.sum(x, axis=0) * 0.0 + xp.sum(y) * 0.0


@moiety.secure
def step(
    x: From("bank", low=-1, high=1),
    y: From("payco", low=0, high=1),
    w: Shared(low=-4, high=4, coins=True),
) -> Results(w=Kept(), seen=Kept()):
    error = xp.sigmoid(x @ w) - y
    return {"w": xp.clip(w - (x.T @ error) * 0.25, -4, 4), "seen": xp.sum(error)}


@moiety.secure
def tell(
    y: From("bank", low=0, high=1),
    z: From("payco", low=0, high=1),
    w: Shared(low=-4, high=4, coins=True),
) -> To("payco", coins=True):
    return w + xp.sum(y) * 0.0 + xp.sum(z) * 0.0


def trained(runner, x=X, y=Y, epochs=2):
    mine = runner.parties[runner.session.party] if hasattr(runner, "session") else None
    held = [
        Owned(owner, data.shape, data if mine in (owner, None) else None)
        for owner, data in (("bank", x), ("payco", y.astype(float)))
    ]
    first = runner.call(start, x=held[0], y=held[1])["result"]
    spans = blocks(len(x), 20, epochs)
    done = runner.repeat(
        step,
        state={"w": first},
        given={"x": held[0], "y": held[1]},
        spans=spans,
        batched=("x", "y"),
    )
    assert len(done.results["seen"]) == len(spans)
    ones = [Owned(o, (1,), np.ones(1) if mine in (o, None) else None) for o in ("bank", "payco")]
    return runner.call(tell, y=ones[0], z=ones[1], w=done.state["w"])["result"]


NAMES = ("bank", "payco")


def test_a_loop_among_parties_gives_what_its_plaintext_twin_gives():
    clear, twin = trained(Clear(NAMES)), trained(Twin(NAMES))
    bank, payco, service = among(NAMES, trained)
    assert bank is None and service.runs == 1 + 1 + 6 + 1
    assert np.abs(payco - clear).max() < 1e-3 and np.abs(twin - clear).max() < 1e-3


def test_a_table_is_sent_once_however_many_runs_multiply_it():
    sent = []

    def algorithm(runner):
        trained(runner, epochs=len(sent) + 1)
        rows = runner.session.ledger
        masks = [row for row in rows if row.step == "mask"]
        sent.append(sum(row.measured.sent + row.measured.received for row in masks))
        assert all(row.predicted == row.measured for row in rows)
        return True

    first, second, _ = among(NAMES, algorithm)
    assert first is second is True and sent == [X.size * 8] * 2


def test_owners_that_do_not_compute_send_shares():
    @moiety.secure
    def mean(
        x: From("bank", low=-1, high=1),
        y: From("payco", low=-1, high=1),
        z: From("third", low=-1, high=1),
        flag: From("third", dtype=bool),
    ) -> To("bank"):
        rows = xp.concat([x, y, z], axis=0)
        return xp.mean(rows, axis=0) + xp.mean(xp.where(flag, 1.0, 0.0))

    parts = {"x": ("bank", X), "y": ("payco", MORE), "z": ("third", MORE * 0.5)}
    parts["flag"] = ("third", np.array([1, 0, 1, 1]))

    def algorithm(name):
        def run(runner):
            given = {
                key: Owned(owner, data.shape, data if owner == name else None)
                for key, (owner, data) in parts.items()
            }
            return runner.call(mean, **given)["result"]

        return run

    names = ("bank", "payco", "third")
    found = among(names, [algorithm(name) for name in names])
    expected = np.concatenate([X, MORE, MORE * 0.5]).mean(axis=0) + 0.75
    assert np.abs(found[0] - expected).max() < 1e-4 and found[1] is found[2] is None


def test_parties_that_compute_on_another_course_are_refused():
    def other(runner):
        return trained(runner, epochs=1)

    results = among(NAMES, [trained, other])
    assert all(isinstance(one, MoietyError) for one in results)
    assert any("different lots" in str(one) for one in results)


def test_a_dealer_keeps_to_its_limits():
    results = among(NAMES, trained, limits=Limits(dealt=10_000))
    assert isinstance(results[2], PolicyRefused) and "more than this dealer deals" in str(
        results[2]
    )
    assert all(isinstance(one, PeerError) for one in results[:2])


def test_a_call_may_reveal_to_permitted_parties_only():
    results = among(NAMES, trained, receivers=(0,))
    assert any(isinstance(one, PolicyRefused) for one in results[:2])


def test_an_input_out_of_its_bounds_is_refused_before_anything_is_sent():
    results = among(NAMES, lambda runner: trained(runner, x=X * 3))
    assert isinstance(results[0], DataError) and "bounds" in str(results[0])
    assert isinstance(results[1], PeerError)


def test_a_state_that_may_leave_its_bounds_is_refused():
    @moiety.secure
    def growing(x: From("bank", low=0, high=1), w: Shared(low=-1, high=1, coins=True)) -> Results(
        w=Kept()
    ):
        return {"w": w + xp.sum(x) * 0.0 + 1.0}

    runner = Twin(NAMES)
    w = runner.call(start, x=Owned.of("bank", X), y=Owned.of("payco", np.ones(2)))["result"]
    with pytest.raises(UsageError, match="gives values"):
        runner.repeat(
            growing, state={"w": w}, given={"x": Owned.of("bank", X)}, spans=[slice(0, 2)]
        )


def test_parties_in_another_order_than_the_signature_are_refused():
    runner = Twin(("payco", "bank"))
    with pytest.raises(UsageError, match="is among bank, payco"):
        runner.call(start, x=Owned.of("bank", X), y=Owned.of("payco", np.ones(2)))


def test_a_handle_shows_no_share():
    runner = Twin(NAMES)
    given = {"x": Owned.of("bank", X), "y": Owned.of("payco", Y.astype(float))}
    w = runner.call(start, **given)["result"]
    w = runner.repeat(step, state={"w": w}, given=given, spans=[slice(0, 60)]).state["w"]
    assert isinstance(w, Secret) and str(int(w.parts[0][0])) not in repr(w)
    assert "0." not in repr(Owned.of("bank", X))


def test_a_preview_tells_what_a_run_takes_and_asks():
    def absent(runner):
        held = [Owned("bank", X.shape), Owned("payco", Y.shape)]
        first = runner.call(start, x=held[0], y=held[1])["result"]
        done = runner.repeat(
            step,
            state={"w": first},
            given={"x": held[0], "y": held[1]},
            spans=blocks(len(X), 20, 2),
            batched=("x", "y"),
        )
        ones = {"y": Owned("bank", (1,)), "z": Owned("payco", (1,))}
        return runner.call(tell, w=done.state["w"], **ones)["result"]

    preview = Preview(NAMES)
    assert absent(preview) is None

    def real(runner):
        trained(runner)
        measured = [row.measured for row in runner.session.ledger]
        return [sum(getattr(m, key) for m in measured) for key in ("rounds", "sent", "received")]

    bank, payco, service = among(NAMES, real)
    totals = preview.totals
    assert bank == [totals.rounds, totals.sent, totals.received]
    assert payco == [totals.rounds, totals.received, totals.sent]
    assert service.dealt == totals.dealt and service.runs == sum(one.runs for one in preview.asked)
    (use,) = preview.asked[2].masks.values()
    assert use == (1, (0, 20, 40) * 2)
