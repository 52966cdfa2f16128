"""New applicants are scored by both parties on shares; only the receiver learns a score.

Each id is scored once in a job. Both parties write an id down as scored before anything about it
is sent, and neither computes a second score.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.enclave.handover import LARGEST_BATCH, ModelShare
from moiety.lang.cost import Cost, both_ways
from moiety.learn.scorecard_program import SCORE_BITS
from moiety.party.seal import Binned
from moiety.party.spent import SpentIds
from moiety.protocols.base import Protocol, Tick
from moiety.ring import decode, pack_bits, unpack_bits
from moiety.run.dealing import Material
from moiety.run.session import Progress, Session

SINGLES = 3
"""So many applicants are scored one by one first, to measure how long one takes."""
BATCH = {"scorecard": 4096, "trees": 1024}


@dataclass(frozen=True, eq=False)
class Timing:
    """One batch: how many rows, in how many rounds and seconds."""

    rows: int
    rounds: int
    seconds: float


def agree_unscored(
    session: Session, ids: npt.NDArray[np.str_], spent: SpentIds
) -> npt.NDArray[np.int64]:
    """Positions among the aligned ids that neither party has scored before in this job.

    Both learn which aligned ids the other has written down.
    """
    mine = spent.among(ids.tolist())
    packed = pack_bits(mine.astype(np.uint8))
    theirs = unpack_bits(_swap(session, packed), len(mine))
    return np.flatnonzero(~(mine | theirs.astype(np.bool_)))


def _swap(session: Session, message: bytes) -> bytes:
    def protocol() -> Protocol[bytes]:
        received = yield Tick({session.peer: message}, {session.peer: len(message)})
        return received[session.peer]

    price = Cost((both_ways(8 * len(message)),))
    return session.drive(
        protocol(), step="agree on applicants", way="bitmap", predict=lambda _: price
    )


def batches(count: int, kind: str) -> list[int]:
    """The sizes of the batches in which so many applicants are scored: a few singles, then more."""
    singles = min(SINGLES, count)
    whole, rest = divmod(count - singles, min(BATCH[kind], LARGEST_BATCH))
    return [1] * singles + [BATCH[kind]] * whole + ([rest] if rest else [])


@dataclass(frozen=True, eq=False)
class Scoring:
    """What one party needs to score its aligned applicants, by position among them."""

    session: Session
    job: Job
    share: ModelShare
    binned: Binned
    ids: npt.NDArray[np.str_]
    spent: SpentIds
    scores: "Scores"

    def __repr__(self) -> str:
        return f"Scoring({len(self.ids)} applicants)"

    def run(
        self, rows: npt.NDArray[np.int64], lots: Iterator[Material], progress: Progress
    ) -> list[Timing]:
        """Scores these rows, batch by batch; the receiver's scores are kept as they come.

        Raises:
            PolicyRefused: an id was scored before in this job; nothing about it was sent.
        """
        timings, begin = [], 0
        for size in batches(len(rows), self.share.shape.kind):
            timings.append(self._batch(rows[begin : begin + size], next(lots)))
            begin += size
            progress(begin, len(rows))
        return timings

    def _batch(self, rows: npt.NDArray[np.int64], lot: Material) -> Timing:
        session, receiver = self.session, self.job.index(self.job.scores_to)
        ids = self.ids[rows].tolist()
        codes = {name: column[rows] for name, column in self.binned.codes.items()}
        features = self.share.shape.features(session.party, codes)
        program = self.share.shape.program(len(rows), receiver)
        inputs = {f"features_{session.party}": features, **self.share.arrays}
        self.spent.spend(ids)
        began, before = time.perf_counter(), len(session.ledger)
        outputs = session.run(program, inputs, lot, receivers={receiver})
        seconds = time.perf_counter() - began
        if "score" in outputs:
            self.scores.append(ids, decode(outputs["score"].reshape(-1), SCORE_BITS))
        rounds = sum(row.measured.rounds for row in session.ledger[before:])
        return Timing(len(rows), rounds, seconds)


class Scores:
    """The receiver's scores, kept in its job folder: id and log-odds."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scores.csv"

    def append(self, ids: list[str], logits: npt.NDArray[np.float64]) -> None:
        """Adds scores to the file."""
        fresh = not self._path.exists()
        with self._path.open("a", encoding="utf-8") as file:
            if fresh:
                file.write("id,log_odds\n")
            pairs = zip(ids, logits.tolist(), strict=True)
            file.writelines(f"{one},{logit!r}\n" for one, logit in pairs)

    def read(self) -> dict[str, float]:
        """All scores so far, by id."""
        if not self._path.exists():
            return {}
        lines = self._path.read_text(encoding="utf-8").splitlines()[1:]
        pairs = (line.rsplit(",", 1) for line in lines)
        return {one: float(logit) for one, logit in pairs}
