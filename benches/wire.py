"""Time of one exchange of two processes over the loopback, plain and under TLS 1.3.

    python benches/wire.py [--json]

Both send and receive one message of each size at the same time, each on one core. Seconds are the
median of party 0; `hashing` is the share of them that the two tallies take by themselves.
"""

import json
import secrets
import socket
import statistics
import sys
import time
from multiprocessing import get_context

from machine import facts, pin

from moiety._core import Tally
from moiety.wire.certificates import fingerprint, make_credentials
from moiety.wire.plain import insecure_channel
from moiety.wire.tls import connect, listen

SIZES = (64, 1 << 10, 1 << 13, 1 << 16, 1 << 20, 1 << 24, 1 << 26)
BUDGET, FEWEST, MOST = 1 << 29, 15, 5000
WARM_UP, PATIENCE = 300, 120


def measure():
    """One row for each line and size: seconds of an exchange (median, processor) and of hashing."""
    rows = [{"line": line, **row} for line in ("plain", "tls") for row in _run(line)]
    for row in rows:
        row["hashing"] = _hashing(row["size"])
    return {"rows": rows}


def _run(line):
    context = get_context("fork")
    credentials = [make_credentials(f"party{party}", 1) for party in (0, 1)]
    port, (out, into) = _port(), context.Pipe(duplex=False)
    parties = [
        context.Process(target=_party, args=(party, line, port, credentials, into))
        for party in (0, 1)
    ]
    for party in parties:
        party.start()
    if not out.poll(PATIENCE):
        raise RuntimeError("no result of the exchanging parties")
    rows = out.recv()
    for party in parties:
        party.join()
    return rows


def _party(party, line, port, credentials, into):
    pin(party)
    open_line = {"plain": _plain, "tls": _tls}[line]
    with open_line(party, port, credentials) as channel:
        rows = [_exchanges(channel, size) for size in SIZES]
        channel.finish()
    if party == 0:
        into.send(rows)


def _exchanges(channel, size):
    """Exchanges until both are warm, then as many as the size allows."""
    payload, seconds = secrets.token_bytes(size), []
    for _ in range(WARM_UP if size <= 1 << 20 else 5):
        channel.exchange(payload, size)
    worked = time.process_time()
    for _ in range(min(MOST, max(FEWEST, BUDGET // size))):
        began = time.perf_counter()
        channel.exchange(payload, size)
        seconds.append(time.perf_counter() - began)
    worked = (time.process_time() - worked) / len(seconds)
    return {"size": size, "median": statistics.median(seconds), "processor": worked}


def _plain(party, port, credentials):
    names = [f"party{party}", f"party{1 - party}"]
    if party == 0:
        with socket.create_server(("127.0.0.1", port)) as server:
            return insecure_channel(server.accept()[0], *names)
    while True:
        try:
            return insecure_channel(socket.create_connection(("127.0.0.1", port)), *names)
        except ConnectionRefusedError:
            time.sleep(0.01)


def _tls(party, port, credentials):
    own, peer = credentials[party], fingerprint(credentials[1 - party].certificate)
    address = f"127.0.0.1:{port}"
    if party == 1:
        return connect(address, "party0", credentials=own, pinned=peer)
    with listen(address, credentials=own) as door:
        return door.accept({"party1": peer})


def _hashing(size):
    """Seconds that the two tallies of an exchange take."""
    tally, header, payload, seconds = Tally(), bytes(16), secrets.token_bytes(size), []
    for _ in range(max(5, min(1000, BUDGET // 8 // size))):
        began = time.perf_counter()
        tally.add(header, payload)
        seconds.append(time.perf_counter() - began)
    return 2 * statistics.mean(seconds)


def _port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _table(rows):
    print(f"{'line':6}{'size':>12}{'median µs':>12}{'cpu µs':>12}{'GB/s':>8}{'hashing':>9}")
    for row in rows:
        micros, worked = 1e6 * row["median"], 1e6 * row["processor"]
        rate, share = row["size"] / row["median"] / 1e9, row["hashing"] / row["median"]
        print(
            f"{row['line']:6}{row['size']:12,}{micros:12,.1f}{worked:12,.1f}{rate:8.2f}{share:9.0%}"
        )


if __name__ == "__main__":
    before, found = facts(), measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps({"machine": before, **found}, indent=1))
    else:
        _table(found["rows"])
