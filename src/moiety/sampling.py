"""Noise drawn exactly: integers and the system's randomness, no floating point.

Source: Canonne, Kamath, Steinke (NeurIPS 2020), algorithms 1, 2 and 3, for many elements at once.
Floating-point samplers leak through the values that they cannot give (Mironov, CCS 2012). How long
drawing takes depends on what is drawn.
"""

import math
import secrets
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from moiety.errors import UsageError

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
LARGEST = 1 << 54
"""Numerator and denominator of a scale are below this."""
DEVIATION = 1 << 25
"""A whole deviation of a Gaussian is below this; one that is no whole number, much smaller."""
FAR = 1 << 31
"""Beyond it a square is no word."""
BATCH = 1 << 16
"""So many elements are drawn at once: what is at work then stays in the cache."""


def laplace(scale: Fraction, count: int) -> Integers:
    """So many integers n, each with a probability proportional to exp(-|n| / scale).

    Raises:
        UsageError: a scale of 2^54 and more, or one that is no short fraction.
    """
    if not 0 < scale.numerator < LARGEST > scale.denominator:
        raise UsageError(f"noise of scale {float(scale):g} units", hint="use fewer fraction bits")
    return _kept(lambda size: _signed(scale, size), count)


def gaussian(sigma2: Fraction, count: int) -> Integers:
    """So many integers n, each with a probability proportional to exp(-n² / (2 · sigma2)).

    Of discrete Laplace n of a whole scale t near the deviation, each is kept with the probability
    exp(-(|n| - sigma2 / t)² / (2 · sigma2)). None is kept beyond 32 deviations or more, as hardly
    ever one would be: in less than 2^-700 of all draws.

    Raises:
        UsageError: a deviation that is not above 0, not below 2^25, or too long a fraction.
    """
    p, q = sigma2.numerator, sigma2.denominator
    t = max(1, math.isqrt(max(p, 0) // q))
    shared = math.gcd(t * q, p)
    unit, centre = t * q // shared, p // shared
    if not (p > 0 and unit * t < DEVIATION):
        raise UsageError(
            f"Gaussian noise of variance {sigma2} in steps is beyond what is drawn exactly",
            hint=f"use a whole deviation, from 1 to {DEVIATION - 1:,} steps",
        )
    return _kept(lambda size: _bent(t, unit, centre, size), count)


def coins(chance: Fraction, count: int) -> Flags:
    """So many coins, each true with exactly that chance, a fraction with a denominator below 2^54.

    Raises:
        UsageError: it is no chance, or too long a fraction.
    """
    if not (0 <= chance <= 1 and chance.denominator < LARGEST):
        raise UsageError(f"a coin of chance {float(chance):g}", hint="use a short fraction in 0..1")
    heads: Flags = uniform(chance.denominator, count) < chance.numerator
    return heads


def uniform(below: int, count: int) -> Integers:
    """So many integers, uniform from 0 to below - 1: of random words, those that divide evenly."""
    bits = (below - 1).bit_length()
    return (
        _kept(lambda size: _short(below, bits, size), count) if bits else np.zeros(count, np.int64)
    )


def _kept(draw: Callable[[int], Integers], count: int) -> Integers:
    """So many elements of what is drawn, which may be fewer at a time than are asked for."""
    found, done = np.empty(count, np.int64), 0
    while done < count:
        some = draw(min(count - done, BATCH))
        found[done : done + len(some)] = some
        done += len(some)
    return found


def _short(below: int, bits: int, size: int) -> Integers:
    """Words of so many random bits that are below a bound."""
    raw = np.frombuffer(secrets.token_bytes(8 * size), np.uint64)
    some = (raw >> np.uint64(64 - bits)).astype(np.int64)
    return some[some < below]


def _signed(scale: Fraction, size: int) -> Integers:
    """Discrete Laplace, fewer than asked for: 0 has one sign only."""
    sizes, negative = _sizes(scale, size), uniform(2, size) == 1
    kept: Flags = ~negative | (sizes > 0)
    sizes[negative] *= -1
    return sizes[kept]


def _bent(t: int, unit: int, centre: int, size: int) -> Integers:
    """Discrete Gaussian, fewer than asked for, where centre / unit is its variance over t."""
    some = laplace(Fraction(t), size)
    some = some[np.abs(some) < FAR // unit]
    off = np.abs(some) * unit - centre
    return some[_falling(off * off, 2 * t * unit * centre)]


def _sizes(scale: Fraction, count: int) -> Integers:
    """Integers n ≥ 0 with probabilities proportional to exp(-n / scale): of geometric ones, ⌊/⌋."""
    t, s = scale.numerator, scale.denominator
    low = _kept(lambda size: (some := uniform(t, size))[_decaying(some, t)], count)
    high, going = np.zeros(count, np.int64), np.arange(count)
    while going.size:
        going = going[_decaying(np.ones(going.size, np.int64), 1)]
        high[going] += 1
    return _quotient(low, high, t, s)


def _quotient(low: Integers, high: Integers, t: int, s: int) -> Integers:
    """⌊(low + t · high) / s⌋, also where t · high is beyond a word."""
    whole, rest = divmod(t, s)
    return high * whole + (low + high * rest) // s


def _falling(part: Integers, whole: int) -> Flags:
    """True with probability exp(-part / whole), for 0 ≤ part."""
    times, rest = np.divmod(part, whole)
    kept = _decaying(rest, whole)
    going = np.flatnonzero(kept & (times > 0))
    while going.size:
        kept[going] = _decaying(np.ones(going.size, np.int64), 1)
        times[going] -= 1
        going = going[kept[going] & (times[going] > 0)]
    return kept


def _decaying(part: Integers, whole: int) -> Flags:
    """True with probability exp(-part / whole), for 0 ≤ part ≤ whole.

    The number of heads in a row, where the k-th has probability part / (whole · k), is even.
    """
    heads, going, k = np.zeros(part.size, np.int64), np.arange(part.size), 1
    while going.size:
        going = going[uniform(whole * k, going.size) < part[going]]
        heads[going] += 1
        k += 1
    even: Flags = heads % 2 == 0
    return even
