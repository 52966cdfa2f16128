"""Models on numbers as the shares that their programs of prediction take."""

import numpy as np
import pytest

from learn_kit import PARTIES, divided, runner, sample, scored
from moiety.errors import UsageError
from moiety.function.runner import Owned
from moiety.learn import LogisticRegression, MLPClassifier, Vertical
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import SCORE_BITS

MODELS = {
    "newton": lambda run, **more: LogisticRegression(run, max_iter=3, **more),
    "sgd": lambda run, **more: LogisticRegression(
        run, solver="sgd", batch_size=60, max_iter=2, **more
    ),
    "perceptron": lambda run, **more: MLPClassifier(
        run, hidden_layer_sizes=(3,), batch_size=60, max_iter=2, **more
    ),
}
NEAR = 2.0 ** -(SCORE_BITS + 1) + 2e-3
"""Rounding of the score, and of numbers and weights before it."""


@pytest.mark.parametrize("name", MODELS)
def test_owners_of_columns_are_told_what_the_estimator_tells(name):
    X, y = sample()
    columns, labels = divided("vertical", X, y)
    model = MODELS[name](runner()).fit(columns, labels)
    score = scored(model, len(X), 0, own={1: X[:, :2], 0: X[:, 2:]})
    assert np.abs(score - model.decision_function(columns)).max() <= NEAR


@pytest.mark.parametrize("name", MODELS)
def test_a_model_on_rows_scores_the_rows_of_either_party(name):
    X, y = sample()
    model = MODELS[name](runner()).fit(*divided("horizontal", X, y))
    for party, owner in enumerate(PARTIES[:2]):
        score = scored(model, len(X), 1, owner, {party: X})
        assert np.abs(score - model.decision_function(X)).max() <= NEAR


@pytest.mark.parametrize("name", MODELS)
def test_its_shape_and_its_shares_are_what_the_program_declares(name):
    columns, labels = divided("vertical", *sample(60))
    shared = MODELS[name](runner()).fit(columns, labels).model()
    kind, hidden = ("perceptron", 3) if name == "perceptron" else ("logistic", 0)
    ones, none = ((1, 1, 1), (1, 1)), ((False,) * 3, (False,) * 2)
    assert shared.shape == PublicShape(kind, ones, none, hidden=hidden, clip=4)
    assert PublicShape.from_fields(shared.shape.to_fields()) == shared.shape
    inputs = shared.shape.program(1, 0).inputs
    for key, secret in shared.arrays.items():
        due, given = inputs[key], secret.type
        assert (given.shape, given.kind) == (due.shape, due.kind), key
        assert due.lo <= given.lo and given.hi <= due.hi, key


REFUSED = {
    "newton": [({"bound": 9.0}, "weights of up to"), ({"clip": 2.5}, "±2.5")],
    "sgd": [({"bound": 200.0}, "weights of up to")],
    "perceptron": [
        ({"activation": "tanh"}, "1 layers of tanh"),
        ({"bound": 5.0}, "weights of up to 5"),
        ({"clip": 3.5}, "±3.5"),
    ],
}


@pytest.mark.parametrize(
    ("name", "more", "words"), [(n, *c) for n, cs in REFUSED.items() for c in cs]
)
def test_what_a_score_has_no_room_for_is_refused(name, more, words):
    model = MODELS[name](runner("clear"), **more).fit(*divided("vertical", *sample(60)))
    with pytest.raises(UsageError, match=words) as caught:
        model.model()
    assert "a score" in caught.value.hint


def test_two_layers_are_refused_and_so_is_a_party_that_does_not_compute():
    X, y = sample(60)
    deep = MLPClassifier(runner("clear"), hidden_layer_sizes=(3, 2), batch_size=30, max_iter=1)
    with pytest.raises(UsageError, match="2 layers of relu"):
        deep.fit(*divided("vertical", X, y)).model()
    for name in MODELS:
        model = MODELS[name](runner("clear")).fit(*divided("three columns", X, y))
        with pytest.raises(UsageError, match="union has columns"):
            model.model()


def test_a_logit_beyond_16_is_cut_and_nobody_is_told():
    """Classes that one column tells apart: weights grow, and so does a logit far outside."""
    rng = np.random.default_rng(2)
    x = np.where(rng.random(200) < 0.5, -1.0, 1.0)
    table = Vertical(bank=x[:, None], payco=rng.normal(size=(200, 1)))
    labels = Owned.of("bank", (x > 0).astype(np.int64))
    model = LogisticRegression(runner(), max_iter=60, C=1e6).fit(table, labels)
    far = np.array([[4.0], [-4.0], [0.0]])
    exact = model.decision_function(Vertical(bank=far, payco=np.zeros((3, 1))))
    assert np.abs(exact[:2]).min() > 17
    score = scored(model, 3, 0, own={0: far, 1: np.zeros((3, 1))})
    assert score[:2].tolist() == [16.0, -16.0] and abs(score[2] - exact[2]) <= NEAR
