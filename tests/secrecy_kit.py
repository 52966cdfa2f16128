"""What a party sees, many times over, and whether it is uniform: by chi-square, part by part.

Inputs and input shares are fixed and only the protocol's randomness is drawn anew, so that the
shares' own randomness cannot hide a fault. Chi-square on the bytes of each part of the view, and of
the sum, difference and exclusive or of each pair. This finds blunders (no mask, a short mask, a
mask used twice); it is no proof.
"""

import itertools
import math
from dataclasses import replace

import numpy as np

from moiety.lang.types import BIT, Masked
from moiety.ring import Stream, pack_bits, pack_words
from moiety.run import twin
from moiety.run.dealing import Dealer, fresh
from moiety.run.execute import Script

RUNS = 60
LEAST = 256
"""Bytes that make a part of a view worth a test."""
SIGNIFICANCE = 1e-6


def parts_of_view(program, brought, draw=fresh, runs=1):
    """What each party sees in the runs of one lot, except what a reveal sends.

    Tables that were masked before are part of what their other party sees.
    """
    brought, uses = twin.masked(program, brought, dealer := Dealer(draw))
    views = [of_masked(program, brought, party) for party in (0, 1)]
    uses = {name: replace(use, rows=use.rows * runs) for name, use in uses.items()}
    material = dealer.deal(program.bill, runs, uses)
    spendings = [part.spend(program.bill, party) for party, part in enumerate(material)]
    scripts = [Script(program, party) for party in (0, 1)]
    for run in range(runs):
        spent = [next(one) for one in spendings]
        transcript = twin.lockstep([scripts[p].run(brought[p], spent[p]) for p in (0, 1)])
        for party, view in enumerate(views):
            seen = transcript.view(party)
            view += seen[:-1] if party in program.receivers else seen
            for item in program.bill.items:
                view.append(item.part(spent[party].corrections, party))
                view.append(drawn(item, material[party].lot, run))
    return views


def of_masked(program, brought, party):
    """The masked tables that a party holds of the other."""
    types = program.inputs.items()
    theirs = [(n, t) for n, t in types if isinstance(t.owner, Masked) and t.owner.party != party]
    return [pack_words(brought[party][name], type.ring) for name, type in theirs]


def drawn(item, lot, run):
    """What a party draws from its own seed before it is corrected."""
    stream = Stream(lot.key(run), item.stream)
    fields = [f for f in item.correlation._random() if f.only in (None, lot.party)]
    arrays = [field.draw(stream) for field in fields]
    return b"".join(
        pack_bits(array) if field.is_bits else pack_words(array, field.bits)
        for field, array in zip(fields, arrays, strict=True)
    )


def combinations(first, second):
    """Sum, difference and exclusive or of two messages, as little-endian numbers."""
    size = min(len(first), len(second))
    a, b = (int.from_bytes(part[:size], "little") for part in (first, second))
    whole = 1 << 8 * size
    return [value.to_bytes(size, "little") for value in ((a + b) % whole, (a - b) % whole, a ^ b)]


def improbability(data):
    """The probability that uniform bytes are as uneven as these (Wilson, Hilferty 1931)."""
    observed = np.frombuffer(data, np.uint8)
    if len(data) < 2048:
        observed, cells = np.concatenate([observed & 15, observed >> 4]), 16
    else:
        cells = 256
    expected, freedom = len(observed) / cells, cells - 1
    counts = np.bincount(observed, minlength=cells)
    square = float(((counts - expected) ** 2).sum() / expected)
    scale = 2 / (9 * freedom)
    normal = ((square / freedom) ** (1 / 3) - (1 - scale)) / math.sqrt(scale)
    return math.erfc(normal / math.sqrt(2)) / 2


def leaks(program, brought, draw=fresh, runs=1):
    """The parts of either view, and pairs of them, that are not uniform."""
    return uneven([parts_of_view(program, brought, draw, runs) for _ in range(RUNS)])


def uneven(seen):
    """Parts of views, seen many times with fresh randomness, and pairs, that are not uniform."""
    tests = {}
    for party in range(len(seen[0])):
        columns = list(zip(*(views[party] for views in seen), strict=True))
        names = [(party, index) for index, column in enumerate(columns) if min(map(len, column))]
        for _, index in names:
            tests[party, index] = b"".join(columns[index])
        for (_, i), (_, j) in itertools.combinations(names, 2):
            joint = [combinations(*pair) for pair in zip(columns[i], columns[j], strict=True)]
            for name, column in zip("+-^", zip(*joint, strict=True), strict=True):
                tests[party, i, name, j] = b"".join(column)
    worth = {name: data for name, data in tests.items() if len(data) >= LEAST}
    assert worth
    return [name for name, data in worth.items() if improbability(data) < SIGNIFICANCE / len(worth)]


def fixed(program):
    """Inputs of constant value, as shares drawn once."""
    plaintext = {}
    for name, type in program.inputs.items():
        element = np.uint8 if type.kind == BIT else np.uint64
        plaintext[name] = np.full(type.shape, min(max(3, type.lo), type.hi), element)
    return twin.split(program, plaintext)
