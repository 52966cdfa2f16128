"""The `[transform]` of a job: into what rows are turned before they leave, and at which price."""

from dataclasses import dataclass

import numpy as np

from moiety.agreement.fields import Fields
from moiety.errors import ConfigError, UsageError
from moiety.transform.account import Guarantee
from moiety.transform.settings import Settings

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

    def settings(self, seed: bytes | None = None) -> Settings:
        """The same as the settings of a transform."""
        told = (self.dimensions, self.epsilon, self.delta, self.clip, self.method)
        found = Settings(*told, seed=seed)
        found.check(self.dimensions + 1)
        return found

    def cost(self, *, labels: bool) -> Guarantee:
        """What a person pays in all for a row."""
        return self.settings().whole + Guarantee(0.0, self.delta, self.labels if labels else 0.0)


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
    if found.method not in METHODS:
        known = f"known: {', '.join(METHODS)}"
        raise ConfigError(f"{fields.where}: method = '{found.method}'", hint=known)
    if not found.labels > 0:
        raise ConfigError(f"{fields.where}: labels_epsilon is above 0")
    try:
        found.settings().mechanism(np.zeros((found.dimensions + 1, found.dimensions)))
    except UsageError as error:
        raise ConfigError(f"{fields.where}: {error}", hint=error.hint) from None
    return found
