"""A sum of sines of a shared word: the dealer deals sine and cosine of multiples of the mask.

With c = x + r mod the period opened, sin(jωx) = sin(jωc)·cos(jωr) - cos(jωc)·sin(jωr): public
factors of dealt shares. One round; nothing is truncated, so there is no rounding coin, but the
low bits of the result depend on c: they are noise, and public.

The public factors must be the same integers at both parties, or shares do not cancel: they are
computed by additions and products of IEEE 754 doubles alone, one NumPy operation each.

Source: trigonometric recombination as in Zheng et al. (SecFormer, ACL 2024) and Kei, Chow (SHAFT,
NDSS 2025), for a dealer.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from moiety import _core
from moiety._core import Dealt
from moiety.protocols.additive import masked, open_words
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


def opened(ctx: Context, x: Array, mask: WaveMask) -> Protocol[tuple[Array, Array]]:
    """The opened c and shares of the waves of r, for flat x mod the period."""
    r, table = ctx.supply.take(mask)
    (c,) = yield from open_words(ctx, x + r, ring=mask.waves.period)
    return c, table


def with_signs(
    ctx: Context, x: Array, mask: SignWaveMask, shifts: Array
) -> Protocol[tuple[Array, Array, Array]]:
    """The same, and shares of [x < shift] for each shift."""
    part: Dealt = ctx.supply.packed(mask)
    ring, field = mask.sign.ring, mask.waves.field(x.size)
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    sign = yield from signs_of(ctx, Opened(own, theirs, ring), part, shifts, x.size)
    c = received(_core.opened_words, own, theirs, x.size, ring)
    return c, field.read(part, 1 + len(mask.sign._dependent())), sign


def with_prefixes(
    ctx: Context, x: Array, mask: PrefixWaveMask, shifts: Array
) -> Protocol[tuple[Array, Array, Array]]:
    """The same as `with_signs`, by distributed point functions."""
    part: Dealt = ctx.supply.packed(mask)
    ring, field = mask.prefix.ring, mask.waves.field(x.size)
    own = _core.mask_words([masked(x)], part, 0, ring)
    theirs = yield from ctx.swap(own)
    shape, each = (x.size, ring), np.ascontiguousarray(shifts)
    sign = received(_core.prefix_signs, own, theirs, part, 5, shape, each, ctx.first)
    c = received(_core.opened_words, own, theirs, x.size, ring)
    return c, field.read(part, 4), sign


def summed(
    c: Array, table: Array, waves: Waves, amplitudes: tuple[float, ...], scale: int
) -> Array:
    """Shares of the sum of amplitude_j · sin(jωx), from c and shares of the waves of r.

    Factors have `scale` fraction bits, so the result has scale + waves.fraction.
    """
    c = c & np.uint64((1 << waves.period) - 1)
    total = np.zeros(c.shape, np.uint64)
    for j, (sine, cosine) in enumerate(_multiples(c, waves)):
        size = math.ldexp(amplitudes[j], scale)
        total += _integer(sine * size) * table[0, j]
        total -= _integer(cosine * size) * table[1, j]
    return total


def _integer(x: Array) -> Array:
    return np.rint(x).astype(np.int64).view(np.uint64)


def _multiples(c: Array, waves: Waves) -> Iterator[tuple[Array, Array]]:
    """Sine and cosine of jωc for each j, by the rule for the sum of two angles."""
    sine, cosine = first = _sine_cosine(c, waves.period)
    yield first
    for _ in range(waves.terms - 1):
        sine, cosine = (
            sine * first[1] + cosine * first[0],
            cosine * first[1] - sine * first[0],
        )
        yield sine, cosine


def _sine_cosine(c: Array, period: int) -> tuple[Array, Array]:
    """Sine and cosine of 2πc / 2^period: Taylor about the middle of the quadrant."""
    quadrant = c >> np.uint64(period - 2) & np.uint64(3)
    rest = (c & np.uint64((1 << (period - 2)) - 1)).astype(np.float64)
    angle = np.ldexp(rest, 2 - period) * (math.pi / 2) - math.pi / 4
    square = angle * angle
    odd, even = angle * _series(square, 3), _series(square, 2)
    sine, cosine = (even + odd) * math.sqrt(0.5), (even - odd) * math.sqrt(0.5)
    odd_turn, back = (quadrant & np.uint64(1)).astype(bool), quadrant >= 2
    sine, cosine = np.where(odd_turn, cosine, sine), np.where(odd_turn, -sine, cosine)
    return np.where(back, -sine, sine), np.where(back, -cosine, cosine)


def _series(square: Array, begin: int) -> Array:
    """1 - s / (1·2) + … or 1 - s / (2·3) + …, ten terms: below 1e-17 for |angle| ≤ π/4."""
    total = np.ones_like(square)
    for k in range(begin + 18, begin - 1, -2):
        total = 1.0 - square / float(k * (k - 1)) * total
    return total
