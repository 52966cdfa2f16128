"""Linear and logistic regression among parties: as scikit-learn has them, and as in the clear."""

import numpy as np
import pytest
from sklearn import linear_model

from learn_kit import (
    KINDS,
    PARTIES,
    credit,
    divided,
    opened,
    reached,
    runner,
    sample,
    standardised,
    thin,
)
from moiety.errors import UsageError
from moiety.function.runner import Owned
from moiety.learn.linear import LinearRegression
from moiety.learn.logistic import LogisticRegression
from moiety.run.local import Clear

SOLVERS = {
    "newton": {"max_iter": 10},
    "sgd": {"solver": "sgd", "batch_size": 50, "max_iter": 2},
    "momentum": {"solver": "sgd", "batch_size": 50, "max_iter": 2, "momentum": 0.8},
    "small logits": {"solver": "sgd", "batch_size": 50, "max_iter": 2, "max_logit": 7.0},
}


def numbers(rows=300):
    X, _ = sample(rows)
    noise = np.random.default_rng(8).normal(size=rows)
    return X, 40 + 10 * np.clip(0.3 * X[:, 0] - 0.2 * X[:, 3] + 0.05 * noise, -1, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.0, 5.0])
def test_least_squares_in_the_clear_are_scikit_learns(kind, alpha):
    X, y = numbers()
    reference = linear_model.Ridge(alpha=alpha).fit(X, y)
    ours = LinearRegression(runner("clear"), bounds=(30, 50), alpha=alpha, max_iter=200)
    ours.fit(*divided(kind, X, y))
    columns = divided(kind, X, y)[0]
    assert np.abs(ours.predict(columns) - reference.predict(X)).max() < 1e-3
    assert np.abs(10 * opened(ours.coef_) - reference.coef_).max() < 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_least_squares_on_shares_are_those_in_the_clear(kind):
    X, y = numbers()
    columns, targets = divided(kind, X, y)
    found = [
        LinearRegression(runner(name), bounds=(30, 50)).fit(columns, targets).predict(columns)
        for name in ("clear", "twin")
    ]
    assert np.abs(found[0] - found[1]).max() < 0.02


def test_r_squared_is_scikit_learns():
    X, y = numbers(200)
    model = LinearRegression(runner(), bounds=(30, 50)).fit(X, y)
    assert abs(model.score(X, y) - linear_model.LinearRegression().fit(X, y).score(X, y)) < 1e-3


def test_targets_beyond_their_bounds_are_refused_without_being_shown():
    X, y = numbers(50)
    y[3] = 77.25
    with pytest.raises(UsageError, match="declared bounds") as caught:
        LinearRegression(runner(), bounds=(30, 50)).fit(X, y)
    assert "77" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_newton_in_the_clear_goes_where_scikit_learn_goes(kind):
    X, y = sample()
    reference = linear_model.LogisticRegression(C=0.1, tol=1e-9).fit(X, y)
    columns, labels = divided(kind, X, y)
    model = LogisticRegression(runner("clear"), C=0.1, max_iter=60).fit(columns, labels)
    assert np.abs(model.decision_function(columns) - reference.decision_function(X)).max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_training_on_shares_is_training_in_the_clear(kind, solver):
    columns, labels = divided(kind, *sample())
    models = [
        LogisticRegression(runner(name), **SOLVERS[solver]).fit(columns, labels)
        for name in ("clear", "twin")
    ]
    clear, secure = (opened(model.weights_) for model in models)
    assert np.abs(clear - secure).max() < 0.01 < np.abs(clear).max()
    events = [model.predict_proba(columns) for model in models]
    assert np.abs(events[0] - events[1]).max() < 0.005
    assert np.allclose(events[1].sum(axis=1), 1)


def test_batches_are_as_long_as_they_are_in_one_table():
    X, y = sample(200)
    spans = []
    for kind in ("plain", "horizontal"):
        model = LogisticRegression(Clear(PARTIES), solver="sgd", batch_size=50, max_iter=3)
        model.fit(*divided(kind, X, y))
        spans.append(model.runner.spent["step"].calls)
    assert spans == [12, 12]


def test_an_owner_with_too_few_rows_for_the_batches_is_told():
    X, y = sample(200)
    model = LogisticRegression(runner("clear"), solver="sgd", batch_size=2)
    with pytest.raises(UsageError, match="only 40"):
        model.fit(*divided("horizontal", X, y))


def test_small_logits_make_the_sigmoid_cheaper():
    X, y = sample(200)
    costs = []
    for most in (None, 7.5):
        model = LogisticRegression(Clear(PARTIES), solver="sgd", batch_size=100, max_logit=most)
        costs.append(model.fit(X, y).runner.spent["step"])
    assert costs[1].rounds < costs[0].rounds and costs[1].dealt < costs[0].dealt
    assert np.abs(opened(model.weights_)).max() <= 7.5 / (4 * 5 + 1) + 1e-6


@pytest.mark.parametrize("solver", ["newton", "sgd"])
def test_at_the_bounds_of_inputs_and_weights_nothing_overflows(solver):
    X = np.where(np.random.default_rng(2).integers(0, 2, (200, 3)), 1e9, -1e9)
    y = (X[:, 0] > 0).astype(np.int64)
    settings = {"solver": solver, "bound": 0.75, "clip": 8.0, "batch_size": 40, "C": 1e6}
    weights = [
        opened(LogisticRegression(runner(name), max_iter=25, **settings).fit(X, y).weights_)
        for name in ("clear", "twin")
    ]
    assert np.abs(weights[0] - weights[1]).max() < 0.02
    assert solver == "newton" or abs(weights[1][0] - 0.75) < 1e-4


def test_a_solver_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="lbfgs"):
        LogisticRegression(runner(), solver="lbfgs").fit(*sample(50))


STEPS = (1, 2, 4, 8)


@pytest.mark.parametrize("solver", ["newton", "sgd"])
def test_the_convergence_table_is_the_same_on_shares(solver):
    """One row for each number of passes: the AUC in the clear and on shares, on other rows."""
    _, y, train, test = credit()
    Z, train, test = standardised(), train[:1500], test[:1500]
    owner, table = Owned.of("bank", y[train]), []
    for steps in STEPS:
        settings = {"solver": solver, "max_iter": steps, "batch_size": 300, "C": 0.1}
        models = [
            LogisticRegression(runner(name), **settings).fit(thin(Z, train), owner)
            for name in ("clear", "twin")
        ]
        table.append([reached(model, thin(Z, test), y[test]) for model in models])
    clear, secure = np.array(table).T
    assert np.abs(clear - secure).max() < 1e-3, table
    reference = linear_model.LogisticRegression(C=0.1).fit(np.clip(Z[train], -4, 4), y[train])
    best = reached(reference, np.clip(Z[test], -4, 4), y[test])
    assert abs(secure[-1] - best) < (0.002 if solver == "newton" else 0.02), (table, best)
