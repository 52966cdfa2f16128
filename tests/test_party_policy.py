"""A party's own policy: a job that asks for more is refused, with every reason at once."""

import shutil
from dataclasses import replace

import pytest

from moiety.agreement.manifest import LEAKAGE
from moiety.agreement.signing import SigningKey
from moiety.errors import ConfigError, PolicyRefused
from moiety.party.agree import own_signature, sign
from moiety.party.config import load_party
from moiety.party.policy import check_job
from party_kit import job, other_job, party, stage


def refused(of=None, who="lender", **rules):
    own = party(who)
    own = replace(own, rules=replace(own.rules, **rules)) if rules else own
    with pytest.raises(PolicyRefused) as caught:
        check_job(own, of or job())
    assert caught.value.exit_code == 3 and caught.value.hint
    return str(caught.value)


def test_the_job_of_the_stage_is_admitted():
    for name in ("lender", "payco"):
        check_job(party(name), job())


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"purposes": ()}, "purpose 'joint credit score"),
        ({"models": ("trees",)}, "model 'scorecard'"),
        ({"scores_to": ("payco",)}, "scores_to 'lender'"),
        ({"max_predictions": 59}, "predictions = 60 is above policy.toml's max_predictions = 59"),
        ({"min_common": 21}, "min_common = 20 is below policy.toml's min_common = 21"),
        ({"max_peer_rows": 399}, "payco may bring 400 ids"),
        ({"columns": {}}, "columns limit_bal, sex, education, marriage, age"),
        ({"columns": {"clients": ("age",)}}, "columns limit_bal, sex, education, marriage are not"),
    ],
)
def test_what_a_policy_does_not_allow_is_refused(rules, text):
    assert text in refused(**rules)


def test_all_reasons_are_told_at_once():
    text = refused(purposes=(), models=(), scores_to=(), columns={}, max_predictions=0)
    assert text.count("\n  - ") == 6


def test_what_is_unset_is_refused(tmp_path):
    home = tmp_path / "lender"
    shutil.copytree(stage().homes["lender"], home)
    (home / "policy.toml").write_text("", encoding="utf-8")
    with pytest.raises(PolicyRefused) as caught:
        check_job(load_party(home), job())
    assert str(caught.value).count("\n  - ") == 11


def test_a_policy_may_demand_a_leakage_profile():
    rules = party("lender").rules.enclave
    assert "leakage 'fast' is not among policy.toml's enclave.leakage" in refused(
        enclave=replace(rules, leakage=("constant-flow",))
    )
    flowing = other_job(
        ('kind = "scorecard"', 'kind = "trees"'), ('leakage = "fast"', 'leakage = "constant-flow"')
    )
    assert "leakage 'constant-flow' is not among" in refused(of=flowing)
    own = replace(party("lender").rules, enclave=replace(rules, leakage=LEAKAGE))
    check_job(replace(party("lender"), rules=own), flowing)


@pytest.mark.parametrize(
    ("key", "other", "text"),
    [
        ("certificate", "sha256:" + "ab" * 32, "another certificate for me than keys/tls.pem"),
        (
            "signing_key",
            SigningKey.create().public,
            "another signing key for me than keys/signing.pem",
        ),
    ],
    ids=["certificate", "signing key"],
)
def test_a_job_with_other_keys_for_me_or_my_peer_is_refused(key, other, text):
    mine, theirs = (getattr(job().member(name), key) for name in ("lender", "payco"))
    assert text in refused(other_job((mine, other)))
    assert "than my [peers.payco]" in refused(other_job((theirs, other)))


def test_a_peer_that_is_not_known_is_refused():
    own = replace(party("lender"), peers={})
    with pytest.raises(PolicyRefused, match=r"'payco' is not among my \[peers\]"):
        check_job(own, job())


# ── signatures ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def home(tmp_path):
    shutil.copytree(stage().homes["lender"], tmp_path / "lender")
    return tmp_path / "lender"


def test_a_signed_job_runs_and_an_unsigned_one_does_not(home):
    own = load_party(home)
    assert own_signature(own, job()) == sign(own, job())
    (own.job_folder(job()) / "signature").unlink()
    with pytest.raises(PolicyRefused, match="lender has not signed job"):
        own_signature(own, job())


def test_an_altered_job_was_not_signed(home):
    with pytest.raises(PolicyRefused, match="has not signed job") as caught:
        own_signature(load_party(home), other_job(("predictions = 60", "predictions = 6")))
    assert "a changed file is another job" in caught.value.hint


def test_a_signature_by_another_key_is_refused(home):
    own = load_party(home)
    forged = party("payco").signing_key.sign_job(job().hash)
    for broken in (forged, b"", forged[:-1], bytes(64)):
        (own.job_folder(job()) / "signature").write_bytes(broken)
        with pytest.raises(PolicyRefused, match="signature of lender on the job"):
            own_signature(own, job())


def test_the_policy_of_today_counts_and_not_that_of_the_signature(home):
    policy = home / "policy.toml"
    policy.write_text(policy.read_text().replace('models = ["scorecard", "trees"]', "models = []"))
    with pytest.raises(PolicyRefused, match="model 'scorecard'"):
        own_signature(load_party(home), job())
    with pytest.raises(PolicyRefused, match="model 'scorecard'"):
        sign(load_party(home), job())


# ── the files ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("file", "old", "new", "text"),
    [
        ("party.toml", 'name = "lender"', 'nome = "lender"', "name is missing"),
        ("party.toml", 'name = "lender"', "name = 5", "name must be of type str"),
        ("party.toml", 'name = "lender"', 'name = "lender"\nx = 1', "unknown x"),
        ("party.toml", 'name = "lender"', 'name = "lender"\nsilence = 1', "silence = 1 is outside"),
        ("party.toml", 'name = "lender"', 'name = "lender"\npatience = 0', "patience = 0 is outsi"),
        ("party.toml", "[peers.payco]", "[peers.payco]\nport = 1", "unknown port"),
        ("party.toml", "[data.clients]", "[data.clients]\nrule = 1", "unknown rule"),
        ("party.toml", '"', "'''", "is not TOML"),
        ("policy.toml", "min_common = 20", "min_comon = 20", "unknown min_comon"),
        ("policy.toml", "min_common = 20", 'min_common = "20"', "must be of type int"),
        ("policy.toml", 'measurements = ["', 'measurements = ["zz', "is not hexadecimal"),
        ("policy.toml", 'measurements = ["', 'measurements = ["00", "', "a measurement has 32"),
        ("policy.toml", 'leakage = ["fast"]', 'leakage = ["tight"]', "leakage has tight; known: f"),
        ("policy.toml", '"UpToDate"', '"Splendid"', "tcb_statuses has Splendid"),
        ("policy.toml", 'simulation_root = "simulation-root.der"', "", "needs the SHA-256"),
        ("policy.toml", "allow_simulation = true", "", "allow_simulation is not set"),
        ("policy.toml", "simulation-root.der", "nowhere.der", "nowhere.der does not exist"),
        ("policy.toml", "simulation-root.der", "party.toml", "not a DER certificate"),
    ],
)
def test_a_mistake_in_a_partys_files_is_named(home, file, old, new, text):
    path = home / file
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=text) as caught:
        load_party(home)
    assert caught.value.exit_code == 2


def test_an_unset_leakage_profile_admits_any(home):
    policy = home / "policy.toml"
    policy.write_text(policy.read_text().replace('leakage = ["fast"]\n', ""))
    assert load_party(home).rules.enclave.leakage == LEAKAGE


def test_missing_files_are_named(home):
    (home / "keys" / "signing.pem").unlink()
    with pytest.raises(ConfigError, match="no signing key in"):
        _ = load_party(home).signing_key
    (home / "keys" / "tls.key").unlink()
    with pytest.raises(ConfigError, match=r"tls\.key does not exist"):
        _ = load_party(home).credentials
    (home / "policy.toml").unlink()
    with pytest.raises(ConfigError, match=r"policy\.toml does not exist"):
        load_party(home)
    (home / "party.toml").unlink()
    with pytest.raises(ConfigError, match=r"party\.toml does not exist"):
        load_party(home)


def test_a_data_set_that_is_not_there_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match="lender has no data set 'gone'") as caught:
        party("lender").data_set("gone")
    assert "applicants, clients" in caught.value.hint
