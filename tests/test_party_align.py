"""Which rows are common: limits, what is kept, how often it may be tried, hostile peers."""

import json
import stat
from dataclasses import replace

import numpy as np
import pytest

from moiety.errors import PeerError, PolicyRefused, UsageError
from moiety.party.align import align, count_attempt, keep, kept
from moiety.party.files import append, replace_file, sole_run
from moiety.run.session import Session
from moiety.wire.frame import Kind
from party_kit import job, line, other_job, outcomes, party_table

EVERYBODY = tuple(f"person-{n}" for n in range(100))


def aligning(lender, payco, of=None, use="train"):
    """What both parties find."""
    of = of or job()

    def side(channel, index, ids):
        with channel:
            table = party_table(ids)
            return align(Session(channel, index), of, table, use=use, progress=lambda *_: None)

    with line("lender", "payco") as (near, far):
        return outcomes(lambda: side(near, 0, lender), lambda: side(far, 1, payco))


def test_both_find_the_same_people_in_the_same_order():
    mine, theirs = aligning(EVERYBODY[:60], EVERYBODY[30:])
    assert len(mine.rows) == 30 and mine.digest == theirs.digest
    assert (mine.own_size, mine.peer_size) == (60, 70) == (theirs.peer_size, theirs.own_size)
    named = np.array(EVERYBODY[:60])[mine.rows]
    assert np.array_equal(named, np.array(EVERYBODY[30:])[theirs.rows])
    assert "person" not in repr(mine)


@pytest.mark.parametrize("common", [0, 1, 19])
def test_too_few_in_common_are_refused_by_both_and_nothing_is_learnt(common):
    found = aligning(EVERYBODY[:40], EVERYBODY[40 - common : 80])
    for each in found:
        assert isinstance(each, PolicyRefused | PeerError)
        assert "person" not in str(each)
    assert any(isinstance(each, PolicyRefused) for each in found)
    assert len(aligning(EVERYBODY[:40], EVERYBODY[20:80])[0].rows) == 20


def test_a_set_above_the_signed_maximum_is_refused():
    few = other_job(("max_rows = 400", "max_rows = 59"))
    found = aligning(EVERYBODY[:60], EVERYBODY[30:80], few)
    assert isinstance(found[1], PolicyRefused)
    assert "wants to align 60 items; the limit is 59" in str(found[1])
    assert isinstance(found[0], PeerError) or len(found) == 2


@pytest.mark.parametrize(
    ("kind", "payload", "text"),
    [
        (Kind.TICK, b"", "of 0 bytes, not of exactly 8"),
        (Kind.TICK, bytes(9), "of 9 bytes, not of exactly 8"),
        (Kind.HELLO, bytes(8), "sent HELLO where TICK is due"),
        (Kind.TICK, bytes(8), "0 items are to be aligned"),
        (Kind.TICK, b"\xff" * 8, "items; the limit is 400"),
    ],
)
def test_a_peer_that_begins_an_alignment_wrongly(kind, payload, text):
    with line("payco", "lender") as (payco, lender):
        payco.send(kind, payload)
        with pytest.raises((PolicyRefused, PeerError), match=text):
            align(
                Session(lender, 0),
                job(),
                party_table(EVERYBODY),
                use="train",
                progress=lambda *_: None,
            )


# ── kept for the next run ───────────────────────────────────────────────────────────────────


@pytest.fixture
def found(tmp_path):
    table = party_table(EVERYBODY[:60])
    aligned = aligning(EVERYBODY[:60], EVERYBODY[30:])[0]
    keep(tmp_path, aligned, table)
    return table, aligned


def test_an_alignment_is_kept_for_the_owner_only(tmp_path, found):
    table, aligned = found
    again = kept(tmp_path, job(), table, "train")
    assert np.array_equal(again.rows, aligned.rows) and again.digest == aligned.digest
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "person" not in path.read_text()


def test_another_table_job_or_use_has_nothing_kept(tmp_path, found):
    assert kept(tmp_path, job(), party_table(EVERYBODY[1:61]), "train") is None
    assert kept(tmp_path, job(), found[0], "score") is None
    other = other_job(("predictions = 60", "predictions = 59"))
    assert kept(tmp_path, other, found[0], "train").digest != found[1].digest


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: b"",
        lambda body: body[: len(body) // 2],
        lambda body: b"[]",
        lambda body: b'"text"',
        lambda body: b"\xff",
        lambda body: _changed(body, rows=[10**9]),
        lambda body: _changed(body, rows="all"),
        lambda body: _changed(body, own_size=None),
        lambda body: b"{}",
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path, found, spoil):
    (path,) = tmp_path.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    assert kept(tmp_path, job(), found[0], "train") is None


def test_rows_that_were_changed_are_not_agreed_on(tmp_path, found):
    (path,) = tmp_path.iterdir()
    rows = found[1].rows.tolist()
    path.write_bytes(_changed(path.read_bytes(), rows=rows[::-1]))
    assert kept(tmp_path, job(), found[0], "train").digest != found[1].digest


def _changed(body, **changes):
    return json.dumps({**json.loads(body), **changes}).encode()


def test_attempts_are_counted_and_end(tmp_path):
    few = replace(job(), attempts=2)
    for _ in range(2):
        count_attempt(tmp_path, few, "train")
    with pytest.raises(PolicyRefused, match="were aligned 2 times"):
        count_attempt(tmp_path, few, "train")
    count_attempt(tmp_path, few, "score")


# ── files ───────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"first")
    (tmp_path / "file.tmp").write_bytes(b"cut off by a cra")
    assert path.read_bytes() == b"first"
    replace_file(path, b"second")
    assert path.read_bytes() == b"second" and list(tmp_path.iterdir()) == [path]


def test_what_a_crash_cut_off_is_dropped_before_more_is_added(tmp_path):
    path = tmp_path / "file"
    append(path, b"whole", after=0)
    with path.open("ab") as file:
        file.write(b"tor")
    append(path, b"more", after=5)
    assert path.read_bytes() == b"wholemore"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_job_runs_once_at_a_time(tmp_path):
    with sole_run(tmp_path):
        with pytest.raises(UsageError, match="another process runs this job"), sole_run(tmp_path):
            pass
    with sole_run(tmp_path):
        pass
