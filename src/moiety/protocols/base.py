"""What a protocol is: a generator that yields one tick per round.

A tick says what is sent to each peer and how many bytes are expected from each; the generator is
resumed with exactly those bytes. Every party yields every tick, even one in which it is silent.
Nothing here knows of sockets, clocks or threads.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from moiety.errors import PeerMisbehaved
from moiety.protocols.correlations import Supply
from moiety.ring import Pieces

Message: TypeAlias = bytes | Pieces


@dataclass(slots=True, repr=False)
class Tick:
    """One round as one party sees it; a peer that is absent gets or sends nothing."""

    send: dict[int, Message] = field(default_factory=dict)
    expect: Mapping[int, int] = field(default_factory=dict)

    def check(self, received: Mapping[int, bytes]) -> None:
        """Refuses messages of any other size than expected."""
        for peer in self.expect.keys() | received.keys():
            size, expected = len(received.get(peer, b"")), self.expect.get(peer, 0)
            if size != expected:
                raise PeerMisbehaved(f"party {peer} sent {size} bytes where {expected} were due")

    def __repr__(self) -> str:
        sent = {peer: len(message) for peer, message in self.send.items()}
        return f"Tick(send={sent} bytes, expect={dict(self.expect)} bytes)"


Received = dict[int, bytes]
"""A message by its sender; a protocol may take it out, so that it is not kept any longer."""
T = TypeVar("T")
Protocol: TypeAlias = Generator[Tick, Received, T]


class Context:
    """What a protocol may touch: who it is, and the correlations dealt for this step.

    `first` is true at the one party that adds public terms; `peers` are the other parties.
    """

    __slots__ = ("first", "party", "peers", "supply")

    def __init__(self, party: int, supply: Supply) -> None:
        self.party, self.supply = party, supply
        self.first, self.peers = party == 0, (1 - party,)

    def to_all(self, message: Message) -> Tick:
        """The tick in which every party sends every other a message of the same size."""
        return Tick(dict.fromkeys(self.peers, message), dict.fromkeys(self.peers, len(message)))

    def swap(self, message: Message) -> "Protocol[bytes]":
        """What the one peer sends while it is sent as much: one round of two parties."""
        (peer,) = self.peers
        received = yield self.to_all(message)
        return received.pop(peer)


def together(*protocols: Protocol[Any]) -> Protocol[list[Any]]:
    """Runs independent protocols in lock step, so that they share rounds; their results in order.

    A joint message is the parts of the protocols still running, in order. Every party must call
    this with corresponding protocols.
    """
    results: list[Any] = [None] * len(protocols)
    ticks: dict[int, Tick] = {}

    def advance(index: int, received: Received | None) -> None:
        try:
            ticks[index] = protocols[index].send(received)  # type: ignore[arg-type]
        except StopIteration as end:
            ticks.pop(index, None)
            results[index] = end.value

    for index in range(len(protocols)):
        advance(index, None)
    while ticks:
        running = dict(ticks)
        received = yield joint(running.values())
        for index, part in zip(running, parts(running.values(), received), strict=True):
            advance(index, part)
    return results


def joint(ticks: Iterable[Tick]) -> Tick:
    """One tick that sends and expects the parts of several, in order."""
    ticks = list(ticks)
    if len(ticks) == 1:
        return ticks[0]
    send: dict[int, list[Message]] = {}
    expect: dict[int, int] = {}
    for tick in ticks:
        for peer, message in tick.send.items():
            send.setdefault(peer, []).append(message)
        for peer, size in tick.expect.items():
            expect[peer] = expect.get(peer, 0) + size
    return Tick({peer: _joined(messages) for peer, messages in send.items()}, expect)


def _joined(messages: Sequence[Message]) -> Message:
    return messages[0] if len(messages) == 1 else b"".join(map(bytes, messages))


def parts(ticks: Iterable[Tick], received: Received) -> Iterable[Received]:
    """Each protocol's part of the joint messages."""
    ticks = list(ticks)
    if len(ticks) == 1:
        return [received]
    return _parts(ticks, received)


def _parts(ticks: Sequence[Tick], received: Received) -> Iterator[Received]:
    begin = dict.fromkeys(received, 0)
    for tick in ticks:
        part = {}
        for peer, size in tick.expect.items():
            part[peer] = received[peer][begin[peer] : begin[peer] + size]
            begin[peer] += size
        yield part
