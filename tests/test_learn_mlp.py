"""Perceptrons among parties: the gradients that are meant, and on shares as in the clear."""

import numpy as np
import pytest

from learn_kit import (
    KINDS,
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
from moiety.function.runner import Owned, Secret
from moiety.learn.mlp import MLPClassifier, Network

SMALL = {"hidden_layer_sizes": (4,), "batch_size": 100, "max_iter": 2}
NETWORKS = {
    "relu": SMALL,
    "tanh": {**SMALL, "activation": "tanh"},
    "logistic": {**SMALL, "activation": "logistic", "momentum": 0.0},
    "two layers": {**SMALL, "hidden_layer_sizes": (4, 3)},
}
CURVES = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: z >= 0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
}


def by_hand(X, y, settings):
    """Plain back-propagation, written for itself."""
    sizes, activation = (X.shape[1], *settings["hidden_layer_sizes"]), settings.get("activation")
    curve, slope = CURVES[activation or "relu"]
    layers = list(Network(sizes, "relu").started(0).values())
    fast, momentum = [np.zeros_like(one) for one in layers], settings.get("momentum", 0.9)
    mixed = np.random.RandomState(0).permutation(len(X))
    X, y = X[mixed], y[mixed]
    for _ in range(settings["max_iter"]):
        for at in range(0, len(X) - 99, 100):
            values, before, rows = [X[at : at + 100]], [X], y[at : at + 100]
            for w, b in zip(layers[::2], layers[1::2], strict=True):
                before.append(values[-1] @ w + b)
                values.append(curve(before[-1]))
            delta = (1 / (1 + np.exp(-before[-1])) - rows[:, None]) / 100
            slopes = []
            for layer in reversed(range(len(sizes))):
                w, below = layers[2 * layer], values[layer]
                slopes = [below.T @ delta + 1e-4 * w, delta.sum(axis=0), *slopes]
                delta = (delta @ w.T) * slope(before[layer]) if layer else delta
            for one, speed, change in zip(layers, fast, slopes, strict=True):
                speed *= momentum
                speed += change
                one -= 0.1 * speed
    return layers


@pytest.mark.parametrize("name", NETWORKS)
def test_in_the_clear_it_is_back_propagation(name):
    X, y = sample()
    model = MLPClassifier(runner("clear"), **NETWORKS[name]).fit(X, y)
    for ours, theirs in zip(model.weights_.values(), by_hand(X, y, NETWORKS[name]), strict=True):
        assert np.allclose(opened(ours), theirs, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["vertical", "horizontal"])
def test_on_shares_it_is_as_in_the_clear(name, kind):
    columns, labels = divided(kind, *sample())
    models = [
        MLPClassifier(runner(one), **NETWORKS[name]).fit(columns, labels)
        for one in ("clear", "twin")
    ]
    for clear, secure in zip(*(model.weights_.values() for model in models), strict=True):
        assert np.abs(opened(clear) - opened(secure)).max() < 0.01
    events = [model.predict_proba(columns) for model in models]
    assert np.abs(events[0] - events[1]).max() < 0.005


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_is_not_linear(kind):
    rng = np.random.default_rng(1)
    X = rng.uniform(-2, 2, (400, 4))
    y = (X[:, 0] * X[:, 2] > 0).astype(np.int64)
    model = MLPClassifier(runner("clear"), max_iter=60, batch_size=100, hidden_layer_sizes=(12,))
    columns, labels = divided(kind, X, y)
    assert model.fit(columns, labels).score(columns, y) > 0.9


def test_every_layer_is_kept_as_shares():
    X, y = sample(120)
    model = MLPClassifier(runner(), **NETWORKS["two layers"]).fit(X, y)
    assert [one.shape for one in model.coefs_] == [(5, 4), (4, 3), (3, 1)]
    assert [one.shape for one in model.intercepts_] == [(4,), (3,), (1,)]
    assert all(isinstance(one, Secret) for one in model.weights_.values())


def test_an_activation_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="softplus"):
        MLPClassifier(runner(), activation="softplus").fit(*sample(60))


def test_values_that_would_not_fit_in_a_word_are_refused():
    model = MLPClassifier(runner("clear"), bound=4000.0, hidden_layer_sizes=(50, 50))
    with pytest.raises(UsageError, match="fit"):
        model.fit(*sample(600))


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_the_convergence_table_is_the_same_on_shares(epochs):
    _, y, train, test = credit()
    Z, train, test = standardised(), train[:1500], test[:1500]
    settings = {"hidden_layer_sizes": (8,), "batch_size": 300, "max_iter": epochs}
    aucs = [
        reached(
            MLPClassifier(runner(name), **settings).fit(thin(Z, train), Owned.of("bank", y[train])),
            thin(Z, test),
            y[test],
        )
        for name in ("clear", "twin")
    ]
    assert abs(aucs[0] - aucs[1]) < 0.003 and aucs[1] > 0.5
