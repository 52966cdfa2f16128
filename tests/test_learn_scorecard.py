"""A scorecard trained among parties: scikit-learn's, in the clear and on shares; then scored."""

import numpy as np
import pytest

import moiety
from learn_kit import KINDS, PARTIES, divided, opened, reached, runner, scored
from moiety import From, Kept, Results
from moiety.errors import DataError, UsageError
from moiety.learn import evidence as evidence_module
from moiety.learn.binned import bring_bins
from moiety.learn.columns import Columns
from moiety.learn.evidence import card_weights, evidence
from moiety.learn.metrics import auc
from moiety.learn.partition import labels as labelled
from moiety.learn.partition import table
from moiety.learn.program import begun, bring
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import LOGIT_BOUND, SCORE_BITS
from moiety.learn.scorecard import fit_scorecard
from moiety.learn.scorecard_mpc import ScorecardClassifier

COUNTS = (3, 2, 5, 4, 6)


def sample(rows=400, seed=4, counts=COUNTS):
    """Codes of five columns, one bin of the first one empty, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, count, rows) for count in counts])
    codes[:, 0] = np.minimum(codes[:, 0], counts[0] - 2)
    effect = codes @ np.array([0.9, -0.7, 0.4, -0.2, 0.1]) - 0.8
    return codes, (rng.uniform(size=rows) < 1 / (1 + np.exp(-effect))).astype(np.int64)


def reference(codes, y, counts=COUNTS, **settings):
    names = [f"c{at}" for at in range(codes.shape[1])]
    columns = {name: codes[:, at].astype(np.uint8) for at, name in enumerate(names)}
    card = fit_scorecard(columns, dict(zip(names, counts, strict=True)), y, **settings)
    return card, card.logit(columns)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["clear", "twin"])
def test_weights_of_evidence_are_those_of_the_table(kind, name):
    codes, y = sample()
    card, _ = reference(codes, y)
    run, columns = runner(name), Columns(COUNTS)
    parts, labels = divided(kind, codes, y)
    whole = table(run, parts)
    x = bring_bins(run, whole, columns)
    event = bring(run, labelled(run, whole, labels), "y", (0, 1), int)
    function = evidence(PARTIES, x.layout, event.layout, columns, 0.5)
    found = opened(run.call(function, **x.given, **event.given)["woe"])
    woe = np.concatenate([one.woe for one in card.tables.values()])
    assert np.abs(found - woe).max() < 1e-4 and found[COUNTS[0] - 1] == 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [1.0, 0.01])
def test_in_the_clear_it_is_scikit_learns(kind, c):
    codes, y = sample()
    _, logit = reference(codes, y, c=c)
    columns, labels = divided(kind, codes, y)
    model = ScorecardClassifier(runner("clear"), bins=COUNTS, C=c, max_iter=40)
    assert np.abs(model.fit(columns, labels).decision_function(columns) - logit).max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_on_shares_it_is_as_in_the_clear(kind):
    columns, labels = divided(kind, *sample())
    models = [
        ScorecardClassifier(runner(name), bins=COUNTS).fit(columns, labels)
        for name in ("clear", "twin")
    ]
    weights = [opened(model.weights_) for model in models]
    assert np.abs(weights[0] - weights[1]).max() < 0.005 < np.abs(weights[0]).max()


def test_its_shares_are_scored_by_the_program_that_scores_an_enclaves_model():
    codes, y = sample()
    columns, labels = divided("vertical", codes, y)
    model = ScorecardClassifier(runner(), bins=COUNTS).fit(columns, labels)
    score = scored(model, len(codes), 0, own={1: codes[:, :2], 0: codes[:, 2:]})
    assert np.abs(score - model.decision_function(columns)).max() <= 2**-SCORE_BITS
    assert model.model().shape == PublicShape(
        "scorecard", (COUNTS[2:], COUNTS[:2]), ((False,) * 3, (False,) * 2)
    )


def test_a_scorecard_on_rows_scores_the_rows_of_either_party():
    codes, y = sample()
    model = ScorecardClassifier(runner(), bins=COUNTS).fit(*divided("horizontal", codes, y))
    for party, owner in enumerate(("bank", "payco")):
        score = scored(model, len(codes), 1, owner, {party: codes})
        assert np.abs(score - model.decision_function(codes)).max() <= 2**-SCORE_BITS


def test_a_party_that_does_not_compute_has_no_part_in_that_program():
    model = ScorecardClassifier(runner("clear"), bins=COUNTS, max_iter=1)
    model.fit(*divided("three columns", *sample()))
    with pytest.raises(UsageError, match="union has columns"):
        model.model()


def positive(run, values):
    """Scales that are known to be positive, as those of columns are."""

    @moiety.secure
    def begin(x: From("public", low=0, high=2)) -> Results(x=Kept()):
        return {"x": x}

    return run.call(begin, x=values)["x"]


@pytest.mark.parametrize("name", ["clear", "twin"])
@pytest.mark.parametrize(("largest", "fit"), [(7.4, True), (7.6, False), (-7.6, False)])
def test_whether_a_logit_could_be_too_large_is_one_bit_for_both(name, largest, fit):
    run, columns = runner(name), Columns((2, 3))
    w, one = begun(run, np.array([1.0, -1.0, -2.0]), 8.0), positive(run, np.ones(3))
    woe = begun(run, np.array([largest, 0.5, 0.1, -0.2, 6.5]), 8.0)
    found = run.call(card_weights(PARTIES, columns, 8.0), w=w, scale=one, woe=woe)
    assert bool(found["first"]) == bool(found["second"]) == (not fit)


@pytest.mark.parametrize("name", ["clear", "twin"])
def test_a_scorecard_whose_logits_could_be_too_large_is_refused(name, monkeypatch):
    monkeypatch.setattr(evidence_module, "LOGIT_BOUND", 1)
    model = ScorecardClassifier(runner(name), bins=COUNTS, bound=7.5)
    with pytest.raises(DataError, match=str(LOGIT_BOUND)) as caught:
        model.fit(*divided("vertical", *sample()))
    assert "outcome itself" in caught.value.hint


HOSTILE = {
    "half a code": (lambda codes: codes + 0.5, "whole numbers"),
    "below 0": (lambda codes: codes - 1, "whole numbers"),
    "beyond the bins": (lambda codes: codes + 4, "column's count"),
    "missing": (lambda codes: np.where(codes > 3, np.nan, codes), "whole numbers"),
    "texts": (lambda codes: codes.astype(str), "whole numbers"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_are_no_codes_is_refused(name):
    change, match = HOSTILE[name]
    codes, y = sample(60)
    with pytest.raises(DataError, match=match):
        ScorecardClassifier(runner("clear"), bins=COUNTS).fit(change(codes), y)
    with pytest.raises(DataError, match="columns"):
        ScorecardClassifier(runner("clear"), bins=(3, 2)).fit(codes, y)


def test_programs_are_made_once_for_all_fits():
    codes, y = sample(60)
    model = ScorecardClassifier(runner("clear"), bins=COUNTS, max_iter=1).fit(codes, y)
    before = evidence.cache_info().misses, len(model.runner._plans)
    model.fit(codes, y)
    assert (evidence.cache_info().misses, len(model.runner._plans)) == before


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
def test_the_convergence_table_is_the_same_on_shares(steps):
    codes, y = sample(500)
    _, logit = reference(codes, y)
    columns, labels = divided("vertical", codes, y)
    aucs = [
        reached(
            ScorecardClassifier(runner(name), bins=COUNTS, max_iter=steps).fit(columns, labels),
            columns,
            y,
        )
        for name in ("clear", "twin")
    ]
    assert abs(aucs[0] - aucs[1]) < 1e-3
    assert abs(aucs[1] - auc(y, logit)) < (0.001 if steps > 2 else 0.02)
