"""Two parties and a dealer, each a process, over plain TCP on loopback: seconds of every work.

    python benches/peers/own.py [--scale S] [--repeats R] [--only NAME] [--tls] [--json]

Dealing is on demand: from the dealer's first step until both parties hold all they need. Online
follows, until the later party has its result.
"""

import argparse
import ctypes
import json
import os
import secrets
import socket
import statistics
import time
from multiprocessing import get_context

from OpenSSL import SSL
from work import Work, deal, works

from moiety.protocols.base import Context
from moiety.protocols.correlations import Supply
from moiety.ring import Stream
from moiety.run.session import Session
from moiety.wire.certificates import make_credentials
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind
from moiety.wire.plain import insecure_channel
from moiety.wire.secure import context as tls_context
from moiety.wire.secure import secure
from moiety.wire.watch import Watch

LIMIT = 1 << 32


def listening() -> socket.socket:
    """A socket that waits on a free port of the loopback."""
    server = socket.create_server(("127.0.0.1", 0))
    server.listen()
    return server


def channel(line: socket.socket, own: str, peer: str, tls: bool) -> Channel:
    """This end of a connection; with TLS the first by name is the server."""
    if not tls:
        return insecure_channel(line, own, peer)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    session = SSL.Connection(tls_context(make_credentials(own, 1)), line)
    (session.set_accept_state if own < peer else session.set_connect_state)()
    return Channel(secure(session, line, Watch(), time.monotonic() + 10), peer)


def keep_memory() -> None:
    """Lets the C library keep what is freed: fresh pages cost more than these kernels."""
    libc = ctypes.CDLL(None)
    for option, value in ((-4, 0), (-1, 1 << 30), (-2, 1 << 26)):
        libc.mallopt(option, value)


def party(me: int, work: Work, lines: list[socket.socket], pipe, tls: bool) -> None:
    """Runs the work each time the parent says so; tells when it began and ended."""
    keep_memory()
    session = Session(channel(lines[0], f"p{me}", f"p{1 - me}", tls), me)
    source = channel(lines[1], f"p{me}", "dealer", tls)
    brought = work.brought(me)
    while (key := pipe.recv()) is not None:
        spent = time.process_time()
        dealt = [source.receive(Kind.MATERIAL, LIMIT) if me else b"" for _ in work.bill]
        source.send(Kind.HELLO, b"")
        ready = time.perf_counter()
        session.channel.exchange(b"", 0)
        shares = [
            (item, item.take(me, Stream(key, i), dealt[i])) for i, item in enumerate(work.bill)
        ]
        protocol = work.body(Context(me, Supply(shares)), *brought)
        result = session.drive(protocol, step=work.name, way="", predict=lambda _: work.cost)
        pipe.send((ready, time.perf_counter(), time.process_time() - spent))
        traffic = session.ledger[-1].measured
        del shares, protocol
        if pipe.recv():
            pipe.send((result, traffic.rounds, traffic.sent))


def dealer(work: Work, lines: list[socket.socket], pipe, tls: bool) -> None:
    """Deals the bill each time, to party 1; tells when it began and what it sent."""
    keep_memory()
    ends = [channel(line, "dealer", f"p{i}", tls) for i, line in enumerate(lines)]
    while (keys := pipe.recv()) is not None:
        began, spent = time.perf_counter(), time.process_time()
        sent = deal(work.bill, keys)
        dealt = time.perf_counter()
        for data in sent:
            ends[1].send(Kind.MATERIAL, data)
        for end in ends:
            end.receive(Kind.HELLO, 0)
        pipe.send((began, dealt, sum(map(len, sent)), time.process_time() - spent))


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on the loopback."""
    with listening() as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


def measure(work: Work, repeats: int, tls: bool) -> dict:
    """One row: medians and all seconds."""
    context = get_context("fork")
    between, to0, to1 = connected(), connected(), connected()
    pipes = [context.Pipe() for _ in range(3)]
    processes = [
        context.Process(target=party, args=(0, work, [between[0], to0[0]], pipes[0][1], tls)),
        context.Process(target=party, args=(1, work, [between[1], to1[0]], pipes[1][1], tls)),
        context.Process(target=dealer, args=(work, [to0[1], to1[1]], pipes[2][1], tls)),
    ]
    for process in processes:
        process.start()
    first, second, third = (pipe for pipe, _ in pipes)
    rows = []
    for turn in range(repeats + 1):
        keys = secrets.token_bytes(16), secrets.token_bytes(16)
        for pipe, message in zip((first, second, third), (*keys, keys), strict=True):
            pipe.send(message)
        began, dealt, corrections, cpu = third.recv()
        ends = [first.recv(), second.recv()]
        ready = max(end[0] for end in ends)
        ended = max(end[1] for end in ends)
        cpu += sum(end[2] for end in ends)
        last = turn == repeats
        for pipe in (first, second):
            pipe.send(last)
        if turn:
            rows.append((ended - ready, ready - began, dealt - began, cpu))
    shares = [first.recv(), second.recv()]
    for pipe in (first, second, third):
        pipe.send(None)
    for process in processes:
        process.join()
    online, dealing, computing, cpu = zip(*rows, strict=True)
    return {
        "work": work.name,
        "size": work.size,
        "online": online,
        "dealt": dealing,
        "dealer": computing,
        "total": [a + b for a, b in zip(online, dealing, strict=True)],
        "cpu": cpu,
        "bytes": [shares[0][2], shares[1][2]],
        "dealt_bytes": corrections,
        "rounds": shares[0][1],
        "error": work.error(shares[0][0], shares[1][0]),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds of the works of the comparison")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [
        measure(work, arguments.repeats, arguments.tls)
        for work in works(arguments.scale)
        if arguments.only in work.name
    ]
    if arguments.json:
        print(json.dumps(rows))
        return
    for row in rows:
        medians = (
            1e3 * statistics.median(row[k]) for k in ("online", "dealer", "dealt", "total", "cpu")
        )
        print(
            f"{row['work']:29}{row['size']:24}",
            *(f"{m:8.1f}" for m in medians),
            row["bytes"],
            row["dealt_bytes"],
            row["rounds"],
            f"{row['error']:.3g}",
            f"load {row['load']:.1f}",
        )


if __name__ == "__main__":
    main()
