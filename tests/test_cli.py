"""The command line as a user meets it: every mistake is one sentence, a hint and an exit code."""

import json
import stat
import sys

import pytest

from cli_kit import fails, moiety  # noqa: F401
from moiety import __version__
from moiety.cli import console
from moiety.cli.main import app, main
from moiety.party.config import load_party
from moiety.run.steps import Event

# ── usage ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["run"], "Missing argument"),
        (["run", "job.toml"], "Missing option '--as'"),
        (["run", "--fast"], "No such option"),
        (["peer", "add"], "Missing argument"),
        (["data", "add", "x.csv", "--id", "id"], "Missing option '--name'"),
        (["job", "sign"], "Missing argument"),
        (["audit", "verify"], "Missing argument"),
        (["init"], "Missing argument"),
        (["enclave", "serve", "extra"], "unexpected extra argument"),
        (["demo", "credit", "--overlap", "7"], "less than or equal to 1"),
        (["demo", "credit", "--split", "odd"], "no demo with split 'odd'"),
        (["demo", "credit", "--model", "net"], "model 'net'"),
    ],
)
def test_a_wrong_command_line(fails, arguments, text):
    assert text in fails(2, *arguments)


@pytest.mark.parametrize("arguments", [[], ["peer"], ["job"], ["enclave"], ["tee"]])
def test_without_a_command_the_help_is_shown(moiety, arguments):
    code, out, err = moiety(*arguments)
    assert code == 2 and "Usage: moiety" in out + err


def test_version_and_help(moiety):
    assert moiety("--version") == (0, f"{__version__}\n", "")
    code, out, _ = moiety("run", "--help")
    assert code == 0 and "Usage: moiety run" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{}/job.toml", "--as", "lender"],
        ["job", "check", "{}/job.toml", "--home", "{}"],
        ["job", "sign", "{}/job.toml", "--home", "{}"],
        ["peer", "add", "{}/card.toml", "--home", "{}"],
        ["data", "add", "{}/x.csv", "--name", "x", "--id", "id", "--home", "{}"],
        ["audit", "verify", "{}/record.jsonl"],
    ],
)
def test_what_is_not_there_is_named(fails, arguments, tmp_path):
    sentence = fails(2, *(each.format(tmp_path) for each in arguments))
    assert str(tmp_path) in sentence


def test_a_folder_that_cannot_be_written(fails, tmp_path):
    (tmp_path / "file").write_text("")
    sentence = fails(2, "init", "lender", "--home", tmp_path / "file" / "inner")
    assert str(tmp_path / "file") in sentence and "Not a directory" in sentence


def test_a_fault_of_our_own_quotes_no_data(fails, monkeypatch):
    def broken(*_):
        raise KeyError("C-00012345")

    monkeypatch.setattr("moiety.cli.party.load_party", broken)
    sentence = fails(70, "job", "check", "job.toml")
    assert sentence.startswith("a fault in moiety: KeyError at test_cli.py:")
    monkeypatch.setenv("MOIETY_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["moiety", "job", "check", "job.toml"])
    with pytest.raises(KeyError):
        main()


def test_an_interruption(moiety, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("moiety.cli.party.load_party", interrupted)
    code, out, err = moiety("job", "check", "job.toml")
    assert (code, out) == (130, "") and "interrupted" in err
    code, out, _ = moiety("job", "check", "job.toml", "--json")
    assert code == 130 and json.loads(out)["error"] == "interrupted"


def test_every_command_has_json():
    def leaves(group):
        for command in group.registered_commands:
            if not command.hidden:
                yield command.callback
        for inner in group.registered_groups:
            yield from leaves(inner.typer_instance)

    without = [each.__name__ for each in leaves(app) if "json" not in each.__annotations__]
    assert without == []


# ── a party's folder ────────────────────────────────────────────────────────────────────────


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_a_folder_that_allows_nothing(moiety, fails, tmp_path):
    home = tmp_path / "bank [bold]"
    code, out, _ = moiety("init", "bank", "--home", home)
    assert code == 0 and str(home) in out
    assert [mode(path) for path in sorted((home / "keys").iterdir())] == [0o600] * 3
    keys = {path: path.read_bytes() for path in (home / "keys").iterdir()}
    assert "a party's folder already" in fails(2, "init", "bank", "--home", home)
    (home / "party.toml").unlink()
    assert "exists already" in fails(2, "init", "bank", "--home", home)
    assert keys == {path: path.read_bytes() for path in (home / "keys").iterdir()}


@pytest.mark.parametrize("name", ["enclave", "two words", "a/b", "a.b", "x" * 41, 'a"b', ""])
def test_unfit_names_are_refused(fails, tmp_path, name):
    assert "cannot be a party's name" in fails(2, "init", name, "--home", tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_addresses_cannot_smuggle_settings_into_files(moiety, tmp_path):
    evil = 'x"\nsilence = 9\n#'
    assert moiety("init", "bank", "--home", tmp_path, "--listen", evil)[0] == 0
    assert load_party(tmp_path).listen == evil
    assert load_party(tmp_path).silence == 20


def test_cards_are_exchanged(moiety, fails, tmp_path):
    for name in ("bank", "shop"):
        code, out, _ = moiety("init", name, "--home", tmp_path / name, "--json")
        assert code == 0 and json.loads(out)["party"] == name
    card = tmp_path / "shop" / "shop.card.toml"
    code, out, _ = moiety("peer", "add", card, "--home", tmp_path / "bank", "--json")
    assert code == 0 and json.loads(out)["peer"] == "shop"
    known = load_party(tmp_path / "bank").peers["shop"]
    assert known.signing_key == load_party(tmp_path / "shop").signing_key.public
    assert "[peers.shop] already" in fails(2, "peer", "add", card, "--home", tmp_path / "bank")
    own = tmp_path / "bank" / "bank.card.toml"
    assert "cannot be the name of a peer" in fails(2, "peer", "add", own, "--home", own.parent)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('name = "shop"', 'name = "shop]\\n[data.x"', "cannot be the name of a peer"),
        ('name = "shop"', "", "name is missing"),
        ('name = "shop"', 'name = "shop"\nmore = 1', "unknown more"),
        ("sha256:", "sha1:", "is not a fingerprint"),
        ("ed25519:", "ed448:", "is not a signing key"),
    ],
)
def test_a_bad_card_changes_nothing(moiety, fails, tmp_path, old, new, text):
    for name in ("bank", "shop"):
        moiety("init", name, "--home", tmp_path / name)
    before = (tmp_path / "bank" / "party.toml").read_bytes()
    card = tmp_path / "shop" / "shop.card.toml"
    card.write_text(card.read_text().replace(old, new))
    assert text in fails(2, "peer", "add", card, "--home", tmp_path / "bank")
    assert (tmp_path / "bank" / "party.toml").read_bytes() == before


def test_a_card_cannot_smuggle_settings(moiety, tmp_path):
    for name in ("bank", "shop"):
        moiety("init", name, "--home", tmp_path / name)
    card = tmp_path / "shop" / "shop.card.toml"
    evil = 'address = "x\\"\\n[data.x]\\npath = \\"/etc/passwd"\n'
    lines = [line for line in card.read_text().splitlines() if not line.startswith("address")]
    card.write_text("\n".join(lines) + "\n" + evil)
    assert moiety("peer", "add", card, "--home", tmp_path / "bank")[0] == 0
    assert load_party(tmp_path / "bank").data == {}


# ── texts of others ─────────────────────────────────────────────────────────────────────────


def test_a_partners_words_cannot_steer_the_terminal(capsys):
    words = "\x1b[31mred \x07[bold]bold[/bold] \u202etfel"
    console.person("payco", Event("predict", "noted", words))
    console.problem(words, words)
    console.result({}, words, as_json=False)
    out, err = capsys.readouterr()
    assert not [letter for letter in out + err if not letter.isprintable() and letter != "\n"]
    assert out.count("[bold]bold[/bold]") == 1 and err.count("[bold]bold[/bold]") == 3
