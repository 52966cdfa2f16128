"""What choosing is worth: the chosen plan against plans forced to any single choice, measured.

    python benches/selection.py [--only NAME] [--repeats R] [--calibration FILE] [--json]

Two party processes over TLS, this process deals. LAN is the loopback; WAN an emulated line of 20 ms
one way and 100 Mbit/s, between the parties and before the dealer. A time is that of dealing, then
of the run. Plans take turns, in an order drawn anew, so that a busy moment and what ran before
disturb all alike, and each is compared with the chosen plan of the same turn: *against* is the
median of these ratios, with its 95 % interval.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import machine
import numpy as np

import moiety
import moiety.array as xp
from moiety import From, Kept, Shared, To
from moiety.cli.arena import Arena
from moiety.cli.calibrate import alone
from moiety.cli.load import Wanted
from moiety.plan.calibration import Calibration
from moiety.plan.explain import predicted
from moiety.run import twin
from moiety.wire.emulator import Link

WAN = Link(delay=0.020, bandwidth=100e6)
COLUMNS = 50
FORCED = ("tables of 3 bits", "tables of 4 bits", "tables of 6 bits", "digit tables", "DPF")


@moiety.secure
def logistic(
    w: Shared(low=-4, high=4, coins=True),
    x: From("bank", low=-1, high=1),
    z: From("payco", low=-1, high=1),
    y: From("bank", dtype=bool),
) -> Kept():
    """One step of gradient descent on a mini-batch whose columns two parties hold."""
    table = xp.concat([x, z], axis=1)
    residual = xp.sigmoid(table @ w) - xp.where(y, 1.0, 0.0)
    return xp.clip(w - table.T @ residual / x.shape[0], -4, 4)


@moiety.secure
def scorecard(
    w: Shared(low=-8, high=8, coins=True),
    x: From("bank", low=0, high=1),
    z: From("payco", low=0, high=1),
) -> To("bank", coins=True):
    """A probability of default for one applicant, from a model that both hold as shares."""
    return xp.sigmoid(xp.concat([x, z], axis=1) @ w)


@moiety.secure
def network(
    first: Shared(low=-2, high=2, coins=True),
    second: Shared(low=-2, high=2, coins=True),
    x: From("bank", low=-1, high=1),
) -> To("bank", coins=True):
    """One row through a hidden layer of rectified units, to shares of three classes."""
    hidden = xp.maximum(x @ first, 0.0)
    risen = xp.exp(xp.clip(hidden @ second, -8.0, 0.0))
    return risen / xp.sum(risen)


@dataclass(frozen=True)
class Situation:
    """A secure function for some shapes, on a line."""

    name: str
    function: str
    shapes: tuple[str, ...]
    slow: bool

    def wanted(self, calibration, force=()):
        """The plan that a party makes; for an emulated line the machine's rates are kept."""
        own = calibration.text
        slow = "20ms,100Mbit" if self.slow else ""
        place = f"{Path(__file__).resolve()}:{self.function}"
        return Wanted(place, self.shapes, network=slow, calibration=own, force=force)


def step(rows):
    """Shapes of a mini-batch of so many rows."""
    return (f"w={2 * COLUMNS}", f"x={rows},{COLUMNS}", f"z={rows},{COLUMNS}", f"y={rows}")


SITUATIONS = (
    Situation("LAN, logistic step 1000×100", "logistic", step(1000), slow=False),
    Situation("LAN, logistic step 20000×100", "logistic", step(20_000), slow=False),
    Situation("WAN, logistic step 1000×100", "logistic", step(1000), slow=True),
    Situation("WAN, one row of a scorecard", "scorecard", ("w=20", "x=1,10", "z=1,10"), slow=True),
    Situation(
        "WAN, one row of a small network",
        "network",
        ("first=20,8", "second=8,3", "x=1,20"),
        slow=True,
    ),
)


def plans(situation, calibration):
    """The chosen plan, then those forced to one choice each that are others than it."""
    best = situation.wanted(calibration)
    compiled = best.compiled()
    found = {compiled.plan.hash: ("chosen", best, compiled)}
    names = [one.name for each in compiled.plan.approximated for one in each.rejected]
    for name in dict.fromkeys((*FORCED, *names, "12 sines", "16 sines")):
        wanted = situation.wanted(calibration, force=(name,))
        made = wanted.compiled()
        found.setdefault(made.plan.hash, (name, wanted, made))
    return list(found.values())


def inputs(compiled):
    """Words at random within their bounds."""
    generator = np.random.default_rng(7)
    return {
        name: generator.integers(type.lo, type.hi, type.shape, endpoint=True).astype(
            np.uint8 if str(type.kind) == "bit" else np.int64
        )
        for name, type in compiled.plan.inputs.items()
    }


def words(data):
    return {n: one.view(np.uint64) if one.dtype == np.int64 else one for n, one in data.items()}


def measured(situation, calibration, repeats):
    """A row for each plan."""
    contenders = plans(situation, calibration)
    seconds = {name: [] for name, _, _ in contenders}
    processor = {name: [] for name, _, _ in contenders}
    order = np.random.default_rng(7)
    with Arena(WAN) if situation.slow else Arena() as arena:
        for turn in range(repeats + 1):
            for place in order.permutation(len(contenders)):
                name, wanted, compiled = contenders[place]
                data = words(inputs(compiled))
                arena.order(wanted, compiled, twin.split(compiled.plan, data))
                timed = arena.timed(compiled)
                if turn:
                    seconds[name].append(timed.seconds)
                    processor[name].append(timed.processor)
    chosen = np.array(seconds["chosen"])
    return [
        _row(name, compiled.plan, seconds[name], processor[name])
        | against(interval(seconds[name] / chosen))
        for name, _, compiled in contenders
    ]


def interval(ratios):
    """The median, and the interval that holds it 95 times in 100, by the bootstrap."""
    again = np.random.default_rng(7).integers(0, len(ratios), (4000, len(ratios)))
    low, high = np.quantile(np.median(ratios[again], axis=1), (0.025, 0.975))
    return {"median": float(np.median(ratios)), "low": float(low), "high": float(high)}


def against(ratio):
    """What the interval says of a forced plan."""
    told = "slower" if ratio["low"] > 1 else "faster" if ratio["high"] < 1 else "not told apart"
    return {"against": ratio, "it is": told}


def _row(name, plan, seconds, processor):
    cost = plan.cost
    return {
        "plan": name,
        "expansions": [one.chosen.name for one in plan.approximated],
        "predicted": predicted(plan).seconds,
        "median": median(seconds),
        "least": min(seconds),
        "processor": min(processor),
        "rounds": len(cost.rounds),
        "sent": [cost.link(0, 1), cost.link(1, 0)],
        "dealt": cost.dealt,
    }


def measure(repeats=7, only="", calibration=None):
    """All situations."""
    calibration = calibration or alone(9).calibration
    return {
        "calibration": calibration.text,
        "situations": [
            {
                "name": one.name,
                "rows": measured(one, calibration, repeats * (1 if one.slow else 20)),
            }
            for one in SITUATIONS
            if only in one.name
        ],
    }


def page(found):
    lines = []
    for each in found["situations"]:
        lines.append(f"{each['name']}")
        lines.append(
            f"    {'plan':26} {'predicted':>10} {'median':>9} {'least':>9} {'processor':>9}"
            f" {'rounds':>6} {'0→1':>11} {'1→0':>9} {'dealt':>11} against the chosen"
        )
        for row in each["rows"]:
            times = (
                f"{1e3 * row[key]:7.1f}ms" for key in ("predicted", "median", "least", "processor")
            )
            sent = "".join(f"{size:>11,}" for size in (*row["sent"], row["dealt"]))
            how = ", ".join(row["expansions"]) if row["plan"] == "chosen" else row["it is"]
            ratio = "{median:6.2f} ({low:.2f}–{high:.2f})".format(**row["against"])
            lines.append(
                f"    {row['plan']:26} {' '.join(times)} {row['rounds']:>6} {sent} {ratio}  {how}"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Chosen against forced plans")
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    text = given.calibration.read_text() if given.calibration else ""
    calibration = Calibration.read(text) if text else None
    found = measure(given.repeats, given.only, calibration)
    if given.json:
        json.dump({"machine": machine.facts(), **found}, sys.stdout, indent=1, ensure_ascii=False)
    else:
        print(page(found))


if __name__ == "__main__":
    main()
