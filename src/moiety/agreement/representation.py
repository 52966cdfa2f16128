"""The `[transform]` of a job: into what rows are turned before they leave, and at which price."""

import math
from dataclasses import dataclass

from moiety.agreement.fields import Fields
from moiety.errors import ConfigError

METHODS = ("random", "pca")
MOST_DIMENSIONS = 1024


@dataclass(frozen=True)
class Representation:
    """What owners of rows send instead of them; each person is charged (epsilon, delta)."""

    dimensions: int
    epsilon: float
    """Of the numbers of one row; infinite: no noise, and no protection."""
    delta: float
    clip: float
    """Rows are cut to this Euclidean length."""
    method: str
    labels: float
    """Of the label of one row, where owners send labels (horizontal jobs)."""


def read_representation(fields: Fields) -> Representation:
    """The representation that a job's table describes.

    Raises:
        ConfigError: a value is out of bounds.
    """
    found = Representation(
        dimensions=fields.whole("dimensions", 8, low=1, high=MOST_DIMENSIONS),
        epsilon=fields.real("epsilon"),
        delta=fields.real("delta", 1e-6),
        clip=fields.real("clip", 1.0),
        method=fields.text("method", METHODS[0]),
        labels=fields.real("labels_epsilon", 1.0),
    )
    fields.done()
    positive = found.epsilon > 0 and found.labels > 0
    if not positive or not 0 < found.delta < 1 or not 0 < found.clip < math.inf:
        raise ConfigError(f"{fields.where}: epsilon, delta, clip and labels_epsilon are above 0")
    if found.method not in METHODS:
        known = f"known: {', '.join(METHODS)}"
        raise ConfigError(f"{fields.where}: method = '{found.method}'", hint=known)
    return found
