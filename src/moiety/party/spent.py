"""Which ids were scored under a job: written down before the score is computed, kept by each party.

A scorecard of d weights is solved by d + 1 chosen queries; so each id is scored once in a job.
Kept are keyed digests, so that the file alone does not list anybody's clients.
"""

import hmac
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.errors import PolicyRefused

_SIZE = 16


class SpentIds:
    """The ids of one party that were scored under one job."""

    def __init__(self, folder: Path, job_hash: bytes) -> None:
        self._path = folder / "scored.bin"
        self._job = job_hash
        data = self._path.read_bytes() if self._path.exists() else b""
        whole = len(data) - len(data) % _SIZE
        self._spent = {data[at : at + _SIZE] for at in range(0, whole, _SIZE)}

    def __repr__(self) -> str:
        return f"SpentIds({len(self._spent)} ids)"

    def __len__(self) -> int:
        return len(self._spent)

    def among(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """For each id, whether it was scored before."""
        return np.array([self._digest(one) in self._spent for one in ids], dtype=np.bool_)

    def spend(self, ids: Sequence[str]) -> None:
        """Writes the ids down as scored, to the disk, before this returns.

        Raises:
            PolicyRefused: one of them was written down before.
        """
        if self.among(ids).any():
            raise PolicyRefused(
                "an applicant would be scored twice in this job",
                hint="a new model is a new job, which all parties sign",
            )
        digests = [self._digest(one) for one in ids]
        with self._path.open("ab") as file:
            file.write(b"".join(digests))
            file.flush()
            os.fsync(file.fileno())
        self._spent.update(digests)

    def _digest(self, one: str) -> bytes:
        return hmac.digest(self._job, b"scored\0" + one.encode(), "sha256")[:_SIZE]
