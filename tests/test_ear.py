"""Appraisals as signed tokens: what they say, whom they convince, and what no key signed."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_kit import BINDING, MEASURED, NOW, PLATFORM, RECORDED_AT, recorded_quote, vector
from moiety.agreement.signing import SigningKey
from moiety.enclave.appraise import Appraisal, Material, appraise
from moiety.enclave.attester.simulation import Scenario
from moiety.enclave.certificate import read_certificates
from moiety.enclave.collateral import read_bundle
from moiety.enclave.ear import LIFE, issue, read_result, status
from moiety.enclave.ear import vector as claims
from moiety.enclave.evidence import pack
from moiety.enclave.policy_file import TeePolicy
from moiety.errors import AttestationFailed, ConfigError, UsageError
from policy_kit import RECORDED, SIMULATED, text
from ratls_kit import COLLATERAL, interoperable

KEY = SigningKey.create()
NONCE = "asked-with-this"
TRIAL = TeePolicy.parse(text(SIMULATED, production=False).encode(), "trial")
SIMULATED_MESSAGE = PLATFORM.evidence(BINDING.report_data, MEASURED, NOW)
GOOD = issue(appraise(SIMULATED_MESSAGE, Material(), TRIAL, now=NOW), KEY, NONCE)


@pytest.fixture(scope="module")
def policy() -> TeePolicy:
    return TeePolicy.parse(text().encode(), "policy")


def real(policy: TeePolicy, kind: str, **changes: object) -> Appraisal:
    found = appraise(recorded_quote(kind), Material(), policy, now=RECORDED_AT)
    return replace(found, **changes) if changes else found


def test_a_healthy_platform_is_affirmed(policy: TeePolicy) -> None:
    found = real(policy, "tdx")
    result = read_result(issue(found, KEY, NONCE), KEY.public, now=RECORDED_AT, nonce=NONCE)
    assert (result.status, result.simulated, result.tee) == ("affirming", False, "tdx")
    assert result.vector == {
        "hardware": 2,
        "runtime-opaque": 2,
        "executables": 2,
        "configuration": 2,
    }
    assert result.report_data.hex().startswith("9a9d48e7") and len(result.report_data) == 64
    assert result.policy_sha256 == policy.digest
    assert result.evidence_sha256 == found.evidence_sha256
    assert (result.issued, result.expires) == (RECORDED_AT, RECORDED_AT + LIFE)
    assert (result.nonce, result.refusals) == (NONCE, ())


def test_a_named_platform_is_recognised() -> None:
    listed = text(
        RECORDED.replace('ppids = ["any"]', 'ppids = ["811dca2a26b952e85bb6448b097ba4fd"]')
    )
    found = real(TeePolicy.parse(listed.encode(), "policy"), "tdx")
    assert claims(found)["instance-identity"] == 2 and status(found) == "affirming"


def test_a_stale_platform_that_is_accepted_is_a_warning(policy: TeePolicy) -> None:
    found = real(policy, "sgx")
    assert found.accepted and claims(found)["hardware"] == 32 and status(found) == "warning"


def test_what_a_policy_refuses_is_contraindicated_with_its_reasons() -> None:
    found = real(TeePolicy.parse(text("", tees="").encode(), "policy"), "tdx")
    result = read_result(issue(found, KEY, NONCE), KEY.public, now=RECORDED_AT)
    assert result.status == "contraindicated" and len(result.refusals) == 13
    assert result.vector == {"hardware": 2, "runtime-opaque": 2}


def test_a_debug_machine_is_visible(policy: TeePolicy) -> None:
    chain = [*read_certificates(vector("snp_milan_vcek.der"))]
    chain += read_certificates(vector("snp_milan_ask_ark.pem"))
    report = vector("snp_milan_report.bin")
    found = appraise(report, Material(chain=tuple(chain)), policy, now=RECORDED_AT)
    assert claims(found)["runtime-opaque"] == 96 and status(found) == "contraindicated"


def test_what_nobody_signed_is_contraindicated_and_what_nobody_can_read_is_none(
    policy: TeePolicy,
) -> None:
    altered = bytearray(recorded_quote("tdx"))
    altered[200] ^= 1
    found = appraise(bytes(altered), Material(), policy, now=RECORDED_AT)
    assert (status(found), claims(found)) == ("contraindicated", {"hardware": 99})
    nothing = appraise(b"nothing", Material(), policy, now=RECORDED_AT)
    assert (status(nothing), claims(nothing)) == ("none", {})
    result = read_result(issue(nothing, KEY, NONCE), KEY.public, now=RECORDED_AT)
    assert result.status == "none" and result.tee == "unknown" and result.refusals


def test_a_simulation_is_a_warning_at_best_and_says_so() -> None:
    result = read_result(GOOD, KEY.public, now=NOW, nonce=NONCE)
    assert (result.status, result.simulated, result.tee) == ("warning", True, "sim-sgx")
    assert "hardware" not in result.vector and "runtime-opaque" not in result.vector


@given(
    st.sampled_from(["UpToDate", "OutOfDate", "SWHardeningNeeded"]), st.booleans(), st.booleans()
)
def test_no_simulation_is_ever_affirmed(tcb: str, debug: bool, trial: bool) -> None:
    scenario = Scenario(tcb_status=tcb, debug=debug)
    data = PLATFORM.evidence(BINDING.report_data, MEASURED, NOW, scenario)
    policy = TRIAL if trial else TeePolicy.parse(text().encode(), "policy")
    found = appraise(data, Material(), policy, now=NOW)
    assert status(found) in ("warning", "contraindicated")
    assert status(found) == "contraindicated" or (found.simulated and trial)


def test_what_a_certificate_carried_is_a_warning_at_best(policy: TeePolicy) -> None:
    material = Material(read_bundle(COLLATERAL))
    found = appraise(interoperable(), material, TRIAL, now=NOW)
    assert found.accepted and found.relay_prone and status(found) == "warning"
    assert status(real(policy, "tdx", relay_prone=True)) == "warning"


@pytest.mark.parametrize(
    "shift, good", [(-61, False), (-60, True), (LIFE - 1, True), (LIFE, False)]
)
def test_a_token_is_good_for_a_while(shift: int, good: bool) -> None:
    if good:
        read_result(GOOD, KEY.public, now=NOW + shift)
    else:
        with pytest.raises(AttestationFailed, match="is good for 300 s"):
            read_result(GOOD, KEY.public, now=NOW + shift)


def test_a_token_convinces_for_its_key_and_nonce_only() -> None:
    with pytest.raises(AttestationFailed, match="not signed by"):
        read_result(GOOD, SigningKey.create().public, now=NOW)
    with pytest.raises(AttestationFailed, match="another nonce"):
        read_result(GOOD, KEY.public, now=NOW, nonce="asked-with-that")
    with pytest.raises(ConfigError, match="not a signing key"):
        read_result(GOOD, "nobody", now=NOW)


@pytest.mark.parametrize("nonce", ["", "short", "n" * 89, "ünicode-nonce"])
def test_a_nonce_has_a_length(nonce: str) -> None:
    found = appraise(SIMULATED_MESSAGE, Material(), TRIAL, now=NOW)
    with pytest.raises(UsageError, match="a nonce of"):
        issue(found, KEY, nonce)


def resigned(header: object, body: object) -> str:
    parts = [_text(json.dumps(part).encode()) for part in (header, body)]
    return ".".join([*parts, _text(KEY.private.sign(".".join(parts).encode()))])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def body() -> dict[str, object]:
    middle = GOOD.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


@pytest.mark.parametrize(
    "header, change",
    [
        ({"alg": "none", "typ": "JWT"}, {}),
        ({"alg": "HS256", "typ": "JWT"}, {}),
        ({"alg": "EdDSA", "typ": "JWT", "crit": ["exp"]}, {}),
        ({"alg": "EdDSA"}, {}),
        (None, {"eat_profile": "tag:another"}),
        (None, {"exp": "9999999999"}),
        (None, {"exp": 1e30}),
        (None, {"iat": True}),
        (None, {"eat_nonce": 5}),
        (None, {"submods": {}}),
        (None, {"submods": {"a": {}, "b": {}}}),
        (None, {"submods": {"sim-sgx": {"ear.status": "splendid"}}}),
        (None, {"submods": []}),
    ],
)
def test_a_signed_token_of_another_form_is_refused(
    header: object, change: dict[str, object]
) -> None:
    usual = {"alg": "EdDSA", "typ": "JWT"}
    assert read_result(resigned(usual, body()), KEY.public, now=NOW).nonce == NONCE
    with pytest.raises(AttestationFailed, match="no token"):
        read_result(resigned(header or usual, {**body(), **change}), KEY.public, now=NOW)


@settings(max_examples=400)
@given(st.integers(0, len(GOOD) - 1), st.characters(max_codepoint=0x17F))
def test_no_altered_token_convinces(at: int, character: str) -> None:
    altered = GOOD[:at] + character + GOOD[at + 1 :]
    if altered == GOOD:
        return
    with pytest.raises(AttestationFailed):
        read_result(altered, KEY.public, now=NOW)


@given(st.text(max_size=200) | st.text(alphabet="eyJ.-_aA0=", max_size=80))
def test_any_text_is_refused(token: str) -> None:
    with pytest.raises(AttestationFailed):
        read_result(token, KEY.public, now=NOW)


def test_a_message_of_a_wrong_pair_is_refused(policy: TeePolicy, tmp_path: Path) -> None:
    data = pack(recorded_quote("tdx")[8:5014], b"{}")
    found = appraise(data, Material(), policy, now=RECORDED_AT)
    assert not found.accepted and status(found) == "contraindicated"
