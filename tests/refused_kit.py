"""A call and a loop between parties, and how many messages went to the peer."""

import numpy as np

import moiety
import moiety.array as xp
from moiety import From, Kept, Results, Shared
from moiety.function.runner import Owned, blocks

X, Y, Z = np.linspace(-1, 1, 12).reshape(6, 2), np.linspace(0, 1, 6), np.ones((6, 2))
NAMES = ("bank", "payco")
THREE = ("bank", "payco", "third")


@moiety.secure
def step(
    x: From("bank", low=-1, high=1),
    y: From("payco", low=0, high=1),
    w: Shared(low=-4, high=4, coins=True),
) -> Results(w=Kept()):
    return {"w": xp.clip(w - x.T @ (xp.clip(x @ w, -1, 1) - y), -4, 4)}


@moiety.secure
def start(x: From("bank", low=-1, high=1), y: From("payco", low=0, high=1)) -> Kept():
    return xp.clip(xp.mean(x, axis=0) + xp.mean(y), -4, 4)


def held(me, **data):
    """Arguments as they are at one party: the arrays of the others by their shapes."""
    owners = {"x": "bank", "y": "payco", "z": "third"}
    return {
        name: Owned(owners[name], one.shape, one if owners[name] == me else None)
        for name, one in data.items()
    }


def me(runner):
    return runner.parties[runner.session.party] if hasattr(runner, "session") else runner.name


def loop(runner, x=X, y=Y):
    """A call, and a loop of three runs of one lot; how many messages went to the peer."""
    given = held(me(runner), x=x, y=y)
    w = runner.call(start, **given)["result"]
    runner.repeat(step, state={"w": w}, given=given, spans=blocks(6, 2), batched=("x", "y"))
    return runner


def watching(algorithm, counts):
    """The same algorithm; what each party has sent to the other when it ends."""

    def run(runner):
        try:
            return algorithm(runner)
        finally:
            counts[runner.session.party] = runner.session.channel.totals.sent_messages

    return run


def exits(errors):
    return [error.exit_code for error in errors]
