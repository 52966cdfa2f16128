"""What a release costs a person: zero-concentrated differential privacy, and its epsilon.

Sources: Bun, Steinke (TCC 2016); the conversion is proposition 12 of Canonne, Kamath, Steinke
(NeurIPS 2020), by Google's `dp-accounting`.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Self

import numpy as np

from moiety.errors import UsageError

ORDERS = tuple((1 + np.geomspace(0.02, 1e6, 400)).tolist())
"""Orders of Rényi divergence that are tried: any gives a true bound, these nearly the best one."""
LEAST, MOST = 1e-3, 1e5
"""Epsilons that noise is made for."""
RHOS = (-60.0, 20.0)
"""Powers of two between which the rho of such an epsilon lies."""


@dataclass(frozen=True)
class Guarantee:
    """(ξ, ρ)-zCDP: how much less certain one can be which of two rows a person has; it adds up.

    For any two rows that a person might have, the Rényi divergence of order α of what is released
    is at most ξ + ρ · α. So the probability of whatever somebody concludes is at most e^epsilon
    times as high with one as with the other, and delta more. ρ is of noise, ξ of flipped labels.
    An infinite ρ is no guarantee.
    """

    rho: float
    delta: float
    xi: float = 0.0

    def __post_init__(self) -> None:
        if not (self.rho >= 0 and self.xi >= 0 and 0 < self.delta < 1):
            raise UsageError(
                f"a guarantee of rho {self.rho:g}, xi {self.xi:g} and delta {self.delta:g}",
                hint="rho and xi are at least 0, delta is between 0 and 1, such as 1e-6",
            )

    @classmethod
    def of(cls, epsilon: float, delta: float) -> Self:
        """That of as little noise as keeps epsilon at delta; of none where epsilon is infinite.

        Raises:
            UsageError: epsilon is not infinite and not within 0.001..100,000, or delta not in 0..1.
        """
        if not (LEAST <= epsilon <= MOST or epsilon == math.inf):
            raise UsageError(
                f"epsilon is {epsilon:g}",
                hint=f"use {LEAST:g} to {MOST:g}; inf means no noise, and no guarantee",
            )
        none = cls(math.inf, delta)
        return none if epsilon == math.inf else cls(_rho(float(epsilon), float(delta)), delta)

    @property
    def epsilon(self) -> float:
        """The epsilon that holds at delta: infinite where nothing is guaranteed.

        Never below the least possible one, and above it by less than a hundredth.
        """
        return _epsilon(self.rho, self.xi, self.delta)

    def __add__(self, other: "Guarantee") -> "Guarantee":
        """That of both releases together, at the smaller delta."""
        delta = min(self.delta, other.delta)
        return Guarantee(self.rho + other.rho, delta, self.xi + other.xi)

    def part(self, share: float) -> "Guarantee":
        """So great a share of it, within 0..1; the shares of a whole add up to it."""
        return Guarantee(self.rho * share if share else 0.0, self.delta, self.xi * share)


@cache
def _epsilon(rho: float, xi: float, delta: float) -> float:
    if not math.isfinite(rho + xi):
        return math.inf
    return float(_accountant().compose(_event(rho, xi)).get_epsilon(delta))


@cache
def _rho(epsilon: float, delta: float) -> float:
    """The largest rho, to nine digits, with an epsilon of that or less."""
    dp = _dp_accounting()
    power: float = dp.calibrate_dp_mechanism(
        _accountant,
        lambda power: _event(math.exp2(power)),
        epsilon,
        delta,
        dp.ExplicitBracketInterval(*RHOS),
        tol=1e-9,
    )
    return math.exp2(power)


def _event(rho: float, xi: float = 0.0) -> Any:
    return _dp_accounting().ZCDpEvent(rho=rho, xi=xi)


def _accountant() -> Any:
    dp = _dp_accounting()
    return dp.rdp.RdpAccountant(ORDERS, dp.NeighboringRelation.REPLACE_ONE)


def _dp_accounting() -> Any:
    """The package, loaded when it is first used: most commands need it not, and it is slow."""
    return import_module("dp_accounting")
