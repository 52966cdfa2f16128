"""PrivateTransform keeps scikit-learn's contract, and refuses what does not fit with a sentence."""

import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from moiety.errors import DataError, PolicyRefused, UsageError
from moiety.transform import Guarantee, Ledger, PrivateTransform

SEED = bytes(range(16))
ANY = {"dimensions": 1, "bounds": (-1e3, 1e3), "outside": "cut"}
"""Settings for tables of any numbers and two columns, which the checks bring."""
ANEW = {
    name: "noise, or the seed, is drawn anew"
    for name in ("check_fit_idempotent", "check_estimators_pickle")
}
"""The checks that want the same twice."""
SKIPPED = {
    "check_pipeline_consistency",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
}
"""What scikit-learn does not check of an estimator that says that it draws."""


def checked(estimator, expected):
    found = check_estimator(estimator, expected_failed_checks=expected, on_skip=None)
    assert len(found) > 40
    return {one["check_name"] for one in found if one["status"] == "skipped"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["random", "pca"])
def test_it_keeps_the_contract_but_for_what_is_drawn_anew(method):
    assert checked(PrivateTransform(method=method, **ANY), ANEW) - SKIPPED <= {
        "check_array_api_input"
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["random", "pca"])
def test_without_noise_and_with_a_seed_it_keeps_all_of_the_contract(method):
    settings = {"epsilon": math.inf, "seed": SEED, "method": method, **ANY}
    assert checked(PrivateTransform(**settings), {}) <= {"check_array_api_input"}


def sample(rows=200, columns=5, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, columns))
    return x, (x[:, 0] - x[:, 1] > 0).astype(int)


def test_hyperparameters_are_stored_as_given_and_cloned():
    model = PrivateTransform(dimensions=2, bounds=([0, 0], [1, 2]), seed=SEED.hex())
    assert clone(model).get_params() == model.get_params()
    assert vars(model).keys() == model.get_params().keys()
    assert model.get_params()["seed"] is model.seed and SEED.hex() not in repr(Guarantee(1.0, 0.1))


@pytest.mark.parametrize("method", ["random", "pca", "supervised"])
def test_what_is_fitted_says_what_it_costs(method):
    x, y = sample()
    model = PrivateTransform(dimensions=3, method=method, share=0.4).fit(x, y)
    assert model.guarantee_.epsilon <= 3.0 and model.guarantee_.delta == 1e-6
    assert model.guarantee_.epsilon > 2.99
    whole = Guarantee.of(3.0, 1e-6).rho
    learned = 0.0 if method == "random" else 0.4 * whole
    assert model.learned_.rho == pytest.approx(learned)
    assert model.released_.rho == pytest.approx(whole - learned, rel=1e-3)
    assert model.projection_.shape == (5, 3)
    assert model.sigma_ == pytest.approx(math.sqrt(2 / model.released_.rho))
    points = model.transform(x)
    assert points.shape == (200, 3) and np.array_equal(
        points / model.step_, np.rint(points / model.step_)
    )
    assert model.get_feature_names_out().tolist() == [f"privatetransform{i}" for i in range(3)]


def test_owners_of_rows_with_one_seed_mean_the_same():
    x, _ = sample()
    one, other = (
        PrivateTransform(3, math.inf, seed=SEED).fit(x[part]) for part in (slice(9), slice(9, 99))
    )
    assert np.array_equal(one.projection_, other.projection_)
    assert np.array_equal(one.transform(x), other.transform(x))
    apart = PrivateTransform(3, math.inf).fit(x)
    assert not np.allclose(apart.projection_, one.projection_)


def test_bounds_are_declared_for_all_columns_or_each():
    x, _ = sample()
    lower, upper = np.arange(5.0), np.arange(5.0) + 2 + np.arange(5)
    moved = lower + (x + 1) / 2 * (upper - lower)
    settings = {"dimensions": 3, "epsilon": math.inf, "seed": SEED}
    plain = PrivateTransform(**settings).fit(x)
    shifted = PrivateTransform(**settings, bounds=(lower, upper)).fit(moved)
    assert np.abs(plain.transform(x) - shifted.transform(moved)).max() <= plain.step_
    fixed = PrivateTransform(**settings, bounds=([0, 0, 0, 0, 7], [1, 1, 1, 1, 7]))
    assert np.isfinite(fixed.fit_transform(np.array([[0, 1, 0.5, 1, 7]] * 2))).all()


def test_values_beyond_the_bounds_are_refused_or_cut():
    x, _ = sample()
    wide = x.copy()
    wide[3, 1] = 77.125
    with pytest.raises(UsageError, match="1 of 200 rows are out of bounds, in columns 1") as caught:
        PrivateTransform(3).fit(wide)
    assert "77" not in str(caught.value) and "outside" in caught.value.hint
    settings = {"dimensions": 3, "epsilon": math.inf, "seed": SEED, "outside": "cut"}
    cut = PrivateTransform(**settings).fit(x)
    assert np.array_equal(cut.transform(wide), cut.transform(np.clip(wide, -1, 1)))


def test_it_is_one_step_of_a_pipeline():
    x, y = sample(2000)
    settings = {"epsilon": 100.0, "method": "supervised", "clip": 2.0}
    pipeline = make_pipeline(PrivateTransform(3, **settings), LogisticRegression())
    assert pipeline.fit(x, y).score(x, y) > 0.75


def test_chunks_are_one_release():
    x, _ = sample()
    model = PrivateTransform(3, math.inf, seed=SEED).fit(x)
    found = list(model.stream(x[at : at + 64] for at in range(0, 200, 64)))
    assert [len(one) for one in found] == [64, 64, 64, 8]
    assert np.array_equal(np.concatenate(found), model.transform(x))


WRONG = {
    "no dimension": ({"dimensions": 0}, "dimensions = 0"),
    "half a dimension": ({"dimensions": 1.5}, "dimensions = 1.5"),
    "as many dimensions": ({"dimensions": 5}, "5 dimensions of a table with 5 feature"),
    "no clip": ({"clip": 0}, "clip = 0"),
    "an endless clip": ({"clip": math.inf}, "clip = inf"),
    "no epsilon": ({"epsilon": 0.0}, "epsilon is 0"),
    "no delta": ({"delta": 0.0}, "delta 0"),
    "another method": ({"method": "magic"}, "method = 'magic'"),
    "all of the budget": ({"method": "pca", "share": 1.0}, "share = 1.0"),
    "bounds upside down": ({"bounds": (1, -1)}, "no bounds"),
    "bounds of other columns": ({"bounds": ([0, 0], [1, 1])}, "no bounds"),
    "endless bounds": ({"bounds": (-math.inf, 1)}, "no bounds"),
    "one bound": ({"bounds": 3}, "no bounds"),
    "another outside": ({"outside": "wrap"}, "outside = 'wrap'"),
    "another seed": ({"seed": "secret"}, "seed is not as it should be"),
    "one direction of two labels": ({"method": "supervised", "dimensions": 1}, "dimensions = 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_parameters_that_mean_nothing_are_refused(name):
    wrong, words = WRONG[name]
    x, y = sample()
    with pytest.raises(UsageError, match=words) as caught:
        PrivateTransform(**{"dimensions": 2, **wrong}).fit(x, y)
    assert caught.value.hint and "secret" not in str(caught.value)


HOSTILE = {
    "texts": (lambda x: np.full(x.shape, "secret"), "not all are numbers"),
    "one dimension": (lambda x: x[:, 0], "Reshape your data"),
    "a missing value": (lambda x: np.where(x > 0.9, np.nan, x), "contains NaN"),
    "fewer columns": (lambda x: x[:, :3], "expecting 5 features"),
    "no rows": (lambda x: x[:0], "0 sample"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_that_does_not_fit_is_refused_and_not_shown(name):
    change, words = HOSTILE[name]
    x, _ = sample()
    model = PrivateTransform(3).fit(x)
    with pytest.raises(UsageError, match=words) as caught:
        model.transform(change(x))
    assert "secret" not in str(caught.value) and str(x[0, 0])[:6] not in str(caught.value)


def test_supervised_needs_labels_of_two_kinds():
    x, y = sample()
    model = PrivateTransform(3, method="supervised")
    with pytest.raises(UsageError, match="requires y"):
        model.fit(x)
    with pytest.raises(UsageError, match="199 labels for 200 rows"):
        model.fit(x, y[:-1])
    with pytest.raises(DataError, match="labels are 0 and 1"):
        model.fit(x, y + 1)


# ── with a ledger ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path, 4.5, 1e-6)


def test_everybody_is_charged_before_anything_is_drawn(ledger, monkeypatch):
    x, y = sample(20)
    ids = [f"person {i}" for i in range(20)]
    model = PrivateTransform(2, method="pca", ledger=ledger).fit(x, y, ids=ids)
    assert ledger.account().spent == pytest.approx(model.learned_.epsilon)
    model.transform(x, ids=ids)
    assert ledger.account().spent == pytest.approx(model.guarantee_.epsilon)
    model.transform(x, ids=ids)
    monkeypatch.setattr(type(model.mechanism_), "release", lambda *_: pytest.fail("drawn"))
    with pytest.raises(PolicyRefused, match="20 of 20 persons"):
        model.transform(x, ids=ids)
    assert len(ledger.account().releases) == 3


def test_with_a_ledger_rows_have_ids(ledger):
    x, _ = sample(20)
    model = PrivateTransform(2, ledger=ledger).fit(x)
    for wrong in (None, ["one"]):
        with pytest.raises(UsageError, match="ids for 20 rows") as caught:
            model.transform(x, ids=wrong)
        assert "ids=" in caught.value.hint
    with pytest.raises(UsageError, match="ids for 20 rows"):
        clone(model).set_params(method="pca").fit(x)
    with pytest.raises(UsageError, match="no ids"):
        next(model.stream([x]))
    assert not ledger.account().releases


def test_a_stream_has_no_more_rows_than_were_charged(ledger):
    x, _ = sample(20)
    model = PrivateTransform(2, ledger=ledger).fit(x)
    chunks = model.stream([x[:12], x[12:]], ids=[str(i) for i in range(12)])
    assert len(next(chunks)) == 12 and ledger.account().persons == 12
    with pytest.raises(UsageError, match="more rows than the 12 persons"):
        next(chunks)


def test_rows_that_do_not_fit_cost_nothing(ledger):
    x, _ = sample(20)
    model = PrivateTransform(2, ledger=ledger).fit(x)
    with pytest.raises(UsageError, match="out of bounds"):
        model.transform(2 * x, ids=[str(i) for i in range(20)])
    assert not ledger.account().releases


def test_nothing_is_released_without_noise_where_a_ledger_is(ledger):
    x, _ = sample(20)
    model = PrivateTransform(2, math.inf, ledger=ledger).fit(x)
    with pytest.raises(PolicyRefused, match="epsilon inf"):
        model.transform(x, ids=[str(i) for i in range(20)])
