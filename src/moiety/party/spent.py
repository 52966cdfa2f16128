"""Which ids were scored under a job: written down before the score is computed, kept by each party.

A scorecard of d weights is solved by d + 1 chosen queries; so each id is scored once in a job.
Kept are digests under a key of this party's own, so that the file alone lists nobody's clients.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moiety.errors import PolicyRefused
from moiety.party.files import append

_SIZE = 16


class Nobody:
    """The ids of a party that lets all be asked about again."""

    def __len__(self) -> int:
        return 0

    def among(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """None of them."""
        return np.zeros(len(ids), np.bool_)


NOBODY = Nobody()


class SpentIds:
    """The ids of one party that were scored under one job."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._path = folder / "scored.bin"
        self._key = key
        data = self._path.read_bytes() if self._path.exists() else b""
        self._whole = len(data) - len(data) % _SIZE
        self._spent = {data[at : at + _SIZE] for at in range(0, self._whole, _SIZE)}

    def __repr__(self) -> str:
        return f"SpentIds({len(self._spent)} ids)"

    def __len__(self) -> int:
        return len(self._spent)

    def among(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """For each id, whether it was scored before."""
        return np.array([self._digest(one) in self._spent for one in ids], dtype=np.bool_)

    def blinded(self, ids: Sequence[str]) -> list[str]:
        """Names for ids, alike for equal ids, that tell nothing without this party's key."""
        return [hmac.digest(self._key, b"name\0" + one.encode(), "sha256").hex() for one in ids]

    def spend(self, ids: Sequence[str]) -> None:
        """Writes the ids down as scored, to the disk, before this returns.

        Raises:
            PolicyRefused: one of them was written down before, or is named twice.
        """
        digests = {self._digest(one) for one in ids}
        if len(digests) < len(ids) or digests & self._spent:
            raise PolicyRefused(
                "an applicant would be scored twice in this job",
                hint="a new model is a new job, which all parties sign",
            )
        append(self._path, b"".join(digests), after=self._whole)
        self._whole += _SIZE * len(digests)
        self._spent |= digests

    def _digest(self, one: str) -> bytes:
        return hmac.digest(self._key, b"scored\0" + one.encode(), "sha256")[:_SIZE]
