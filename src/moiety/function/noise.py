"""Noise that a result is told with: declared by `To(..., noise=...)`, drawn in each run.

Discrete Laplace noise: the integer n, in units of the result's last place, with a probability
proportional to exp(-|n| / t), where t is the scale in these units. If others' data change by what
moves the result by Δ in all (the sum of absolute changes of its elements), the probability of
whatever the receiver sees changes by a factor of at most exp(Δ / scale): pure differential privacy,
ε = Δ / scale, for one call; ε of several calls add up. See the threat model for what this is not.

Source: Ghosh, Roughgarden, Sundararajan (STOC 2009) for the distribution.
"""

from dataclasses import dataclass
from fractions import Fraction

from moiety.errors import UsageError
from moiety.lang.program import Input
from moiety.lang.types import BIT, Private, Type

TAIL = 45
"""Noise is cut at so many scales: it reaches that far with probability e^-45 < 2^-64."""


@dataclass(frozen=True)
class Noise:
    """What is drawn for one result: by which party, with which scale in units of the word."""

    input: Input
    party: int
    scale: Fraction

    @property
    def most(self) -> int:
        """The largest size of an element."""
        return self.input.type.hi


def declared(result: str, told: Type, scale: float, party: int) -> Noise:
    """The noise of a result, of the shape of what is told, each element by itself.

    Raises:
        UsageError: the result has booleans, or the scale is below a unit of its last place.
    """
    if told.kind == BIT:
        raise UsageError(f"noise on the booleans {result}", hint="count them, and tell the count")
    units = Fraction(scale) * 2**told.fraction
    if units < 1:
        raise UsageError(
            f"noise of scale {scale:g} on {result}, whose last place is {2.0**-told.fraction:g}",
            hint="declare a scale of at least that",
        )
    most = -(-TAIL * units.numerator // units.denominator)
    type = Type(told.shape, told.kind, Private(party), -most, most)
    return Noise(Input(f"{result}, noise", type), party, units)
