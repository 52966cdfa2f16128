"""Private set intersection of two parties over ristretto255.

With secrets a and b, H(x)^(ab) = H(y)^(ba) exactly when x = y. Both parties first learn how many
items are common. Only if both accept that number do they learn which of their own items those are.
Nothing else is learnt but the sizes of the sets. Semi-honest: a party may enter items that it does
not own, and the intersection then tells it which of them the other party has.

Source: Meadows (IEEE S&P 1986); Huberman, Franklin, Hogg (EC 1999); hashing to the group as in
RFC 9497, ristretto255-SHA512.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety.errors import DataError, PeerMisbehaved, PolicyRefused
from moiety.protocols.base import Protocol, Tick
from moiety.protocols.correlations import Array

CHUNK = 4096
"""Items of a tick: bounds memory and the time between two signs of progress."""
POINT, TAG, PLACE = 32, 16, 4
"""Bytes an item: its blinded point, its tag, its place. Tags of different items agree with
probability below (own items)·(peer's items) / 2^128."""


@dataclass(frozen=True)
class Limits:
    """What a party's policy demands: at most so many items of the peer, at least so many common."""

    max_peer: int
    min_common: int = 1


@dataclass(frozen=True, repr=False)
class Alignment:
    """A party's rows that are common, in an order that both parties agree on; sizes by party."""

    rows: Array
    sizes: tuple[int, int]

    def __repr__(self) -> str:
        return f"Alignment({len(self.rows)} common rows of {self.sizes})"


def rounds(sizes: tuple[int, int]) -> list[dict[tuple[int, int], int]]:
    """The bytes of each round on each directed link, from the sizes of both sets alone."""
    links = ((0, 1), (1, 0))
    points = _chunks(sizes, POINT)
    answers = [*_chunks(sizes[::-1], TAG), (1, 1), *_chunks(sizes[::-1], PLACE)]
    return [dict(zip(links, pair, strict=True)) for pair in [(8, 8), *points, *answers]]


def _chunks(items: tuple[int, int], width: int) -> list[tuple[int, int]]:
    """Bytes that a pair of parties sends in each tick of a transfer of so many items each."""
    starts = range(0, max(items), CHUNK)
    sizes = [tuple(min(max(n - start, 0), CHUNK) * width for n in items) for start in starts]
    return [(first, second) for first, second in sizes]


class Meeting:
    """One party's side of an intersection; `run` is the protocol."""

    def __init__(
        self,
        party: int,
        items: Sequence[bytes],
        domain: bytes,
        limits: Limits,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
        threads: int = 1,
    ) -> None:
        if len(set(items)) != len(items) or not items:
            raise DataError("the items to align must be distinct, and at least one")
        self.peer = 1 - party
        self.items, self.domain, self.limits = items, domain, limits
        self.progress, self.threads = progress, threads
        self.shuffle = np.argsort(np.frombuffer(secrets.token_bytes(16 * len(items)), "S16"))
        self.key = _core.PsiKey.random()

    def run(self) -> Protocol[Alignment]:
        """This party's common rows."""
        peers = yield from self._sizes()
        theirs = yield from self._evaluate(peers)
        order = np.argsort(theirs)
        theirs = theirs[order]
        own = yield from self._transfer(theirs, len(self.items))
        _refuse_repeats(own, theirs)
        _, mine, _ = np.intersect1d(own, theirs, assume_unique=True, return_indices=True)
        yield from self._consent(len(mine))
        places = yield from self._transfer(order.astype("<u4"), len(self.items))
        if not np.array_equal(np.sort(places), np.arange(len(self.items))):
            raise PeerMisbehaved("a peer sent places that are not a permutation of our items")
        sizes = (len(self.items), peers)
        return Alignment(self.shuffle[places[mine]], sizes if self.peer else sizes[::-1])

    def _sizes(self) -> Protocol[int]:
        """The number of the peer's items."""
        received = yield self._tick(len(self.items).to_bytes(8, "little"), 8)
        peers = int.from_bytes(received[self.peer], "little")
        if min(peers, len(self.items)) < self.limits.min_common:
            raise PolicyRefused(
                f"{peers} items are to be aligned with our {len(self.items)}; at least "
                f"{self.limits.min_common} must be common",
                hint="a set that small asks for single people: align larger tables",
            )
        if not 1 <= peers <= self.limits.max_peer:
            raise PolicyRefused(
                f"the peer wants to align {peers} items; the limit is {self.limits.max_peer}",
                hint="ask the peer about its table, or raise the limit in your policy",
            )
        return peers

    def _evaluate(self, peers: int) -> Protocol[Array]:
        """The tags of the peer's items, in the order in which it blinded them.

        Both parties blind a chunk, exchange, and evaluate the other's: they work at the same time.
        """
        tags = []
        for start in range(0, max(len(self.items), peers), CHUNK):
            chunk = [self.items[row] for row in self.shuffle[start : start + CHUNK]]
            blinded = self.key.blind(chunk, self.domain, self.threads).tobytes()
            due = min(max(peers - start, 0), CHUNK)
            received = yield self._tick(blinded, due * POINT)
            tags.append(self._tags(received[self.peer]))
            self.progress(min(start + CHUNK, peers), peers)
        return np.concatenate(tags)

    def _tags(self, points: bytes) -> Array:
        """Bytes 8 to 24 of each evaluated point: its lowest and highest bits are not uniform."""
        blinded = np.frombuffer(points, np.uint8).reshape(-1, POINT)
        try:
            evaluated = self.key.evaluate(blinded, self.threads)
        except ValueError as fault:
            raise PeerMisbehaved(f"a peer sent a point that is not in the group: {fault}") from None
        return np.ascontiguousarray(evaluated[:, 8 : 8 + TAG]).reshape(-1).view(f"S{TAG}")

    def _transfer(self, outgoing: Array, expected: int) -> Protocol[Array]:
        """As many values of the same type from the peer, chunk by chunk, for all of ours."""
        width, parts = outgoing.dtype.itemsize, []
        for start in range(0, max(len(outgoing), expected), CHUNK):
            due = min(max(expected - start, 0), CHUNK)
            received = yield self._tick(outgoing[start : start + CHUNK].tobytes(), due * width)
            parts.append(received[self.peer])
        return np.frombuffer(b"".join(parts), outgoing.dtype)

    def _consent(self, common: int) -> Protocol[None]:
        """Goes on only if both parties accept the number of common items."""
        if common < self.limits.min_common:
            raise PolicyRefused(
                f"{common} items are common; the least allowed is {self.limits.min_common}",
                hint="few common items single people out: align larger tables",
            )
        received = yield self._tick(b"\x01", 1)
        if received[self.peer] != b"\x01":
            raise PeerMisbehaved("a peer did not accept the intersection and did not stop")

    def _tick(self, message: bytes, due: int) -> Tick:
        return Tick({self.peer: message}, {self.peer: due})


def _refuse_repeats(*sorted_tags: Array) -> None:
    for tags in sorted_tags:
        if not np.all(tags[1:] > tags[:-1]):
            raise PeerMisbehaved("a peer sent an item twice, or tags out of order")


def intersect(
    party: int,
    items: Sequence[bytes],
    domain: bytes,
    limits: Limits,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    threads: int = 1,
) -> Protocol[Alignment]:
    """This party's common rows, with the peer's set unseen; `domain` names the job and the use."""
    return Meeting(party, items, domain, limits, progress=progress, threads=threads).run()
