"""The noise of a run's results, drawn by the party that does not receive them."""

from collections.abc import Iterable

import numpy as np

from moiety.function.noise import Noise
from moiety.lang.primitive import Array
from moiety.sampling import Integers, laplace


def drawn(noises: Iterable[Noise], party: int | None = None) -> dict[str, Array]:
    """The noise inputs of a run that one party draws, or all of them, as words by name."""
    return {
        one.input.name: _within(one).view(np.uint64).reshape(one.input.type.shape)
        for one in noises
        if party in (None, one.party)
    }


def _within(noise: Noise) -> Integers:
    """Elements of that size at most: others, of which there is hardly ever one, are drawn anew."""
    found = laplace(noise.scale, noise.input.type.size)
    while (beyond := np.abs(found) > noise.most).any():
        found[beyond] = laplace(noise.scale, int(beyond.sum()))
    return found
