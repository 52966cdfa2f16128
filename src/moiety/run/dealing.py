"""Correlated randomness for one run of one plan: dealt, carried, spent once.

The dealer draws a seed for each party and computes party 1's corrections. It learns nothing about
inputs or results. With one party's view, though, it can compute the other's inputs: the profile
assumes that the dealer colludes with nobody.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from moiety.errors import MaterialError
from moiety.message import decode, encode
from moiety.plan.plan import Plan
from moiety.protocols.correlations import Correlation, Part, Supply
from moiety.ring import Stream, derive

SEED = LOT = 16
OVERHEAD = 256
"""Bytes that the encoding adds to the corrections, at most."""
SCHEMA = {"corrections": bytes, "lot": bytes, "party": int, "plan": bytes, "seed": bytes}


@dataclass(repr=False)
class Material:
    """What one party spends in one run of the plan with this hash.

    `spent` is known to this object only: whoever keeps encoded lots across restarts must note each
    `lot` durably before the run, and never decode it again.
    """

    party: int
    lot: bytes
    plan: bytes
    seed: bytes
    corrections: bytes
    spent: bool = field(default=False, init=False)

    def spend(self, plan: Plan, party: int) -> dict[int, Supply]:
        """The correlations of each step, by its index; only once, and only for its own plan."""
        if self.spent:
            raise MaterialError(
                "this lot of correlated randomness was used before",
                hint="each run needs a lot of its own: using one twice would tell the inputs",
            )
        self.spent = True
        if plan.hash != self.plan or party != self.party:
            raise MaterialError(
                f"this part of a lot was dealt for party {self.party} of another plan or party"
            )
        dealt = plan.cost.dealt if self.party else plan.cost.common
        if len(self.corrections) != dealt:
            raise MaterialError(
                f"a lot with {len(self.corrections)} bytes of corrections, not {dealt}"
            )
        return {index: Supply(shares) for index, shares in self._shares(plan).items()}

    def encode(self) -> bytes:
        """Its bytes, as the dealer sends them over an encrypted channel."""
        if self.spent:
            raise MaterialError("a spent lot of correlated randomness is not sent")
        return encode({name: getattr(self, name) for name in SCHEMA})

    @classmethod
    def decode(cls, data: bytes, *, limit: int) -> "Material":
        """Its inverse; `limit` bounds the corrections, see `Plan.cost.dealt`."""
        material = cls(**decode(data, SCHEMA, limit + OVERHEAD, sender="the dealer"))
        lengths = (len(material.lot), len(material.seed), len(material.plan))
        if lengths != (LOT, SEED, 32) or material.party not in (0, 1):
            raise MaterialError("a lot of correlated randomness with fields of wrong lengths")
        return material

    def _shares(self, plan: Plan) -> dict[int, Iterator[tuple[Correlation, Part]]]:
        key = lot_key(self.seed, self.lot)
        return {
            index: self._expand(key, correlations) for index, correlations in placed(plan).items()
        }

    def _expand(
        self, key: bytes, correlations: list["Placed"]
    ) -> Iterator[tuple[Correlation, Part]]:
        for item in correlations:
            part = item.part(self.corrections, self.party)
            yield (
                item.correlation,
                item.correlation.take(self.party, Stream(key, item.stream), part),
            )

    def __repr__(self) -> str:
        state = "spent" if self.spent else "unspent"
        return f"Material(party {self.party}, {len(self.corrections)} B of corrections, {state})"


@dataclass(frozen=True)
class Placed:
    """A correlation of a bill, the stream that it is drawn from, and each party's offset."""

    correlation: Correlation
    stream: int
    offsets: tuple[int, int]

    def part(self, corrections: bytes, party: int) -> bytes:
        """What corrects it among all that a party is sent."""
        begin = self.offsets[party]
        return corrections[begin : begin + self.correlation.size(party)]


def placed(plan: Plan) -> dict[int, list[Placed]]:
    """The bill of every step; each correlation has a stream of its own.

    So what a party draws does not depend on the order in which steps run.
    """
    bills: dict[int, list[Placed]] = {}
    stream, ends = 0, (0, 0)
    for index, step in plan.steps():
        bills[index] = []
        for correlation in plan.bill(step):
            if not isinstance(correlation, Correlation):
                raise MaterialError(f"{correlation} is nothing that can be dealt")
            bills[index].append(Placed(correlation, stream, ends))
            stream += 1
            ends = ends[0] + correlation.size(0), ends[1] + correlation.size(1)
    return bills


def lot_key(seed: bytes, lot: bytes) -> bytes:
    """The key of a party's streams in one lot."""
    return derive(seed, b"moiety lot " + lot)


def corrections(plan: Plan, lot: bytes, seeds: tuple[bytes, bytes]) -> bytes:
    """What party 1 is sent: the corrections of the whole bill, in order."""
    first, second = (lot_key(seed, lot) for seed in seeds)
    return b"".join(
        item.correlation.deal((Stream(first, item.stream), Stream(second, item.stream)))
        for bill in placed(plan).values()
        for item in bill
    )


def common(plan: Plan, sent: bytes) -> bytes:
    """What party 0 is sent: the common end of each correction that party 1 is sent."""
    items = [item for bill in placed(plan).values() for item in bill]
    parts = [(item.part(sent, 1), item.correlation.size(0)) for item in items]
    return b"".join(part[len(part) - size :] for part, size in parts)


def deal(plan: Plan) -> tuple[Material, Material]:
    """A fresh lot for one run of the plan: a part for each party."""
    lot, seeds = secrets.token_bytes(LOT), (secrets.token_bytes(SEED), secrets.token_bytes(SEED))
    return parts(plan, lot, seeds)


def parts(plan: Plan, lot: bytes, seeds: tuple[bytes, bytes]) -> tuple[Material, Material]:
    """The parties' parts of a lot. Never call this with seeds that are not fresh: see `deal`."""
    sent = corrections(plan, lot, seeds)
    return (
        Material(0, lot, plan.hash, seeds[0], common(plan, sent)),
        Material(1, lot, plan.hash, seeds[1], sent),
    )
