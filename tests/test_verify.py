"""From evidence to authentic: real quotes, simulated ones, and each part broken in turn."""

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import dcap_qvl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from enclave_kit import (
    BINDING,
    DAY,
    MEASURED,
    NOW,
    PLATFORM,
    RECORDED_AT,
    VERIFIER,
    About,
    authentic,
    recorded,
    split,
)
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.evidence import Collateral, Evidence, pack
from moiety.enclave.measure import measurement
from moiety.enclave.verify import (
    INTEL_ROOT_SHA256,
    Authentic,
    IntelVerifier,
    SimulationVerifier,
)
from moiety.errors import AttestationFailed, ConfigError, InternalError

REPORT_DATA = BINDING.report_data
GOOD = PLATFORM.evidence(REPORT_DATA, MEASURED, NOW)


@pytest.fixture(scope="module")
def real() -> bytes:
    return recorded()


def test_evidence_and_authentic_are_not_made_by_hand() -> None:
    evidence = Evidence.parse(GOOD)
    found = VERIFIER.verify(evidence, BINDING, now=NOW)
    values = {field.name: getattr(evidence, field.name) for field in fields(Evidence)}
    with pytest.raises(InternalError):
        Evidence(**values, seal=object())
    with pytest.raises(TypeError):
        Evidence(**values)
    with pytest.raises((ValueError, TypeError)):
        replace(found, tee="sgx")
    with pytest.raises(InternalError):
        replace(found, tee="sgx", seal=None)
    with pytest.raises(AttributeError):
        found.tee = "sgx"


def test_a_healthy_simulation_is_authentic_and_never_production() -> None:
    found = VERIFIER.verify(Evidence.parse(GOOD), BINDING, now=NOW)
    assert isinstance(found, Authentic)
    assert (found.tee, found.production) == ("sim-sgx", False)
    assert (found.tcb_status, found.advisories) == ("UpToDate", ())
    assert found.platform_flags == ()
    assert (found.verified_at, found.collateral_issued) == (NOW, NOW)
    assert found.root_sha256 != INTEL_ROOT_SHA256


def test_dcap_qvl_itself_accepts_the_simulation_under_its_strict_policy() -> None:
    evidence = Evidence.parse(GOOD)
    parts = [getattr(evidence.collateral, field.name) for field in fields(Collateral)]
    collateral = dcap_qvl.QuoteCollateralV3(*parts)
    policy = dcap_qvl.QuotePolicy.strict(NOW)
    engine = dcap_qvl.QuoteVerifier(PLATFORM.root_der)
    claims = engine.verify_with_policy(evidence.quote, collateral, NOW, policy)
    assert json.loads(claims.to_json())["tcb"]["status"] == "UpToDate"
    with pytest.raises(ValueError):
        dcap_qvl.QuoteVerifier().verify_with_policy(evidence.quote, collateral, NOW, policy)


def test_a_real_quote_is_authentic_under_intels_root(real: bytes) -> None:
    evidence = Evidence.parse(real)
    about = About(evidence.report.report_data)
    found = IntelVerifier().verify(evidence, about, now=RECORDED_AT)
    assert (found.tee, found.production) == ("sgx", True)
    assert found.tcb_status == "ConfigurationAndSWHardeningNeeded"
    assert found.advisories == ("INTEL-SA-00289", "INTEL-SA-00615")
    issued = datetime(2025, 6, 19, 10, 1, 18, tzinfo=UTC)
    assert found.collateral_issued == int(issued.timestamp())


@pytest.mark.parametrize("shift", [-31 * DAY, DAY, 400 * DAY])
def test_a_real_quote_outside_its_collateral_is_refused(real: bytes, shift: int) -> None:
    evidence = Evidence.parse(real)
    about = About(evidence.report.report_data)
    with pytest.raises(AttestationFailed, match=r"expired|future|not valid|Expired|NotValid"):
        IntelVerifier().verify(evidence, about, now=RECORDED_AT + shift)


@pytest.mark.parametrize("at", [NOW, RECORDED_AT])
def test_neither_root_passes_the_others_quotes(real: bytes, at: int) -> None:
    platform = SimulationPlatform.make(now=at)
    simulated = Evidence.parse(platform.evidence(REPORT_DATA, MEASURED, at))
    recorded = Evidence.parse(real)
    about = About(recorded.report.report_data)
    with pytest.raises(AttestationFailed, match="not authentic"):
        IntelVerifier().verify(simulated, BINDING, now=at)
    with pytest.raises(AttestationFailed, match="not authentic"):
        SimulationVerifier(platform.root_der).verify(recorded, about, now=at)
    mixed = pack(simulated.quote, split(real)[1])
    with pytest.raises(AttestationFailed, match="not authentic"):
        IntelVerifier().verify(Evidence.parse(mixed), BINDING, now=at)


def test_verifiers_cannot_be_given_another_root() -> None:
    with pytest.raises(TypeError):
        IntelVerifier(PLATFORM.root_der)
    with pytest.raises(ConfigError, match="not a DER"):
        SimulationVerifier(b"root")


def test_intels_root_cannot_pose_as_a_simulation(real: bytes) -> None:
    chain = x509.load_pem_x509_certificates(Evidence.parse(real).pck_chain)
    der = chain[-1].public_bytes(Encoding.DER)
    assert hashlib.sha256(der).digest() == INTEL_ROOT_SHA256
    with pytest.raises(ConfigError, match="is not a simulation's"):
        SimulationVerifier(der)


def test_another_simulation_is_refused() -> None:
    other = SimulationPlatform.make(now=NOW)
    with pytest.raises(AttestationFailed, match="not authentic"):
        SimulationVerifier(other.root_der).verify(Evidence.parse(GOOD), BINDING, now=NOW)
    mixed = pack(split(GOOD)[0], split(other.evidence(REPORT_DATA, MEASURED, NOW))[1])
    for verifier in (VERIFIER, SimulationVerifier(other.root_der)):
        with pytest.raises(AttestationFailed, match="not authentic"):
            verifier.verify(Evidence.parse(mixed), BINDING, now=NOW)


@pytest.mark.parametrize(
    "scenario, because",
    [
        ({"debug": True}, "Debug"),
        ({"qe_vendor_id": bytes(16)}, "QE vendor"),
        ({"tcb_status": "Revoked"}, "Revoked"),
        ({"tcb_status": "Splendid"}, "TcbInfo"),
        ({"revoked": frozenset({"platform"})}, "certificate chain"),
        ({"revoked": frozenset({"authority"})}, "certificate chain"),
        ({"revoked": frozenset({"signer"})}, "certificate chain"),
        ({"issued": NOW - 31 * DAY}, "(?i)expired"),
        ({"issued": NOW + DAY}, "(?i)future|NotYetValid"),
    ],
)
def test_what_is_never_authentic(scenario: dict[str, object], because: str) -> None:
    with pytest.raises(AttestationFailed, match=because):
        authentic(**scenario)


@pytest.mark.parametrize("status", ["OutOfDate", "SWHardeningNeeded", "ConfigurationNeeded"])
def test_a_stale_platform_is_named(status: str) -> None:
    found = authentic(tcb_status=status, advisories=("INTEL-SA-2", "INTEL-SA-1"))
    assert found.tcb_status == status
    assert found.advisories == ("INTEL-SA-1", "INTEL-SA-2")


@pytest.mark.parametrize("flags", [set(), {"smt_enabled"}, {"dynamic_platform", "cached_keys"}])
def test_platform_flags_are_named(flags: set[str]) -> None:
    platform = SimulationPlatform.make(now=NOW, flags=frozenset(flags))
    evidence = Evidence.parse(platform.evidence(REPORT_DATA, MEASURED, NOW))
    found = SimulationVerifier(platform.root_der).verify(evidence, BINDING, now=NOW)
    assert set(found.platform_flags) == flags


@pytest.mark.parametrize("now", [-1, 0, 1 << 70])
def test_absurd_times_are_refused(now: int) -> None:
    with pytest.raises(AttestationFailed):
        VERIFIER.verify(Evidence.parse(GOOD), BINDING, now=now)


@given(st.integers(0, 511))
def test_other_report_data_are_refused(bit: int) -> None:
    other = bytearray(REPORT_DATA)
    other[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationFailed, match="not about this channel"):
        VERIFIER.verify(Evidence.parse(GOOD), About(bytes(other)), now=NOW)


SIGNED = [(0, 432), (436, 564), (564, 948), (948, 1012), (1014, 1046)]
"""Header and report, signature and key, QE report, its signature, QE authentication data."""


@settings(max_examples=400)
@given(st.sampled_from(SIGNED).flatmap(lambda r: st.integers(r[0], r[1] - 1)), st.integers(0, 7))
def test_an_altered_quote_is_never_authentic(at: int, bit: int) -> None:
    quote, collateral = split(GOOD)
    altered = quote[:at] + bytes([quote[at] ^ 1 << bit]) + quote[at + 1 :]
    with pytest.raises(AttestationFailed):
        VERIFIER.verify(Evidence.parse(pack(altered, collateral)), BINDING, now=NOW)


SIGNED_PARTS = ["tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature"]


@settings(max_examples=300)
@given(st.sampled_from([*SIGNED_PARTS, "root_ca_crl", "pck_crl"]), st.data())
def test_altered_collateral_is_never_authentic(name: str, data: st.DataObject) -> None:
    quote, collateral = split(GOOD)
    parts = json.loads(collateral)
    at = data.draw(st.integers(0, len(parts[name]) - 1))
    character = data.draw(st.sampled_from('0123456789abcdefzZ{}",: '))
    altered = parts[name][:at] + character + parts[name][at + 1 :]
    hexadecimal = name not in ("tcb_info", "qe_identity")
    assume(altered != parts[name] and not (hexadecimal and altered.lower() == parts[name]))
    with pytest.raises(AttestationFailed):
        message = pack(quote, json.dumps({**parts, name: altered}).encode())
        VERIFIER.verify(Evidence.parse(message), BINDING, now=NOW)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_any_altered_byte_is_refused_or_changes_nothing(at: int, value: int) -> None:
    """Spaces in PEM and the like may change; the evidence then still says the same."""
    altered = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    try:
        found = VERIFIER.verify(Evidence.parse(altered), BINDING, now=NOW)
    except AttestationFailed:
        return
    assert found.evidence.report == Evidence.parse(GOOD).report
    assert found.tcb_status == "UpToDate"


@settings(max_examples=200)
@given(at=st.integers(0, 4599), bit=st.integers(0, 7))
def test_an_altered_real_quote_says_the_same_or_nothing(real: bytes, at: int, bit: int) -> None:
    quote, collateral = split(real)
    altered = quote[:at] + bytes([quote[at] ^ 1 << bit]) + quote[at + 1 :]
    honest = Evidence.parse(real).report
    about = About(honest.report_data)
    try:
        evidence = Evidence.parse(pack(altered, collateral))
        found = IntelVerifier().verify(evidence, about, now=RECORDED_AT)
    except AttestationFailed:
        return
    assert at >= 1046
    assert found.evidence.report == honest


def test_what_was_verified_is_what_was_parsed() -> None:
    evidence = Evidence.parse(GOOD)
    misread = replace(evidence.report, mr_enclave=bytes(32), isv_svn=9)
    object.__setattr__(evidence, "report", misread)
    with pytest.raises(AttestationFailed, match="differently: mr_enclave, isv_svn"):
        VERIFIER.verify(evidence, BINDING, now=NOW)


def test_a_platform_is_kept_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    made = SimulationPlatform.create(folder, now=NOW)
    kept = SimulationPlatform.load(folder)
    assert (folder / "root.der").read_bytes() == made.root_der == kept.root_der
    assert all(key.stat().st_mode & 0o077 == 0 for key in folder.glob("*.key"))
    with pytest.raises(ConfigError, match="exists already"):
        SimulationPlatform.create(folder)
    with pytest.raises(ConfigError, match="no simulated platform"):
        SimulationPlatform.load(tmp_path)


def test_an_attester_reports_the_code_that_runs() -> None:
    attester = SimulationAttester(PLATFORM, clock=lambda: NOW + 0.9)
    evidence = Evidence.parse(attester.quote(REPORT_DATA))
    found = VERIFIER.verify(evidence, BINDING, now=NOW)
    assert found.evidence.report.mr_enclave == measurement() == attester.measurement
    with pytest.raises(InternalError):
        attester.quote(REPORT_DATA[:32])


def test_no_key_shows_in_a_repr() -> None:
    shown = repr(PLATFORM)
    assert "SIMULATION ONLY" in shown
    assert "PrivateKey" not in shown and "PRIVATE" not in shown
