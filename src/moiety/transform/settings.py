"""What a party chooses of a transform, and the mechanism that follows."""

from dataclasses import dataclass
from numbers import Integral, Real

from moiety.errors import UsageError
from moiety.transform.account import Guarantee
from moiety.transform.mechanism import Floats, Mechanism
from moiety.transform.projection import (
    Rows,
    principal_projection,
    random_projection,
    seed_of,
    supervised_projection,
)

METHODS = ("random", "pca", "supervised")
CLASSES = 2


@dataclass(frozen=True)
class Settings:
    """Dimensions, budget, norm and method; see `PrivateTransform`."""

    dimensions: int = 8
    epsilon: float = 3.0
    delta: float = 1e-6
    clip: float = 1.0
    method: str = "random"
    share: float = 0.25
    seed: bytes | str | None = None

    def __repr__(self) -> str:
        return f"Settings({self.method}, {self.dimensions} dimensions, epsilon {self.epsilon:g})"

    @property
    def whole(self) -> Guarantee:
        """What one person pays for being learnt from and released once."""
        return Guarantee.of(self.epsilon, self.delta)

    @property
    def learned(self) -> Guarantee:
        """What one person pays for being learnt from; nothing where the projection is random."""
        return self.whole.part(0.0 if self.method == "random" else self.share)

    def check(self, columns: int) -> None:
        """Refuses settings that mean nothing for rows of so many columns.

        Raises:
            UsageError: it names the first such one.
        """
        least = CLASSES if self.method == "supervised" else 1
        found = (
            ("method", self.method in METHODS, f"one of {', '.join(METHODS)}"),
            ("dimensions", _whole(self.dimensions, least), f"a whole number from {least} up"),
            ("clip", _within(self.clip, 1e-6, 1e6), "a norm from 1e-6 to 1e6"),
            ("share", _within(self.share, 1e-3, 1 - 1e-3), "a share of the budget, 0.001 to 0.999"),
        )
        for name, fits, hint in found:
            if not fits:
                raise UsageError(f"{name} = {getattr(self, name)!r} of a transform", hint=hint)
        seed_of(self.seed)
        if self.dimensions >= columns:
            raise UsageError(
                f"{self.dimensions} dimensions of a table with {columns} feature(s)",
                hint="use fewer dimensions than there are columns",
            )

    @property
    def released(self) -> Guarantee:
        """What one person pays for being released once."""
        return self.whole.part(1.0 if self.method == "random" else 1 - self.share)

    def mechanism(self, projection: Floats) -> Mechanism:
        """The mechanism with a projection that `fit` made before."""
        return Mechanism.of(projection, float(self.clip), self.released)

    def fit(self, rows: Rows, columns: int) -> Mechanism:
        """The mechanism; rows are read only where the method learns from them.

        What it costs those in `rows` is `learned`, and what each release costs is the mechanism's
        `rho`: together no more than `whole`.
        """
        self.check(columns)
        seed, shape = seed_of(self.seed), (columns, self.dimensions)
        if self.method == "random":
            found = random_projection(seed, *shape)
        elif self.method == "pca":
            found = principal_projection(rows, *shape, self.clip, self.learned.rho)
        else:
            found = supervised_projection(rows, *shape, self.clip, self.learned.rho, seed)
        return self.mechanism(found)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, Integral) and int(value) >= least


def _within(value: object, low: float, high: float) -> bool:
    return isinstance(value, Real) and low <= float(value) <= high
