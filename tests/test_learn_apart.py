"""Each party by itself: with its own data and the shapes of others', all run the same programs."""

import numpy as np
import pytest

from learn_kit import divided, sample
from moiety.function.runner import Owned, Secret
from moiety.function.signature import Kept
from moiety.lang.types import BIT
from moiety.learn import (
    BoostedTreesClassifier,
    Horizontal,
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    ScorecardClassifier,
)
from moiety.run.local import Clear
from moiety.run.preview import Preview
from remote_kit import among

PARTIES = ("payco", "bank", "union")
ESTIMATORS = {
    "linear": lambda run: LinearRegression(run, max_iter=2, receiver="bank"),
    "newton": lambda run: LogisticRegression(run, max_iter=2, receiver="bank"),
    "sgd": lambda run: LogisticRegression(run, solver="sgd", batch_size=30, max_iter=1),
    "perceptron": lambda run: MLPClassifier(run, hidden_layer_sizes=(3,), batch_size=30),
    "scorecard": lambda run: ScorecardClassifier(run, bins=6, max_iter=2),
    "trees": lambda run: BoostedTreesClassifier(run, bins=6, n_estimators=2, receiver="bank"),
    "orders": lambda run: BoostedTreesClassifier(run, bins=6, n_estimators=2, histogram="order"),
}


class Alone(Clear):
    """What one party sees of a run, but for the numbers: handles, and results that it is told."""

    def __init__(self, me):
        super().__init__(PARTIES)
        self.me = me

    def _run(self, compiled, arguments):
        for name, one in arguments.items():
            assert isinstance(one, Secret | Owned | np.ndarray), name
            if isinstance(one, Owned):
                assert (one.data is not None) == (one.owner == self.me), name
                if one.data is not None:
                    compiled.encode_one(name, one.data)
        return {name: self._result(compiled, name) for name in compiled.plan.outputs}

    def _result(self, compiled, name):
        type = compiled.plan.nodes[compiled.plan.outputs[name]].type
        result = compiled.function.signature.results[name]
        if isinstance(result, Kept):
            own = np.zeros(type.shape, np.uint8 if type.kind == BIT else np.uint64)
            return Secret(type, (own if self.me in PARTIES[:2] else None,))
        return np.zeros(type.shape) if result.receiver == self.me else None


def own(whole, me):
    """A partition with the data of one party only."""
    parts = [whole] if isinstance(whole, Owned) else whole.parts
    cut = {p.owner: Owned(p.owner, p.shape, p.data if p.owner == me else None) for p in parts}
    return cut[whole.owner] if isinstance(whole, Owned) else type(whole)(**cut)


def tables(name, kind):
    X, y = sample(90)
    if name in ("scorecard", "trees", "orders"):
        X = np.clip(np.floor(2 * X) + 3, 0, 5)
    columns, labels = divided(kind, X, y)
    if name == "orders" and kind == "horizontal":
        pair = {part.owner: part for part in columns.parts[:2]}
        labels = Horizontal(**{part.owner: part for part in labels.parts[:2]})
        columns = Horizontal(**pair)
    return columns, labels


@pytest.mark.parametrize("name", ["scorecard", "trees", "newton", "sgd", "perceptron"])
def test_all_parties_have_shares_of_the_same_model(name):
    columns, labels = tables(name, "vertical")
    shapes = []
    for me in PARTIES:
        model = ESTIMATORS[name](Alone(me)).fit(own(columns, me), own(labels, me)).model()
        shapes.append((model.shape, {key: one.type for key, one in model.arrays.items()}))
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("kind", ["vertical", "horizontal"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_takes_to_the_byte_what_its_preview_says(name, kind):
    """Rounds, bytes on each link and dealt bytes, of training and of a prediction."""
    columns, labels = tables(name, kind)

    def learn(runner, me):
        model = ESTIMATORS[name](runner).fit(own(columns, me), own(labels, me))
        if name == "perceptron":  # its shares for a job take one more call
            assert model.model("bank" if kind == "horizontal" else None).arrays
        return model.predict(own(columns, me))

    def meters(me):
        def play(runner):
            told = learn(runner, me)
            rows = [row.measured for row in runner.session.ledger] if me in PARTIES[:2] else []
            sums = [
                sum(getattr(row, key) for row in rows) for key in ("rounds", "sent", "received")
            ]
            return told, sums

        return play

    preview = Preview(PARTIES)
    assert learn(preview, "nobody") is None
    *parties, service = among(PARTIES, [meters(me) for me in PARTIES])
    totals = preview.totals
    assert [sums for _, sums in parties[:2]] == [
        [totals.rounds, totals.sent, totals.received],
        [totals.rounds, totals.received, totals.sent],
    ]
    assert service.dealt == totals.dealt > 0
    assert sum(told is not None for told, _ in parties) == 1
