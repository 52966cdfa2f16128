"""The smallest of many p-values, corrected for how many they are, as a finding."""

import math
from collections.abc import Iterable

from moiety.audit.finding import Finding
from moiety.audit.intervals import TAIL

LEAST = 1e-300
"""Smaller ones are not told apart."""


def smallest(attack: str, against: str, tests: Iterable[tuple[str, float]], trials: int) -> Finding:
    """-log10 of the smallest p-value times the number of tests, which is Holm's first step (1979).

    The guess line is -log10 of the chance that an interval leaves beyond its lower end, so that
    this leaks by chance as seldom as another finding. A p-value has no interval.
    """
    found = list(tests)
    name, least = min(found, key=lambda test: test[1])
    value = max(0.0, -math.log10(max(LEAST, least * len(found))))
    measure = f"-log10 of the smallest of {len(found):,} p-values ({name})"
    return Finding(attack, against, measure, value, -math.log10(TAIL), (value, value), trials)
