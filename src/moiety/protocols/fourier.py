"""A sum of sines of a shared word: the dealer deals sine and cosine of multiples of the mask.

With c = x + r mod the period opened, sin(jωx) = sin(jωc)·cos(jωr) - cos(jωc)·sin(jωr): public
factors of dealt shares. One round; nothing is truncated, so there is no rounding coin, but the
low bits of the result depend on c: they are noise, and public.

The public factors must be the same integers at both parties, or shares do not cancel: they are
computed by additions and products of IEEE 754 doubles alone, in one order on every machine.

Source: trigonometric recombination as in Zheng et al. (SecFormer, ACL 2024) and Kei, Chow (SHAFT,
NDSS 2025), for a dealer.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.additive import masked
from moiety.protocols.base import Context, Protocol
from moiety.protocols.comparison import Opened, SignMask
from moiety.protocols.correlations import Array, Correlation, Field
from moiety.protocols.dpf import PrefixMask
from moiety.protocols.piecewise import signs_of
from moiety.ring import received


@dataclass(frozen=True)
class Waves:
    """Sines of 1, 2, … `terms` times ω = 2π / 2^period, with so many fraction bits, mod 2^ring."""

    period: int
    terms: int
    fraction: int
    ring: int

    def field(self, count: int) -> Field:
        """Cosines, then sines, of each multiple of the mask."""
        return Field((2, self.terms, count), self.ring)

    @property
    def form(self) -> tuple[int, int, int, int]:
        """What kernels ask for."""
        return self.period, self.terms, self.fraction, self.ring

    def values(self, r: Array) -> Array:
        """Those of a mask in the clear."""
        angle = (r & np.uint64((1 << self.period) - 1)).astype(np.float64)
        turns = np.arange(1, self.terms + 1)[:, np.newaxis] * np.ldexp(angle, -self.period)
        angles = 2 * np.pi * (turns - np.floor(turns))
        rounded = np.rint(np.ldexp(np.stack([np.cos(angles), np.sin(angles)]), self.fraction))
        waves: Array = rounded.astype(np.int64).view(np.uint64)
        return waves


@dataclass(frozen=True)
class WaveMask(Correlation):
    """r uniform mod the period, and its waves."""

    count: int
    waves: Waves

    def _random(self) -> tuple[Field, ...]:
        return (Field((self.count,), self.waves.period),)

    def _dependent(self) -> tuple[Field, ...]:
        return (self.waves.field(self.count),)

    def _values(self, *random: Array) -> Iterable[Array]:
        yield self.waves.values(random[0])

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        shape = self.count, self.waves.period
        return _core.deal_waves(first, second, 1, shape, self.waves.form)


@dataclass(frozen=True)
class SignWaveMask(Correlation):
    """A `SignMask` and the waves of its r."""

    sign: SignMask
    waves: Waves

    def _random(self) -> tuple[Field, ...]:
        return self.sign._random()

    def _dependent(self) -> tuple[Field, ...]:
        return *self.sign._dependent(), self.waves.field(self.sign.count)

    def _values(self, *random: Array) -> Iterable[Array]:
        yield from self.sign._values(*random)
        yield self.waves.values(random[0])

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        shape = (self.sign.count, self.sign.ring, self.sign.ring - 1, self.sign.digit)
        return _core.deal_tables(first, second, 2, shape, True, self.waves.form)


@dataclass(frozen=True)
class PrefixWaveMask(Correlation):
    """A `PrefixMask` and the waves of its r."""

    prefix: PrefixMask
    waves: Waves

    def _random(self) -> tuple[Field, ...]:
        return self.prefix._random()

    def _dependent(self) -> tuple[Field, ...]:
        top, *keys = self.prefix._dependent()
        return top, self.waves.field(self.prefix.count), *keys

    def _values(self, *random: Array) -> Iterable[Array]:
        top, *keys = self.prefix._values(*random)
        yield top
        yield self.waves.values(random[0])
        yield from keys

    def _correct(self, first: Dealt, second: Dealt) -> bytes:
        count, ring = self.prefix.count, self.prefix.ring
        return _core.deal_prefixes(first, second, count, ring, self.waves.form)


@dataclass(frozen=True, repr=False)
class Phase:
    """An opened word, and where this party's shares of the waves of its mask are."""

    opened: Opened
    count: int
    part: Dealt
    field: int


def opened(ctx: Context, x: Array, mask: WaveMask) -> Protocol[Phase]:
    """The opened c and shares of the waves of r, for flat x mod the period."""
    part, ring = ctx.supply.packed(mask), mask.waves.period
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    return Phase(Opened(own, theirs, ring), x.size, part, 1)


def with_signs(
    ctx: Context, x: Array, mask: SignWaveMask, shifts: Array
) -> Protocol[tuple[Phase, Array]]:
    """The same, and shares of [x < shift] for each shift."""
    part, ring = ctx.supply.packed(mask), mask.sign.ring
    own = _core.mask_words([masked(x)], part, 0, ring)
    c = Opened(own, (yield from ctx.swap(own)), ring)
    sign = yield from signs_of(ctx, c, part, shifts, x.size)
    return Phase(c, x.size, part, 1 + len(mask.sign._dependent())), sign


def with_prefixes(
    ctx: Context, x: Array, mask: PrefixWaveMask, shifts: Array
) -> Protocol[tuple[Phase, Array]]:
    """The same as `with_signs`, by distributed point functions."""
    part, ring = ctx.supply.packed(mask), mask.prefix.ring
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    shape, each = (x.size, ring), np.ascontiguousarray(shifts)
    sign = received(_core.prefix_signs, own, theirs, part, 5, shape, each, ctx.first)
    return Phase(Opened(own, theirs, ring), x.size, part, 4), sign


def summed(
    phase: Phase, waves: Waves, amplitudes: tuple[float, ...], scale: int, offset: int = 0
) -> Array:
    """Shares of the sum of amplitude_j · sin(jωx) and the offset, from shares of the waves of r.

    Factors have `scale` fraction bits, so the result has scale + waves.fraction.
    """
    c, shape = phase.opened, (phase.count, phase.opened.ring)
    sizes = np.array([math.ldexp(amplitude, scale) for amplitude in amplitudes])
    return received(
        _core.sum_waves,
        c.own,
        c.theirs,
        phase.part,
        phase.field,
        shape,
        waves.form,
        sizes,
        offset % (1 << 64),
    )
