"""Two parties and a dealer, each a process, over plain TCP on loopback: seconds of every work.

    python benches/peers/own.py [--scale S] [--repeats R] [--only NAME] [--tls] [--json]

Dealing is on demand: from the parties' request until both hold all that they need. Online follows,
until the later party has its result. The total is of turns in which neither waits for the other
more than it must: what is dealt is taken as it comes. Before the clock starts inputs are shared,
and tables of loops are masked; a table that is named as owned is checked, masked and sent within
the time.
"""

import argparse
import json
import os
import socket
import statistics
import time
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
from OpenSSL import SSL
from work import FRACTION, Work, works

from moiety.plan.hoist import masked
from moiety.plan.pipeline import Target
from moiety.ring import keep_memory
from moiety.run.dealing import MaskUse
from moiety.run.loop import brought, encoded
from moiety.run.session import Session
from moiety.run.supply import RemoteDealer, Service
from moiety.run.tables import masking
from moiety.wire.certificates import make_credentials
from moiety.wire.channel import Channel
from moiety.wire.plain import insecure_channel
from moiety.wire.secure import context as tls_context
from moiety.wire.secure import secure
from moiety.wire.watch import Watch

NETWORK = "0.03ms,13000Mbit"
"""The loopback, as plans see it."""


def channel(line: socket.socket, own: str, peer: str, tls: bool) -> Channel:
    """This end of a connection; with TLS the first by name is the server."""
    if not tls:
        return insecure_channel(line, own, peer)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    session = SSL.Connection(tls_context(make_credentials(own, 1)), line)
    (session.set_accept_state if own < peer else session.set_connect_state)()
    return Channel(secure(session, line, Watch(), time.monotonic() + 10), peer)


def compiled(work: Work):
    """The work's function for the shapes of one call; tables of loops are masked before."""
    shapes = {
        name: (work.rows, *data.shape[1:]) if work.steps else data.shape
        for name, data in work.plain().items()
    } | {name: data.shape for name, data in work.state.items()}
    masks = ("x",) if work.steps else ()
    target = Target(network=NETWORK, masked=masks, force=work.force)
    return work.function.compile(shapes, target=target, fraction=FRACTION)


class Party:
    """One party's process: what it holds before the clock starts, and one run on the clock."""

    def __init__(self, me: int, work: Work, lines: list[socket.socket], tls: bool) -> None:
        keep_memory()
        self.me, self.work, self.made = me, work, compiled(work)
        self.session = Session(channel(lines[0], f"p{me}", f"p{1 - me}", tls), me)
        self.source = RemoteDealer(channel(lines[1], f"p{me}", "dealer", tls), me)
        self.held = {name: self._held(name, data) for name, data in work.plain().items()}
        self.state = {name: self._share(name, data) for name, data in work.state.items()}
        self.masks = {}
        if work.steps:
            self._mask()

    def _held(self, name, data):
        """This party's share of an operand, the operand itself, or nothing."""
        owner = self.work.function.signature.arguments[name].owner
        if owner == "shared":
            return self._share(name, data)
        if owner != f"p{self.me}":
            return None
        return data if self.work.time_sharing else encoded(self.made, name, data)

    def _share(self, name, data):
        words = encoded(self.made, name, data)
        mask = np.random.default_rng(8).integers(0, 1 << 64, words.shape, np.uint64)
        return words - mask if self.me else mask

    def _mask(self):
        shape = self.work.plain()["x"].shape
        plan = masking(replace(self.made.plan.inputs[masked("x")], shape=shape))
        lot = self.source.lot(plan.bill, 1, {})
        inputs = {"x": self.held["x"]} if self.held["x"] is not None else {}
        self.table = self.session.run(plan, inputs, lot, receivers=())["x"]
        rows = tuple(range(0, self.work.steps * self.work.rows, self.work.rows))
        self.masks = {masked("x"): MaskUse(lot.lot.lot, rows)}

    def run(self, streamed: bool):
        """The result, and when dealing began, when all was dealt, when it ended."""
        plan, runs = self.made.plan, max(1, self.work.steps)
        self.session.channel.exchange(b"", 0)
        began = time.perf_counter()
        lot = self.source.lot(plan.bill, runs, self.masks)
        series = self.session.begin(plan, lot, receivers=())
        if not streamed:
            series.prepare(runs)
        self.session.channel.exchange(b"", 0)
        dealt = time.perf_counter()
        result = self._loop(series) if self.work.steps else self._once(series)
        ended = time.perf_counter()
        series.close()
        return result, (began, dealt, ended)

    def _once(self, series):
        inputs = {name: data for name, data in self.held.items() if data is not None}
        if self.work.time_sharing:
            inputs = {
                name: brought(self.made, name, data) if data.dtype == np.float64 else data
                for name, data in inputs.items()
            }
        return series.run(inputs)["result"]

    def _loop(self, series):
        state = dict(self.state)
        for step in range(self.work.steps):
            span = slice(step * self.work.rows, (step + 1) * self.work.rows)
            inputs = {masked("x"): self.table[span], **state}
            if self.held["y"] is not None:
                inputs["y"] = self.held["y"][span]
            state |= series.run(inputs)
        return state["w"]


def party(me: int, work: Work, lines: list[socket.socket], pipe, tls: bool) -> None:
    """Runs the work each time the parent says so; tells its times, and at last its share."""
    own = Party(me, work, lines, tls)
    pipe.send(None)
    while (streamed := pipe.recv()) is not None:
        spent, at = time.process_time(), len(own.session.ledger)
        result, times = own.run(streamed)
        spent = time.process_time() - spent
        rows = [row.measured for row in own.session.ledger[at:] if row.step != "prepare"][1:]
        pipe.send((times, spent, sum(r.rounds for r in rows), sum(r.sent for r in rows)))
    own.source.finish()
    cost = own.made.plan.cost
    pipe.send((result, own.made.types, cost.dealt * max(1, work.steps), cost))


def dealer(lines: list[socket.socket], tls: bool) -> None:
    """Deals whatever both parties ask for."""
    keep_memory()
    Service([channel(line, "dealer", f"p{i}", tls) for i, line in enumerate(lines)]).serve()


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


def measure(work: Work, repeats: int, tls: bool) -> dict:
    """One row: all seconds, bytes, rounds, and the largest error against the clear."""
    context = get_context("fork")
    between, to0, to1 = connected(), connected(), connected()
    pipes = [context.Pipe() for _ in range(2)]
    processes = [
        context.Process(target=party, args=(0, work, [between[0], to0[0]], pipes[0][1], tls)),
        context.Process(target=party, args=(1, work, [between[1], to1[0]], pipes[1][1], tls)),
        context.Process(target=dealer, args=([to0[1], to1[1]], tls)),
    ]
    for process in processes:
        process.start()
    ends = [near for near, _ in pipes]
    for end in ends:
        end.recv()
    turns = [turn(ends, False) for _ in range(repeats + 1)][1:]
    streamed = [turn(ends, True) for _ in range(repeats)]
    for end in ends:
        end.send(None)
    shares = [end.recv() for end in ends]
    for process in processes:
        process.join()
    return row(work, turns, streamed, shares)


def turn(ends, streamed):
    for end in ends:
        end.send(streamed)
    told = [end.recv() for end in ends]
    began = min(times[0] for times, *_ in told)
    dealt = max(times[1] for times, *_ in told)
    ended = max(times[2] for times, *_ in told)
    return dealt - began, ended - dealt, ended - began, told


def row(work: Work, turns, streamed, shares) -> dict:
    told = turns[-1][3]
    return {
        "work": work.name,
        "peer": work.peer,
        "size": work.size,
        "elements": work.elements,
        "dealt": [each[0] for each in turns],
        "online": [each[1] for each in turns],
        "total": [each[2] for each in streamed],
        "cpu": [sum(one[1] for one in each[3]) for each in turns],
        "bytes": [told[0][3], told[1][3]],
        "dealt_bytes": shares[0][2],
        "rounds": told[0][2],
        "error": error(work, shares),
        "load": os.getloadavg()[0],
    }


def error(work: Work, shares) -> float:
    """The largest difference of the joined result from the function's plain meaning."""
    (first, types, *_), (second, *_) = shares
    (name,) = types
    kind = types[name]
    if first.dtype == np.uint8:
        found = (first ^ second).astype(float)
    else:
        total = first + second
        if kind.ring < 64:
            total = total << np.uint64(64 - kind.ring)
            total = (total.view(np.int64) >> np.int64(64 - kind.ring)).view(np.uint64)
        found = np.ldexp(total.view(np.int64).astype(float), -kind.fraction)
    return float(np.abs(found - expected(work, name)).max())


def expected(work: Work, name: str):
    plain, state = dict(work.plain()), dict(work.state)
    if not work.steps:
        return np.asarray(work.function(**plain)).astype(float)
    for step in range(work.steps):
        span = slice(step * work.rows, (step + 1) * work.rows)
        state |= work.function(**{key: data[span] for key, data in plain.items()}, **state)
    return state[name]


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds of the works of the comparison")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chosen = [work for work in works(arguments.scale) if arguments.only in work.name]
    rows = [measure(work, arguments.repeats, arguments.tls) for work in chosen]
    if arguments.json:
        print(json.dumps(rows))
        return
    print(f"{'work':40}{'size':22}  online    dealt    total      cpu ms")
    for each in rows:
        medians = (1e3 * statistics.median(each[k]) for k in ("online", "dealt", "total", "cpu"))
        print(
            f"{each['work']:40}{each['size']:22}",
            *(f"{m:8.1f}" for m in medians),
            each["bytes"],
            each["dealt_bytes"],
            each["rounds"],
            f"{each['error']:.3g}",
            f"load {each['load']:.1f}",
        )


if __name__ == "__main__":
    main()
