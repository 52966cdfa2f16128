"""Each id is scored once in a job, whatever the peer claims and wherever a run broke off."""

import stat
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.enclave.handover import ModelShare
from moiety.enclave.job import train
from moiety.errors import (
    DataError,
    MaterialError,
    PeerError,
    PeerMisbehaved,
    PolicyRefused,
    UsageError,
)
from moiety.party.coded import Coded
from moiety.party.model import KeptModel, agreed_model, check_columns, kept_model
from moiety.party.predict import BATCH, SINGLES, Scores, Scoring, agree_unscored, batches
from moiety.party.spent import SpentIds
from moiety.ring import pack_bits
from moiety.run.dealing import deal
from moiety.run.session import Session
from moiety.run.twin import split
from moiety.wire.frame import Kind
from party_kit import columns, job, line, outcomes

IDS = np.array([f"person-{n}" for n in range(20)])
KEY = bytes(32)


def ledger(folder, *ids):
    folder.mkdir(exist_ok=True)
    spent = SpentIds(folder, KEY)
    if ids:
        spent.spend(ids)
    return spent


# ── the list of those scored ────────────────────────────────────────────────────────────────


def test_an_id_is_spent_once_over_all_runs(tmp_path):
    ledger(tmp_path, "a", "b")
    again = ledger(tmp_path)
    assert len(again) == 2 and again.among(["a", "c", "b"]).tolist() == [True, False, True]
    with pytest.raises(PolicyRefused, match="scored twice"):
        again.spend(["c", "a"])
    with pytest.raises(PolicyRefused, match="scored twice"):
        again.spend(["c", "c"])
    assert not again.among(["c"]).any()
    again.spend(["c"])
    assert len(ledger(tmp_path)) == 3


def test_the_list_names_nobody_and_is_the_owners(tmp_path):
    spent = ledger(tmp_path, "person-1")
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"person" not in path.read_bytes() and "person" not in repr(spent)
    assert not SpentIds(tmp_path, bytes([1] * 32)).among(["person-1"]).any()


@given(cut=st.integers(1, 15))
def test_an_entry_cut_off_by_a_crash_puts_no_later_one_out_of_place(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("spent")
    ledger(folder, "a", "b")
    with (folder / "scored.bin").open("ab") as file:
        file.write(b"x" * cut)
    ledger(folder, "c")
    assert ledger(folder).among(["a", "b", "c", "d"]).tolist() == [True] * 3 + [False]


# ── who is left ─────────────────────────────────────────────────────────────────────────────


def agreeing(mine, theirs, most=60):
    def side(channel, index, spent):
        with channel:
            return agree_unscored(Session(channel, index), IDS, spent, most)

    with line("lender", "payco") as (near, far):
        return outcomes(lambda: side(near, 0, mine), lambda: side(far, 1, theirs))


def test_whom_either_has_written_down_is_left_out_by_both(tmp_path):
    mine = ledger(tmp_path / "lender", IDS[0], IDS[1], "gone-1")
    theirs = ledger(tmp_path / "payco", IDS[1], IDS[5])
    for found in agreeing(mine, theirs):
        assert found.tolist() == [n for n in range(20) if n not in (0, 1, 5)]


@pytest.mark.parametrize(("most", "left"), [(60, 17), (10, 7), (4, 1), (3, 0), (1, 0)])
def test_never_more_than_the_job_states_over_all_its_runs(tmp_path, most, left):
    """Three are spent by the party that counts most; those outside the table count as well."""
    mine = ledger(tmp_path / "lender", IDS[0], IDS[1], "gone-1")
    theirs = ledger(tmp_path / "payco", IDS[0], IDS[2])
    found = agreeing(mine, theirs, most)
    assert [len(each) for each in found] == [left, left]
    assert np.array_equal(*found)


def test_a_peer_that_denies_its_list_gains_no_second_score(tmp_path):
    """A hostile lender says that nobody was scored; payco leaves out whom it has written down."""
    payco = ledger(tmp_path, *IDS[:8])
    with line("lender", "payco") as (lender, honest):
        lender.send(Kind.TICK, bytes(8) + pack_bits(np.zeros(20, np.uint8)))
        found = agree_unscored(Session(honest, 1), IDS, payco, 10)
    assert found.tolist() == [8, 9]


@pytest.mark.parametrize("payload", [b"", bytes(10), bytes(12), bytes(10) + b"\xf0"])
def test_a_bitmap_of_another_form_is_refused(tmp_path, payload):
    with line("lender", "payco") as (lender, honest):
        lender.send(Kind.TICK, payload)
        with pytest.raises(PeerMisbehaved):
            agree_unscored(Session(honest, 1), IDS, ledger(tmp_path), 60)


def test_batches_add_up():
    for count in (0, 1, 2, 3, 4, BATCH + 3, 3 * BATCH):
        sizes = batches(count)
        assert sum(sizes) == count and all(1 <= size <= BATCH for size in sizes)
        assert sizes[:SINGLES] == [1] * min(count, SINGLES)


# ── scoring ─────────────────────────────────────────────────────────────────────────────────


@cache
def trained():
    return train(job(), columns()).model


def scoring(channel, index, spent, scores=None, ids=IDS):
    """One party's side, with its share of a model that the test has made."""
    shape = trained().shape
    program = shape.program(1, 0)
    features = dict.fromkeys(program.inputs.keys() - trained().arrays.keys())
    zeros = {name: np.zeros(program.inputs[name].shape, np.uint64) for name in features}
    arrays = split(program, {**trained().arrays, **zeros})[index]
    share = ModelShare(b"", shape, 60, True, {n: arrays[n] for n in trained().arrays}, b"")
    codes = {name: column[: len(ids)] for name, column in own_codes(index).items()}
    own = Coded({}, codes)
    return Scoring(Session(channel, index), job(), share, own, ids, spent, scores, none_left)


def none_left(plan):
    raise AssertionError("no lot was meant for this")


def own_codes(index):
    return columns()[job().names[index]].codes


FOUR = (np.arange(4), np.arange(4))


def run_both(tmp_path, sides, lots, rows=FOUR):
    def play(side, index):
        with side.session.channel:
            mine = iter([pair[index] for pair in lots])
            supplied = replace(side, lot=lambda plan: next(mine))
            return supplied.run(rows[index], lambda *_: None)

    return outcomes(lambda: play(sides[0], 0), lambda: play(sides[1], 1))


def dealt(sizes):
    return [deal(trained().shape.program(size, 0)) for size in sizes]


@pytest.fixture
def ends():
    with line("lender", "payco") as pair:
        yield pair


def test_scores_come_to_the_receiver_only_and_both_write_down_whom(tmp_path, ends):
    sides = [
        scoring(end, n, ledger(tmp_path / str(n)), Scores(tmp_path)) for n, end in enumerate(ends)
    ]
    run_both(tmp_path, sides, dealt(batches(4)))
    assert list(Scores(tmp_path).read()) == IDS[:4].tolist()
    for index in (0, 1):
        again = ledger(tmp_path / str(index))
        assert len(again) == 4 and again.among(IDS[:4].tolist()).all()


def test_payco_refuses_a_second_score_even_if_asked_in_the_right_form(tmp_path, ends):
    spent = [ledger(tmp_path / "lender"), ledger(tmp_path / "payco", IDS[0])]
    sides = [scoring(end, n, spent[n], Scores(tmp_path)) for n, end in enumerate(ends)]
    lender, payco = run_both(tmp_path, sides, dealt([1]), (np.array([0]), np.array([0])))
    assert isinstance(payco, PolicyRefused) and "scored twice" in str(payco)
    assert isinstance(lender, PeerError)
    assert Scores(tmp_path).read() == {}


def test_parties_that_mean_other_people_score_nobody_and_write_nobody_down(tmp_path, ends):
    sides = [
        scoring(end, n, ledger(tmp_path / str(n)), Scores(tmp_path)) for n, end in enumerate(ends)
    ]
    found = run_both(tmp_path, sides, dealt([1]), (np.array([0]), np.array([1])))
    assert all(isinstance(each, PeerError) for each in found)
    assert len(ledger(tmp_path / "0")) == len(ledger(tmp_path / "1")) == 0


def test_material_is_not_used_twice_or_for_another_batch(tmp_path, ends):
    sides = [
        scoring(end, n, ledger(tmp_path / str(n)), Scores(tmp_path)) for n, end in enumerate(ends)
    ]
    lots = dealt([2])
    found = run_both(tmp_path, sides, lots, (np.array([0]), np.array([0])))
    assert all(isinstance(each, MaterialError | PeerError) for each in found)
    assert any(isinstance(each, MaterialError) for each in found)


# ── the receiver's file ─────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=1)


@given(st.dictionaries(texts, st.floats(-20, 20), min_size=1), st.data())
def test_scores_are_read_back_whatever_the_ids(tmp_path_factory, table, data):
    folder = tmp_path_factory.mktemp("scores")
    ids, logits = list(table), np.array(list(table.values()))
    cut = data.draw(st.integers(0, len(ids)))
    for part in (slice(0, cut), slice(cut, None)):
        if ids[part]:
            Scores(folder).append(ids[part], logits[part])
    assert Scores(folder).read() == table


def test_a_line_cut_off_by_a_crash_spoils_no_other(tmp_path):
    scores = Scores(tmp_path)
    scores.append(["a", "b"], np.array([0.5, -1.0]))
    path = tmp_path / "scores.csv"
    path.write_bytes(path.read_bytes() + b"c,0.12")
    assert scores.read() == {"a": 0.5, "b": -1.0}
    scores.append(["d"], np.array([2.0]))
    assert Scores(tmp_path).read() == {"a": 0.5, "b": -1.0, "d": 2.0}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_somebody_changed_is_told(tmp_path):
    Scores(tmp_path).append(["a"], np.array([0.5]))
    (tmp_path / "scores.csv").write_text("id,log_odds,points\na;0,5\n")
    with pytest.raises(DataError, match="not as it was written"):
        Scores(tmp_path).read()


# ── one model ───────────────────────────────────────────────────────────────────────────────


class Share:
    digest = b"digest"


def test_without_a_score_either_party_may_start_anew(tmp_path):
    kept = KeptModel(Share(), {})
    none = ledger(tmp_path)
    assert agreed_model(kept, b"digest", none) is kept
    for mine, theirs in ((None, None), (kept, None), (None, b"digest"), (kept, b"other")):
        assert agreed_model(mine, theirs, none) is None


def test_after_a_score_there_is_no_second_model(tmp_path):
    kept, spent = KeptModel(Share(), {}), ledger(tmp_path, "a")
    assert agreed_model(kept, b"digest", spent) is kept
    for mine, theirs in ((None, None), (kept, None), (None, b"digest"), (kept, b"other")):
        with pytest.raises(PolicyRefused, match="a model that one party lacks"):
            agreed_model(mine, theirs, spent)


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(100)])
def test_a_damaged_model_is_told_and_not_replaced(tmp_path, content):
    assert kept_model(tmp_path, job(), 0) is None
    (tmp_path / "model.share").write_bytes(content)
    with pytest.raises(UsageError, match="not as it was written"):
        kept_model(tmp_path, job(), 0)


def test_a_model_on_other_columns_is_refused():
    class Held:
        shape = trained().shape

    class Own:
        counts = (9, 9, 9, 9, 9)

    with pytest.raises(PolicyRefused, match="not read my columns as I code them"):
        check_columns(Held(), 0, Own())
