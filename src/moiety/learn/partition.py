"""Tables that several parties own together.

    X = Vertical(bank=columns, payco=Owned("payco", (24_000, 18)))      columns of the same rows
    X = Horizontal(bank=rows, union=more_rows)                          rows with the same columns

In a run between institutions each party gives its own part, and the shapes of the others'.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from moiety.errors import DataError, UsageError
from moiety.function.runner import Owned, Runner

Plain = npt.NDArray[Any]
Whole = TypeVar("Whole", bound="Partition")


class Partition:
    """Parts of one table by owner, in order; an array given by name belongs to that party."""

    axis: ClassVar[int]
    """Along which the parts lie one after the other."""

    def __init__(self, **parts: Owned | npt.ArrayLike) -> None:
        if not parts:
            raise UsageError("a table of nobody", hint="name its owners: bank=..., payco=...")
        self.parts = tuple(_owned(name, part) for name, part in parts.items())
        fixed = {part.shape[: self.axis] + part.shape[self.axis + 1 :] for part in self.parts}
        if len(fixed) > 1 or any(len(part.shape) <= self.axis for part in self.parts):
            shown = ", ".join(f"{part.owner} {part.shape}" for part in self.parts)
            raise DataError(f"parts that do not fit each other: {shown}")

    @property
    def owners(self) -> tuple[str, ...]:
        """Who owns a part."""
        return tuple(part.owner for part in self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole table."""
        first = self.parts[0].shape
        along = sum(part.shape[self.axis] for part in self.parts)
        return (*first[: self.axis], along, *first[self.axis + 1 :])

    @property
    def widths(self) -> dict[str, int] | None:
        """How many columns each owner has; None where all have the same columns."""
        if not self.axis:
            return None
        return {part.owner: part.shape[self.axis] for part in self.parts}

    def ordered(self, widths: Mapping[str, int] | None) -> Self:
        """The same table with its owners in the order in which a model knows them.

        Raises:
            DataError: other owners, or other numbers of columns.
        """
        if widths is not None and self.widths != widths:
            raise DataError(
                f"{self} where the model was fitted to columns of {_shown(widths)}",
                hint="give each owner the columns that fit saw",
            )
        order = {name: at for at, name in enumerate(widths or self.owners)}
        parts = sorted(self.parts, key=lambda part: order[part.owner])
        return type(self)(**{part.owner: part for part in parts})

    def map(self, change: Callable[[Plain], Plain]) -> Self:
        """The table in which each owner changed its own part, but not its shape."""
        return type(self)(**{part.owner: part.made(part.shape, change) for part in self.parts})

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        shown = ", ".join(f"{p.owner}: {' × '.join(map(str, p.shape))}" for p in self.parts)
        return f"{type(self).__name__}({shown})"


def _shown(widths: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {width}" for name, width in widths.items())


class Vertical(Partition):
    """Columns of the same rows, in the same order, at each owner."""

    axis = 1

    def __getitem__(self, rows: Any) -> Self:
        """The same rows of each part: for cross-validation where all parts are on one machine."""
        chosen = rows[0] if isinstance(rows, tuple) else rows
        count = len(np.arange(len(self))[chosen])
        return type(self)(
            **{
                part.owner: part.made((count, part.shape[1]), lambda data: data[chosen])
                for part in self.parts
            }
        )


class Horizontal(Partition):
    """Rows with the same columns at each owner; labels are partitioned alike."""

    axis = 0


def table(runner: Runner, X: Any) -> Partition:
    """The table as parts by owner; a plain array belongs to the runner's first party.

    Raises:
        UsageError: an owner is none of the runner's parties.
        DataError: it has not two dimensions.
    """
    if isinstance(X, Partition):
        whole = X
    else:
        owned = X if isinstance(X, Owned) else Owned.of(runner.parties[0], X)
        _check_flat(owned)
        whole = Vertical(**{owned.owner: owned})
    for part in whole.parts:
        _check_flat(part)
    _check_owners(runner, whole)
    return whole


def labels(runner: Runner, x: Partition, y: Any) -> Horizontal:
    """One label a row, by owner; a plain array belongs to the runner's second party.

    Raises:
        UsageError: an owner is none of the runner's parties.
        DataError: there are not as many as rows, or not where the rows are.
    """
    if isinstance(y, Horizontal):
        found = y
    else:
        owned = y if isinstance(y, Owned) else Owned.of(runner.parties[1], np.ravel(y))
        found = Horizontal(**{owned.owner: owned})
    _check_owners(runner, found)
    due = [(part.owner, part.shape[:1]) for part in x.parts]
    placed = [(part.owner, part.shape) for part in found.parts]
    fits = len(placed) == 1 if x.axis else placed == due
    if found.shape != (len(x),) or not fits:
        raise DataError(f"inconsistent numbers of samples: labels {found} of rows {x}")
    return found


def shuffled(whole: Whole, seed: int) -> Whole:
    """The rows of each part in an order that follows from the public seed and their number."""

    def mixed(data: Plain) -> Plain:
        return np.asarray(data[check_random_state(seed).permutation(len(data))])

    return whole.map(mixed)


def _check_flat(part: Owned) -> None:
    if len(part.shape) != 2:
        raise DataError(
            f"Expected 2D array, got a table of shape {part.shape}",
            hint="Reshape your data: rows by columns",
        )


def _check_owners(runner: Runner, whole: Partition) -> None:
    strange = [owner for owner in whole.owners if owner not in runner.parties]
    if strange:
        raise UsageError(
            f"{strange[0]} is none of the parties {', '.join(runner.parties)}",
            hint="name parts as the runner names its parties",
        )


def _owned(name: str, part: Owned | npt.ArrayLike) -> Owned:
    if not isinstance(part, Owned):
        return Owned.of(name, part)
    if part.owner != name:
        raise UsageError(f"the part of {name} belongs to {part.owner}")
    return part
