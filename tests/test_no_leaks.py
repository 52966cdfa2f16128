"""No process but the enclave holds the model in the clear; features never leave their owner.

A real job of three processes. At several moments each stands still and all its memory is searched,
as are its files, its logs, and every byte that went over the wires. The same search must find each
secret at its owner: else it would prove nothing.
"""

import json
import os
import ssl
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from leak_kit import (
    Needle,
    Search,
    bytes_image,
    core_image,
    memory_image,
    memory_refused,
    written_files,
)
from leak_secrets import IN_THE_ENCLAVE, MODEL, OWNERS, WORD, Secrets
from leak_stage import Relay, run_and_look, small_stage, tapped
from leak_tls import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, hello, records
from moiety.cli.stage import Stage

pytestmark = pytest.mark.jobs

TRAINED = "training done"
PREDICTING = "predict under way"
MOMENTS = {
    "enclave": [TRAINED],
    "lender": ["hand-over done", PREDICTING, "report done"],
    "payco": ["hand-over done", PREDICTING, "report done"],
}
CORES = {"payco": PREDICTING}
MOST_BY_CHANCE = 0.1
"""A word of 24 random bits is found by chance in one image of 40 or so, all of them never."""


@dataclass(repr=False)
class Run:
    """A job that has run: its stage, its secrets, and which of them were found in which memory."""

    stage: Stage
    wires: dict[str, Relay]
    secrets: Secrets
    search: Search
    memory: dict[tuple[str, str], set[Needle]]
    cores: dict[str, set[Needle]]
    written: list[Path]

    def in_memory(self, who):
        """By moment, what was found in the memory of a process."""
        if not self.memory:
            pytest.skip(memory_refused())
        return {moment: found for (name, moment), found in self.memory.items() if name == who}


@pytest.fixture(
    scope="module", params=["scorecard", pytest.param("trees", marks=pytest.mark.nightly)]
)
def run(request, tmp_path_factory):
    if request.param == "trees" and "nightly" not in request.config.option.markexpr:
        pytest.skip("nightly: pytest -m nightly")
    stage = small_stage(tmp_path_factory.mktemp("leaks") / "job", request.param)
    images, cores, written = {}, {}, []

    def look(who, moment, pid):
        images[who, moment] = memory_image(pid)
        written.extend(written_files(pid))
        for path in (stage.folder / "tmp" / who).glob("core*"):
            cores[who] = core_image(path)
            path.unlink()

    moments, aborted = ({}, {}) if memory_refused() else (MOMENTS, CORES)
    with tapped(stage) as wires:
        run_and_look(stage, moments, aborted, look)
    secrets = Secrets(stage)
    search = Search(secrets.needles)
    memory = {place: search(images.pop(place)) for place in list(images)}
    found = {who: search(cores.pop(who)) for who in list(cores)}
    return Run(stage, wires, secrets, search, memory, found, written)


def own(who, *, in_memory=True):
    """The secrets that may be there."""
    mine = {secret for secret, owners in OWNERS.items() if who in owners}
    return mine | {*IN_THE_ENCLAVE} if who == "enclave" and in_memory else mine


def foreign(found, who, *, in_memory=True):
    """What must not be there. Single words are left to chance, see below."""
    allowed = own(who, in_memory=in_memory) | {WORD}
    return {needle for needle in found if needle.secret not in allowed}


def told(found):
    """What was found, for a person: secret, form, and how often."""
    counts = Counter((needle.secret, needle.form) for needle in found)
    return ", ".join(f"{secret} ({form}) ×{n}" for (secret, form), n in sorted(counts.items()))


# ── memory ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", MOMENTS)
def test_memory_holds_nothing_that_is_anothers(run, who):
    for moment, found in run.in_memory(who).items():
        wrong = told(foreign(found, who))
        assert not wrong, f"{who} at '{moment}' holds {wrong}"


@pytest.mark.parametrize("who", MOMENTS)
def test_every_secret_is_found_where_it_belongs(run, who):
    """Else the search would prove nothing. The enclave stands still before it makes shares."""
    there = {needle.secret for found in run.in_memory(who).values() for needle in found}
    later = {secret for secret in OWNERS if "share" in secret} if who == "enclave" else set()
    assert own(who) - later <= there


def test_the_enclave_holds_every_word_of_the_model(run):
    model = [one for one in run.secrets.needles if one.secret in (MODEL, WORD)]
    words = {one for one in model if one.form in ("word", "two words")}
    assert len(words) > 100
    assert words <= run.in_memory("enclave")[TRAINED]


def test_the_parties_hold_no_more_words_of_the_model_than_chance_puts_there(run):
    words = [one for one in run.secrets.needles if one.secret == WORD]
    for who in ("lender", "payco"):
        for moment, found in run.in_memory(who).items():
            there = [one for one in words if one in found]
            assert len(there) <= MOST_BY_CHANCE * len(words), (who, moment, len(there))


def test_the_shares_of_both_are_the_model_and_neither_alone_is(run):
    lender, payco = run.secrets.shares.values()
    for name, words in run.secrets.words.items():
        assert np.array_equal(lender[name] + payco[name], words)
        for share in (lender, payco):
            assert not (share[name] == words).any()


def test_a_core_file_shows_no_more(run):
    run.in_memory("payco")
    if not run.cores:
        pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
        pytest.skip(f"this kernel writes no core file where a process works ({pattern})")
    found = run.cores["payco"]
    wrong = told(foreign(found, "payco"))
    assert not wrong, f"payco's core holds {wrong}"
    assert own("payco") <= {needle.secret for needle in found}


# ── disk and logs ───────────────────────────────────────────────────────────────────────────


def found_in(run, path):
    return run.search(bytes_image(path.read_bytes())) if path.stat().st_size else set()


def every_file(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("who", MOMENTS)
def test_files_hold_nothing_that_is_anothers(run, who):
    files = every_file(run.stage.folder / who)
    assert len(files) > 5
    for path in files:
        wrong = told(foreign(found_in(run, path), who, in_memory=False))
        assert not wrong, f"{path} holds {wrong}"


def test_private_keys_are_in_their_own_files_only(run):
    for path in every_file(run.stage.folder):
        held = {one for one in found_in(run, path) if one.secret.endswith(" keys")}
        assert {one.form.split(",")[0] for one in held} <= {path.name}, (path, told(held))
        assert bool(held) == (path.suffix == ".key" or path.name == "signing.pem")


def test_scores_are_in_one_file_of_the_lender_only(run):
    holders = {
        path.name
        for path in every_file(run.stage.folder)
        if any(needle.secret == "scores" for needle in found_in(run, path))
    }
    assert holders == {"scores.csv"}


def test_logs_and_what_all_can_read_hold_no_secret(run):
    logs = every_file(run.stage.folder / "logs")
    assert len(logs) == 6
    assert sum(path.stat().st_size for path in logs) > 10_000
    for path in (*logs, run.stage.job):
        wrong = told(found_in(run, path))
        assert not wrong, f"{path} holds {wrong}"


def test_processes_write_in_their_own_folders_only(run):
    assert every_file(run.stage.folder / "tmp") == []
    run.in_memory("lender")
    assert run.written
    for path in run.written:
        assert path.is_relative_to(run.stage.folder), path


# ── new applicants ──────────────────────────────────────────────────────────────────────────


def test_a_capsule_holds_the_training_rows_only(run):
    """That none of the applicants' codes is in the enclave's memory is tested above."""
    rows = {name: len(view.rows("train").ids) for name, view in run.secrets.views.items()}
    told_by_enclave = (run.stage.folder / "logs" / "enclave.err").read_text()
    assert f"on {rows['lender']:,} common clients" in told_by_enclave
    for name, view in run.secrets.views.items():
        record = run.stage.page(name).with_name("record-1.jsonl").read_text()
        entries = [json.loads(line) for line in record.splitlines()]
        (released,) = [entry for entry in entries if entry["event"] == "release"]
        assert released["body"]["rows"] == rows[name] == rows["lender"]
        assert not {*view.rows("train").ids.tolist()} & {*view.rows("score").ids.tolist()}


# ── wires ───────────────────────────────────────────────────────────────────────────────────


def test_a_wire_shows_no_secret(run):
    for name, wire in run.wires.items():
        for data in (wire.sent, wire.answered):
            assert len(data) > 5000
            wrong = told(run.search(bytes_image(data)))
            assert not wrong, f"the wire of {name} shows {wrong}"


def test_a_wire_carries_records_of_tls_1_3_only(run):
    for wire in run.wires.values():
        for data, version in ((wire.sent, "ClientHello"), (wire.answered, "ServerHello")):
            first, *others = records(data)
            assert first.kind == HANDSHAKE
            said = hello(first.body)
            assert said.name == version
            assert said.versions == (0x0304,)
            kinds = [record.kind for record in others if record.kind != CHANGE_CIPHER_SPEC]
            assert set(kinds) == {APPLICATION_DATA}
            assert all(one.body == b"\1" for one in others if one.kind == CHANGE_CIPHER_SPEC)


def test_a_wire_names_nobody(run):
    names = [b"lender", b"payco", b"enclave", b"moiety", b"credit", b"limit_bal"]
    for wire in run.wires.values():
        for data in (wire.sent, wire.answered):
            assert not [name for name in names if name in bytes(data)]


def test_a_hello_of_tls_1_2_would_be_seen():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sent = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="example.org")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    (first,) = records(sent.read())
    assert hello(first.body).versions != (0x0304,)


# ── the search itself ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", range(40, 57))
def test_the_search_finds_a_needle_anywhere(place):
    image = np.frombuffer(os.urandom(1 << 16), np.uint8).copy()
    short, long = os.urandom(9), os.urandom(20)
    needles = [Needle("short", "", short), Needle("long", "", long), Needle("no", "", b"\7" * 16)]
    image[place : place + 9] = bytes_image(short)
    image[-place - 20 : -place] = bytes_image(long)
    assert Search(needles)(image) == set(needles[:2])
    image[place + 8] ^= 1
    image[-place - 20] ^= 1
    assert Search(needles)(image) == set()


@pytest.mark.parametrize("kind", ["u1", "u4", "i8", "text"])
def test_the_search_finds_runs_of_integers_of_any_width(kind):
    run = np.frombuffer(os.urandom(24), np.uint8)
    needle = Needle("run", "", run.tobytes(), wide=True)
    wide = run.astype(np.uint32) if kind == "text" else run.astype(kind)
    image = bytes_image(b"\1" * 3 + wide.tobytes() + b"\1" * 90)
    assert Search([needle])(image) == {needle}
