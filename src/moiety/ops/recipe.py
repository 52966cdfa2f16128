"""How a curve is computed as a sum of sines: fit, scales, cuts and the error that they imply."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moiety.errors import UsageError
from moiety.lang.primitive import Array
from moiety.lang.types import WORD_BITS, Fixed, Type
from moiety.ops import fit
from moiety.ops.fit import CURVES, Fit
from moiety.ops.functions import FUNCTIONS
from moiety.protocols import fourier
from moiety.protocols.base import Context
from moiety.protocols.fourier import Phase, Waves
from moiety.protocols.piecewise import Lines

WORST = 0.02
"""A fit with a larger error is refused."""
HEADROOM = 3
"""Bits of a result's ring above its fraction: a sign, a bit of excess, and room to widen."""


@dataclass(frozen=True)
class Form:
    """Which curve, by how many sines; the fraction bits of argument and result.

    `whole`: with shares mod 2^64, which are dealt wider, and need not be brought there later.
    """

    name: str
    terms: int
    argument: int
    fraction: int
    whole: bool = False

    @property
    def ring(self) -> int:
        """The bits of a share of the result."""
        return WORD_BITS if self.whole else self.fraction + HEADROOM

    def meaning(self, x: Array) -> Array:
        """round(curve(x) · 2^fraction)."""
        reals = np.ldexp(x.view(np.int64).astype(np.float64), -self.argument)
        values = FUNCTIONS[self.name].value(reals)
        words: Array = np.rint(np.ldexp(values, self.fraction)).astype(np.int64).view(np.uint64)
        return words


@dataclass(frozen=True)
class Recipe:
    """How a form is computed for operands of one type.

    `error` bounds |result - curve(x)| in real units for exact x. It is not in the type: no coin of
    a truncation is involved, and what is random of it is public.
    """

    fit: Fit
    waves: Waves
    scale: int
    cut: int
    limits: tuple[int, int]
    error: float

    @property
    def shifts(self) -> Array:
        """Where the limits end and begin: at the reach, and not before it, they hold."""
        return np.array([1 - self.cut, self.cut], np.int64).view(np.uint64)

    @property
    def lines(self) -> Lines:
        """The limits outside the reach, the value within."""
        return Lines((0, 1, 0), (self.limits[0], 0, self.limits[1]))

    def type(self, x: Type, form: Form) -> Type:
        """The result's type."""
        excess = math.ceil(math.ldexp(self.error, form.fraction))
        slope = math.ldexp(CURVES[form.name].slope, form.fraction - form.argument)
        bounds = self.limits[0] - excess, self.limits[1] + excess
        coins = math.ceil(slope * x.error)
        kind = Fixed(form.fraction)
        return Type(x.shape, kind, x.owner, *bounds, error=coins, ring=self.waves.ring)

    def value(self, ctx: Context, phase: Phase) -> Array:
        """Shares of the curve within its reach."""
        centre = sum(self.limits) // 2 if ctx.first else 0
        return fourier.summed(phase, self.waves, self.fit.amplitudes, self.scale, centre)


@lru_cache(maxsize=256)
def proven(x: Type, form: Form) -> Recipe:
    """The recipe for x within the reach of a fit."""
    sixteenths = fit.sixteenths(x.magnitude, form.argument)
    found = fit.sines(form.name, sixteenths, form.terms)
    return _plan(x, form, found, sixteenths, found.error)


@lru_cache(maxsize=256)
def anywhere(x: Type, form: Form) -> Recipe:
    """The recipe for any x."""
    sixteenths, found, error = fit.anywhere(form.name, form.terms)
    return _plan(x, form, found, sixteenths, error)


def _plan(x: Type, form: Form, found: Fit, sixteenths: int, error: float) -> Recipe:
    if x.fraction != form.argument or not 8 <= form.fraction <= 48:
        raise UsageError(f"{form} of {x}: results have 8 to 48 fraction bits")
    if error > WORST:
        raise UsageError(
            f"{form.name} of |x| to {sixteenths / 16} errs by {error:.2g} with {form.terms} sines",
            hint="take more terms, clip the argument, or use the form for all reals",
        )
    curve, scale = CURVES[form.name], factor_bits(form, found)
    waves = Waves(found.period + form.argument, form.terms, form.fraction - scale, form.ring)
    error += found.rounding((scale, waves.fraction)) + math.ldexp(1.0, -form.fraction)
    limits = [
        math.ldexp(curve.centre + side, form.fraction) for side in (-curve.limit, curve.limit)
    ]
    cut = -(-(sixteenths << form.argument) // 16)
    return Recipe(found, waves, scale, cut, (int(limits[0]), int(limits[1])), error)


def factor_bits(form: Form, found: Fit) -> int:
    """The fraction bits of public factors; the dealt waves have the rest.

    Each factor is rounded, however small; a wave's rounding counts as much as its amplitude.
    """
    return (form.fraction + round(math.log2(form.terms / found.total))) // 2
