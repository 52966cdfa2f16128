"""Discrete Laplace noise, drawn exactly: integers and the system's randomness, no floating point.

Source: Canonne, Kamath, Steinke (NeurIPS 2020), algorithms 1 and 2, for many elements at once.
Floating-point samplers leak through the values that they cannot give (Mironov, CCS 2012). How long
drawing takes depends on what is drawn.
"""

import secrets
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from moiety.errors import UsageError
from moiety.function.noise import Noise
from moiety.lang.primitive import Array

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
LARGEST = 1 << 54
"""Numerator and denominator of a scale are below this."""


def drawn(noises: Iterable[Noise], party: int | None = None) -> dict[str, Array]:
    """The noise inputs of a run that one party draws, or all of them, as words by name."""
    return {
        one.input.name: _within(one).view(np.uint64).reshape(one.input.type.shape)
        for one in noises
        if party in (None, one.party)
    }


def _within(noise: Noise) -> Integers:
    """Elements of that size at most: others, of which there is hardly ever one, are drawn anew."""
    found = laplace(noise.scale, noise.input.type.size)
    while (beyond := np.abs(found) > noise.most).any():
        found[beyond] = laplace(noise.scale, int(beyond.sum()))
    return found


def laplace(scale: Fraction, count: int) -> Integers:
    """So many integers n, each with a probability proportional to exp(-|n| / scale).

    Raises:
        UsageError: a scale of 2^54 and more, or one that is no short fraction.
    """
    if not 0 < scale.numerator < LARGEST > scale.denominator:
        raise UsageError(f"noise of scale {float(scale):g} units", hint="use fewer fraction bits")
    found, missing = np.empty(count, np.int64), np.arange(count)
    while missing.size:
        sizes, negative = _sizes(scale, missing.size), uniform(2, missing.size) == 1
        kept = ~(negative & (sizes == 0))
        found[missing[kept]] = np.where(negative, -sizes, sizes)[kept]
        missing = missing[~kept]
    return found


def _sizes(scale: Fraction, count: int) -> Integers:
    """Integers n ≥ 0 with probabilities proportional to exp(-n / scale): of geometric ones, ⌊/⌋."""
    t, s = scale.numerator, scale.denominator
    low, missing = np.empty(count, np.int64), np.arange(count)
    while missing.size:
        some = uniform(t, missing.size)
        kept = _decaying(some, t)
        low[missing[kept]] = some[kept]
        missing = missing[~kept]
    high, going = np.zeros(count, np.int64), np.arange(count)
    while going.size:
        going = going[_decaying(np.ones(going.size, np.int64), 1)]
        high[going] += 1
    return _quotient(low, high, t, s)


def _quotient(low: Integers, high: Integers, t: int, s: int) -> Integers:
    """⌊(low + t · high) / s⌋, also where t · high is beyond a word."""
    whole, rest = divmod(t, s)
    return high * whole + (low + high * rest) // s


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


def uniform(below: int, count: int) -> Integers:
    """So many integers, uniform from 0 to below - 1: of random words, those that divide evenly."""
    bits = (below - 1).bit_length()
    found, missing = np.zeros(count, np.int64), np.arange(count if bits else 0)
    while missing.size:
        raw = np.frombuffer(secrets.token_bytes(8 * missing.size), np.uint64)
        some = (raw >> np.uint64(64 - bits)).astype(np.int64)
        kept = some < below
        found[missing[kept]] = some[kept]
        missing = missing[~kept]
    return found
