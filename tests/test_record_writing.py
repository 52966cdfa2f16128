"""A record is resumed, closed, never overwritten; what makes no line writes nothing."""

from datetime import timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moiety.agreement.record import Record, verify_record
from moiety.errors import InternalError, PolicyRefused, UsageError
from record_kit import (
    EVENTS,
    JOB,
    KEY,
    NOW,
    OTHER,
    path,  # noqa: F401 - fixtures
    quick,
    refused,
    scalars,
    write,
)


def test_resume_goes_on_where_the_record_stands(path):
    write(path, EVENTS[:2])
    with Record.resume(path, KEY) as record:
        assert record.head == verify_record(path).head
        record.append("closed", {}, NOW)
    summary = verify_record(path, KEY.public_key())
    assert [entry.event for entry in summary.entries] == [
        "opened",
        "proposal",
        "approval",
        "closed",
    ]


def test_resume_refuses_an_altered_record_and_a_foreign_key(path):
    write(path, EVENTS[:2])
    with pytest.raises(PolicyRefused, match="line 1 names the key"):
        Record.resume(path, OTHER)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PolicyRefused, match="line 3 is cut off") as error:
        Record.resume(path, KEY)
    size = int(error.value.hint.split()[-2])
    path.write_bytes(path.read_bytes()[:size])
    Record.resume(path, KEY).__exit__()


def test_a_closed_record_takes_no_more_events(path):
    with Record.resume(write(path), KEY) as record, pytest.raises(UsageError, match="no more"):
        record.append("result", {}, NOW)


def test_a_record_is_never_overwritten_and_has_one_writer(path):
    with Record.create(path, "payco", KEY, JOB, NOW):
        with pytest.raises(UsageError, match="cannot open"):
            Record.create(path, "payco", KEY, JOB, NOW)
        with pytest.raises(UsageError, match="another process is writing"):
            Record.resume(path, KEY)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_stops_the_record(path):
    record = Record.create(path, "payco", KEY, JOB, NOW)
    record._file.close()
    with open("/dev/full", "ab", buffering=0) as full:
        record._file = full
        with pytest.raises(UsageError, match="cannot write the record"):
            record.append("result", {}, NOW)
        assert full.closed
    assert verify_record(path).state == "open"


def test_unreadable_and_empty_files(path, tmp_path):
    for missing in (path, tmp_path):
        with pytest.raises(UsageError, match="cannot read the record"):
            verify_record(missing)
    assert "line 1 is missing" in refused(path, b"")


@quick
@given(st.dictionaries(st.text(), scalars, max_size=5))
def test_any_flat_body_comes_back_as_it_was(path, body):
    assume(
        all(
            value == value and abs(value) != float("inf")
            for value in body.values()
            if isinstance(value, float)
        )
    )
    assert dict(verify_record(write(path, [("result", body)])).entries[1].body) == body


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("Result", {}),
        ("", {}),
        ("result", {"nested": {}}),
        ("result", {"list": [1]}),
        ("result", {"not a number": float("nan")}),
        ("result", {"bytes": b"x"}),
        ("result", {"long": "x" * 70_000}),
    ],
)
def test_what_makes_no_line_is_our_fault_and_writes_nothing(path, event, body):
    with Record.create(path, "payco", KEY, JOB, NOW) as record:
        with pytest.raises(InternalError):
            record.append(event, body, NOW)
        record.append("closed", {}, NOW)
    assert verify_record(path).complete


def test_times_are_in_utc_and_need_a_zone(path):
    with Record.create(path, "payco", KEY, JOB, NOW) as record:
        with pytest.raises(InternalError, match="time zone"):
            record.append("result", {}, NOW.replace(tzinfo=None))
        record.append("closed", {}, NOW.astimezone(timezone(timedelta(hours=8))))
    entries = verify_record(path).entries
    assert entries[0].time == entries[1].time == "2026-11-23T17:22:00.000+00:00"


def test_repr_shows_no_key(path):
    with Record.create(path, "payco", KEY, JOB, NOW) as record:
        assert repr(record) == "Record(record.jsonl, 1 lines)"
