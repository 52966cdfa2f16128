"""A model trained among parties, as the shares that the programs of prediction take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from moiety.errors import UsageError
from moiety.function.runner import Secret
from moiety.function.signature import COMPUTING
from moiety.learn.secret_model import PublicShape

T = TypeVar("T")


@dataclass(frozen=True)
class SharedModel:
    """The public shape, and by input name of its program the shares that are held here.

    They may carry rounding coins of training, of which a score then tells its receiver something.
    """

    shape: PublicShape
    arrays: dict[str, Secret] = field(repr=False)


def by_party(parties: Sequence[str], owners: Iterable[str]) -> list[int]:
    """The number of each owner as prediction counts parties.

    Raises:
        UsageError: an owner does not compute, so that it cannot take part in a prediction.
    """
    computing, named = parties[:COMPUTING], list(owners)
    strange = [owner for owner in named if owner not in computing]
    if strange:
        raise UsageError(
            f"prediction is among {' and '.join(computing)}, and {strange[0]} has columns",
            hint="predict with the estimator: a further owner sends shares of its columns",
        )
    return [computing.index(owner) for owner in named]


def pair(places: Sequence[int], values: Iterable[tuple[T, ...]]) -> tuple[tuple[T, ...], ...]:
    """What both parties of a prediction have, from what each owner at its place has."""
    found = dict(zip(places, values, strict=True))
    return tuple(found.get(place, ()) for place in range(COMPUTING))
