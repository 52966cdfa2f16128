"""A model trained among parties, as the shares that the programs of prediction take."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from moiety.errors import UsageError
from moiety.function.runner import Secret
from moiety.function.signature import COMPUTING
from moiety.learn.secret_model import PublicShape


@dataclass(frozen=True)
class SharedModel:
    """The public shape, and by input name of its program the shares that are held here."""

    shape: PublicShape
    arrays: dict[str, Secret] = field(repr=False)


def by_party(parties: Sequence[str], owners: Sequence[str]) -> list[int]:
    """The number of each owner as prediction counts parties.

    Raises:
        UsageError: an owner does not compute, so that it cannot take part in a prediction.
    """
    computing = parties[:COMPUTING]
    strange = [owner for owner in owners if owner not in computing]
    if strange:
        raise UsageError(
            f"prediction is among {' and '.join(computing)}, and {strange[0]} has columns",
            hint="predict with the estimator: a further owner sends shares of its columns",
        )
    return [computing.index(owner) for owner in owners]
