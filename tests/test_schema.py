"""What may be declared of columns, and how ids are written alike."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.data.ids import normalise_id
from moiety.data.schema import ColumnSpec, Schema, load_schema, parse_schema
from moiety.errors import DataError


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise_id(text)
    assert normalise_id(once) == once
    assert normalise_id(f" {text}\t") == once


@given(st.from_regex(r"[A-Z][0-9]{8}", fullmatch=True), st.integers(0, 9))
def test_spellings_of_one_id(text, at):
    head, tail = text[:at], text[at:]
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in text)
    for spelling in (text.lower(), f" {head}-{tail} ", f"{head}\u2013\u00a0{tail}", wide):
        assert normalise_id(spelling) == text.lower()


def test_what_normalising_keeps():
    assert normalise_id("A.1/2_3") == "a.1/2_3"
    assert normalise_id("0042") != normalise_id("42")
    assert normalise_id("STRASSE") == normalise_id("straße")
    assert normalise_id("Jose\u0301") == normalise_id(unicodedata.normalize("NFC", "JOSE\u0301"))
    assert normalise_id(" A-1", "exact") == " A-1"
    with pytest.raises(DataError, match="no id rule"):
        normalise_id("1", "soundex")


numbers = st.floats(-1e15, 1e15)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=20)


@given(st.data())
def test_schema_survives_toml(data):
    whole = data.draw(st.booleans())
    bounds = st.integers(-(2**53), 2**53).map(float) if whole else numbers
    lower, upper = sorted([data.draw(bounds), data.draw(bounds)])
    name, unit = data.draw(texts), data.draw(texts)
    spec = ColumnSpec(
        name, "int" if whole else "float", lower, upper, unit, data.draw(st.booleans())
    )
    levels = tuple({f"<{text}>" for text in data.draw(st.lists(texts, min_size=1))})
    home = ColumnSpec(f"{name}.", "category", 0, len(levels) - 1, levels=levels)
    assert parse_schema(Schema.of([spec, home]).to_toml()) == Schema.of([spec, home])


BAD_SCHEMAS = {
    "kind = 'text'": "kind is 'text'",
    "kind = 'int'": "needs lower ≤ upper",
    "kind = 'int'\nlower = 2\nupper = 1": "needs lower ≤ upper",
    "kind = 'float'\nlower = 0\nupper = inf": "needs lower ≤ upper",
    "kind = 'float'\nlower = nan\nupper = 1": "needs lower ≤ upper",
    f"kind = 'int'\nlower = 0\nupper = {10**400}": "needs lower ≤ upper",
    "kind = 'int'\nlower = true\nupper = 3": "needs lower ≤ upper",
    "kind = 'int'\nlower = 0.5\nupper = 3": "whole numbers",
    "kind = 'bool'\nlower = 0\nupper = 2": "the bounds of a bool",
    "kind = 'int'\nlower = 0\nupper = 3\nmax = 4": "unknown max",
    "kind = 'int'\nlower = 0\nupper = 3\nlevels = ['a']": "only a category",
    "kind = 'category'\nlevels = ['a', 'a']": "different texts",
    "kind = 'category'\nlevels = [1, 2]": "different texts",
    "kind = 'category'\nlevels = ['a', 'NA']": "reads as missing",
    "kind = 'category'\nlevels = ['a', 'b']\nlower = 0\nupper = 1": "take the place",
    "kind = 'int'\nlower = 0\nupper = 3\nmissing = 'no'": "missing is true or false",
}


@pytest.mark.parametrize("body", BAD_SCHEMAS)
def test_schemas_refused(body):
    with pytest.raises(DataError, match=BAD_SCHEMAS[body]):
        parse_schema(f"[columns.x]\n{body}")


@pytest.mark.parametrize("text", ["", "x = 1", "[columns]", "[columns]\nx = 1", "columns = ["])
def test_not_a_schema(tmp_path, text):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(DataError):
        load_schema(path)
    with pytest.raises(DataError, match="cannot read"):
        load_schema(tmp_path / "absent.toml")
