"""`moiety calibrate`: how fast this machine and a link are, for plans that fit them.

Alone it measures this machine, and the loopback as the network. Two parties run it together, one
with --listen, the other with --peer: they measure the link between them, take the slower machine
of each kind, and write the same file. What they send is zeros and times, nothing else, so the
connection is a plain one: whoever changes it on its way can make plans slow, not wrong.
"""

import hashlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import typer

from moiety.cli import console, link
from moiety.cli.arena import Arena, connected
from moiety.cli.rates import SAMPLES, Row, fitted, measured
from moiety.errors import UsageError
from moiety.plan.calibration import Calibration
from moiety.plan.network import Network
from moiety.plan.render import duration
from moiety.wire.plain import insecure_channel

BLOCK = 1 << 24
PINGS = 20


def calibrate(
    out: Path = typer.Option(Path("calibration.toml"), help="Where to write what was measured."),
    listen: str = typer.Option("", help="HOST:PORT at which the other party calls this one."),
    peer: str = typer.Option("", help="HOST:PORT of the party that listens."),
    repeats: int = typer.Option(9, min=1, help="Runs of each sample; the best counts."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Measure this machine, and the link to a peer, for plans made with --calibration."""
    if listen and peer:
        raise UsageError("--listen and --peer at once", hint="one party listens, the other calls")
    if listen or peer:
        link.split(listen or peer)
    found = alone(repeats)
    result = found.calibration
    if listen or peer:
        result = _together(listen, peer, found)
    out.write_text(result.text, encoding="utf-8")
    body = {
        "file": str(out),
        "network": asdict(result.network),
        "machine": asdict(result.machine),
        "hash": found.hashing,
        "tls": found.tls,
        "samples": [_fields(row, found.calibration) for row in found.rows],
    }
    console.result(body, _page(out, result, found), as_json=json)


@dataclass(frozen=True)
class Found:
    """What this machine alone was measured to do; bytes per second of hashing and of TLS."""

    calibration: Calibration
    rows: Sequence[Row]
    exchange: float
    hashing: float
    tls: float


def alone(repeats: int) -> Found:
    """The machine's rates, with the loopback as the network, which adds nothing to a round."""
    network = Network("loopback", 0.0, _loopback())
    with Arena() as arena:
        rows = [measured(arena, sample, network, repeats) for sample in SAMPLES]
        exchange = median(arena.exchange(1) for _ in range(PINGS))
        tls = BLOCK / min(arena.exchange(BLOCK) for _ in range(3))
    calibration = Calibration.measured(network, fitted(rows))
    return Found(calibration, rows, exchange, _hashing(), tls)


def _together(listen: str, peer: str, found: Found) -> Calibration:
    """The same at both parties, who wait for each other."""
    sock = link.listened(listen) if listen else link.called(peer)
    with insecure_channel(sock, "this party", "the other party") as channel:
        result = link.agreed(channel, found.calibration, found.exchange)
        channel.finish()
    return result


def _loopback() -> float:
    """Bytes per second through the loopback."""
    near, far = connected()
    sender = threading.Thread(target=near.sendall, args=(bytes(4 * BLOCK),))
    with near, far:
        began, left = time.perf_counter(), 4 * BLOCK
        sender.start()
        while left:
            left -= len(far.recv(min(left, 1 << 20), socket.MSG_WAITALL))
        seconds = time.perf_counter() - began
        sender.join()
    return 4 * BLOCK / seconds


def _hashing() -> float:
    """Bytes per second of SHA-256."""
    data = bytes(BLOCK)
    began = time.perf_counter()
    hashlib.sha256(data)
    return BLOCK / (time.perf_counter() - began)


def _fields(row: Row, calibration: Calibration) -> dict[str, object]:
    predicted = row.predicted(calibration.machine)
    return {
        "name": row.name,
        "rounds": row.work.round,
        "predicted": predicted,
        "seconds": row.seconds,
        "processor": row.processor,
    }


def _page(out: Path, result: Calibration, found: Found) -> str:
    rates = asdict(result.machine)
    head = [
        f"{result.network}; SHA-256 {found.hashing / 1e9:.2g} GB/s, TLS and hashing both ways "
        f"{found.tls / 1e9:.2g} GB/s",
        "one of each kind of work: " + ", ".join(f"{k} {duration(v)}" for k, v in rates.items()),
        "",
        f"{'sample':36} {'predicted':>10} {'measured':>10} {'processor':>10}",
    ]
    rows = [
        f"{row.name:36} {duration(row.predicted(found.calibration.machine)):>10}"
        f" {duration(row.seconds):>10} {duration(row.processor):>10}"
        for row in found.rows
    ]
    return "\n".join([*head, *rows, "", f"written to {out}; use it with --calibration"])
