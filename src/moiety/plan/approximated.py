"""What a plan says of each step that was approximated."""

from dataclasses import dataclass

from moiety.lang.cost import Cost


@dataclass(frozen=True)
class Rival:
    """An expansion that keeps the budget: its error in real units, what it alone would cost."""

    name: str
    error: float
    cost: Cost
    seconds: float


@dataclass(frozen=True)
class Refused:
    """An expansion that does not keep the budget, or does not fit the range."""

    name: str
    why: str


@dataclass(frozen=True)
class Approximated:
    """One step: what was asked, within which error, what was chosen, what was not and why."""

    line: str
    asked: str
    budget: float
    chosen: Rival
    rejected: tuple[Rival, ...]
    refused: tuple[Refused, ...]
