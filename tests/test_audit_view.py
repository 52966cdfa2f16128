"""Findings say what was found; a view reads back as it was recorded, or is refused."""

import json
import math
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.audit import Finding, Recorder, View
from moiety.audit.view import MAGIC
from moiety.errors import DataError, InternalError, UsageError

names = st.text(max_size=20)
noted = st.lists(st.tuples(names, names, names, st.binary(max_size=300)), max_size=8)


def finding(value=0.6, interval=(0.55, 0.65), guess=0.5):
    return Finding("linkage", "scores", "AUC", value, guess, interval, 1000)


def test_a_finding_leaks_if_its_interval_lies_above_the_guess():
    assert finding().leaks and not finding(interval=(0.5, 0.7)).leaks
    assert not finding(0.4, (0.3, 0.45)).leaks


def test_a_finding_is_a_sentence_and_json():
    sentence = finding().sentence
    for said in ("linkage", "scores", "AUC 0.6", "0.55 to 0.65", "0.5", "1,000", "it leaks"):
        assert said in sentence
    assert "no leak was found" in finding(interval=(0.4, 0.7)).sentence
    shown = json.loads(json.dumps(finding(interval=(0.55, math.inf)).to_dict(), allow_nan=False))
    assert shown["interval"] == [0.55, None] and shown["leaks"] and shown["trials"] == 1000


@pytest.mark.parametrize("wrong", [{"value": 0.9}, {"value": math.nan}, {"guess": math.inf}])
def test_what_is_no_finding(wrong):
    with pytest.raises(InternalError):
        finding(**wrong)


@given(noted)
def test_what_is_noted_is_read_back(tmp_path_factory, messages):
    path = tmp_path_factory.mktemp("views") / "one.view"
    with Recorder(path) as recorder:
        for step, sender, kind, payload in messages:
            recorder.note(step, sender, payload, kind=kind)
            assert View.read(path).messages[-1].payload == payload
    view = View.read(path)
    assert [(m.step, m.sender, m.kind, m.payload) for m in view] == messages
    assert view.payloads == [payload for *_, payload in messages] and len(view) == len(messages)


@pytest.fixture
def path(tmp_path):
    with Recorder(tmp_path / "a.view") as recorder:
        recorder.note("alignment", "payco", bytearray(b"blinded"), kind="ALIGN")
        recorder.note("training", "payco", memoryview(b"masked"))
        recorder.note("training", "dealer", b"")
    return tmp_path / "a.view"


def test_messages_are_chosen_by_what_they_are(path):
    view = View.read(path)
    assert view.only(step="training").payloads == [b"masked", b""]
    assert view.only(step="training", sender="payco").payloads == [b"masked"]
    assert view.only(kind="message").payloads == [b"masked", b""]
    assert len(view.only(sender="nobody")) == 0


def test_a_view_is_its_owners_and_is_never_overwritten(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="exists"):
        Recorder(path)
    with pytest.raises(UsageError, match="No such"):
        Recorder(path.parent / "nowhere" / "a.view")


def test_no_repr_shows_a_payload(path):
    with Recorder(path.with_name("b.view")) as recorder:
        recorder.note("training", "payco", b"masked")
        view = View.read(path)
        shown = repr([view, list(view), recorder])
    assert "masked" not in shown and "3 messages" in shown and "1 messages" in shown


def test_a_closed_recorder_and_long_names_are_refused(path):
    recorder = Recorder(path.with_name("b.view"))
    with pytest.raises(UsageError, match="step, sender"):
        recorder.note("step" * 2000, "payco", b"")
    recorder.close()
    recorder.close()
    with pytest.raises(UsageError, match="closed"):
        recorder.note("training", "payco", b"")
    assert len(View.read(path.with_name("b.view"))) == 0


def test_every_cut_is_found_and_says_what_is_whole(path):
    data = path.read_bytes()
    whole = [len(MAGIC)]
    for message in View.read(path):
        header = int.from_bytes(data[whole[-1] : whole[-1] + 4], "little")
        whole.append(whole[-1] + 4 + header + message.size)
    assert whole[-1] == len(data)
    for size in range(len(MAGIC), len(data)):
        path.write_bytes(data[:size])
        if size in whole:
            assert len(View.read(path)) == whole.index(size)
            continue
        with pytest.raises(DataError) as refused:
            View.read(path)
        kept = max(end for end in whole if end < size)
        assert f"truncate -s {kept} " in refused.value.hint


def test_other_files_are_refused(path):
    with pytest.raises(UsageError, match="cannot read"):
        View.read(path.with_name("none"))
    data = path.read_bytes()
    broken = [b"", b"PK", data[1:], data[:20] + b"\xff" + data[21:]]
    broken += [data[: len(MAGIC)] + b"\xff\xff\xff\xff" + data[len(MAGIC) + 4 :]]
    for one in broken:
        path.write_bytes(one)
        with pytest.raises(DataError):
            View.read(path)
