"""New applicants are scored by both parties on shares; only the receiver learns a score.

Each id is scored once in a job. Both parties write an id down as scored before anything about it
is sent, and neither computes a second score.
"""

import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.enclave.handover import ModelShare
from moiety.errors import DataError
from moiety.lang.cost import Cost, both_ways
from moiety.learn.scale import SCORE_BITS
from moiety.learn.scorecard import Points
from moiety.party.coded import Coded
from moiety.party.files import append
from moiety.party.spent import Nobody, SpentIds
from moiety.plan.plan import Plan
from moiety.protocols.base import Protocol, Tick
from moiety.ring import decode, pack_bits, unpack_bits
from moiety.run.dealing import Material
from moiety.run.session import Progress, Session

SINGLES = 3
"""So many applicants are scored one by one first, to measure how long one takes."""
BATCH = 1024
"""The most applicants of a batch: what an interruption can leave without a score."""
_COUNT = 8


@dataclass(frozen=True, eq=False)
class Timing:
    """One batch: how many rows, in how many rounds and seconds."""

    rows: int
    rounds: int
    seconds: float


def agree_unscored(
    session: Session, ids: npt.NDArray[np.str_], spent: SpentIds | Nobody, most: int
) -> npt.NDArray[np.int64]:
    """Positions among the aligned ids that neither party has scored before in this job.

    Not more than make `most` in all runs of the job, by the count of the party that counts more.
    Both learn which aligned ids the other has written down, and how many ids in all.
    """
    mine = spent.among(ids.tolist())
    count = len(spent).to_bytes(_COUNT, "little")
    theirs = _swap(session, count + pack_bits(mine.astype(np.uint8)))
    done = mine | unpack_bits(theirs[_COUNT:], len(mine)).astype(np.bool_)
    used = max(len(spent), int.from_bytes(theirs[:_COUNT], "little"), int(done.sum()))
    return np.flatnonzero(~done)[: max(most - used, 0)]


def _swap(session: Session, message: bytes) -> bytes:
    def protocol() -> Protocol[bytes]:
        received = yield Tick({session.peer: message}, {session.peer: len(message)})
        return received[session.peer]

    price = Cost((both_ways(8 * len(message)),))
    return session.drive(
        protocol(), step="agree on applicants", way="bitmap", predict=lambda _: price
    )


def batches(count: int) -> list[int]:
    """The sizes of the batches in which so many applicants are scored: a few singles, then more."""
    singles = min(SINGLES, count)
    whole, rest = divmod(count - singles, BATCH)
    return [1] * singles + [BATCH] * whole + ([rest] if rest else [])


@dataclass(frozen=True, eq=False)
class Scoring:
    """What one party needs to score its aligned applicants, by position among them."""

    session: Session
    job: Job
    share: ModelShare
    coded: Coded
    ids: npt.NDArray[np.str_]
    spent: SpentIds
    scores: "Scores"
    lot: Callable[[Plan], Material]
    """This party's part of a fresh lot for a plan."""
    own_ids: npt.NDArray[np.str_] | None = None
    """The receiver's ids, where `ids` are names that tell the other party nothing."""

    def __repr__(self) -> str:
        return f"Scoring({len(self.ids)} applicants)"

    def run(self, rows: npt.NDArray[np.int64], progress: Progress) -> list[Timing]:
        """Scores these rows, batch by batch; the receiver's scores are kept as they come.

        Raises:
            PolicyRefused: an id was scored before in this job; nothing about it was sent.
        """
        timings, begin = [], 0
        for size in batches(len(rows)):
            timings.append(self._batch(rows[begin : begin + size]))
            begin += size
            progress(begin, len(rows))
        return timings

    def _batch(self, rows: npt.NDArray[np.int64]) -> Timing:
        session, receiver = self.session, self.job.index(self.job.scores_to)
        ids = self.ids[rows].tolist()
        codes = {name: column[rows] for name, column in self.coded.codes.items()}
        program = self.share.shape.program(len(rows), receiver)
        inputs = dict(self.share.arrays)
        if codes:
            features = self.share.shape.features(session.party, codes)
            inputs[f"features_{session.party}"] = features
        began, before = time.perf_counter(), len(session.ledger)
        outputs = session.run(
            program,
            inputs,
            self.lot(program),
            receivers={receiver},
            about=self._about(ids),
            agreed=partial(self.spent.spend, ids),
        )
        seconds = time.perf_counter() - began
        if "score" in outputs:
            logits = decode(outputs["score"].reshape(-1), SCORE_BITS)
            own = self.ids if self.own_ids is None else self.own_ids
            self.scores.append(own[rows].tolist(), logits)
        rounds = sum(row.measured.rounds for row in session.ledger[before:])
        return Timing(len(rows), rounds, seconds)

    def _about(self, ids: list[str]) -> bytes:
        """What both parties must mean alike: the job, the model, and these people in this order."""
        return self.job.hash + self.share.digest + "\n".join(ids).encode()


class Scores:
    """The receiver's scores, kept in its job folder: id, log-odds of the event, and points."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scores.csv"

    def append(self, ids: list[str], logits: npt.NDArray[np.float64]) -> None:
        """Adds scores to the file; they are on the disk when this returns."""
        held = self._whole()
        rows = [] if held else [("id", "log_odds", "points")]
        points = np.rint(Points().of(logits)).astype(int).tolist()
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [*rows, *zip(ids, map(repr, logits.tolist()), points, strict=True)]
        )
        append(self._path, text.getvalue().encode(), after=len(held))

    def read(self) -> dict[str, float]:
        """All scores so far, by id.

        Raises:
            DataError: somebody changed the file.
        """
        try:
            rows = csv.reader(io.StringIO(self._whole().decode()))
            next(rows, None)
            return {one: float(logit) for one, logit, _ in rows}
        except (ValueError, csv.Error) as error:
            raise DataError(
                f"{self._path} is not as it was written", hint="restore it, or move it away"
            ) from error

    def _whole(self) -> bytes:
        """The file up to the end of its last whole line: a crash may have cut one off."""
        data = self._path.read_bytes() if self._path.exists() else b""
        return data[: data.rfind(b"\n") + 1]
