"""Joint estimators keep scikit-learn's contract, and refuse what does not fit with a sentence."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

import moiety.learn
from learn_kit import divided, runner, sample
from moiety.errors import DataError, UsageError
from moiety.function.runner import Owned, Secret
from moiety.learn import (
    BoostedTreesClassifier,
    Horizontal,
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    ScorecardClassifier,
    Vertical,
)

CLEAR = runner("clear")
BINNED = {
    "scorecard": ScorecardClassifier(CLEAR, bins=6, max_iter=3),
    "trees": BoostedTreesClassifier(CLEAR, bins=6, n_estimators=2, max_depth=2),
}
CLASSIFIERS = {
    "logistic": LogisticRegression(CLEAR, max_iter=3),
    "logistic, sgd": LogisticRegression(CLEAR, solver="sgd", batch_size=40, max_iter=2),
    "perceptron": MLPClassifier(CLEAR, hidden_layer_sizes=(3,), batch_size=40, max_iter=2),
    **BINNED,
}
ESTIMATORS = {**CLASSIFIERS, "linear": LinearRegression(CLEAR, bounds=(-1, 2))}


QUANTILES = {"strategy": "quantile", "quantile_method": "averaged_inverted_cdf"}


def data(name, rows=120):
    """A table that the estimator takes: numbers, or bin codes."""
    X, y = sample(rows)
    return (np.clip(np.floor(2 * X) + 3, 0, 5) if name in BINNED else X), y


@pytest.mark.parametrize("name", ESTIMATORS)
def test_hyperparameters_are_stored_as_given_and_nothing_else_is_done(name):
    model = ESTIMATORS[name]
    parameters = model.get_params()
    assert all(getattr(model, key) is value for key, value in parameters.items())
    again = clone(model).set_params(**parameters)
    assert again.get_params() == parameters and vars(again).keys() == parameters.keys()
    assert type(model)().runner is None


@pytest.mark.parametrize("name", ESTIMATORS)
def test_without_a_runner_or_before_fit_it_says_what_to_do(name):
    X, y = sample(40)
    with pytest.raises(UsageError, match="not fitted"):
        clone(ESTIMATORS[name]).predict(X)
    with pytest.raises(UsageError, match="no runner") as caught:
        clone(ESTIMATORS[name]).set_params(runner=None).fit(X, y)
    assert "Twin" in caught.value.hint


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fit_gives_the_estimator_with_attributes_that_end_in_an_underscore(name):
    X, y = data(name)
    model = clone(ESTIMATORS[name])
    assert model.fit(X, y) is model and model.n_features_in_ == 5
    learned = set(vars(model)) - set(model.get_params())
    assert learned and all(attribute.endswith("_") for attribute in learned)
    assert isinstance(model.score(X, y), float)
    assert model.predict(X).shape == y.shape
    with pytest.raises(DataError, match="expecting 5 features"):
        model.predict(X[:, :3])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_agree_with_themselves(name):
    X, y = data(name)
    model = clone(CLASSIFIERS[name]).fit(X, y)
    assert model.classes_.tolist() == [0, 1]
    event = model.predict_proba(X)[:, 1]
    assert np.array_equal(model.predict(X), model.classes_[(event > 0.5).astype(int)])
    assert np.allclose(np.log(event / (1 - event)), model.decision_function(X))
    assert model.score(X, y) == (model.predict(X) == y).mean()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_it_is_one_step_of_a_pipeline(name):
    X, y = sample(150)
    first = KBinsDiscretizer(6, encode="ordinal", **QUANTILES) if name in BINNED else None
    pipeline = make_pipeline(first or StandardScaler(), clone(ESTIMATORS[name]))
    assert np.isfinite(cross_val_score(pipeline, X, y, cv=3)).all()


def test_a_search_tries_hyperparameters():
    X, y = sample(150)
    search = GridSearchCV(CLASSIFIERS["logistic"], {"C": [0.01, 1.0]}, cv=2).fit(X, y)
    assert search.best_params_["C"] in (0.01, 1.0)


def test_parts_of_several_owners_are_cross_validated_too():
    X, y = sample(150)
    table = Vertical(bank=X[:, :2], payco=X[:, 2:])
    both = [cross_val_score(CLASSIFIERS["logistic"], one, y, cv=3) for one in (table, X)]
    assert np.array_equal(*both)


def test_what_is_kept_is_not_shown():
    X, y = sample(60)
    model = LogisticRegression(runner(), max_iter=2).fit(*divided("vertical", X, y))
    assert isinstance(model.coef_, Secret) and model.coef_.shape == (5,)
    word = str(model.weights_.parts[0][0])
    shown = f"{model!r} {model.coef_!r} {model.intercept_!r} {divided('vertical', X, y)[0]!r}"
    assert word not in shown and str(X[0, 0])[:6] not in shown


HOSTILE = {
    "one dimension": (lambda X, y: (X[:, 0], y), "2D array"),
    "too few labels": (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
    "three classes": (lambda X, y: (X, y + (X[:, 0] > 0)), "Unknown label type"),
    "a missing value": (lambda X, y: (np.where(X > 1, np.nan, X), y), "not finite"),
    "texts": (lambda X, y: (np.full(X.shape, "secret"), y), "not all numbers"),
    "a stranger": (lambda X, y: (Vertical(stranger=X), y), "none of the parties"),
    "labels elsewhere": (lambda X, y: (Horizontal(bank=X), y), "inconsistent"),
    "a stranger's labels": (lambda X, y: (X, Owned.of("me", y)), "none of the parties"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["clear", "twin"])
def test_what_does_not_fit_is_refused(name, kind):
    change, match = HOSTILE[name]
    with pytest.raises(UsageError, match=match) as caught:
        LogisticRegression(runner(kind)).fit(*change(*sample(60)))
    assert "secret" not in str(caught.value)


def test_parts_that_do_not_fit_each_other_are_refused():
    X, _ = sample(60)
    with pytest.raises(DataError, match="do not fit"):
        Vertical(bank=X, payco=X[:30])
    with pytest.raises(DataError, match="do not fit"):
        Horizontal(bank=X, payco=X[:, :2])
    with pytest.raises(UsageError, match="nobody"):
        Vertical()
    with pytest.raises(UsageError, match="belongs to payco"):
        Vertical(bank=Owned.of("payco", X))


def test_labels_may_belong_to_a_party_that_does_not_compute():
    X, y = sample(80)
    models = [
        LogisticRegression(runner(name), max_iter=3).fit(X, Owned.of("union", y))
        for name in ("clear", "twin")
    ]
    assert np.abs(models[0].decision_function(X) - models[1].decision_function(X)).max() < 0.01


def test_the_names_of_the_package_are_loaded_when_used():
    assert set(moiety.learn.__all__) >= {"ScorecardClassifier", "Vertical"}
    assert all(getattr(moiety.learn, name) for name in moiety.learn.__all__)
    with pytest.raises(AttributeError, match="no attribute"):
        _ = moiety.learn.RandomForest


def test_the_receiver_must_compute():
    X, y = sample(60)
    with pytest.raises(UsageError, match="union"):
        LogisticRegression(runner("clear"), max_iter=2, receiver="union").fit(X, y)


def test_a_score_needs_labels():
    X, y = sample(60)
    model = LogisticRegression(runner("clear"), max_iter=2).fit(X, y)
    with pytest.raises(UsageError, match="all labels"):
        model.score(X, Owned("payco", y.shape))


def test_owners_are_matched_by_name():
    rng = np.random.default_rng(4)
    own, theirs = rng.normal(size=(120, 2)), rng.normal(size=(120, 3))
    label = (own[:, 0] - theirs[:, 1] > 0).astype(int)
    first, second = CLEAR.parties[:2]
    model = LogisticRegression(CLEAR, receiver=first)
    model.fit(Vertical(**{first: own, second: theirs}), label)
    told = model.decision_function(Vertical(**{first: own, second: theirs}))
    swapped = model.decision_function(Vertical(**{second: theirs, first: own}))
    assert np.array_equal(told, swapped)
    with pytest.raises(DataError, match="was fitted to columns of"):
        model.predict(Vertical(**{first: theirs, second: own}))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"C": 0.0}, "C = 0.0"),
        ({"max_iter": 2.5}, "max_iter = 2.5"),
        ({"max_iter": -1}, "max_iter = -1"),
        ({"clip": 0}, "clip = 0"),
        ({"receiver": "nobody"}, "nobody is to be told"),
    ],
)
def test_hyperparameters_that_mean_nothing_are_refused(wrong, words):
    x = np.random.default_rng(5).normal(size=(40, 3))
    with pytest.raises(UsageError, match=words) as caught:
        LogisticRegression(CLEAR, **wrong).fit(x, (x[:, 0] > 0).astype(int))
    assert caught.value.hint


def test_layers_and_rows_must_be_some():
    x = np.random.default_rng(5).normal(size=(40, 3))
    for sizes in (4, (0,)):
        with pytest.raises(UsageError, match="hidden_layer_sizes"):
            MLPClassifier(CLEAR, hidden_layer_sizes=sizes).fit(x, (x[:, 0] > 0).astype(int))
    with pytest.raises(DataError, match="no rows"):
        LogisticRegression(CLEAR).fit(x[:0], np.empty(0))
