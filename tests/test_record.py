"""A record of a job: what was signed in order is found whole; anything else is refused by line."""

import base64
import hashlib
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moiety.agreement.record import verify_record
from moiety.agreement.record_line import Entry, parse_line
from moiety.agreement.signing import public_text
from moiety.errors import ConfigError, PolicyRefused
from record_kit import (  # noqa: F401 - fixtures
    EVENTS,
    JOB,
    KEY,
    OTHER,
    TIME,
    lines,
    path,
    quick,
    refused,
    write,
)


def test_a_finished_record_says_what_happened(path):
    summary = verify_record(write(path), KEY.public_key())
    assert (summary.party, summary.job_hash, summary.state) == ("payco", JOB.hex(), "complete")
    assert summary.public_key == public_text(KEY.public_key())
    assert [(entry.event, dict(entry.body)) for entry in summary.entries[1:]] == list(EVENTS)
    assert summary.entries[1].time == "2026-11-23T17:23:00.000+00:00"


def test_the_form_of_a_line_is_fixed(lines):
    first = json.loads(lines[0])
    assert first["body"] == {
        "format": "moiety record 1",
        "party": "payco",
        "key": "ed25519:A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
        "job": JOB.hex(),
    }
    assert first["previous"] == "0" * 64
    assert lines[2].startswith(b'{"body":{"by":"payco","rows":4800},"event":"approval","previous"')
    assert all(line.isascii() for line in lines)


def test_the_signature_can_be_checked_by_anybody(lines):
    for line in lines:
        fields = json.loads(line)
        signature = base64.b64decode(fields.pop("signature"))
        unsigned = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(b"moiety record line v1\0" + unsigned).digest()
        KEY.public_key().verify(signature, digest)


def test_removed_and_moved_lines_are_called_so(path, lines):
    said = "was signed as line 4: lines were removed, inserted or moved"
    assert f"line 3 {said}" in refused(path, b"".join(lines[:2] + lines[3:]))
    assert f"line 5 {said}" in refused(path, b"".join(lines[:4] + lines[3:]))


def test_the_summary_is_ready_for_people_and_machines(path):
    summary = verify_record(write(path))
    assert str(summary).startswith(f"the record of 'payco' on job {JOB.hex()} is whole and compl")
    content = json.loads(json.dumps(summary.to_dict()))
    assert content["state"] == "complete" and content["head"] == summary.head
    assert content["entries"][2]["body"] == {"by": "payco", "rows": 4800}


def test_the_key_may_be_given_as_text(path):
    write(path)
    assert verify_record(path, public_text(KEY.public_key())).complete
    with pytest.raises(ConfigError):
        verify_record(path, "ed25519:short")


def test_another_partys_key_is_refused(path):
    with pytest.raises(PolicyRefused, match="line 1 names the key ed25519:"):
        verify_record(write(path, key=OTHER), KEY.public_key())


@quick
@given(st.data())
def test_any_altered_byte_is_found_and_its_line_named(path, lines, data):
    content = bytearray(b"".join(lines))
    place = data.draw(st.integers(0, len(content) - 1), "place")
    content[place] ^= data.draw(st.integers(1, 255), "change")
    number = content[:place].count(b"\n") + 1
    for key in (None, KEY.public_key()):
        assert f"line {number} " in refused(path, bytes(content), key)


def test_every_bit_is_covered(path, lines):
    content = b"".join(lines[:2])
    for place in range(len(content)):
        bits = range(8) if len(lines[0]) - place in range(9) else [place % 8]
        for bit in bits:
            changed = bytes([content[place] ^ 1 << bit])
            refused(path, content[:place] + changed + content[place + 1 :])


@quick
@given(st.data())
def test_any_inserted_or_removed_byte_is_found(path, lines, data):
    content = b"".join(lines)
    place = data.draw(st.integers(0, len(content) - 1), "place")
    byte = data.draw(st.binary(min_size=1, max_size=3), "bytes")
    refused(path, content[:place] + byte + content[place:])
    refused(path, content[:place] + content[place + 1 :])


@quick
@given(st.data())
def test_any_other_choice_of_lines_is_found(path, lines, data):
    chosen = data.draw(st.lists(st.sampled_from(lines), min_size=1, max_size=8))
    assume(chosen != lines[: len(chosen)])
    wrong = next(n for n, line in enumerate(chosen, 1) if n > len(lines) or line != lines[n - 1])
    assert f"line {wrong} " in refused(path, b"".join(chosen))


@quick
@given(st.data())
def test_a_cut_tail_is_refused_or_open_never_complete(path, lines, data):
    content = b"".join(lines)
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    if cut.endswith(b"\n"):
        path.write_bytes(cut)
        assert verify_record(path).state == "open"
    else:
        assert f"line {cut.count(10) + 1} is" in refused(path, cut)


def test_a_line_of_another_history_under_the_same_key_is_found(path, lines):
    write(path, EVENTS[1:3] + EVENTS[1:3])
    other = path.read_bytes().splitlines(keepends=True)
    mixed = b"".join([*lines[:3], other[3], *lines[4:]])
    assert "line 4 does not follow the line before" in refused(path, mixed)


def test_a_line_of_another_job_is_found(path, lines):
    other = write(path, job=bytes(32)).read_bytes().splitlines(keepends=True)
    assert "line 2 does not follow" in refused(path, other[0] + lines[1])


def test_nothing_follows_closed_even_with_a_good_signature(path, lines):
    last, _ = parse_line(lines[-1][:-1])
    more = Entry(last.sequence + 1, last.previous, last.time, "result", {}).line(KEY)
    assert "line 7 comes after the record was closed" in refused(
        path, b"".join(lines) + more + b"\n"
    )


def test_other_spellings_of_the_same_content_are_refused(path, lines):
    rest = b"".join(lines[1:])
    fields = json.loads(lines[0])
    spaced = json.dumps(fields, sort_keys=True).encode() + b"\n"
    doubled = lines[0].replace(b'{"body"', b'{"time":"","body"', 1)
    for first in (spaced, doubled, lines[0][:-1] + b"\r\n", b" " + lines[0]):
        assert "line 1 is not a line of a record" in refused(path, first + rest)


@pytest.mark.parametrize(
    "line", [b"[" * 60_000, b"{}", b"null", b"9" * 5000, b"\xff", b"", b"x" * 70_000, b'{"a":NaN}']
)
def test_hostile_lines_are_refused_by_number(path, lines, line):
    assert "line 2 is not a line of a record" in refused(path, lines[0] + line + b"\n")


def test_a_record_that_does_not_open_with_its_name_is_refused(path):
    lines = [Entry(0, "0" * 64, TIME, "opened", body).line(KEY) for body in ({}, {"format": "x"})]
    lines.append(Entry(0, "0" * 64, TIME, "result", {}).line(KEY))
    for line in lines:
        assert "line 1 does not open a record" in refused(path, line + b"\n")
    nobody = Entry(0, "0" * 64, TIME, "opened", {"format": "moiety record 1"}).line(KEY)
    assert "line 1 names no key" in refused(path, nobody + b"\n")
