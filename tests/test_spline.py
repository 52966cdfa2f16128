"""Piecewise polynomials on shares, and tables at secret places."""

from itertools import pairwise

import numpy as np
import pytest

from moiety.errors import UsageError
from moiety.lang.types import SHARED, words
from moiety.ops.lookup import equal, lookup, one_hot
from moiety.ops.spline import Pieces, spline
from plan_kit import by_way, grid, planned, refused
from test_approximate import run, share_of


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def fitted(ends, degree):
    """Chebyshev interpolation in each interval, by powers of its own place, and its error."""
    rows, worst = [], 0.0
    for a, b in pairwise(ends):
        t = np.cos(np.pi * (2 * np.arange(degree + 1) + 1) / (2 * degree + 2))
        row = np.polynomial.polynomial.polyfit(t, softplus((t + 1) / 2 * (b - a) + a), degree)
        fine = np.linspace(-1, 1, 2001)
        exact = softplus((fine + 1) / 2 * (b - a) + a)
        worst = max(worst, np.abs(np.polynomial.polynomial.polyval(fine, row) - exact).max())
        rows.append(tuple(map(float, row)))
    return tuple(rows), worst


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("cuts", [(0.0,), (-5.5, -2.25, 0.1, 3.0, 6.0)])
def test_a_spline_is_its_pieces(cuts, degree):
    rows, worst = fitted((-10.0, *cuts, 12.0), degree)
    pieces = Pieces(tuple(int(cut * 2**18) for cut in cuts), rows)
    x = grid(-10.0, 12.0, 18, near=cuts, count=3001)
    stated = []

    def function(x):
        y, error = spline(x, pieces=pieces, fraction=20)
        stated.append(error)
        return {"y": y}

    for plan in by_way(function, x=share_of(-10.0, 12.0, x.shape)):
        found = run(plan, x=x)
        exact = softplus(np.ldexp(x.view(np.int64).astype(np.float64), -18))
        assert np.abs(found - exact).max() <= worst * 1.01 + stated[0] < worst * 1.01 + 4e-6


def test_pieces_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="2 pieces"):
        Pieces((0, 1), ((0.0, 1.0), (0.0, 1.0)))
    pieces = Pieces((5, 3), ((0.0, 1.0),) * 3)
    told = refused(lambda x: {"y": spline(x, pieces=pieces)[0]}, x=share_of(0.0, 1.0, (4,)))
    assert "cuts" in told


def test_a_table_of_any_function():
    table = tuple(round(2**16 * np.sin(i)) for i in range(100))
    x = np.resize(np.arange(100, dtype=np.uint64), (7, 31))
    type = words(x.shape, SHARED, (0, 99))
    plan = planned(lambda x: {"y": lookup(x, table=table, fraction=16)}, x=type)
    assert np.array_equal(run(plan, x=x), np.array(table)[x] / 2**16)
    assert len(plan.cost.rounds) == 1 and plan.cost.link(0, 1) == -(-7 * 31 * 7 // 8)


@pytest.mark.parametrize(
    ("function", "bounds", "sentence"),
    [
        (lambda x: lookup(x, table=(1, 2, 3)), (0, 3), "a table of 3 entries"),
        (lambda x: lookup(x, table=(1, 2, 3)), (-1, 2), "a table of 3 entries"),
        (lambda x: one_hot(x, size=5000), (0, 9), "of 2 to 4096 entries"),
        (lambda x: equal(x, 2**63 - 1), (-5, 5), "does not fit"),
    ],
)
def test_places_outside_a_table_are_refused(function, bounds, sentence):
    assert sentence in refused(lambda x: {"y": function(x)}, x=words((4,), SHARED, bounds))
