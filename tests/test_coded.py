"""A party's columns as its job's model takes them, kept with the model, and read back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from moiety.agreement.model import Model
from moiety.data.bins import Bins
from moiety.data.codings import from_dict, to_dict
from moiety.data.scales import Levels, Scale
from moiety.data.schema import ColumnSpec, Schema
from moiety.data.table import Table
from moiety.errors import DataError
from moiety.party.coded import Coded, coded, recoded
from party_kit import job

SPECS = (
    ColumnSpec("income", "float", 0, 1e6, missing=True),
    ColumnSpec("age", "int", 18, 100),
    ColumnSpec("home", "category", 0, 2, levels=("rent", "own", "kin")),
    ColumnSpec("known", "bool", 0, 1),
)


def table(rows=50, specs=SPECS, seed=1):
    rng = np.random.default_rng(seed)
    income = np.where(rng.random(rows) < 0.2, np.nan, rng.lognormal(8, 1, rows))
    columns = {
        "income": income,
        "age": rng.integers(18, 90, rows),
        "home": rng.integers(0, 3, rows),
        "known": rng.integers(0, 2, rows),
    }
    label = rng.integers(0, 2, rows).astype(np.uint8)
    return Table("t", Schema.of(specs), np.arange(rows).astype(str), columns, label)


def job_of(kind, **more):
    return replace(job(), model=Model(kind, training="mpc", bins=10, clip=4, **more))


def horizontal(kind, **agreed):
    return job_of(kind, partition="horizontal", **agreed)


def whole(specs=SPECS):
    """The table without a column that may have gaps."""
    return table(specs=(replace(specs[0], missing=False), *specs[1:]), seed=2).select(
        ["age", "home", "known"]
    )


def test_bins_or_numbers_as_the_kind_takes_them():
    own = coded(job_of("scorecard"), table())
    assert {type(one) for one in own.codings.values()} == {Bins}
    assert all(codes.shape == (50,) for codes in own.codes.values())
    own = coded(job_of("logistic"), table())
    assert [type(one) for one in own.codings.values()] == [Scale, Scale, Levels, Scale]
    assert own.counts == (2, 1, 3, 1) and own.missing == (True, False, False, False)
    assert own.rows == 50 and own.table().shape == (50, 7)
    assert np.array_equal(own.table()[:, 3:6], np.eye(3)[table()["home"]])


def test_applicants_are_read_as_training_rows_were():
    own, new = coded(job_of("perceptron"), table()), table(9, seed=7)
    again = own.recode(new)
    income = own.codings["income"]
    assert np.array_equal(again.codes["income"], income.codes(new["income"]))
    assert again.counts == own.counts and again.codings is own.codings
    assert abs(np.nanmean(new["income"]) - income.centre) > 1
    assert np.array_equal(recoded(own.codings, new).table(), again.table())


@pytest.mark.parametrize("kind", ["scorecard", "logistic"])
def test_codings_are_kept_as_json(kind):
    own = coded(job_of(kind), table())
    kept = json.loads(json.dumps(to_dict(own.codings)))
    assert from_dict(kept) == own.codings
    assert list(from_dict(kept)) == ["income", "age", "home", "known"]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"a": 1}',
        '{"a": {"centre": 0.0, "unit": 1.0, "missing": false}}',
        '{"a": {"kind": "magic"}}',
        '{"a": {"kind": ["scale"]}}',
        '{"a": {"kind": "scale", "centre": 0.0}}',
        '{"a": {"kind": "levels", "edges": [2, 1]}}',
    ],
)
def test_what_is_no_codings_is_refused(text):
    with pytest.raises(DataError):
        from_dict(json.loads(text))


def test_levels_in_another_order_would_be_misread_and_are_refused():
    turned = replace(SPECS[2], levels=("own", "rent", "kin"))
    for kind in ("logistic", "scorecard"):
        own = coded(job_of(kind), table())
        with pytest.raises(DataError, match="home has other levels"):
            own.recode(table(specs=(*SPECS[:2], turned, SPECS[3])))


def test_owners_of_rows_code_as_the_job_says():
    agreed = {"scales": {"age": (40.0, 10.0), "known": (0.0, 1.0)}, "edges": {"home": (1.0, 2.0)}}
    own = coded(horizontal("logistic", **agreed), whole())
    assert own.counts == (1, 3, 1)
    assert np.array_equal(own.codes["age"][:, 0], (whole()["age"] - 40) / 10)
    edges = {"age": (30.0, 50.0), "home": (1.0,), "known": (1.0,)}
    own = coded(horizontal("trees", edges=edges), whole())
    assert own.counts == (3, 2, 2)


def test_what_cannot_be_agreed_on_is_refused():
    with pytest.raises(DataError, match="home is a category"):
        coded(horizontal("logistic", scales={"home": (0.0, 1.0)}), table().select(["home"]))
    with pytest.raises(DataError, match="income may have missing values"):
        coded(horizontal("logistic", scales={"income": (0.0, 1.0)}), table().select(["income"]))
    with pytest.raises(DataError, match="income may have missing values"):
        coded(horizontal("logistic", edges={"income": (5.0,)}), table().select(["income"]))


def test_a_kept_coding_of_another_column_is_refused():
    own = coded(job_of("logistic"), table())
    with pytest.raises(DataError, match="not declared"):
        recoded(own.codings, whole())


def test_coded_columns_do_not_show_in_a_repr():
    own = coded(job_of("logistic"), table())
    assert repr(own) == "Coded(4 columns)" and "Coded(0 columns)" == repr(Coded({}, own.codes))
    assert to_dict(own.codings)["age"]["kind"] == "scale"
