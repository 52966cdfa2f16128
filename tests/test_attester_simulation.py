"""The simulated platform: every form is accepted by dcap-qvl, every state of it can be shown."""

import json
from dataclasses import fields
from typing import Any

import dcap_qvl
import pytest

from device_kit import MRTD
from enclave_kit import DAY, MEASURED, NOW, PLATFORM, recorded_quote
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.evidence import Collateral, Evidence
from moiety.enclave.policy import TCB_STATUSES
from moiety.errors import InternalError

DATA = bytes(range(64))
TDX = ["tdx-v4", "tdx-v5", "tdx-v5-td15"]
FORMS = ["sgx-v3", *TDX]


def evidence(form: str, **scenario: object) -> Evidence:
    measured = MEASURED if form == "sgx-v3" else MRTD
    return Evidence.parse(PLATFORM.evidence(DATA, measured, NOW, Scenario(form=form, **scenario)))


def verify(
    about: Evidence, *, policy: str = "claims_only", root: bytes | None = PLATFORM.root_der
) -> dict[str, Any]:
    """What dcap-qvl says of evidence by one of its own policies; ValueError if it refuses."""
    parts = [getattr(about.collateral, field.name) for field in fields(Collateral)]
    collateral = dcap_qvl.QuoteCollateralV3(*parts)
    rules = getattr(dcap_qvl.QuotePolicy, policy)(NOW)
    engine = dcap_qvl.QuoteVerifier(root)
    return json.loads(engine.verify_with_policy(about.quote, collateral, NOW, rules).to_json())


@pytest.mark.parametrize("form", FORMS)
def test_a_healthy_platform_passes_the_strict_policy_under_its_own_root_alone(form: str) -> None:
    about = evidence(form)
    said = verify(about, policy="strict")
    assert said["tcb"] == {"status": "UpToDate", "advisory_ids": [], "eval_data_number": 1}
    names = {"sgx-v3": "SgxEnclave", "tdx-v5-td15": "TD15"}
    assert list(said["report"]) == [names.get(form, "TD10")]
    with pytest.raises(ValueError):
        verify(about, policy="strict", root=None)


def test_the_root_of_a_simulation_passes_no_real_td() -> None:
    with pytest.raises(ValueError):
        verify(Evidence.parse(recorded_quote("tdx")))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", TCB_STATUSES)
def test_every_state_of_a_platform(form: str, status: str) -> None:
    about = evidence(form, tcb_status=status, advisories=("INTEL-SA-1",))
    assert verify(about)["tcb"]["status"] == status
    assert verify(about)["tcb"]["advisory_ids"] == ["INTEL-SA-1"]
    if status != "UpToDate":
        with pytest.raises(ValueError):
            verify(about, policy="strict")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "state, because",
    [
        ({"tcb_status": "Revoked"}, "Revoked"),
        ({"qe_status": "Revoked"}, "Revoked"),
        ({"debug": True}, "Debug"),
        ({"qe_vendor_id": bytes(16)}, "vendor"),
        ({"fmspc": bytes(6)}, "Fmspc"),
        ({"revoked": frozenset({"platform"})}, "chain"),
        ({"revoked": frozenset({"authority"})}, "chain"),
        ({"revoked": frozenset({"signer"})}, "chain"),
        ({"issued": NOW - 31 * DAY}, "(?i)expired"),
        ({"issued": NOW + DAY}, "(?i)future|NotYetValid"),
        ({"expired": frozenset({"tcb_info"})}, "TCBInfo expired"),
        ({"expired": frozenset({"qe_identity"})}, "QE Identity expired"),
        ({"expired": frozenset({"root_ca_crl"})}, "CrlExpired"),
        ({"expired": frozenset({"pck_crl"})}, "chain"),
    ],
)
def test_what_no_verifier_passes(form: str, state: dict[str, object], because: str) -> None:
    with pytest.raises(ValueError, match=because):
        verify(evidence(form, **state))


@pytest.mark.parametrize("form", FORMS)
def test_a_stale_quoting_enclave_makes_the_platform_stale(form: str) -> None:
    assert verify(evidence(form, qe_status="OutOfDate"))["tcb"]["status"] == "OutOfDate"


@pytest.mark.parametrize("form", TDX)
def test_a_stale_tdx_module_makes_the_platform_stale(form: str) -> None:
    assert verify(evidence(form, module_status="OutOfDate"))["tcb"]["status"] == "OutOfDate"
    with pytest.raises(ValueError, match="Revoked"):
        verify(evidence(form, module_status="Revoked"))


@pytest.mark.parametrize("form", FORMS)
def test_collateral_is_rotated(form: str) -> None:
    """The vendor evaluates anew, and the platform that was up to date no longer is."""
    old = verify(evidence(form, issued=NOW - 20 * DAY))["tcb"]
    new = verify(evidence(form, evaluation=2, tcb_status="OutOfDate"))["tcb"]
    assert (old["eval_data_number"], old["status"]) == (1, "UpToDate")
    assert (new["eval_data_number"], new["status"]) == (2, "OutOfDate")


@pytest.mark.parametrize("form", TDX)
def test_collateral_of_sgx_passes_no_td_and_the_other_way_round(form: str) -> None:
    for one, other in ((form, "sgx-v3"), ("sgx-v3", form)):
        about = evidence(one)
        object.__setattr__(about, "collateral", evidence(other).collateral)
        with pytest.raises(ValueError):
            verify(about)


@pytest.mark.parametrize("form, size", [("sgx-v3", 48), ("tdx-v4", 32)])
def test_a_measurement_has_its_own_length(form: str, size: int) -> None:
    with pytest.raises(InternalError, match=f"{size} measured"):
        PLATFORM.evidence(DATA, bytes(size), NOW, Scenario(form=form))
