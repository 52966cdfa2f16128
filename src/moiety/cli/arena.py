"""Two party processes on this machine, connected by TLS as real ones are; this process deals.

Each child gets a socket to its peer and one to the dealer. An order names a secure function and
brings the party's inputs; the child compiles it by itself. Each lot that follows is one run.
"""

import io
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from moiety.cli.load import Wanted
from moiety.errors import MoietyError, PeerLost
from moiety.function.function import Compiled
from moiety.lang.primitive import Array
from moiety.message import decode, encode
from moiety.plan.explain import Took
from moiety.run import dealing
from moiety.run.dealing import Material
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind
from moiety.wire.plain import insecure_channel
from moiety.wire.watch import Watch

LARGEST = 1 << 40
PATIENCE = 10.0
ORDER = {"do": str, "inputs": bytes, "material": bytes, "wanted": bytes}
SAID = {"held": bytes, "levels": list[list[int]], "processor": int, "ready": int}
Line = Callable[[socket.socket], socket.socket]


@dataclass(frozen=True)
class Ran:
    """One run: what each party holds, what its levels took, and seconds of its processor.

    The processor's seconds are of the whole run, from the lot's arrival on, which is `ready` by the
    clock that all processes of a machine share.
    """

    held: tuple[dict[str, Array], ...]
    levels: tuple[tuple[Took, ...], ...]
    processor: tuple[float, ...]
    ready: float

    @property
    def seconds(self) -> float:
        """The time of the party that took longer."""
        return max(sum(took.seconds for took in party) for party in self.levels)


@dataclass(frozen=True)
class Timed:
    """Seconds of dealing and a run: by the clock, and of the processors one after the other."""

    seconds: float
    processor: float
    ran: Ran


class Arena:
    """The parent's end; `line` puts a slow line between the parties, and before the dealer."""

    def __init__(self, line: Line = lambda end: end) -> None:
        self.watch = Watch()
        between = connected()
        ends = (between[0], line(between[1]))
        self.children, self.channels = [], []
        for party, end in enumerate(ends):
            own, theirs = connected()
            self.children.append(_start(party, end, theirs))
            self.channels.append(
                insecure_channel(line(own), "dealer", f"party {party}", watch=self.watch)
            )

    def order(
        self, wanted: Wanted, compiled: Compiled, brought: Sequence[Mapping[str, Array]]
    ) -> None:
        """Lets both parties compile a function, and keep what each brings."""
        spec = wanted.for_a_party(compiled).encode()
        for channel, inputs in zip(self.channels, brought, strict=True):
            _send(channel, "compile", inputs=packed(inputs), wanted=spec)
        hashes = [channel.receive(Kind.HELLO, 32) for channel in self.channels]
        if set(hashes) != {compiled.plan.hash}:
            raise MoietyError("a party's process made another plan than this one")

    def run(self, material: tuple[Material, Material]) -> Ran:
        """One run of what was ordered, with a lot of its own."""
        self.deal(material)
        return self.results()

    def deal(self, material: Sequence[Material]) -> None:
        """Sends each party its part of a lot; returns when both have it."""
        for channel, lot in zip(self.channels, material, strict=True):
            _send(channel, "run", material=lot.encode())
        for channel in self.channels:
            channel.receive(Kind.HELLO, 0)

    def results(self) -> Ran:
        """What the parties hold at the end, and what it took."""
        said = [
            decode(channel.receive(Kind.RECORD, LARGEST), SAID, LARGEST, sender="a party")
            for channel in self.channels
        ]
        levels = tuple(tuple(_took(row) for row in one["levels"]) for one in said)
        processor = tuple(one["processor"] / 1e9 for one in said)
        ready = max(one["ready"] for one in said) / 1e9
        return Ran(tuple(unpacked(one["held"]) for one in said), levels, processor, ready)

    def timed(self, compiled: Compiled) -> "Timed":
        """The seconds of dealing, until both parties hold their parts, and of a run with these."""
        began, spent = time.monotonic(), time.process_time()
        self.deal(dealing.deal(compiled.plan))
        used, ran = time.process_time() - spent, self.results()
        return Timed(ran.ready - began + ran.seconds, used + max(ran.processor), ran)

    def exchange(self, size: int) -> float:
        """Seconds in which the parties send each other so many bytes."""
        for channel in self.channels:
            _send(channel, "exchange", inputs=size.to_bytes(8, "little"))
        said = [channel.receive(Kind.RECORD, 8) for channel in self.channels]
        return max(int.from_bytes(one, "little") for one in said) / 1e9

    def close(self) -> None:
        """Ends both processes."""
        for channel in self.channels:
            _send(channel, "end")
        self.watch.finish()
        for child in self.children:
            _ended(child)
        self.watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        self.watch.close()
        for child in self.children:
            _ended(child)
        if isinstance(error, PeerLost):
            raise MoietyError("a party's process failed; it said why above") from None


def _ended(child: subprocess.Popen[bytes]) -> None:
    """Waits for the end of a child, which may still say why it failed."""
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _took(row: Sequence[int]) -> Took:
    rounds, sent, received, nanoseconds = row
    return Took(rounds, sent, received, nanoseconds / 1e9)


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def _start(party: int, peer: socket.socket, dealer: socket.socket) -> subprocess.Popen[bytes]:
    ends = (peer.fileno(), dealer.fileno())
    command = [sys.executable, "-m", "moiety", "arena-party", str(party), *map(str, ends)]
    with peer, dealer:
        return subprocess.Popen(command, pass_fds=ends, stdin=subprocess.DEVNULL)


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Arrays by name as bytes."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, Array]:
    """Its inverse."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _send(channel: Channel, do: str, **fields: bytes) -> None:
    empty = {"inputs": b"", "material": b"", "wanted": b""}
    channel.send(Kind.HELLO, encode({"do": do, **empty, **fields}))
