"""A model trained among parties, as the shares that the programs of prediction take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from moiety.errors import UsageError
from moiety.function.runner import Secret
from moiety.function.signature import COMPUTING
from moiety.learn.partition import Partition
from moiety.learn.public_shape import PublicShape

T = TypeVar("T")
Counts = tuple[int, ...]


@dataclass(frozen=True)
class SharedModel:
    """The public shape, and by input name of its program the shares that are held here.

    They may carry rounding coins of training, of which a score then tells its receiver something.
    """

    shape: PublicShape
    arrays: dict[str, Secret] = field(repr=False)


@dataclass(frozen=True)
class Owners:
    """Who owns which columns that a model was trained on: the bins, or numbers, of each."""

    counts: Mapping[str, Counts]
    by_columns: bool
    """False where owners of rows have the same columns."""

    @classmethod
    def of(cls, table: Partition, counts: Iterable[Counts]) -> "Owners":
        """The owners of a table's parts, with what each part's columns become."""
        return cls(dict(zip(table.owners, counts, strict=True)), table.axis == 1)

    @classmethod
    def of_numbers(cls, table: Partition) -> "Owners":
        """The owners of a table whose columns are numbers, each one."""
        return cls.of(table, [(1,) * part.shape[1] for part in table.parts])

    def placed(self, parties: Sequence[str], owner: str | None) -> tuple[list[int], list[Counts]]:
        """The number of each owner as prediction counts parties, and its counts.

        A model on rows is for rows of `owner`, or of the first party.

        Raises:
            UsageError: an owner does not compute, so that it cannot take part in a prediction.
        """
        counts = self.counts
        if not self.by_columns:
            counts = {owner or parties[0]: next(iter(counts.values()))}
        computing = parties[:COMPUTING]
        strange = [name for name in counts if name not in computing]
        if strange:
            raise UsageError(
                f"prediction is among {' and '.join(computing)}, and {strange[0]} has columns",
                hint="predict with the estimator: a further owner sends shares of its columns",
            )
        return [computing.index(name) for name in counts], list(counts.values())


def pair(places: Sequence[int], values: Iterable[tuple[T, ...]]) -> tuple[tuple[T, ...], ...]:
    """What both parties of a prediction have, from what each owner at its place has."""
    found = dict(zip(places, values, strict=True))
    return tuple(found.get(place, ()) for place in range(COMPUTING))


def of_numbers(
    kind: str, places: Sequence[int], counts: Sequence[Counts], clip: float, *, hidden: int = 0
) -> PublicShape:
    """The public shape of a model on numbers.

    Raises:
        UsageError: numbers are not cut to a whole number of units.
    """
    if clip != int(clip):
        raise UsageError(f"numbers cut to ±{clip:g}", hint="a score takes a whole clip")
    missing = pair(places, [(False,) * len(own) for own in counts])
    return PublicShape(kind, pair(places, counts), missing, hidden=hidden, clip=int(clip))


def by_owner(
    name: str, secret: Secret, places: Sequence[int], counts: Sequence[Counts]
) -> dict[str, Secret]:
    """The rows of an array that are for each owner's bins or numbers, by the name with its place.

    Rows are in the owners' order; what follows them is left out.
    """
    found, begin = {}, 0
    for place, size in zip(places, map(sum, counts), strict=True):
        found[f"{name}_{place}"] = secret.rows(slice(begin, begin + size))
        begin += size
    return found


def column(secret: Secret, fraction: int) -> Secret:
    """A vector with so many fraction bits, as the column that programs of prediction take."""
    return secret.reshape((secret.shape[0], 1)).raised(fraction)
