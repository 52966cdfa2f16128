"""Reading a party's table: what is accepted, and that every refusal names rows and no values."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.data.schema import ColumnSpec, Schema, parse_schema
from moiety.data.table import Table, propose_schema
from moiety.errors import DataError

SCHEMA = parse_schema(
    """
[columns.age]
kind = "int"
lower = 18
upper = 100
unit = "years"

[columns.income]
kind = "float"
lower = 0
upper = 1e6
missing = true

[columns.home]
kind = "category"
levels = ["rented", "owned"]

[columns.member]
kind = "bool"
"""
)
GOOD = {
    "id": ["A-1", " b2 ", "007"],
    "age": [18, 44, 100],
    "income": [0.5, None, 1e6],
    "home": ["owned", "rented", "owned"],
    "member": [True, False, True],
    "bad": [0, 1, 0],
    "unread": ["x", "y", "z"],
}
WRITERS = {".csv": pcsv.write_csv, ".parquet": pq.write_table, ".arrow": feather.write_feather}


def write(folder: Path, ext: str = ".parquet", **changes) -> Path:
    path = folder / f"clients{ext}"
    WRITERS[ext](pa.table(GOOD | changes), str(path))
    return path


def load(path: Path, **options) -> Table:
    return Table.load(path, SCHEMA, **({"id": "id", "label": "bad"} | options))


@pytest.mark.parametrize("ext", WRITERS)
def test_same_table_from_each_format(tmp_path, ext):
    table = load(write(tmp_path, ext))
    assert table.ids.tolist() == ["a1", "b2", "007"]
    assert table.names == ("age", "income", "home", "member")
    assert table["age"].dtype == np.int64 and table["age"].tolist() == [18, 44, 100]
    np.testing.assert_array_equal(table["income"], [0.5, math.nan, 1e6])
    assert table["home"].tolist() == [1, 0, 1]
    assert table["member"].tolist() == [1, 0, 1]
    assert table.label.dtype == np.uint8 and table.label.tolist() == [0, 1, 0]
    assert table.rows == len(table) == 3


@pytest.mark.parametrize("ext", WRITERS)
def test_pieces_are_the_table_in_order(tmp_path, ext, monkeypatch):
    monkeypatch.setattr("moiety.data.read.PIECE", 2)
    path = write(tmp_path, ext)
    pieces, whole = list(Table.pieces(path, SCHEMA, id="id", label="bad")), load(path)
    assert [len(piece) for piece in pieces] == [2, 1]
    assert [one for piece in pieces for one in piece.ids.tolist()] == whole.ids.tolist()
    for name in whole.names:
        parts = np.concatenate([piece[name] for piece in pieces])
        np.testing.assert_array_equal(parts, whole[name])
    assert np.array_equal(np.concatenate([piece.label for piece in pieces]), whole.label)


def test_a_fault_in_a_later_piece_is_found_when_it_is_reached(tmp_path, monkeypatch):
    monkeypatch.setattr("moiety.data.read.PIECE", 2)
    pieces = Table.pieces(write(tmp_path, age=[18, 44, 101]), SCHEMA, id="id")
    assert len(next(pieces)) == 2
    with pytest.raises(DataError, match=r"after row 2, column 'age': above .* 1 of 1 rows \(1\)"):
        next(pieces)
    empty = write(tmp_path, **{name: pa.array([], pa.string()) for name in GOOD})
    with pytest.raises(DataError, match="has no rows"):
        next(Table.pieces(empty, SCHEMA, id="id"))


def test_encodings_of_arrow_are_seen_through(tmp_path):
    path = write(
        tmp_path,
        id=pa.array([1, 20, 3]),
        home=pa.array(["owned", "rented", "owned"]).dictionary_encode(),
        age=pa.array(["18", " 44", "1e2"], pa.large_string()),
        income=pa.array([1, 2, 3], pa.int16()),
    )
    table = load(path)
    assert table.ids.tolist() == ["1", "20", "3"]
    assert table["home"].tolist() == [1, 0, 1]
    assert table["age"].tolist() == [18, 44, 100]


@pytest.mark.parametrize("text", ["", "NA", " nan ", "NULL"])
def test_missing_texts(tmp_path, text):
    path = write(tmp_path, ".csv", income=["0.5", text, "1e3"])
    np.testing.assert_array_equal(load(path)["income"], [0.5, math.nan, 1000])


SECRET = 987654.25
FAULTS = {
    "above": ({"age": [18, 101, 44]}, r"'age': above the declared 100: 1 of 3 rows \(2\)"),
    "below": ({"age": [17, 44, 3]}, r"'age': below the declared 18: 2 of 3 rows \(1, 3\)"),
    "infinite": ({"income": [1.0, math.inf, 2.0]}, "'income': above the declared 1000000"),
    "missing": ({"age": [18, None, 44]}, r"'age': no value: 1 of 3 rows \(2\)"),
    "not a number": ({"age": [18.0, math.nan, 44.0]}, "'age': no value"),
    "not whole": ({"age": [18.0, 20.5, 44.0]}, r"'age': not whole: 1 of 3 rows \(2\)"),
    "words": ({"age": ["18", "Bob", "4x"]}, r"'age': not a number: 2 of 3 rows \(2, 3\)"),
    "dates": ({"age": pa.array([1, 2, 3], pa.date32())}, "'age': holds date32"),
    "level": ({"home": ["owned", "boat", "rented"]}, "'home': none of its 2 declared texts"),
    "level as number": ({"home": [0, 1, 1]}, "'home': holds int64"),
    "bool": ({"member": [0, 1, 2]}, "'member': above the declared 1"),
    "label": ({"bad": [0, 1, 2]}, "'bad': above the declared 1"),
    "label missing": ({"bad": [0, None, 1]}, "'bad': no value"),
    "same id": ({"id": ["A-1", "B2", " a1"]}, r"the same id twice.*: 2 of 3 rows \(1, 3\)"),
    "no id": ({"id": ["A1", None, "B"]}, r"no id: 1 of 3 rows \(2\)"),
    "id of dashes": ({"id": ["A1", "--", "B"]}, r"nothing left of the id.*\(2\)"),
    "id of floats": ({"id": [1.0, 2.0, 3.0]}, "ids are texts or whole numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_refusals_name_rows(tmp_path, fault):
    changes, message = FAULTS[fault]
    with pytest.raises(DataError, match=message):
        load(write(tmp_path, **changes))


@pytest.mark.parametrize("ext", WRITERS)
@pytest.mark.parametrize("column", ["age", "income", "home", "member", "bad"])
def test_no_value_in_any_refusal(tmp_path, ext, column):
    marked = "Secretname" if column == "home" else 1e6 + SECRET
    path = write(tmp_path, ext, **{column: [marked] * 3})
    with pytest.raises(DataError) as caught:
        load(path)
    shown = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert "Secret" not in shown and "654" not in shown


def test_broken_files(tmp_path):
    ragged = tmp_path / "ragged.csv"
    ragged.write_text("id,age\n1,Secretname,3\n")
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(write(tmp_path).read_bytes()[:-40])
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"id,age\nM\xfcller,3\n")
    for path in (ragged, torn, latin):
        with pytest.raises(DataError, match="cannot be read as") as caught:
            Table.load(path, SCHEMA.select(["age"]), id="id")
        assert "Secret" not in str(caught.value)
    with pytest.raises(DataError, match="there is no file"):
        load(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="cannot tell what"):
        load(Path(__file__))


def test_columns_must_be_there_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,age,age\n1,20,20\n")
    with pytest.raises(DataError, match="more than one column 'age'"):
        Table.load(path, SCHEMA.select(["age"]), id="id")
    with pytest.raises(DataError, match="no column 'key'") as caught:
        load(write(tmp_path), id="key")
    assert "age" in caught.value.hint


def test_empty_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,age\n")
    with pytest.raises(DataError, match="has no rows"):
        Table.load(path, SCHEMA.select(["age"]), id="id")


def test_repr_and_messages_hide_cells(tmp_path):
    table = load(write(tmp_path))
    assert repr(table) == "Table(clients: 3 rows, 4 columns, label)"


def test_take_and_select(tmp_path):
    table = load(write(tmp_path))
    part = table.select(["member", "age"]).take(np.array([2, 0]))
    assert part.names == ("member", "age") and part.ids.tolist() == ["007", "a1"]
    assert part["age"].tolist() == [100, 18] and part.label.tolist() == [0, 0]
    with pytest.raises(DataError, match="not declared: wage"):
        table.select(["wage"])
    with pytest.raises(DataError, match="not declared: wage"):
        table["wage"]


def test_csv_ids_keep_leading_zeros(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,age\n0042,20\n42,30\n")
    assert Table.load(path, SCHEMA.select(["age"]), id="id").ids.tolist() == ["0042", "42"]


def test_proposed_schema_reads_its_own_table(tmp_path):
    path = write(
        tmp_path,
        ".csv",
        age=[21, 44, 79],
        income=[-0.034, None, 12345.6],
        home=["owned", "rented", "owned"],
        unread=["x1", "y2", "z3"],
    )
    text = propose_schema(path)
    schema = parse_schema(text)
    assert '# Left out (an id, or free text): "id", "home", "unread"' in text
    assert schema.columns["age"] == ColumnSpec("age", "int", 20, 80)
    assert schema.columns["income"] == ColumnSpec("income", "float", -0.04, 20000, missing=True)
    assert schema.columns["member"].kind == schema.columns["bad"].kind == "bool"
    table = Table.load(path, schema, id="id", label="bad")
    assert table.names == ("age", "income", "member")


def test_proposed_levels(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "id,home,flag\n" + "a1,owned,True\nb2, rented,False\nc3,,False\nd4,owned,True\n"
    )
    schema = parse_schema(propose_schema(path))
    home = ColumnSpec("home", "category", 0, 1, missing=True, levels=("owned", "rented"))
    assert schema == Schema.of([home, ColumnSpec("flag", "bool", 0, 1)])
    np.testing.assert_array_equal(Table.load(path, schema, id="id")["home"], [0, 1, math.nan, 0])


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20))
def test_proposed_bounds_hold(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("p") / "t.parquet"
    pq.write_table(pa.table({"id": [str(row) for row in range(len(values))], "x": values}), path)
    Table.load(path, parse_schema(propose_schema(path)), id="id")
