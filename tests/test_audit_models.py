"""Membership and extraction: a model that remembers is caught, one that cannot is not."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from audit_kit import RUNS, accused, assert_seldom, least_squares, sigmoid
from moiety.audit import People, extract, membership
from moiety.audit.learners import logistic, regressor, ridge, trees
from moiety.errors import DataError, UsageError


def population(random, count, columns=5):
    rows = random.normal(size=(count, columns))
    return rows, (random.random(count) < sigmoid(rows.sum(axis=1))).astype(float)


def unpruned(rows, labels):
    tree = DecisionTreeClassifier(random_state=0).fit(rows, labels)
    return lambda some: tree.predict_proba(some)[:, 1]


def trained(random, count, fit, columns=5):
    """What a model says of all, who are half of them members, and others of their kind."""
    rows, labels = population(random, count, columns)
    member = random.permutation(count) < count // 2
    released = fit(rows[member], labels[member])(rows)
    others = People(*population(random, count, columns))
    return released, People(rows, labels), member, others


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("fit", [unpruned, trees])
def test_models_that_remember_are_caught(fit, online):
    released, people, member, others = trained(np.random.default_rng(1), 1200, fit)
    area, few = membership(
        released, people, member, None if online else others, fit=fit, shadows=16
    )
    assert area.leaks and area.value > 0.7 and area.guess == 0.5
    assert few.guess == 0.01 and few.trials == 1200 and few.leaks >= (fit is trees)


def test_a_model_with_as_many_columns_as_people_is_caught_and_with_few_is_not():
    random = np.random.default_rng(2)
    for columns, count, leaks in ((80, 300, True), (3, 3000, False)):
        released, people, member, others = trained(random, count, logistic, columns)
        for known in (None, others):
            area, few = membership(released, people, member, known, shadows=16)
            assert area.leaks == leaks and (leaks or not few.leaks)
            assert leaks or abs(area.value - 0.5) < 0.04


@pytest.mark.parametrize("shadows", [8, 64])
def test_a_model_that_marks_its_people_is_known_at_few_alarms(shadows):
    def marking(rows, labels):
        known = dict(zip(map(bytes, rows), labels, strict=True))
        return lambda some: np.array(
            [0.5 + 0.4 * (2 * known.get(bytes(row), 0.5) - 1) for row in some]
        )

    released, people, member, _ = trained(np.random.default_rng(3), 600, marking)
    for found in membership(released, people, member, fit=marking, shadows=shadows):
        assert found.value == 1.0 and found.interval[0] > 0.95


def test_scores_that_are_told_coarsely_tell_less():
    released, people, member, _ = trained(np.random.default_rng(4), 1200, trees)
    exact, coarse = (
        membership(told, people, member, fit=trees, shadows=16)[0].value
        for told in (released, np.round(released))
    )
    assert coarse < exact - 0.05


@pytest.mark.parametrize("count", [250, 1000])
def test_scores_without_members_are_seldom_accused(count):
    def audit(random):
        rows, labels = population(random, count, 1)
        member = random.permutation(count) < count // 2
        noise = lambda *_: lambda some: random.random(len(some))  # noqa: E731
        return membership(random.random(count), People(rows, labels), member, fit=noise, shadows=4)

    assert_seldom(accused(audit))


def linear(rows):
    return sigmoid(rows @ np.linspace(-1, 1.5, rows.shape[1]) - 0.5)


def branching(rows):
    return sigmoid(3 * np.sign(rows[:, 0] * rows[:, 1]) + rows[:, 2])


def test_a_linear_model_is_solved_by_its_columns_and_one():
    rows = np.random.default_rng(5).normal(size=(1000, 10))
    before, after = extract(linear, rows, [8, 11])
    assert before.value < 0.95 and after.leaks and after.value > 0.999999
    (agreed,) = extract(linear, rows, [11], decisions=True)
    assert agreed.leaks and agreed.value > 0.995 and 0.5 <= agreed.guess < 0.7


def test_trees_extract_what_is_not_linear():
    rows = np.random.default_rng(6).normal(size=(3000, 4))
    few, many = extract(branching, rows, [20, 2000])
    assert many.leaks and few.value < 0.5 < 0.9 < many.value
    (straight,) = extract(branching, rows, [2000], fit=ridge)
    assert straight.value < 0.5


def test_rounding_and_noise_make_extraction_dearer():
    random = np.random.default_rng(7)
    rows = random.normal(size=(1500, 10))

    def rounded(some):
        return np.round(linear(some), 1)

    def noisy(some):
        return np.clip(linear(some) + 0.3 * random.normal(size=len(some)), 0, 1)

    for query in (rounded, noisy):
        few, many = extract(query, rows, [15, 500], model=linear)
        assert few.value < 0.7 and 0.8 < many.value < 0.99 and many.leaks
    (exact,) = extract(linear, rows, [15])
    assert exact.value > 0.999999


def test_own_columns_are_the_guess_line():
    rows = np.random.default_rng(8).normal(size=(1000, 6))

    def of_first(some):
        return sigmoid(2 * some[:, 0] + 0.01 * some[:, 1])

    (found,) = extract(of_first, rows, [500], own=[0], fit=ridge)
    assert found.guess > 0.99 and found.value > found.guess
    (alone,) = extract(of_first, rows, [500], own=[5], fit=ridge)
    assert alone.guess < 0.05 and alone.leaks


@pytest.mark.parametrize("own", [(), (0,)])
@pytest.mark.parametrize("decisions", [False, True])
def test_answers_without_a_model_are_seldom_accused(own, decisions):
    def audit(random):
        rows = random.normal(size=(250, 3))
        query = lambda some: random.random(len(some))  # noqa: E731
        return extract(query, rows, [10, 100], own=own, decisions=decisions, fit=least_squares)

    assert_seldom(accused(audit, RUNS))


def test_what_is_refused():
    random = np.random.default_rng(9)
    released, people, member, _ = trained(random, 300, logistic)
    with pytest.raises(DataError, match="too few"):
        membership(released[:150], People(people.rows[:150], people.labels[:150]), member[:150])
    for wrong in (released[:100], np.full(300, np.nan)):
        with pytest.raises(DataError):
            membership(wrong, people, member)
    with pytest.raises(DataError, match="alike"):
        membership(released, people, np.ones(300))
    with pytest.raises(UsageError, match="shadows"):
        membership(released, people, member, shadows=2)
    with pytest.raises(DataError, match="labels"):
        People(people.rows, np.full(300, 0.5))
    rows = random.normal(size=(300, 3))
    with pytest.raises(DataError, match="too few"):
        extract(linear, rows, [250])
    with pytest.raises(DataError, match="no probabilities"):
        extract(lambda some: 3 * linear(some), rows, [50])
    with pytest.raises(DataError, match="same of all"):
        extract(lambda some: np.full(len(some), 0.5), rows, [50])
    for queries in ([], [1]):
        with pytest.raises(UsageError, match="queries"):
            extract(linear, rows, queries)


def test_the_chosen_learner_is_the_better_one():
    random = np.random.default_rng(10)
    rows = random.normal(size=(400, 2))
    for target in (rows @ [1, 2], np.sign(rows[:, 0] * rows[:, 1])):
        missed = [np.square(target - fit(rows, target)(rows)).mean() for fit in (ridge, regressor)]
        assert missed[1] <= missed[0]
