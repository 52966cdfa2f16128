"""The shipped data set, and its division among two parties."""

import hashlib
import re

import numpy as np
import pyarrow.compute as pc
import pytest

from bins_kit import fit_bins
from moiety.data.credit import COLUMNS, LABEL, SPLITS, TABLE, load_credit, split_credit
from moiety.data.ids import normalise_id
from moiety.data.table import Table, load_schema
from moiety.errors import DataError


def ids(table):
    return [normalise_id(text) for text in table["id"].to_pylist()]


def test_the_file_is_the_one_attributed():
    data = TABLE.read_bytes()
    assert len(data) < 1_000_000
    assert hashlib.sha256(data).hexdigest() in TABLE.with_name("ATTRIBUTION.md").read_text()


def test_published_counts():
    table = load_credit()
    assert table.rows == 30_000 and table.names == COLUMNS and len(COLUMNS) == 23
    assert int(table.label.sum()) == 6_636
    assert np.bincount(table["sex"]).tolist() == [0, 11_888, 18_112]
    assert np.bincount(table["education"]).tolist() == [14, 10_585, 14_030, 4_917, 123, 280, 51]
    assert np.bincount(table["marriage"]).tolist() == [54, 13_659, 15_964, 323]
    assert int(table["limit_bal"].sum()) == 5_024_529_680
    assert (table["age"].min(), table["age"].max()) == (21, 79)
    first = [20000, 2, 2, 1, 24, 2, 2, -1, -1, -2, -2, 3913, 3102, 689, 0, 0, 0, 0, 689, 0, 0, 0, 0]
    assert [int(table[name][0]) for name in COLUMNS] == first and table.label[0] == 1


@pytest.mark.parametrize(
    ("split", "lenders"), [("thin", 5), ("bills", 11), ("strong", 7), ("fate", 13)]
)
def test_columns_are_divided(split, lenders):
    story = split_credit(split)
    assert len(SPLITS[split]) == lenders
    assert story.lender.column_names == ["id", *SPLITS[split], LABEL]
    assert story.applicants.column_names == story.lender.column_names
    assert sorted(story.payco.column_names[1:]) == sorted(set(COLUMNS) - set(SPLITS[split]))
    assert story.lender_columns == SPLITS[split]
    assert story.payco_columns == tuple(story.payco.column_names[1:])


@pytest.mark.parametrize("overlap", [0.05, 0.5, 0.8, 1.0])
def test_people_overlap_as_asked(overlap):
    story = split_credit("thin", overlap=overlap, seed=3)
    clients, applicants, customers = map(
        set, map(ids, (story.lender, story.applicants, story.payco))
    )
    assert len(clients | applicants | customers) == 30_000
    assert not clients & applicants
    lenders = clients | applicants
    assert len(lenders) == len(customers) == story.payco.num_rows
    common = lenders & customers
    assert len(common) == pytest.approx(overlap * len(customers), abs=2)
    assert len(applicants & common) == len(common) // 5
    assert len(applicants - common) == (len(lenders) - len(common)) // 5


def test_values_follow_the_person():
    story, whole = split_credit("bills", seed=7), load_credit()
    sides = {}
    for table in (story.lender, story.applicants, story.payco):
        names = table.column_names[1:]
        rows = zip(*(table[name].to_pylist() for name in names), strict=True)
        for person, row in zip(ids(table), rows, strict=True):
            sides.setdefault(person, {}).update(zip(names, row, strict=True))
    everyone = {name: whole[name] for name in COLUMNS} | {LABEL: whole.label}
    order = (*COLUMNS, LABEL)
    rows = {tuple(map(int, row)) for row in zip(*(everyone[n] for n in order), strict=True)}
    joined = [tuple(side[name] for name in order) for side in sides.values() if len(side) == 24]
    assert len(joined) == 20_000 and set(joined) <= rows


def test_orders_and_spellings_differ():
    story = split_credit("thin")
    lender, payco = story.lender["id"].to_pylist(), story.payco["id"].to_pylist()
    assert all(re.fullmatch(r"C-\d{8}", text) for text in lender)
    assert not set(lender) & set(payco)
    assert {normalise_id(text) for text in lender} & {normalise_id(text) for text in payco}
    kinds = {re.sub(r"\d", "0", text) if text.isascii() else "wide" for text in payco}
    assert len(kinds) == 4
    assert ids(story.lender) != sorted(ids(story.lender))
    place = {person: row for row, person in enumerate(ids(story.payco))}
    there = [place[person] for person in ids(story.lender) if person in place]
    assert abs(np.corrcoef(np.arange(len(there)), there)[0, 1]) < 0.05


def test_ids_do_not_tell_the_label_or_the_source_row():
    story = split_credit("thin")
    numbers = np.array([int(person[1:]) for person in ids(story.lender)])
    label = story.lender[LABEL].to_numpy()
    assert abs(np.corrcoef(numbers, label)[0, 1]) < 0.03
    assert abs(np.corrcoef(np.arange(len(label)), label)[0, 1]) < 0.03


def test_same_seed_same_story():
    one, same, other = (split_credit("fate", seed=seed) for seed in (1, 1, 2))
    assert one.lender.equals(same.lender) and one.payco.equals(same.payco)
    assert not one.lender.equals(other.lender)
    digest = hashlib.sha256("".join(ids(one.lender)).encode()).hexdigest()
    assert digest.startswith("9ee4483113e8bac4")


@pytest.mark.parametrize("split", SPLITS)
def test_files_load_through_their_schemas(tmp_path, split):
    story = split_credit(split)
    for name in ("lender", "applicants", "payco"):
        rows, path = getattr(story, name), tmp_path / f"{name}.parquet"
        schema = load_schema(story.write(rows, path))
        label = None if name == "payco" else LABEL
        loaded = Table.load(path, schema, id="id", label=label)
        assert loaded.rows == rows.num_rows and (loaded.label is None) == (label is None)
        assert loaded.names == (story.lender_columns if label else story.payco_columns)
        assert all(1 < bins.count <= 13 for bins in fit_bins(loaded, 10).values())
    assert 0.2 < pc.mean(story.applicants[LABEL]).as_py() < 0.25


@pytest.mark.parametrize(("split", "overlap"), [("rich", 0.8), ("thin", 0), ("thin", 1.1)])
def test_what_cannot_be_told(split, overlap):
    with pytest.raises(DataError):
        split_credit(split, overlap=overlap)
