"""moiety tee verify, policy and collateral: what a person sees, and what a machine reads."""

import json
import shutil
from pathlib import Path

import pytest

from cli_kit import fails, moiety  # noqa: F401
from enclave_kit import BINDING, MEASURED, NOW, PLATFORM, RECORDED_AT, vector, vector_path
from moiety.agreement.signing import SigningKey
from moiety.enclave.ear import read_result
from policy_kit import KEYS, RECORDED, SIMULATED, signed, text
from ratls_kit import COLLATERAL, interoperable

AT = "2025-07-19T08:00:00Z"
SIMULATED_AT = "2027-01-15T08:00:00Z"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return signed(tmp_path / "policy.toml", text())


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    return signed(tmp_path / "trial.toml", text(SIMULATED, production=False))


def quote_of(kind: str) -> tuple[Path, ...]:
    """A recorded quote with the options that its collateral takes."""
    collateral = vector_path(f"{kind}_quote_collateral.json")
    return vector_path(f"{kind}_quote"), "--collateral", collateral, "--at", AT


@pytest.mark.parametrize("kind, status", [("sgx", "warning"), ("tdx", "affirming")])
def test_a_recorded_quote_is_accepted(moiety, policy: Path, kind: str, status: str) -> None:
    code, out, _ = moiety("tee", "verify", *quote_of(kind), "--policy", policy, "--json")
    body = json.loads(out)
    assert code == 0 and body["accepted"] and (body["tee"], body["status"]) == (kind, status)
    assert body["at"] == "2025-07-19T08:00:00+00:00" and body["policy"] == "lending"
    assert any("expires in 0 days" in note for note in body["notes"])
    code, out, _ = moiety("tee", "verify", *quote_of(kind), "--policy", policy)
    assert code == 0 and out.startswith(f"accepted by 'lending' ({status})")


def test_all_refusals_are_listed_with_exit_code_5(fails, tmp_path: Path) -> None:
    bare = signed(tmp_path / "bare.toml", text("", tees=""))
    told = fails(5, "tee", "verify", *quote_of("tdx"), "--policy", bare)
    assert told.count("\n  - ") == 13


def test_a_recorded_report_is_refused_for_debug(fails, policy: Path) -> None:
    chain = ["--chain", vector_path("snp_milan_vcek.der")]
    chain += ["--chain", vector_path("snp_milan_ask_ark.pem")]
    report = vector_path("snp_milan_report.bin")
    told = fails(5, "tee", "verify", report, *chain, "--at", AT, "--policy", policy)
    assert told.endswith(":\n  - it is a debug machine: its host reads its memory")


def test_a_certificate_is_recognised(moiety, fails, policy: Path, trial: Path, tmp_path) -> None:
    (tmp_path / "cert.der").write_bytes(interoperable())
    (tmp_path / "collateral.json").write_bytes(COLLATERAL)
    given = (tmp_path / "cert.der", "--collateral", tmp_path / "collateral.json")
    _, out, _ = moiety("tee", "verify", *given, "--at", SIMULATED_AT, "--policy", trial, "--json")
    body = json.loads(out)
    assert body["relay_prone"] and body["simulated"] and body["status"] == "warning"
    assert any("open to relay" in note for note in body["notes"])
    assert any("SIMULATED" in note for note in body["notes"])
    real = vector_path("ratls_gramine_cert.pem")
    told = fails(5, "tee", "verify", real, "--at", AT, "--policy", policy)
    assert "no collateral for sgx-" in told


def test_a_token_is_written_whatever_it_says(moiety, fails, policy: Path, tmp_path: Path) -> None:
    key, token = tmp_path / "key.pem", tmp_path / "token"
    mine = SigningKey.create()
    mine.save(key)
    options = ("--token-key", key, "--token", token, "--nonce", "asked-with-this")
    code, _, _ = moiety("tee", "verify", *quote_of("tdx"), "--policy", policy, *options)
    good = read_result(token.read_text(), mine.public, now=RECORDED_AT, nonce="asked-with-this")
    assert code == 0 and good.status == "affirming"
    reading = ("tee", "token", token, "--key", mine.public, "--at", AT)
    code, out, _ = moiety(*reading, "--nonce", "asked-with-this", "--json")
    assert code == 0 and json.loads(out)["status"] == "affirming"
    assert "another nonce" in fails(5, *reading, "--nonce", "asked-with-that")
    assert "good for 300 s" in fails(5, "tee", "token", token, "--key", mine.public)
    bare = signed(tmp_path / "bare.toml", text("", tees=""))
    code, _, _ = moiety("tee", "verify", *quote_of("tdx"), "--policy", bare, *options)
    bad = read_result(token.read_text(), mine.public, now=RECORDED_AT)
    assert code == 5 and bad.status == "contraindicated" and len(bad.refusals) == 13


def test_report_data_are_compared(moiety, fails, trial: Path, tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.write_bytes(PLATFORM.evidence(BINDING.report_data, MEASURED, NOW))
    given = (message, "--at", SIMULATED_AT, "--policy", trial, "--report-data")
    code, out, _ = moiety("tee", "verify", *given, BINDING.report_data.hex(), "--json")
    assert code == 0 and not any("not compared" in each for each in json.loads(out)["notes"])
    assert "not about the expected" in fails(5, "tee", "verify", *given, "00")
    assert "--report-data is not" in fails(2, "tee", "verify", *given, "xy")


def test_usage_is_told(fails, policy: Path, tmp_path: Path) -> None:
    quote = vector_path("tdx_quote")
    wrong = [
        ("2025-07-19", "is not a time"),
        ("2025-07-19T08:00:00", "is not a time"),
        ("yesterday", "is not a time"),
    ]
    for at, because in wrong:
        told = fails(2, "tee", "verify", quote, "--policy", policy, "--at", at)
        assert because in told
    told = fails(2, "tee", "verify", quote, "--policy", policy, "--token", tmp_path / "token")
    assert "belong together" in told
    fails(2, "tee", "verify", tmp_path / "absent", "--policy", policy)
    (tmp_path / "bad.json").write_bytes(b"[{}]")
    told = fails(
        2, "tee", "verify", quote, "--policy", policy, "--collateral", tmp_path / "bad.json"
    )
    assert "entry 1" in told


def test_an_unsigned_policy_is_refused(fails, policy: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    shutil.copy(policy, plain)
    assert "0 good signatures" in fails(3, "tee", "verify", *quote_of("tdx"), "--policy", plain)
    pinned = ("--policy", policy, "--signer", KEYS[2].public)
    assert "is not signed by" in fails(3, "tee", "verify", *quote_of("tdx"), *pinned)


def test_a_policy_is_signed_checked_and_explained(moiety, fails, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text(), encoding="utf-8")
    for number in range(2):
        assert fails(3, "tee", "policy", "check", path)
        KEYS[number].save(tmp_path / f"{number}.pem")
        code, out, _ = moiety("tee", "policy", "sign", path, "--key", tmp_path / f"{number}.pem")
        assert code == 0 and f"has {number + 1} of 2 signatures needed" in out
    code, out, _ = moiety("tee", "policy", "check", path, "--signer", KEYS[0].public, "--json")
    body = json.loads(out)
    assert code == 0 and body["signed_by"] == [KEYS[0].public, KEYS[1].public]
    code, out, _ = moiety("tee", "policy", "explain", path)
    assert code == 0 and "It admits:" in out and "It does not admit:" in out and "33d8736d" in out
    code, out, _ = moiety("tee", "policy", "explain", path, "--json")
    assert "Simulations." in json.loads(out)["refuses"]


def test_a_policy_that_cannot_be_meant_is_told(fails, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text(SIMULATED), encoding="utf-8")
    assert "admits no simulation" in fails(2, "tee", "policy", "explain", path)
    path.write_text(text(RECORDED + "\n[sgx]\n"), encoding="utf-8")
    assert "is not TOML" in fails(2, "tee", "policy", "check", path)


def test_a_cache_of_collateral_is_filled_listed_and_used(moiety, policy: Path, tmp_path) -> None:
    cache = ("--cache", tmp_path / "cache")
    for kind in ("sgx", "tdx"):
        path = vector_path(f"{kind}_quote_collateral.json")
        code, _, _ = moiety("tee", "collateral", "add", path, *cache)
        assert code == 0
    code, out, _ = moiety("tee", "collateral", "list", *cache, "--at", AT)
    assert code == 0 and "tdx-B0C06F000000      0 days left !" in out
    for kind in ("sgx", "tdx"):
        quote = vector_path(f"{kind}_quote")
        code, _, _ = moiety("tee", "verify", quote, *cache, "--at", AT, "--policy", policy)
        assert code == 0


def test_only_a_configured_pccs_is_asked(fails, tmp_path: Path) -> None:
    verb = ("tee", "collateral", "fetch")
    quote = vector_path("sgx_quote")
    assert "Missing option" in fails(2, *verb, quote)
    assert "not the address" in fails(2, *verb, quote, "--pccs", "http://pccs.example.org")
    report = vector_path("snp_milan_report.bin")
    told = fails(2, *verb, report, "--pccs", "https://pccs.example.org")
    assert "Intel's platforms only" in told and vector("sgx_quote")
