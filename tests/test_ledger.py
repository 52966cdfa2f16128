"""The ledger: all in a release are charged or nobody is, whenever a process dies; never an id."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.errors import ConfigError, DataError, PolicyRefused, UsageError
from moiety.transform import Guarantee, Ledger
from moiety.transform.ledger import Account, Release

ONE = Guarantee.of(1.0, 1e-6)
PEOPLE = ("A-1", "b 2", "c3")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path, 2.0, 1e-6)


def test_a_release_is_charged_to_everybody_in_it(ledger):
    assert ledger.account() == Account(0, 0.0, pytest.approx(2.0), ())
    first = ledger.charge(PEOPLE, ONE, "clients", "2026-01-01")
    second = ledger.charge(("c3", "d4"), ONE, "others", "2026-01-02")
    ledger.sent(second, "sha256:1234")
    found = ledger.account()
    assert found.persons == 4
    assert found.spent == pytest.approx((ONE + ONE).epsilon)
    assert found.left == pytest.approx(
        Guarantee(Guarantee.of(2.0, 1e-6).rho - 2 * ONE.rho, 1e-6).epsilon
    )
    assert found.releases == (
        Release(first, "clients", "2026-01-01", 3, ONE, ""),
        Release(second, "others", "2026-01-02", 2, ONE, "sha256:1234"),
    )


def test_a_person_is_known_by_a_normalised_id_in_all_data_sets(ledger):
    ledger.charge(["A-1"], ONE)
    ledger.charge([" a 1 "], ONE)
    ledger.charge(["Ａ１"], ONE)
    assert ledger.account().persons == 1
    with pytest.raises(PolicyRefused, match="1 of 1 persons"):
        ledger.charge(["a1"], ONE)


def test_a_release_that_anybody_cannot_pay_is_refused_as_a_whole(ledger):
    for _ in range(3):
        ledger.charge(["a", "b"], ONE)
    before = ledger.account()
    with pytest.raises(PolicyRefused) as caught:
        ledger.charge(["x", "b", "y", "a", "z"], ONE)
    spent = Guarantee(4 * ONE.rho, 1e-6).epsilon
    words = str(caught.value)
    assert words.startswith(f"2 of 5 persons would have spent up to epsilon {spent:.3f}")
    assert f"{spent - 2:.3f} more than the 2 at delta 1e-06" in words
    assert f"has {before.left:.3f} left" in words and "spend less" in caught.value.hint
    assert ledger.account() == before
    ledger.charge(["x", "y", "z"], ONE)
    assert ledger.account().persons == 5


def test_exactly_what_is_left_can_still_be_spent(ledger):
    ledger.charge(["a"], ONE)
    left = ledger.account().left
    with pytest.raises(PolicyRefused):
        ledger.charge(["a"], Guarantee.of(left * 1.001, 1e-6))
    ledger.charge(["a"], Guarantee.of(left, 1e-6))
    assert ledger.account().left == pytest.approx(0.0, abs=1e-3)
    assert 2.0 - 1e-6 < ledger.account().spent <= 2.0


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from("abcd"), min_size=1), st.floats(0.05, 2.5), st.booleans()
        ),
        max_size=8,
    )
)
def test_nobody_ever_spends_more_than_the_budget(tmp_path_factory, releases):
    """Against a plain model in memory: what is charged, to whom, and what is refused."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger"), 2.0, 1e-6)
    model = {}
    for people, epsilon, label in releases:
        cost = Guarantee(0.0, 1e-6, epsilon) if label else Guarantee.of(epsilon, 1e-6)
        totals = {one: model.get(one, Guarantee(0.0, 1e-6)) + cost for one in people}
        if any(total.epsilon > 2.0 for total in totals.values()):
            with pytest.raises(PolicyRefused):
                ledger.charge(people, cost)
        else:
            ledger.charge(people, cost)
            model |= totals
    found = ledger.account()
    assert found.persons == len(model)
    assert found.spent == pytest.approx(max((one.epsilon for one in model.values()), default=0.0))
    assert found.spent <= 2.0


def test_without_noise_nothing_can_be_charged(ledger):
    with pytest.raises(PolicyRefused, match="epsilon inf"):
        ledger.charge(PEOPLE, Guarantee.of(float("inf"), 1e-6))
    with pytest.raises(PolicyRefused):
        Ledger(ledger.home, 0.0, 1e-6).charge(PEOPLE, ONE)
    endless = Ledger(ledger.home, float("inf"), 1e-6)
    endless.charge(PEOPLE, Guarantee.of(float("inf"), 1e-6))
    assert endless.account().spent == endless.account().left == float("inf")
    assert ledger.account().left == 0


@pytest.mark.parametrize(
    ("ids", "words"), [((), "nobody"), (("a", "A "), "twice"), (("-",), "dashes")]
)
def test_a_release_without_proper_ids_is_refused(ledger, ids, words):
    with pytest.raises(DataError, match=words) as caught:
        ledger.charge(["first", *ids] if ids else (), ONE)
    assert caught.value.hint and ledger.account().persons == 0


@pytest.mark.parametrize(("epsilon", "delta"), [(-1, 1e-6), (1, 0), (1, 1.0), (float("nan"), 0.1)])
def test_a_budget_that_means_nothing_is_refused(tmp_path, epsilon, delta):
    with pytest.raises(UsageError, match="a budget of epsilon"):
        Ledger(tmp_path, epsilon, delta)


# ── on the disk ─────────────────────────────────────────────────────────────────────────────


def test_files_are_the_owners_and_tell_no_id(ledger):
    ledger.charge(["client-4711", "other"], ONE)
    assert {path.name for path in ledger.home.iterdir()} == {"privacy.db", "privacy.key"}
    for path in ledger.home.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"4711" not in path.read_bytes() and b"other" not in path.read_bytes()
    persons = sqlite3.connect(ledger.home / "privacy.db").execute("SELECT person FROM persons")
    assert all(len(person) == 16 for (person,) in persons)


def test_another_party_knows_the_same_person_by_another_hash(tmp_path):
    hashes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Ledger(tmp_path / name, 2.0, 1e-6).charge(["a"], ONE)
        rows = sqlite3.connect(tmp_path / name / "privacy.db").execute("SELECT person FROM persons")
        hashes += [person for (person,) in rows]
    assert len(set(hashes)) == 2


def test_files_that_are_not_what_they_were_are_refused(ledger):
    ledger.charge(PEOPLE, ONE)
    (ledger.home / "privacy.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="no key of a ledger"):
        ledger.charge(["d"], ONE)
    (ledger.home / "privacy.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigError, match="is no ledger"):
        ledger.account()


def test_a_lost_key_does_not_open_new_accounts(ledger):
    ledger.charge(PEOPLE, ONE)
    (ledger.home / "privacy.key").unlink()
    with pytest.raises(ConfigError, match="the key of the ledger is gone"):
        ledger.charge(["d"], ONE)
    assert not (ledger.home / "privacy.key").exists()


CHARGE = """
import os, signal, sys
from pathlib import Path
from moiety.transform import Guarantee, Ledger

ledger, at = Ledger(Path(sys.argv[1]), 900.0, 1e-6), int(sys.argv[2])

def ids():
    for number in range(2000):
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield str(number)

while True:
    print(ledger.charge(ids(), Guarantee.of(1.0, 1e-6)), flush=True)
"""


def child(home, at):
    command = [sys.executable, "-c", CHARGE, str(home), str(at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)


@pytest.mark.parametrize("at", [0, 1, 1999])
def test_a_process_that_dies_while_it_charges_has_charged_nobody(ledger, at):
    ledger.charge(PEOPLE, ONE)
    with child(ledger.home, at) as process:
        assert process.wait(60) == -signal.SIGKILL
    found = ledger.account()
    assert found.persons == 3 and len(found.releases) == 1


def test_whenever_a_process_dies_all_were_charged_or_none(ledger):
    """Whoever was told the number of a release was charged for it."""
    told = 0
    for _ in range(4):
        with child(ledger.home, -1) as process:
            process.stdout.readline()
            time.sleep(random.uniform(0.0, 0.1))
            process.kill()
            told += 1 + len(process.stdout.read().splitlines())
    releases = len(ledger.account().releases)
    rows = sqlite3.connect(ledger.home / "privacy.db").execute(
        "SELECT rho, count(*) FROM persons GROUP BY 1"
    )
    ((rho, persons),) = rows.fetchall()
    assert persons == 2000 and rho == pytest.approx(releases * ONE.rho)
    assert told <= releases <= told + 4


def test_two_processes_charge_one_after_the_other(tmp_path):
    ledger = Ledger(tmp_path, 2.0, 1e-6)

    def attempt(_):
        try:
            return ledger.charge(PEOPLE, ONE)
        except PolicyRefused:
            return 0

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(attempt, range(8)))
    assert len([number for number in found if number]) == 3
    assert ledger.account().spent <= 2.0
