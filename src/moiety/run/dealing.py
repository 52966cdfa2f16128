"""Correlated randomness for runs of one plan: dealt, carried, spent once.

The dealer draws a seed for each party, or is told the one that the party drew, and computes party
1's corrections. It learns nothing about inputs or results. With one party's view, though, it can
compute the other's inputs: the profile assumes that the dealer colludes with nobody.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial

from moiety._core import Dealt
from moiety.errors import MaterialError
from moiety.message import decode, encode
from moiety.plan.bill import Bill, Placed
from moiety.plan.plan import Plan
from moiety.protocols.base import Message
from moiety.protocols.correlations import Part, Rows, Supply
from moiety.protocols.masked import Mask
from moiety.ring import Pieces, Stream, derive, received

SEED = LOT = 16
OVERHEAD = 256
"""Bytes that the encoding adds to the corrections, at most."""
SCHEMA = {
    "corrections": bytes,
    "lot": bytes,
    "party": int,
    "plan": bytes,
    "runs": int,
    "seed": bytes,
}


@dataclass(frozen=True, repr=False)
class Lot:
    """One party's key to a lot: `runs` runs of the plan with this hash."""

    party: int
    lot: bytes
    plan: bytes
    seed: bytes
    runs: int = 1

    def key(self, run: int) -> bytes:
        """The key of this party's streams in one run."""
        return lot_key(self.seed, self.lot, run)

    def __repr__(self) -> str:
        return f"Lot(party {self.party}, {self.runs} runs, {self.lot.hex()})"


def lot_key(seed: bytes, lot: bytes, run: int) -> bytes:
    """The key of a party's streams in one run of a lot."""
    return derive(seed, b"moiety lot " + lot + run.to_bytes(8, "little"))


class Material:
    """What one party spends in the runs of one plan; `source` gives each run's corrections.

    That it is spent is known to this object only: whoever keeps encoded lots across restarts must
    note each lot durably before the first run, and never decode it again.
    """

    def __init__(self, lot: Lot, source: Iterable[Message]) -> None:
        self.lot, self.spent = lot, False
        self._source = iter(source)

    def spend(self, bill: Bill, party: int) -> Iterator["Spending"]:
        """The correlations of each run; only once, and only for its own plan."""
        if self.spent:
            raise MaterialError(
                "this lot of correlated randomness was used before",
                hint="each run needs a lot of its own: using one twice would tell the inputs",
            )
        self.spent = True
        if bill.plan != self.lot.plan or party != self.lot.party:
            raise MaterialError(
                f"this part of a lot was dealt for party {self.lot.party} of another plan or party"
            )
        return self._runs(bill)

    def _runs(self, bill: Bill) -> Iterator["Spending"]:
        party = self.lot.party
        for run in range(self.lot.runs):
            spending = Spending(bill, party, self.lot.key(run), self._source)
            yield spending
            spending.complete()

    def open(self) -> Iterator[Message]:
        """The corrections of each run, for who carries them on; it is spent thereby."""
        if self.spent:
            raise MaterialError("a spent lot of correlated randomness is not sent")
        self.spent = True
        return self._source

    def encode(self) -> bytes:
        """Its bytes, as the dealer sends them over an encrypted channel."""
        corrections = b"".join(map(bytes, self.open()))
        return encode({"corrections": corrections, **asdict(self.lot)})

    @classmethod
    def decode(cls, data: bytes, *, limit: int) -> "Material":
        """Its inverse; `limit` bounds the corrections, see `Plan.cost.dealt`."""
        fields = decode(data, SCHEMA, limit + OVERHEAD, sender="the dealer")
        corrections = fields.pop("corrections")
        lot = Lot(**fields)
        lengths = (len(lot.lot), len(lot.seed), len(lot.plan))
        if lengths != (LOT, SEED, 32) or lot.party not in (0, 1) or lot.runs < 1:
            raise MaterialError("a lot of correlated randomness with fields of wrong lengths")
        size, rest = divmod(len(corrections), lot.runs)
        if rest:
            raise MaterialError(f"{len(corrections)} bytes of corrections for {lot.runs} runs")
        return cls(lot, (corrections[size * run : size * (run + 1)] for run in range(lot.runs)))

    def __repr__(self) -> str:
        return f"Material({self.lot}, {'spent' if self.spent else 'unspent'})"


class Spending:
    """A party's correlations in one run.

    Its corrections are taken from `source`, where the runs' come in order, when they are needed:
    what a party sends first depends on what it draws alone.
    """

    def __init__(self, bill: Bill, party: int, key: bytes, source: Iterator[Message]) -> None:
        self.party, self.corrections = party, b""
        self._steps, self._size = bill.steps, bill.sizes[party]
        self._run = bill.parts[party].dealt(key)
        self._parts = self._run.parts
        self._source: Iterator[Message] | None = source

    def of(self, step: int) -> Supply:
        """Those of one step."""
        correlations = ((one.correlation, self._parts[one.stream]) for one in self._steps[step])
        parts = ((one, Part(one, self.party, part)) for one, part in correlations)
        return Supply(parts, self.complete)

    def complete(self) -> None:
        """Waits for the corrections of this run, unless they are there.

        Raises:
            MaterialError, PeerMisbehaved: the dealer sent something else.
        """
        if self._source is None:
            return
        dealt = next(self._source, None)
        corrections = None if dealt is None else bytes(dealt)
        if corrections is None or len(corrections) != self._size:
            size = 0 if corrections is None else len(corrections)
            raise MaterialError(
                f"a lot with {size} bytes of corrections for a run, not {self._size}"
            )
        received(self._run.complete, corrections)
        self.corrections, self._source = corrections, None

    def __repr__(self) -> str:
        return f"Spending(party {self.party})"


@dataclass(frozen=True)
class MaskUse:
    """Which lot an input was masked with, and in each run the first row of it that is meant."""

    lot: bytes
    rows: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class _KeptMask:
    """A mask that the dealer can draw again."""

    mask: Mask
    part: Dealt

    def rows(self, row: int) -> Rows:
        return Rows(self.mask, self.part, row)


def fresh() -> bytes:
    """A new seed or lot number."""
    return secrets.token_bytes(SEED)


@dataclass(repr=False)
class Dealer:
    """Deals for the two parties of a session, and keeps what draws its masks again.

    Never give it a `draw` whose values are not fresh, except to replay a run in tests.
    """

    draw: Callable[[], bytes] = fresh
    _masks: dict[bytes, _KeptMask] = field(default_factory=dict, init=False)

    def deal(
        self,
        bill: Bill,
        runs: int = 1,
        masks: Mapping[str, MaskUse] | None = None,
        seeds: tuple[bytes, bytes] | None = None,
    ) -> tuple[Material, Material]:
        """A fresh lot for so many runs: a part for each party, made as it is asked for.

        `seeds` are those that the parties drew, if they did. The corrections of a run are kept
        until both parties have taken them.

        Raises:
            MaterialError: an input was masked with a lot that this dealer did not deal.
        """
        lot, seeds = self.draw(), seeds or (self.draw(), self.draw())
        used = {} if masks is None else masks
        self._check(bill, runs, used)
        keys = tuple(Lot(party, lot, bill.plan, seeds[party], runs) for party in (0, 1))
        self._keep(bill, keys)
        run = _Run(bill, keys, {name: self._masks[one.lot] for name, one in used.items()}, used)
        whole: dict[int, bytes] = {}
        return (
            Material(keys[0], (self._taken(run, whole, at, 0) for at in range(runs))),
            Material(keys[1], (self._taken(run, whole, at, 1) for at in range(runs))),
        )

    def _taken(self, run: "_Run", whole: dict[int, bytes], at: int, party: int) -> Message:
        """One party's corrections of a run; if there are common ones, the first to ask keeps."""
        if not run.bill.sizes[0]:
            return run.corrections(at) if party else b""
        sent = whole.pop(at, None)
        if sent is None:
            sent = whole[at] = bytes(run.corrections(at))
        return sent if party else common(run.bill, sent)

    def _check(self, bill: Bill, runs: int, used: Mapping[str, MaskUse]) -> None:
        if runs < 1 or set(used) != bill.masks:
            raise MaterialError(
                f"{runs} runs with masks of {sorted(used)}, where {sorted(bill.masks)} are due"
            )
        for name, one in used.items():
            if one.lot not in self._masks or len(one.rows) != runs:
                raise MaterialError(f"{name} was not masked by this dealer for {runs} runs")

    def _keep(self, bill: Bill, keys: tuple[Lot, ...]) -> None:
        items = list(bill.items)
        if len(items) == 1 and isinstance(items[0].correlation, Mask) and keys[0].runs == 1:
            mask = items[0].correlation
            lot, stream = keys[mask.owner], items[0].stream
            drawn = mask.dealt(mask.owner, Stream(lot.key(0), stream))
            self._masks[lot.lot] = _KeptMask(mask, drawn)


@dataclass(frozen=True, repr=False)
class _Run:
    """What the corrections of each run of a lot are made from."""

    bill: Bill
    keys: tuple[Lot, ...]
    masks: Mapping[str, _KeptMask]
    used: Mapping[str, MaskUse]

    def corrections(self, run: int) -> Message:
        """What party 1 is sent for one run: the corrections of the whole bill, in order."""
        pairs = zip(self.keys, self.bill.drawn, strict=True)
        first, second = (layout.dealt(lot.key(run)).parts for lot, layout in pairs)
        parts = [
            item.correlation.corrected(
                first[item.stream], second[item.stream], self._rows(item, run)
            )
            for item in self.bill.items
        ]
        return parts[0] if len(parts) == 1 else Pieces(sum(map(len, parts)), partial(iter, parts))

    def _rows(self, item: Placed, run: int) -> Rows | None:
        """The mask of the item's table."""
        if item.mask is None:
            return None
        if isinstance(item.mask, str):
            return self.masks[item.mask].rows(self.used[item.mask].rows[run])
        mask = item.mask.correlation
        owner = mask.owner if isinstance(mask, Mask) else 0
        drawn = mask.dealt(owner, Stream(self.keys[owner].key(run), item.mask.stream))
        return Rows(mask, drawn)


def common(bill: Bill, sent: bytes) -> bytes:
    """What party 0 is sent: the common end of each correction that party 1 is sent."""
    return b"".join([sent[begin:end] for begin, end in bill.common])


def deal(plan: Plan) -> tuple[Material, Material]:
    """A fresh lot for one run of the plan: a part for each party."""
    return Dealer().deal(plan.bill)
