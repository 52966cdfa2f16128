"""A fitted transform as a file: how columns become rows, the projection, the noise."""

import json
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from moiety.errors import DataError
from moiety.transform.account import Guarantee
from moiety.transform.encoding import Encoding
from moiety.transform.mechanism import Floats, Mechanism

LARGEST = 1 + 1e-9
"""No number of orthonormal columns is larger."""
_FORM = {"version": 1, "is": "transform"}


@dataclass(frozen=True)
class Transform:
    """How a table's rows, and perhaps its labels, leave.

    Nothing in it is taken from data but a projection that was learnt, and paid for. Owners of rows
    who use the same one may pool what it gives.
    """

    encoding: Encoding
    mechanism: Mechanism
    delta: float
    labels: float | None = None
    """Epsilon of labels, flipped; None where they stay."""

    def __post_init__(self) -> None:
        columns, dimensions = self.mechanism.projection.shape
        if columns != self.encoding.width or not 1 <= dimensions < columns:
            raise DataError(
                f"a projection of {columns} columns to {dimensions} dimensions, for rows of "
                f"{self.encoding.width}",
                hint="fit it to this encoding, with fewer dimensions than columns",
            )
        _ = self.cost  # refuses a delta that is none

    @property
    def dimensions(self) -> int:
        """How many numbers a row becomes."""
        return int(self.mechanism.projection.shape[1])

    @property
    def cost(self) -> Guarantee:
        """What one release costs each person in it: by what the noise is, not by what is said."""
        return Guarantee(self.mechanism.rho, self.delta, self.labels or 0.0)

    def to_json(self) -> str:
        """A text that `from_json` reads back."""
        body = {
            **_FORM,
            "delta": self.delta,
            "labels_epsilon": self.labels,
            "clip": self.mechanism.clip,
            "deviation": self.mechanism.deviation,
            "columns": self.encoding.to_dict(),
            "projection": self.mechanism.projection.tolist(),
        }
        return json.dumps(body, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The transform that `to_json` wrote.

        Raises:
            DataError: it did not.
        """
        try:
            body = json.loads(text)
            form = {key: body.pop(key) for key in _FORM}
            encoding = Encoding.from_dict(body.pop("columns"))
            mechanism = _mechanism(body)
            found = cls(encoding, mechanism, float(body.pop("delta")), body.pop("labels_epsilon"))
            labelled = found.labels is None or _positive(found.labels)
            whole = form == _FORM and not body and labelled
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("this is no transform", hint="fit it again") from error
        if not whole:
            raise DataError("this is no transform that this version knows", hint="fit it again")
        return found


def _mechanism(body: dict[str, Any]) -> Mechanism:
    projection: Floats = np.array(body.pop("projection"), np.float64)
    clip, deviation = body.pop("clip"), body.pop("deviation")
    if projection.ndim != 2 or not (np.abs(projection) <= LARGEST).all():
        raise ValueError
    if not (_positive(clip) and clip < math.inf) or type(deviation) is not int or deviation < 0:
        raise ValueError
    return Mechanism(projection, float(clip), deviation)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
