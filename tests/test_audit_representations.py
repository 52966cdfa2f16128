"""Reconstruction, linkage and inference: a map without noise is caught, noise alone is not."""

import numpy as np
import pytest

from audit_kit import (
    COLUMNS,
    DIMENSIONS,
    MAP,
    RUNS,
    accused,
    assert_seldom,
    least_squares,
    people,
    told_by,
)
from moiety.audit import Knowledge, infer_attribute, link, reconstruct
from moiety.audit.learners import logistic
from moiety.errors import DataError, UsageError

NOISE = [0.0, 0.5, 2.0]


def attackers(random, deviation, count=2000):
    """One who knows the map, one who knows it as a function, and one who knows some people."""
    own = people(random, count)
    seen = own @ MAP + deviation * random.normal(size=(count, DIMENSIONS))
    known = Knowledge(own, known=MAP, noise=deviation)
    return (
        known,
        Knowledge(own, known=lambda rows: rows @ MAP, noise=deviation),
        Knowledge(own, seen),
    )


def published(random, deviation, count=1000):
    rows = people(random, count)
    return rows @ MAP + deviation * random.normal(size=(count, DIMENSIONS)), rows


def test_a_map_that_can_be_inverted_tells_all():
    random = np.random.default_rng(1)
    own, rows = people(random, 500), people(random, 200)
    whole = random.normal(size=(COLUMNS, COLUMNS))
    slight = 1e-6 * random.normal(size=rows.shape)
    for knowledge in (Knowledge(own, known=whole, noise=1e-6), Knowledge(own, own @ whole)):
        found = reconstruct(rows @ whole + slight, rows, knowledge)
        assert found.leaks and found.value > 0.999999 and found.trials == 200
        assert link(rows @ whole + slight, rows, knowledge).value == 1.0


@pytest.mark.parametrize("deviation", NOISE)
def test_what_is_reconstructed_is_what_the_posterior_knows(deviation):
    random = np.random.default_rng(2)
    for knowledge in attackers(random, deviation):
        found = reconstruct(*published(random, deviation), knowledge)
        assert found.leaks and found.guess == 0
        assert found.interval[0] - 0.02 < told_by(deviation) < found.interval[1] + 0.02


def test_the_posterior_is_covered():
    def held(random):
        known, *_ = attackers(random, 1.0, 20_000)
        low, high = reconstruct(*published(random, 1.0, 300), known).interval
        return low <= told_by(1.0) <= high

    assert sum(held(np.random.default_rng(seed)) for seed in range(40)) >= 35


def test_one_column_is_judged_alone():
    random = np.random.default_rng(3)
    own, rows = people(random, 500), people(random, 200)
    first = np.eye(COLUMNS)[:, :1]
    knowledge = Knowledge(own, known=first)
    alone = reconstruct(rows @ first, rows, knowledge, columns=[0])
    assert alone.value > 0.999999 > reconstruct(rows @ first, rows, knowledge).value


@pytest.mark.parametrize("deviation", NOISE)
def test_linkage_falls_with_noise(deviation):
    random = np.random.default_rng(4)
    for knowledge in attackers(random, deviation):
        found = link(*published(random, deviation), knowledge)
        assert found.leaks and found.guess == 1 / 1000
        low, high = {0.0: (0.99, 1), 0.5: (0.05, 0.6), 2.0: (0.001, 0.05)}[deviation]
        assert low <= found.value <= high


def test_strangers_among_candidates_and_alike_candidates():
    random = np.random.default_rng(5)
    seen, rows = published(random, 0.0, 400)
    knowledge = Knowledge(people(random, 500), known=MAP)
    assert link(seen[:100], rows, knowledge).value == 1.0
    same = np.repeat(rows[:40], 10, axis=0)
    found = link(same @ MAP, same, knowledge)
    assert found.interval[0] < 0.1 < found.interval[1]


def test_columns_of_the_attackers_own_link():
    random = np.random.default_rng(6)
    seen, rows = published(random, 0.1, 500)
    own = people(random, 2000)
    own_seen = own @ MAP + 0.1 * random.normal(size=(2000, DIMENSIONS))
    assert link(seen, rows[:, :3], Knowledge(own[:, :3], own_seen)).leaks


def nothing(random):
    """Representations that are noise alone, to attackers who believe in them."""
    count, own = 80, people(random, 120)
    seen, of_own = (random.normal(size=(n, DIMENSIONS)) for n in (count, 120))
    rows = people(random, count)
    for knowledge in (Knowledge(own, of_own), Knowledge(own, known=MAP, noise=2.0)):
        yield reconstruct(seen, rows, knowledge)
        yield link(seen, rows, knowledge)


def test_noise_alone_is_seldom_accused():
    assert_seldom(accused(nothing))


def sensitive(random, count, kind):
    rows = people(random, count)
    drawn = rows[:, 0] + 0.2 * random.normal(size=count)
    levels = np.digitize(drawn, [-0.5, 0.5])
    forms = {"flag": drawn > 0, "number": drawn, "category": np.array(["a", "b", "c"])[levels]}
    return rows, forms[kind]


@pytest.mark.parametrize("kind", ["flag", "number", "category"])
def test_a_view_that_holds_the_attribute_beats_the_own_columns(kind):
    rows, attribute = sensitive(np.random.default_rng(7), 1500, kind)
    found = infer_attribute(rows[:, :2], attribute, rows[:, 3:4])
    assert found.leaks and found.value > found.guess + 0.05 and found.trials == 750
    alone = infer_attribute(rows[:, :2], attribute)
    assert alone.leaks and alone.guess == 0.5 and alone.value > 0.75


def test_a_view_of_what_is_known_anyhow_tells_nothing_more():
    rows, attribute = sensitive(np.random.default_rng(8), 1500, "flag")
    own = rows[:, 1:4]
    assert infer_attribute(own, attribute).leaks
    assert not infer_attribute(own @ MAP[:3], attribute, own, fit=logistic).leaks


def test_trees_find_what_is_not_linear():
    random = np.random.default_rng(9)
    view = random.normal(size=(1200, 2))
    attribute = view[:, 0] * view[:, 1] > 0
    assert infer_attribute(view, attribute).value > 0.9
    assert infer_attribute(view, attribute, fit=logistic).value < 0.65


@pytest.mark.parametrize("own_columns", [0, 2])
def test_a_view_of_noise_is_seldom_accused(own_columns):
    def audit(random):
        attribute = random.random(300) < 0.4
        own = attribute[:, None] + random.normal(size=(300, own_columns))
        view = random.normal(size=(300, 3))
        yield infer_attribute(view, attribute, own if own_columns else None, fit=least_squares)

    assert_seldom(accused(audit, 2 * RUNS))


def test_what_is_refused():
    random = np.random.default_rng(10)
    seen, rows = published(random, 1.0, 100)
    known = Knowledge(rows, known=MAP)
    for wrong in ({}, {"seen": seen, "known": MAP}):
        with pytest.raises(UsageError, match="knowledge"):
            Knowledge(rows, **wrong)
    for wrong in ({"seen": seen[:50]}, {"known": MAP[:2]}):
        with pytest.raises(DataError, match="shape"):
            Knowledge(rows, **wrong)
    for noise in (-1.0, [1.0, 2.0]):
        with pytest.raises(DataError, match="noise"):
            link(seen, rows, Knowledge(rows, known=MAP, noise=noise))
    for given in (
        (seen[:, :2], rows),
        (seen, rows[:, :2]),
        (seen, rows[:50]),
        (seen[:9], rows[:9]),
    ):
        with pytest.raises(DataError):
            reconstruct(*given, known)
    with pytest.raises(DataError, match="same for all"):
        reconstruct(seen, np.ones_like(rows), known)
    with pytest.raises(DataError, match="not finite"):
        link(np.where(seen > 0, np.nan, seen), rows, known)
    with pytest.raises(DataError, match="not all numbers"):
        infer_attribute(np.array([["a"]] * 100), np.arange(100))
    for attribute in (np.ones(100), np.arange(99), np.arange(100) < 3, np.arange(100).astype(str)):
        with pytest.raises(DataError):
            infer_attribute(seen, attribute)
    assert "100 people" in repr(known) and str(rows[0, 0])[:6] not in repr(known)
