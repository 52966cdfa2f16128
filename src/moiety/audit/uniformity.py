"""Whether messages look uniform, and the same whatever the secret is.

Statistics find blunders (no mask, a short mask, a mask used twice); they prove nothing. A message
that a weak key masks passes.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, chi2

from moiety.audit.finding import Finding
from moiety.audit.learners import Fit, classifier
from moiety.audit.messages import Bytes, Runs, checked, parts
from moiety.audit.pvalues import smallest
from moiety.audit.twosample import by_classifier, differences
from moiety.errors import DataError

_EXPECTED = 32
"""In each cell of a chi-square, so that it is exact enough far out."""


def uniform(
    first: Runs,
    second: Runs = (),
    *,
    padded: bool = False,
    apart: int = 32,
    fit: Fit = classifier,
    against: str = "the view",
    seed: int = 0,
) -> tuple[Finding, ...]:
    """Whether what a party received in repeated runs is uniform, and independent of the secret.

    `first` are views (each the payloads of a run, in order) of runs with one and the same input of
    everybody, in which only the protocol's randomness was drawn anew; `second` of runs with another
    secret. Give messages that ought to be uniform: no greetings, hashes, or results. `padded`
    leaves out the last byte of each, whose unused bits are zero.

    The findings: of `first`, and of `second`, the smallest p-value of all tests of uniformity, of
    each message and of the sum, difference and exclusive or of each two that are at most `apart`
    places from each other: bytes by chi-square; ones, changes from bit to bit, and equal bits of
    neighbouring bytes, words and runs (kinds of NIST SP 800-22); and each bit over all runs. Of
    both, the smallest p-value for a bit or a length to differ between the secrets; and the accuracy
    with which a classifier tells runs of one from runs of the other (Lopez-Paz, Oquab, ICLR 2017).

    P-values are corrected for the number of tests (Holm 1979) and shown as -log10, so that more is
    worse; they have no interval. Guess lines are -log10 of 0.025, and 0.5.

    Raises:
        DataError: fewer than 20 runs of a secret, or runs without a byte.
    """
    sides = [checked(runs, padded=padded) for runs in (first, second) if len(runs)]
    if not sides:
        raise DataError("no runs", hint="record the views of 20 runs or more")
    found = [
        smallest(f"uniformity under the {name} secret", against, _tests(runs, apart), len(runs))
        for name, runs in zip(("first", "second"), sides, strict=False)
    ]
    if len(sides) > 1:
        ours, theirs = sides
        tests, runs = differences(ours, theirs, apart), len(ours) + len(theirs)
        found.append(smallest("independence of the secret", against, tests, runs))
        found.append(by_classifier(ours, theirs, fit, against, seed))
    return tuple(found)


def _tests(runs: Runs, apart: int) -> Iterator[tuple[str, float]]:
    """The p-value of each test of each part."""
    for name, part in parts(runs, apart):
        for kind, bits, size in _bits(part):
            yield f"{kind} of {name}", float(_fair(np.bitwise_count(bits).sum(), size * bits.size))
        yield f"each bit of {name}", _each_bit(part)
        yield from ((f"bytes of {name}", value) for value in _even(part))


def _bits(part: Bytes) -> Iterator[tuple[str, Bytes, int]]:
    """Bits of which about half ought to be 1, and how many count of each byte."""
    yield "ones", part, 8
    yield "changes of bits", np.asarray((part ^ (part >> 1)) & 0x7F, np.uint8), 7
    yield "runs and their next", part[1:] ^ part[:-1], 8
    for kind, lag in (("bytes and their next", 1), ("words and their next", 8)):
        if part.shape[1] > lag:
            yield kind, part[:, lag:] ^ part[:, :-lag], 8


def _fair(ones: npt.ArrayLike, bits: int) -> npt.NDArray[np.float64]:
    """The p-value of so many ones among fair bits; exact."""
    few = np.minimum(ones, bits - np.asarray(ones))
    return np.asarray(np.minimum(1.0, 2 * binom.cdf(few, bits, 0.5)))


def _each_bit(part: Bytes) -> float:
    """The smallest p-value of a bit over all runs, for as many as there are."""
    ones = np.unpackbits(part, axis=1).sum(axis=0, dtype=np.int64)
    extreme = np.minimum(ones, len(part) - ones).min()
    return min(1.0, float(_fair(extreme, len(part))) * len(ones))


def _even(part: Bytes) -> list[float]:
    """The p-value of the chi-square of bytes, or if they are few of halves of bytes."""
    observed, cells = part.reshape(-1), 256
    if len(observed) < 256 * _EXPECTED:
        observed, cells = np.concatenate([observed & 15, observed >> 4]), 16
    expected = len(observed) / cells
    if expected < _EXPECTED:
        return []
    counts = np.bincount(observed, minlength=cells)
    return [float(chi2.sf(np.square(counts - expected).sum() / expected, cells - 1))]
