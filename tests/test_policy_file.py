"""Policies as signed files: unset is refused, who signed counts, words say what is meant."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli_kit import home  # noqa: F401
from enclave_kit import BINDING, NOW, RECORDED_AT, VERIFIER, quoted, recorded_quote, vector
from moiety.agreement.signing import SigningKey
from moiety.enclave.certificate import read_certificates
from moiety.enclave.evidence import Evidence
from moiety.enclave.policy import EnclavePolicy
from moiety.enclave.policy_file import TeePolicy
from moiety.enclave.policy_signing import load_policy, sign_policy, signatures_of, signers
from moiety.enclave.policy_words import explain
from moiety.enclave.snp import SnpReport
from moiety.enclave.snp_verify import examine_snp
from moiety.enclave.verify import IntelVerifier
from moiety.errors import AttestationFailed, ConfigError, MoietyError, PolicyRefused
from moiety.party.config import load_party
from policy_kit import KEYS, RECORDED, ROOT, SIMULATED, TDX_MACHINE, signed, text


def respelt(key: str) -> str:
    """The same key with other unused bits in its last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert key.endswith("=")
    return key[:-2] + alphabet[alphabet.index(key[-2]) ^ 1] + "="


def parsed(source: str) -> TeePolicy:
    return TeePolicy.parse(source.encode(), "policy")


def examined(kind: str):
    if kind == "snp":
        chain = [vector("snp_milan_vcek.der"), vector("snp_milan_ask_ark.pem")]
        certificates = [each for data in chain for each in read_certificates(data)]
        report = SnpReport.parse(vector("snp_milan_report.bin"))
        return examine_snp(report, certificates, now=RECORDED_AT)
    return IntelVerifier().examine(Evidence.parse(recorded_quote(kind)), now=RECORDED_AT)


def test_what_a_policy_names_is_accepted() -> None:
    policy = parsed(text())
    for kind in ("sgx", "tdx"):
        policy.check(examined(kind))
    assert policy.refusals(examined("snp")) == ("it is a debug machine: its host reads its memory",)
    assert policy.production and policy.dcap.production


@pytest.mark.parametrize("kind, count", [("sgx", 8), ("tdx", 13), ("snp", 9)])
def test_what_is_unset_is_refused_all_at_once(kind: str, count: int) -> None:
    policy = parsed(text("", tees=""))
    with pytest.raises(AttestationFailed, match="refused by the policy 'lending'") as refusal:
        policy.check(examined(kind))
    assert str(refusal.value).count("\n  - ") == count, str(refusal.value)


@pytest.mark.parametrize(
    "kind, old, new, because",
    [
        ("sgx", '"UpToDate", "Conf', '"Conf', None),
        ("sgx", '"INTEL-SA-00289", ', "", "INTEL-SA-00289"),
        ("sgx", "min_tcb_evaluation = 17", "", "no least TCB evaluation"),
        ("sgx", "max_collateral_days = 31", "", "no greatest age"),
        ("sgx", 'ppids = ["any"]', "", "PPID d04ec06d"),
        ("sgx", 'ppids = ["any"]', 'ppids = ["d04ec06d4e6d92dc90d0ad3cf5ee2ddf"]', None),
        ("tdx", '"smt_enabled"]\nmin', '"cached_keys"]\nmin', "smt_enabled"),
        ("tdx", 'rtmr0 = "44', 'rtmr0 = "45', "rtmr0 44c0197b"),
        ("tdx", 'rtmr3 = "00', 'rtmr3 = "01', "rtmr3 0000"),
        ("snp", 'chip_ids = ["any"]', "", "its chip 3ac3fe21"),
        ("snp", "snp = 5", "snp = 6", "version 5 of snp is below 6"),
        ("snp", "microcode = 68", "", "no least security version of microcode"),
    ],
)
def test_each_key_counts(kind: str, old: str, new: str, because: str | None) -> None:
    source = text().replace(old, new, 1).replace('"cached_keys", "cached_keys"', '"cached_keys"')
    assert source != text()
    refusals = [each for each in parsed(source).refusals(examined(kind)) if "debug" not in each]
    if because is None:
        assert refusals == []
    else:
        (refusal,) = refusals
        assert because in refusal


def test_a_signer_stands_in_for_measurements() -> None:
    start = RECORDED.index("[sgx]")
    body = (
        RECORDED[:start]
        + """
[sgx.signer]
mr_signer = "815f42f11cf64430c30bab7816ba596a1da0130c3b028b673133a66cf9a3e0e6"
product = 0
min_security_version = 0
"""
    )
    assert parsed(text(body)).refusals(examined("sgx")) == ()
    stricter = body.replace("min_security_version = 0", "min_security_version = 1")
    (refusal,) = parsed(text(stricter)).refusals(examined("sgx"))
    assert "security version 0 is below 1" in refusal


def test_a_simulation_is_admitted_by_its_section_only() -> None:
    found = VERIFIER.examine(quoted(BINDING), now=NOW)
    policy = parsed(text(SIMULATED, production=False))
    assert policy.refusals(found) == () and not policy.dcap.production
    without = SIMULATED[: SIMULATED.index("[simulation]")]
    for production in (True, False):
        (refusal,) = parsed(text(without, production=production)).refusals(found)
        assert "keeps nothing from its host" in refusal
    other = SIMULATED.replace(ROOT.hex(), "00" * 32)
    (refusal,) = parsed(text(other, production=False)).refusals(found)
    assert "another root" in refusal


@pytest.mark.parametrize(
    "source, because",
    [
        (text(SIMULATED), "a policy for production admits no simulation"),
        (
            text(SIMULATED.replace("protects_nothing = true", ""), production=False),
            "keeps nothing from its host",
        ),
        (text(SIMULATED.replace("= true", "= false"), production=False), "keeps nothing"),
        (text(SIMULATED + 'tcb = "any"\n', production=False), "unknown tcb"),
        (text(RECORDED.replace("[sgx]", "[sgx]\ndebug = true")), "unknown debug"),
        (text(RECORDED.replace('"UpToDate"', '"Revoked"')), "Revoked"),
        (text(RECORDED.replace("33d8", "33dx")), "not hexadecimal"),
        (text(RECORDED.replace("33d8", "")), "32 bytes"),
        (text(RECORDED.replace('mr_td = "91eb', 'mr_td = "')), "has 46 bytes, not 48"),
        (text(TDX_MACHINE.replace("rtmr2", "rtmr4")), "rtmr2 is missing"),
        (text(RECORDED.replace("boot_loader", "bootloader")), "unknown bootloader"),
        (text(RECORDED.replace("snp = 5", "snp = 256")), "outside 0..255"),
        (text(tees='"sgx", "sev"'), "tees has sev"),
        (text(threshold=4), "threshold = 4, but there are 3 signers"),
        (text(threshold=0), "outside 1..64"),
        (text(keys=()), "there are 0 signers"),
        (text().replace("ed25519:", "rsa:", 1), "not a signing key"),
        (text().replace(KEYS[1].public, respelt(KEYS[0].public)), "another way to write a key"),
        (text().replace("version = 1", "version = 2", 1), "outside 1..1"),
        (text().replace("production = true", "", 1), "production is missing"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(source: str, because: str) -> None:
    with pytest.raises(ConfigError, match=because):
        parsed(source)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_altered_policy_parses_or_is_refused(data: st.DataObject) -> None:
    source = text()
    at = data.draw(st.integers(0, len(source) - 1))
    cut = data.draw(st.integers(0, 40))
    altered = source[:at] + data.draw(st.text(max_size=8)) + source[at + cut :]
    try:
        parsed(altered)
    except ConfigError:
        return


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_policy_for_production_admits_a_simulation(body: str) -> None:
    """Whatever else it says, if it can be meant at all."""
    found = VERIFIER.examine(quoted(BINDING), now=NOW)
    for source in (text(body), text(SIMULATED + body), text(RECORDED + body)):
        try:
            policy = parsed(source)
        except MoietyError:
            continue
        assert any("keeps nothing from its host" in each for each in policy.refusals(found))


def test_enough_signers_must_have_signed(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    signed(path, text(), ())
    with pytest.raises(PolicyRefused, match="0 good signatures of its signers, not 2"):
        load_policy(path)
    sign_policy(path, KEYS[0])
    sign_policy(path, KEYS[0])
    with pytest.raises(PolicyRefused, match="1 good signatures"):
        load_policy(path)
    sign_policy(path, KEYS[2])
    assert signers(path, load_policy(path)) == (KEYS[0].public, KEYS[2].public)


def test_pinned_keys_must_be_among_them(tmp_path: Path) -> None:
    path = signed(tmp_path / "policy.toml", text())
    load_policy(path, [KEYS[0].public, KEYS[1].public])
    stranger = SigningKey.create().public
    for pinned in ([KEYS[2].public], [stranger], [KEYS[0].public, stranger]):
        with pytest.raises(PolicyRefused, match="is not signed by"):
            load_policy(path, pinned)
    with pytest.raises(ConfigError, match="not a signing key"):
        load_policy(path, ["nobody"])


def test_a_changed_policy_needs_new_signatures(tmp_path: Path) -> None:
    path = signed(tmp_path / "policy.toml", text())
    path.write_text(text() + "# a comment\n", encoding="utf-8")
    with pytest.raises(PolicyRefused, match="0 good signatures"):
        load_policy(path)
    sign_policy(path, KEYS[1])
    assert len(signatures_of(path).read_text().splitlines()) == 1


def test_a_stranger_does_not_sign(tmp_path: Path) -> None:
    path = signed(tmp_path / "policy.toml", text())
    stranger = SigningKey.create()
    with pytest.raises(PolicyRefused, match="is not among the signers"):
        sign_policy(path, stranger)
    lines = signatures_of(path).read_text()
    signatures_of(path).write_text(lines.replace(KEYS[0].public, stranger.public))
    with pytest.raises(PolicyRefused, match="1 good signatures"):
        load_policy(path)


@pytest.mark.parametrize("content", ["nonsense", "a b c", "ed25519:AAAA ***", "é é"])
def test_signatures_that_cannot_be_read_are_refused(tmp_path: Path, content: str) -> None:
    path = signed(tmp_path / "policy.toml", text(), ())
    signatures_of(path).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="does not hold signatures"):
        load_policy(path)


def test_words_say_what_a_policy_admits_and_what_not() -> None:
    admits, refuses = explain(parsed(text()))
    assert "for production; 2 of 3 must sign it" in admits[0]
    told = " ".join(admits)
    for word in ("Intel SGX", "33d8736d", "Intel TDX", "91eb2b44", "AMD SEV-SNP", "microcode 68"):
        assert word in told, word
    assert "SIMULATION" not in told and "Simulations." in refuses
    assert any("OutOfDate" in each and "Revoked" in each for each in refuses)
    assert any("VLEK" in each for each in refuses)


def test_words_are_loud_about_simulations_and_plain_about_what_is_unset() -> None:
    admits, refuses = explain(parsed(text(SIMULATED, production=False, tees='"sgx", "snp"')))
    assert any("SIMULATIONS" in each and "NOTHING" in each for each in admits)
    assert "virtual machines on AMD SEV-SNP: none, for no code is named." in admits
    assert "Virtual machines on Intel TDX." in refuses and "Simulations." not in refuses
    unset = RECORDED.replace("max_collateral_days = 31", "")
    assert any("none, for no platform is named" in each for each in explain(parsed(text(unset)))[0])


@pytest.fixture
def officer(home: Path) -> Callable[[str], EnclavePolicy]:
    """What a party demands of an enclave, once its policy.toml names a signed policy."""
    signed(home / "lending.toml", text(SIMULATED, production=False))
    rest, _, _ = (home / "policy.toml").read_text(encoding="utf-8").partition("[enclave]")

    def load(named: str) -> EnclavePolicy:
        demands = f'[enclave]\nhosts = ["operator"]\n{named}'
        (home / "policy.toml").write_text(rest + demands, encoding="utf-8")
        return load_party(home).rules.enclave.policy

    return load


def test_a_party_may_demand_what_a_signed_policy_says(officer) -> None:
    signers_ = f'policy_signers = ["{KEYS[0].public}"]\n'
    demands = officer('policy = "lending.toml"\n' + signers_)
    assert demands == parsed(text(SIMULATED, production=False)).dcap
    assert demands.accept(VERIFIER.verify(quoted(BINDING), BINDING, now=NOW))


@pytest.mark.parametrize(
    "named, kind, because",
    [
        ("", ConfigError, "policy_signers is missing"),
        ("policy_signers = []", ConfigError, "policy_signers is empty"),
        (f'policy_signers = ["{KEYS[2].public}"]', PolicyRefused, "is not signed by"),
        (
            f'policy_signers = ["{KEYS[0].public}"]\nmeasurements = ["00"]',
            ConfigError,
            "unknown measurements",
        ),
    ],
    ids=["unset", "nobody", "somebody else", "beside measurements"],
)
def test_a_party_must_pin_who_signed(officer, named: str, kind: type, because: str) -> None:
    with pytest.raises(kind, match=because):
        officer('policy = "lending.toml"\n' + named)
