"""`moiety try`: a secure function run among local party processes, against its plain meaning."""

import io
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from moiety.cli import console, load
from moiety.errors import MoietyError, UsageError
from moiety.function.function import FRACTION, Compiled
from moiety.lang.primitive import Array
from moiety.message import decode, encode
from moiety.plan.explain import Took
from moiety.plan.pipeline import Target
from moiety.run.dealing import Material
from moiety.run.rehearsal import Compared, Outcome, Ran, by_ledger, in_memory, rehearse
from moiety.run.session import Session
from moiety.wire.plain import insecure_channel

LARGEST = 1 << 40
ORDER = {"inputs": bytes, "material": bytes}
SAID = {"held": bytes, "levels": list[list[int]]}


def try_(
    place: str = typer.Argument(metavar="FILE.py:FUNCTION"),
    arg: list[str] = typer.Option([], help="An argument: x=FILE.npy, or steps=3."),
    profile: str = typer.Option("dealer", help="dealer, or clear: no secure run."),
    network: str = typer.Option("lan", help="The network that the plan is made for."),
    fraction: int = typer.Option(FRACTION, help="Fraction bits of real numbers."),
    twin: bool = typer.Option(False, help="All parties in this process, not in their own."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Run a secure function on this machine with everybody's data, and check it."""
    function, given = load.function(place), load.arguments(arg)
    compiled = function.compile(given, target=Target(network=network), fraction=fraction)
    secret = {name: np.asarray(given[name]) for name in compiled.plan.inputs}
    runners = {"clear": None, "dealer": in_memory if twin else _Processes(place, given, network)}
    if profile not in runners:
        raise UsageError(f"there is no profile {profile!r} yet", hint="use dealer or clear")
    outcome = rehearse(compiled, secret, runners[profile])
    _show(compiled, outcome, as_json=json)


def _show(compiled: Compiled, outcome: Outcome, *, as_json: bool) -> None:
    body: dict[str, Any] = {"results": [_fields(one) for one in outcome.results]}
    lines = [_line(one) for one in outcome.results]
    if outcome.measured:
        page = compiled.explain(outcome.measured)
        body["explanation"] = page.data.json
        lines.append(page.summary)
    if as_json:
        console.result(body, "", as_json=True)
    else:
        console.out("\n".join(lines))


def _fields(one: Compared) -> dict[str, Any]:
    return {**vars(one), "value": one.value.tolist()}


def _line(one: Compared) -> str:
    value = np.array2string(one.value, precision=6, threshold=12)
    bound = "not stated" if one.bound == float("inf") else f"{one.bound:.3g}"
    return (
        f"{one.name} → {one.receiver}: {value}\n"
        f"  {one.from_real:.3g} from float64 (bound {bound}), {one.from_clear:.3g} from exact words"
    )


class _Processes:
    """Runs each party in a process of its own; this one deals and holds all the data."""

    def __init__(self, place: str, given: Mapping[str, Any], network: str) -> None:
        self.place, self.given, self.network = place, given, network

    def __call__(
        self,
        compiled: Compiled,
        brought: Sequence[Mapping[str, Array]],
        material: tuple[Material, Material],
    ) -> Ran:
        with_sockets = zip((0, 1), socket.socketpair(), strict=True)
        children = [self._start(compiled, party, end) for party, end in with_sockets]
        for child, own, lot in zip(children, brought, material, strict=True):
            _write(child, encode({"inputs": _packed(own), "material": lot.encode()}))
        said = [decode(_read(child), SAID, LARGEST, sender="a party") for child in children]
        levels = [
            Took(rounds, sent, received, nanoseconds / 1e9)
            for rounds, sent, received, nanoseconds in said[0]["levels"]
        ]
        return [_unpacked(one["held"]) for one in said], levels

    def _start(self, compiled: Compiled, party: int, end: socket.socket) -> subprocess.Popen[bytes]:
        public = [f"{k}={v!r}" for k, v in self.given.items() if k not in compiled.plan.inputs]
        shapes = [
            f"{name}={','.join(map(str, type.shape))}"
            for name, type in compiled.plan.inputs.items()
        ]
        options = [("--shape", shape) for shape in shapes] + [("--arg", one) for one in public]
        command = [
            *(sys.executable, "-m", "moiety", "try-party", str(Path(self.place)), str(party)),
            *(str(end.fileno()), "--network", self.network, "--fraction", str(compiled.fraction)),
            *(word for option in options for word in option),
        ]
        with end:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[end.fileno()]
            )


def _write(child: subprocess.Popen[bytes], data: bytes) -> None:
    if child.stdin is not None:
        child.stdin.write(data)
        child.stdin.close()


def _read(child: subprocess.Popen[bytes]) -> bytes:
    with child:
        data = child.stdout.read() if child.stdout else b""
    if child.returncode:
        raise MoietyError("a party's process failed; it said why above")
    return data


def _packed(arrays: Mapping[str, Array]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _unpacked(data: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def try_party(
    place: str,
    party: int,
    descriptor: int,
    shape: list[str] = typer.Option([]),
    arg: list[str] = typer.Option([]),
    network: str = typer.Option("lan"),
    fraction: int = typer.Option(FRACTION),
) -> None:
    """One party of `moiety try`: its inputs and lot come on standard input."""
    given = {**load.shapes(shape), **load.arguments(arg)}
    target = Target(network=network)
    compiled = load.function(place).compile(given, target=target, fraction=fraction)
    plan = compiled.plan
    order = decode(sys.stdin.buffer.read(), ORDER, LARGEST, sender="the dealer")
    lot = Material.decode(order["material"], limit=max(plan.cost.dealt, plan.cost.common))
    names = (*compiled.parties, "a", "b")[:2]
    with insecure_channel(
        socket.socket(fileno=descriptor), names[party], names[1 - party]
    ) as channel:
        session = Session(channel, party)
        inputs = _unpacked(order["inputs"])
        held = session.run(plan, inputs, lot, receivers=plan.receivers)
    levels = [
        [took.rounds, took.sent, took.received, round(1e9 * took.seconds)]
        for took in by_ledger(session.ledger)
    ]
    sys.stdout.buffer.write(encode({"held": _packed(held), "levels": levels}))
