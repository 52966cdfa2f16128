"""Processor time of protocols without a wire: the dealer's and one party's, per element.

    python benches/bench_protocols.py [--json] [--only NAME]

Both parties run in lock step in one process; what a party does between messages is timed. The best
of several runs, in nanoseconds of processor time per element, all threads together.
"""

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from machine import facts

from moiety import _core
from moiety.lang.primitive import REGISTRY, Operand
from moiety.lang.types import SHARED, words
from moiety.ops.recipe import Form
from moiety.protocols import (
    additive,
    boolean,
    comparison,
    dpf,
    equality,
    lookup,
    permutation,
    piecewise,
    truncation,
)
from moiety.protocols.additive import Triple
from moiety.protocols.base import Context
from moiety.protocols.boolean import BitScale, BitWord
from moiety.protocols.comparison import SignMask
from moiety.protocols.correlations import Supply
from moiety.protocols.dpf import PrefixMask
from moiety.protocols.equality import PointMask, UnitMask
from moiety.protocols.lookup import RotatedTable, UnitVector
from moiety.protocols.permutation import Shuffle
from moiety.protocols.piecewise import BitsScale, Lines
from moiety.protocols.truncation import FloorMask, WrapProduct
from moiety.ring import Stream

REPEATS = 5
N, FEW = 1_000_000, 100_000
KEYS = bytes(16), bytes(range(16))
FORM = Form("sigmoid", 8, 18, 32)


@dataclass(frozen=True)
class Row:
    """A protocol on shares that are any words or bits: its bill, its body, a party's shares."""

    name: str
    count: int
    bill: tuple[Any, ...]
    body: Any
    shares: tuple[Any, ...]


def rows():
    """All protocols."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 1 << 64, N, np.uint64)
    flags = rng.integers(0, 2, N, np.uint8)
    table = RotatedTable(FEW, 8, 64, tuple(range(256)))
    order = np.argsort(x)
    shuffle = Shuffle(0, N, 1)

    def signs(ring, digit):
        return SignMask(N, ring, digit), *comparison.tree_triples(N, ring - 1, digit)

    def permuted(ctx, x):
        return permutation.permute(ctx, shuffle, None if ctx.party else order, x)

    wide = (FEW, 1), (FEW, 10), (FEW, 10)
    yield from (
        Row("multiply", N, (Triple(N),), additive.multiply, (x, x)),
        Row(
            "truncate",
            N,
            (WrapProduct(N, 18),),
            lambda c, x: truncation.approximate(c, x, 18),
            (x,),
        ),
        Row(
            "floor of 64 bits by 14",
            N,
            (FloorMask(N, 64, 14), *comparison.tree_triples(N, 14), BitWord(N)),
            lambda c, x: truncation.floor(c, x, 64, 14),
            (x,),
        ),
        Row(
            "widen 35 bits",
            N,
            (WrapProduct(N, 43),),
            lambda c, x: piecewise.widen(c, x, 35, 14),
            (x,),
        ),
        Row(
            "x < 0, 64 bits, 3-bit digits",
            N,
            signs(64, 3),
            lambda c, x: comparison.negative(c, x, 64, 3),
            (x,),
        ),
        Row(
            "x < 0, 24 bits, 4-bit digits",
            N,
            signs(24, 4),
            lambda c, x: comparison.negative(c, x, 24),
            (x,),
        ),
        Row(
            "x < 0, 64 bits, DPF",
            FEW,
            (PrefixMask(FEW, 64),),
            lambda c, x: dpf.negative(c, x, 64),
            (x[:FEW],),
        ),
        Row(
            "x < 0, 24 bits, DPF",
            N,
            (PrefixMask(N, 24),),
            lambda c, x: dpf.negative(c, x, 24),
            (x,),
        ),
        Row(
            "x = 0, 64 bits, DPF",
            FEW,
            (PointMask(FEW, 64),),
            lambda c, x: equality.zero_at_once(c, x, 64),
            (x[:FEW],),
        ),
        Row(
            "x = 0, 64 bits, digits",
            N,
            (UnitMask(N, 64), *equality.tree_triples(N, 64)),
            lambda c, x: equality.zero(c, x, 64),
            (x,),
        ),
        Row("bit · word", N, (BitScale((N,), (N,), (N,)),), boolean.scale, (flags, x)),
        Row(
            "bit · row of 10",
            N,
            (BitScale(*wide),),
            boolean.scale,
            (flags[:FEW, None], x.reshape(FEW, 10)),
        ),
        Row(
            "line of 3, 35 bits",
            N,
            (BitsScale(N, 2, 35),),
            lambda c, b, x: piecewise.piecewise(c, b, x, Lines((0, 1, 0), (0, 0, 9)), ring=35),
            (np.stack([flags, flags]), x),
        ),
        Row("entry of 256", FEW, (table,), lambda c, x: lookup.entry(c, x, table), (x[:FEW],)),
        Row(
            "one-hot of 256",
            FEW,
            (UnitVector(FEW, 8),),
            lambda c, x: lookup.one_hot(c, x, 8),
            (x[:FEW],),
        ),
        Row("one-hot of 8", N, (UnitVector(N, 3),), lambda c, x: lookup.one_hot(c, x, 3), (x,)),
        Row("rows in a secret order", N, (shuffle,), permuted, (x[:, None],)),
    )
    yield from curves(x)


def curves(x):
    """Sigmoid, of a proven range and of all reals."""
    for primitive, bits in (("curve", 20), ("curve_anywhere", 40)):
        type = words((N,), SHARED, (-(1 << bits), 1 << bits), 18)
        for way in REGISTRY[primitive].ways:
            bill = tuple(way.bill(type, form=FORM))
            body = _curve(way, type)
            yield Row(f"sigmoid, {way.name}", N, bill, body, (x,))


def _curve(way, type):
    return lambda ctx, x: way.body(ctx, Operand(type, x), form=FORM)


def deal(bill):
    """What each party is sent."""
    sent = [item.deal((Stream(KEYS[0], i), Stream(KEYS[1], i))) for i, item in enumerate(bill)]
    first = [data[len(data) - item.size(0) :] for item, data in zip(bill, sent, strict=True)]
    return first, sent


def online(row, sent):
    """Seconds that both parties compute."""
    sides = []
    for party in (0, 1):
        parts = zip(row.bill, sent[party], strict=True)
        supply = [
            (item, item.take(party, Stream(KEYS[party], i), data))
            for i, (item, data) in enumerate(parts)
        ]
        sides.append(row.body(Context(party, Supply(supply)), *row.shares))
    begun = time.process_time()
    received = [None, None]
    while True:
        ticks = []
        for side, message in zip(sides, received, strict=True):
            try:
                ticks.append(side.send(message))
            except StopIteration:
                continue
        if not ticks:
            return time.process_time() - begun
        received = [
            {1 - p: ticks[1 - p].send.get(p, b"")} if ticks[p].expect else {} for p in (0, 1)
        ]


def measure(row):
    """Nanoseconds per element: the dealer's, and one party's."""
    dealing, working = [], []
    for _ in range(REPEATS):
        begun = time.process_time()
        sent = deal(row.bill)
        dealing.append(time.process_time() - begun)
        working.append(online(row, sent) / 2)
    return tuple(1e9 * min(seconds) / row.count for seconds in (dealing, working))


def main():
    parser = argparse.ArgumentParser(description="Processor time of protocols without a wire")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    arguments = parser.parse_args()
    _core.keep_memory()
    found = []
    for row in rows():
        if arguments.only in row.name:
            dealing, working = measure(row)
            found.append(
                {"name": row.name, "count": row.count, "dealt": dealing, "online": working}
            )
            if not arguments.json:
                print(f"{row.name:42}{row.count:9,}{dealing:9.1f} dealt{working:9.1f} online  ns")
    if arguments.json:
        print(json.dumps({"machine": facts(), "rows": found}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
