"""Predicted against measured: the works of benches/peers as plans, between processes over TLS.

    python benches/prediction.py [--scale S] [--repeats R] [--calibration FILE] [--json]

A prediction is good within a factor of 2. The machine is measured first, unless a file is given.
"""

import argparse
import json
import sys
from pathlib import Path

import machine
import numpy as np
from selection import words

import moiety
from moiety import From, Kept, Shared
from moiety.cli.arena import Arena
from moiety.cli.calibrate import alone
from moiety.cli.load import Wanted
from moiety.plan.calibration import Calibration
from moiety.plan.explain import predicted
from moiety.run import twin

WIDE, NARROW = 2**62, 2**23


@moiety.secure
def multiply(x: Shared(low=-8, high=8), y: Shared(low=-8, high=8)) -> Kept():
    return x * y


@moiety.secure
def wide(x: Shared(low=-WIDE, high=WIDE - 1, dtype=int)) -> Kept():
    return x < 0


@moiety.secure
def narrow(x: Shared(low=-NARROW, high=NARROW - 1, dtype=int)) -> Kept():
    return x < 0


@moiety.secure
def matmul(x: Shared(low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y


@moiety.secure
def owned(x: From("bank", low=-1, high=1), y: Shared(low=-1, high=1)) -> Kept():
    return x @ y


def works(scale):
    """Name, function, shapes and forced ways."""
    n, side, rows = (max(8, int(size * scale)) for size in (1_000_000, 1_000, 100_000))
    square = (f"x={side},{side}", f"y={side},{side}")
    return (
        ("multiply", "multiply", (f"x={n}", f"y={n}"), ()),
        ("x < 0, 63 bits, digits of 3", "wide", (f"x={n}",), ("of 3 bits",)),
        ("x < 0, 63 bits, digits of 4", "wide", (f"x={n}",), ("of 4 bits",)),
        ("x < 0, 24 bits, digits of 4", "narrow", (f"x={n}",), ("of 4 bits",)),
        ("x < 0, 24 bits, DPF", "narrow", (f"x={n // 20}",), ("DPF",)),
        ("matmul", "matmul", square, ()),
        ("matmul, owned table", "owned", (f"x={rows},100", "y=100,1"), ()),
    )


def measured(arena, calibration, work, repeats):
    """One row."""
    name, function, shapes, force = work
    place = f"{Path(__file__).resolve()}:{function}"
    wanted = Wanted(place, shapes, calibration=calibration.text, force=force)
    compiled = wanted.compiled()
    generator = np.random.default_rng(7)
    data = {
        name: generator.integers(type.lo, type.hi, type.shape, np.int64, endpoint=True)
        for name, type in compiled.plan.inputs.items()
    }
    arena.order(wanted, compiled, twin.split(compiled.plan, words(data)))
    timed = [arena.timed(compiled) for _ in range(repeats + 1)][1:]
    return {
        "work": name,
        "shapes": ", ".join(shapes),
        "predicted": predicted(compiled.plan).seconds,
        "measured": min(one.seconds for one in timed),
        "processor": min(one.processor for one in timed),
        "rounds": len(compiled.plan.cost.rounds),
    }


def measure(scale=1.0, repeats=5, calibration=None):
    calibration = calibration or alone(9).calibration
    with Arena() as arena:
        rows = [measured(arena, calibration, work, repeats) for work in works(scale)]
    return {"calibration": calibration.text, "rows": rows}


def main():
    parser = argparse.ArgumentParser(description="Predicted against measured times")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    text = given.calibration.read_text() if given.calibration else ""
    found = measure(given.scale, given.repeats, Calibration.read(text) if text else None)
    if given.json:
        json.dump({"machine": machine.facts(), **found}, sys.stdout, indent=1, ensure_ascii=False)
        return
    print(f"{'work':30}{'shapes':28}{'predicted':>11}{'measured':>10}{'ratio':>7}{'processor':>11}")
    for row in found["rows"]:
        times = (f"{1e3 * row[key]:.1f} ms" for key in ("predicted", "measured", "processor"))
        predicted_, measured_, processor = times
        print(
            f"{row['work']:30}{row['shapes']:28}{predicted_:>11}{measured_:>10}"
            f"{row['predicted'] / row['measured']:>7.2f}{processor:>11}"
        )


if __name__ == "__main__":
    main()
