"""Time to score applicants on shares: two processes, TLS 1.3, on the loopback and on a slow line.

The slow line is emulated: 100 Mbit/s, 20 ms one way. Weights are random: traffic depends on the
model's public shape alone, and so, for all that can be seen, does time. Every score is compared
with the program's plaintext meaning.
"""

import json
import secrets
import socket
import statistics
import sys
import time
from multiprocessing import get_context

import numpy as np
from machine import pin

from moiety.lang.types import Private
from moiety.learn.public_shape import PublicShape
from moiety.run import dealing, twin
from moiety.run.session import Session
from moiety.wire.certificates import fingerprint, make_credentials
from moiety.wire.emulator import Link
from moiety.wire.tls import Options, connect, listen

LENDER, PAYCO = (10, 2, 7, 4, 10), (11, 10, 10, 10, 10, 10, *[10] * 12)
SLOW = Link(delay=0.020, bandwidth=100e6)
CASES = (
    ("scorecard, 23 columns", "scorecard", 1, 60),
    ("scorecard, 23 columns", "scorecard", 1024, 10),
    ("scorecard, 23 columns", "scorecard", 4000, 8),
    ("20 trees of depth 3", "trees", 1, 30),
    ("20 trees of depth 3", "trees", 1024, 5),
)
SLOW_REPEATS = 4
PATIENCE = 120


def measure():
    """One row for each model, batch and line; seconds are of the receiver of the scores."""
    rows = []
    for name, kind, size, repeats in CASES:
        program = _shape(kind).program(size, 0)
        for line, link, times in (
            ("loopback", None, repeats),
            ("100 Mbit/s, 20 ms", SLOW, SLOW_REPEATS),
        ):
            seconds = _run(program, times, link)
            rows.append({"model": name, "applicants": size, "line": line, **_facts(program)})
            rows[-1] |= {"median": statistics.median(seconds), "slowest": max(seconds)}
        rows[-2]["dealing"] = rows[-1]["dealing"] = _dealing(program)
    return {"rows": rows}


def _shape(kind):
    counts = (LENDER, PAYCO) if kind == "scorecard" else tuple((64,) * n for n in (5, 18))
    missing = tuple(tuple(False for _ in part) for part in counts)
    trees = {"trees": 20, "depth": 3} if kind == "trees" else {}
    return PublicShape(kind, counts, missing, **trees)


def _facts(program):
    cost = program.cost
    return {"rounds": len(cost.rounds), "sent": [cost.sent(0), cost.sent(1)], "dealt": cost.dealt}


def _dealing(program):
    began = time.perf_counter()
    dealing.deal(program)
    return time.perf_counter() - began


def _run(program, repeats, link):
    """Seconds of each repeat after the first."""
    context = get_context("fork")
    credentials = [make_credentials(f"party{party}", 1) for party in (0, 1)]
    plain = _plain(program)
    brought = twin.split(program, plain)
    lots = [dealing.deal(program) for _ in range(repeats + 1)]
    port, ended, (out, into) = _port(), context.Barrier(2), context.Pipe(duplex=False)
    work = [
        context.Process(
            target=_party,
            args=(party, port, credentials, program, brought[party], lots, link, (into, ended)),
        )
        for party in (0, 1)
    ]
    for process in work:
        process.start()
    if not out.poll(PATIENCE):
        raise RuntimeError("no result of the scoring parties")
    scores, seconds = out.recv()
    for process in work:
        process.join()
    if not np.array_equal(scores, program.clear(plain)["score"]):
        raise RuntimeError("secure scores are not the plaintext ones")
    return seconds[1:]


def _party(number, port, credentials, program, brought, lots, link, end):
    pin(number)
    peer = fingerprint(credentials[1 - number].certificate)
    address, own = f"127.0.0.1:{port}", credentials[number]
    if number == 0:
        with listen(address, credentials=own) as door:
            channel = door.accept({"party1": peer})
    else:
        options = Options(link=link) if link else None
        channel = connect(address, "party0", credentials=own, pinned=peer, options=options)
    session, seconds = Session(channel, number), []
    for lot in lots:
        began = time.perf_counter()
        outputs = session.run(program, brought, lot[number], receivers={0})
        seconds.append(time.perf_counter() - began)
    result, ended = end
    if number == 0:
        result.send((outputs["score"], seconds))
    ended.wait()  # the emulated line is carried by a thread of the sender


def _plain(program):
    """Inputs at random within their declared bounds, but small, as weights are."""
    plain = {}
    for name, type in program.inputs.items():
        most = min(type.hi, 1 << 24) if not isinstance(type.owner, Private) else type.hi
        least = max(type.lo, -most)
        drawn = np.frombuffer(secrets.token_bytes(8 * type.size), np.uint64)
        values = (drawn % np.uint64(most - least + 1)).astype(np.int64) + least
        plain[name] = values.reshape(type.shape).view(np.uint64)
    return _valid(plain)


def _valid(plain):
    """Trees promise more than bounds: a node looks at one column, at 1 for its code."""
    for name in plain:
        if name.startswith("selection"):
            plain[name] = np.zeros_like(plain[name])
    if "selection_0" in plain:
        nodes = plain["selection_0"].shape[1]
        plain["selection_0"][np.arange(nodes) % len(LENDER), np.arange(nodes)] = 1
        for name in ("features_0", "features_1"):
            columns = plain[name].shape[1] // 2
            plain[name][:, columns:] = 0
    return plain


def _port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
