"""What an attack found: a number, the number that a guess reaches, and how sure that is."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from moiety.errors import InternalError


@dataclass(frozen=True)
class Finding:
    """One attack's result; in every measure higher is more leakage.

    If nothing leaks, the interval lies above the guess line in at most one audit of forty: it is a
    95 % interval, and only its lower end counts. It covers the chance in which people were judged
    (and in the noise that each of them got), with the attacker as he was trained; not the chance in
    his own data, in the one projection or model that was drawn, nor attackers who are better.
    """

    attack: str
    against: str
    measure: str
    value: float
    guess: float
    """What is reached without what was received."""
    interval: tuple[float, float]
    """Of the value; where the guess line is itself measured on the same people, of the gain."""
    trials: int
    """People, pairs of runs or draws that were judged."""

    def __post_init__(self) -> None:
        low, high = self.interval
        if not low <= self.value <= high or not math.isfinite(self.guess) or self.trials < 1:
            raise InternalError(f"no finding: {self.value} in {self.interval}, guess {self.guess}")

    @property
    def leaks(self) -> bool:
        """Whether the interval lies above the guess line."""
        return self.interval[0] > self.guess

    @property
    def sentence(self) -> str:
        """The finding in a sentence, for a person."""
        low, high = self.interval
        verdict = "it leaks" if self.leaks else "no leak was found"
        return (
            f"{self.attack} against {self.against}: {self.measure} {self.value:.4g} "
            f"(95 % interval {low:.4g} to {high:.4g}) where a guess reaches {self.guess:.4g}, "
            f"in {self.trials:,} trials: {verdict}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON, and the verdict; None is an end that has no bound."""
        ends = [end if math.isfinite(end) else None for end in self.interval]
        return {**asdict(self), "interval": ends, "leaks": self.leaks, "sentence": self.sentence}
