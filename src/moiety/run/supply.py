"""Asking a dealer for lots, and dealing them, over channels.

Both parties ask for the same: a bill, so many runs, and which masked tables they multiply. The
dealer compares, deals, and sends each party its corrections as fast as they are taken: those of a
few runs in one message, if they are small; no more than that is held anywhere. A dealer sees no
plan, no input and no result; it learns how much of which correlations is used, and when.

Each party draws the seed of its masks itself and tells the dealer: what it sends to its peer is
masked afresh, even if the dealer deals a lot twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from moiety.errors import InternalError, MaterialError, PeerMisbehaved, PolicyRefused
from moiety.message import decode, encode
from moiety.plan import billing
from moiety.plan.bill import Bill
from moiety.protocols.base import Message
from moiety.run.dealing import LOT, SEED, Dealer, Lot, MaskUse, Material, fresh
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

ORDER: dict[str, Any] = {
    "bill": bytes,
    "masks": [{"lot": bytes, "name": str, "rows": list[int]}],
    "runs": int,
}
ASKED = {"order": bytes, "seed": bytes}
HEADER = {"lot": bytes}
LARGEST = 1 << 25
"""Bytes of a request."""
TOGETHER = 1 << 18
"""Bytes of corrections up to which those of several runs share a message."""


class Source(Protocol):
    """Where a party's lots come from."""

    def lot(self, bill: Bill, runs: int, masks: Mapping[str, MaskUse]) -> Material:
        """This party's part of a fresh lot; the peer must ask for the same."""
        ...

    def finish(self) -> None:
        """Says that no more is needed."""
        ...


@dataclass
class RemoteDealer:
    """A dealer at the other end of a channel."""

    channel: Channel
    party: int

    def lot(self, bill: Bill, runs: int, masks: Mapping[str, MaskUse]) -> Material:
        """This party's part of a fresh lot, which arrives while it is spent.

        A lot must be spent, to its end, before the next one is asked for.
        """
        seed = fresh()
        self.channel.send(Kind.DEAL, encode({"order": request(bill, runs, masks), "seed": seed}))
        said = decode(self.channel.receive(Kind.DEAL, 256), HEADER, 256, sender="the dealer")
        if len(said["lot"]) != LOT:
            raise MaterialError("the dealer sent a lot with fields of wrong lengths")
        lot = Lot(self.party, said["lot"], bill.plan, seed, runs)
        return Material(lot, self._corrections(bill, runs))

    def _corrections(self, bill: Bill, runs: int) -> Iterator[bytes]:
        size = bill.sizes[self.party]
        for count in _messages(bill, runs):
            data = self._some(count * size) if size else b""
            yield from (data[run * size : run * size + size] for run in range(count))

    def _some(self, size: int) -> bytes:
        data = self.channel.receive(Kind.MATERIAL, size)
        if len(data) != size:
            raise MaterialError(f"the dealer sent {len(data)} bytes of corrections, not {size}")
        return data

    def finish(self) -> None:
        """Tells the dealer that no more is needed."""
        self.channel.send(Kind.DEAL, b"")


def request(bill: Bill, runs: int, masks: Mapping[str, MaskUse]) -> bytes:
    """What a party sends to ask for a lot."""
    named = [
        {"lot": use.lot, "name": name, "rows": list(use.rows)}
        for name, use in sorted(masks.items())
    ]
    return encode({"bill": billing.encode(bill), "masks": named, "runs": runs})


def _messages(bill: Bill, runs: int) -> Iterator[int]:
    """How many runs' corrections each message of a lot holds."""
    most = max(1, TOGETHER // max(1, *bill.sizes))
    for begin in range(0, runs, most):
        yield min(most, runs - begin)


@dataclass(frozen=True)
class Limits:
    """What a dealer deals at most, over all lots of a job."""

    dealt: int = 1 << 42
    """Bytes of corrections."""
    runs: int = 1 << 24


@dataclass(frozen=True, repr=False)
class _Asked:
    """What both parties ask for, and the seed of each."""

    bill: Bill
    runs: int
    masks: dict[str, MaskUse]
    seeds: tuple[bytes, bytes]


def _heard(channel: Channel) -> tuple[bytes, bytes]:
    """One party's order and seed; an empty order if it needs no more."""
    data = channel.receive(Kind.DEAL, LARGEST)
    if not data:
        return b"", b""
    body = decode(data, ASKED, LARGEST, sender=channel.peer)
    if len(body["seed"]) != SEED or not body["order"]:
        raise PeerMisbehaved(f"{channel.peer} asks for a lot and tells no seed")
    return body["order"], body["seed"]


@dataclass
class Service:
    """Deals for two parties over a channel to each, until both say that they need no more."""

    channels: Sequence[Channel]
    limits: Limits = field(default_factory=Limits)
    dealer: Dealer = field(default_factory=Dealer)
    dealt: int = 0
    runs: int = 0

    def serve(self) -> None:
        """All lots, one after the other.

        Raises:
            PeerMisbehaved: a party asks for what is none.
            PolicyRefused: the parties ask for different lots, or for more than the limits.
        """
        while (asked := self._asked()) is not None:
            self._deal(asked)

    def _asked(self) -> "_Asked | None":
        """What both parties ask for; None if they need no more."""
        (first, one), (second, other) = (_heard(channel) for channel in self.channels)
        if first != second:
            raise PolicyRefused(
                "the parties ask for different lots of correlated randomness",
                hint="both must run the same job with the same version of moiety",
            )
        if not first:
            return None
        sender = self.channels[0].peer
        body = decode(first, ORDER, LARGEST, sender=sender)
        masks = {use["name"]: MaskUse(use["lot"], tuple(use["rows"])) for use in body["masks"]}
        bill = billing.decode(body["bill"], sender=sender)
        return _Asked(bill, body["runs"], masks, (one, other))

    def _deal(self, asked: "_Asked") -> None:
        bill, runs = asked.bill, asked.runs
        self.dealt += max(runs, 0) * max(bill.sizes)
        self.runs += max(runs, 0)
        if self.dealt > self.limits.dealt or self.runs > self.limits.runs:
            raise PolicyRefused(
                f"the job asks for {self.dealt:,} bytes of corrections in {self.runs:,} runs, "
                "more than this dealer deals",
                hint="split the job, or raise the dealer's limits",
            )
        parts = self.dealer.deal(bill, runs, asked.masks, asked.seeds)
        for part, channel in zip(parts, self.channels, strict=True):
            channel.send(Kind.DEAL, encode({"lot": part.lot.lot}))
        flows = [part.open() for part in parts]
        for count in _messages(bill, runs):
            self._some_runs(bill, flows, count)

    def _some_runs(self, bill: Bill, flows: Sequence[Iterator[Message]], count: int) -> None:
        """Party 1 first: it takes the corrections, and party 0 waits for its common part only."""
        for party in (1, 0):
            try:
                several = [next(flows[party]) for _ in range(count)]
            except BaseException as error:
                if not _of_the_bill(error):
                    raise
                sender = self.channels[0].peer
                raise PeerMisbehaved(f"{sender} asks for what cannot be dealt") from error
            if bill.sizes[party]:
                one = several[0] if count == 1 else b"".join(map(bytes, several))
                self.channels[party].send(Kind.MATERIAL, one)


def _of_the_bill(error: BaseException) -> bool:
    """Whether dealing failed for what was asked; a kernel's panic is no Exception."""
    kinds = (ValueError, OverflowError, MemoryError, InternalError)
    return isinstance(error, kinds) or type(error).__name__ == "PanicException"
