"""From authentic to accepted: what a policy leaves unset is refused, and simulations stay apart."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave_kit import (
    BINDING,
    DAY,
    MEASURED,
    NOW,
    PLATFORM,
    RECORDED_AT,
    About,
    authentic,
    recorded,
)
from moiety.enclave.attester.scenario import MR_SIGNER, Scenario
from moiety.enclave.attester.simulation import SimulationPlatform
from moiety.enclave.evidence import Evidence
from moiety.enclave.policy import TCB_STATUSES, Accepted, EnclavePolicy, Signer
from moiety.enclave.quote import Attributes
from moiety.enclave.verify import PLATFORM_FLAGS, Authentic, IntelVerifier, SimulationVerifier
from moiety.errors import AttestationFailed, ConfigError

ROOT = hashlib.sha256(PLATFORM.root_der).digest()
POLICY = EnclavePolicy(
    measurements=frozenset({MEASURED}),
    tcb_statuses=frozenset({"UpToDate"}),
    max_age=7 * DAY,
    allow_simulation=True,
    simulation_root_sha256=ROOT,
)


def test_a_healthy_simulation_is_accepted_but_not_for_production() -> None:
    accepted = POLICY.accept(authentic())
    assert isinstance(accepted, Accepted)
    assert not accepted.production and not POLICY.production


def test_a_real_quote_is_accepted_by_a_policy_that_names_its_state() -> None:
    evidence = Evidence.parse(recorded())
    about = About(evidence.report.report_data)
    real = IntelVerifier().verify(evidence, about, now=RECORDED_AT)
    policy = EnclavePolicy(
        measurements=frozenset({real.evidence.report.mr_enclave}),
        tcb_statuses=frozenset({"ConfigurationAndSWHardeningNeeded"}),
        accepted_advisories=frozenset({"INTEL-SA-00289", "INTEL-SA-00615"}),
        max_age=30 * DAY,
    )
    assert policy.accept(real).production
    also = replace(policy, allow_simulation=True, simulation_root_sha256=ROOT)
    assert not also.accept(real).production
    with pytest.raises(AttestationFailed, match=r"TCB status(.|\n)*00289(.|\n)*00615(.|\n)*old"):
        replace(
            policy, tcb_statuses=frozenset(), accepted_advisories=frozenset(), max_age=DAY
        ).accept(real)


def test_what_is_unset_is_refused_all_at_once() -> None:
    flags = frozenset(PLATFORM_FLAGS)
    platform = SimulationPlatform.make(now=NOW, flags=flags)
    scenario = Scenario(tcb_status="OutOfDate", advisories=("INTEL-SA-1", "INTEL-SA-2"))
    data = platform.evidence(BINDING.report_data, MEASURED, NOW, scenario)
    evidence = Evidence.parse(data)
    found = SimulationVerifier(platform.root_der).verify(evidence, BINDING, now=NOW)
    with pytest.raises(AttestationFailed) as refusal:
        EnclavePolicy().accept(found)
    sentences = str(refusal.value).split("\n  - ")[1:]
    for word in ("simulation", "measurement", "OutOfDate", "SA-1", "SA-2", *flags, "age"):
        assert sum(word in sentence for sentence in sentences) == 1, word
    assert len(sentences) == 9


@pytest.mark.parametrize(
    "change, because",
    [
        ({"measurements": frozenset({bytes(32)})}, "measurement 0001.* is not among"),
        ({"measurements": frozenset()}, "measurement 0001.* is not among"),
        ({"tcb_statuses": frozenset({"OutOfDate"})}, "TCB status UpToDate"),
        ({"max_age": None}, "no greatest age"),
        ({"simulation_root_sha256": bytes(32)}, "another root"),
        (
            {"allow_simulation": False, "simulation_root_sha256": None},
            "keeps nothing from its host",
        ),
    ],
)
def test_each_demand_refuses_alone(change: dict[str, object], because: str) -> None:
    with pytest.raises(AttestationFailed, match=because) as refusal:
        replace(POLICY, **change).accept(authentic())
    assert str(refusal.value).count("\n  - ") == 1


def test_a_debug_enclave_is_refused_even_if_a_verifier_let_it_pass() -> None:
    found = authentic()
    object.__setattr__(found.evidence.report, "attributes", Attributes(b"\x07" + bytes(15)))
    with pytest.raises(AttestationFailed, match="debug enclave"):
        POLICY.accept(found)


@pytest.mark.parametrize("age, fresh", [(0, True), (7 * DAY, True), (7 * DAY + 1, False)])
def test_old_collateral_is_refused(age: int, fresh: bool) -> None:
    found = authentic(issued=NOW - age)
    if fresh:
        POLICY.accept(found)
    else:
        with pytest.raises(AttestationFailed, match="604801 s old"):
            POLICY.accept(found)


@pytest.mark.parametrize("status", TCB_STATUSES)
def test_a_tcb_status_is_accepted_only_where_named(status: str) -> None:
    found = authentic(tcb_status=status)
    for listed in TCB_STATUSES:
        policy = replace(POLICY, tcb_statuses=frozenset({listed}))
        if listed == status:
            assert policy.accept(found).authentic.tcb_status == status
        else:
            with pytest.raises(AttestationFailed, match=f"TCB status {status} "):
                policy.accept(found)


def test_advisories_are_accepted_one_by_one() -> None:
    found = authentic(tcb_status="UpToDate", advisories=("INTEL-SA-1", "INTEL-SA-2"))
    with pytest.raises(AttestationFailed, match="SA-2"):
        replace(POLICY, accepted_advisories=frozenset({"INTEL-SA-1"})).accept(found)
    replace(POLICY, accepted_advisories=frozenset({"INTEL-SA-1", "INTEL-SA-2"})).accept(found)


@pytest.mark.parametrize(
    "signer, because",
    [
        (Signer(MR_SIGNER, 1, 1), None),
        (Signer(MR_SIGNER, 1, 0), None),
        (Signer(MR_SIGNER, 1, 2), "security version 1 is below 2"),
        (Signer(MR_SIGNER, 2, 1), "nor of the accepted signer"),
        (Signer(bytes(32), 1, 1), "nor of the accepted signer"),
    ],
)
def test_a_signer_stands_in_for_measurements(signer: Signer, because: str | None) -> None:
    policy = replace(POLICY, measurements=frozenset(), signer=signer)
    if because is None:
        policy.accept(authentic())
    else:
        with pytest.raises(AttestationFailed, match=because):
            policy.accept(authentic())


@pytest.mark.parametrize(
    "wrong, because",
    [
        ({"allow_simulation": True}, "needs the SHA-256"),
        ({"simulation_root_sha256": bytes(32)}, "allow_simulation is not set"),
        ({"tcb_statuses": frozenset({"Revoked"})}, "Revoked"),
        ({"accepted_platform": frozenset({"overclocked"})}, "overclocked"),
        ({"measurements": frozenset({b"short"})}, "32 bytes"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(wrong: dict[str, object], because: str) -> None:
    with pytest.raises(ConfigError, match=because):
        EnclavePolicy(**wrong)


POLICIES = st.builds(
    EnclavePolicy,
    measurements=st.sampled_from([frozenset(), frozenset({MEASURED}), frozenset({bytes(32)})]),
    signer=st.none() | st.builds(Signer, st.just(MR_SIGNER), st.just(1), st.integers(0, 2)),
    tcb_statuses=st.frozensets(st.sampled_from(TCB_STATUSES)),
    accepted_advisories=st.frozensets(st.sampled_from(["INTEL-SA-1"])),
    accepted_platform=st.frozensets(st.sampled_from(PLATFORM_FLAGS)),
    max_age=st.none() | st.integers(0, 1 << 40),
)
FOUND = [
    authentic(),
    authentic(tcb_status="OutOfDate", advisories=("INTEL-SA-1",)),
    authentic(issued=NOW - 20 * DAY),
]


@given(POLICIES, st.sampled_from(FOUND))
def test_no_production_policy_accepts_a_simulation(policy: EnclavePolicy, found: Authentic) -> None:
    assert policy.production
    with pytest.raises(AttestationFailed, match="keeps nothing from its host"):
        policy.accept(found)


@given(POLICIES, st.sampled_from(FOUND), st.binary(min_size=32, max_size=32) | st.just(ROOT))
def test_whatever_accepts_a_simulation_is_not_production(
    policy: EnclavePolicy, found: Authentic, root: bytes
) -> None:
    lenient = replace(policy, allow_simulation=True, simulation_root_sha256=root)
    try:
        accepted = lenient.accept(found)
    except AttestationFailed:
        return
    assert root == ROOT and not accepted.production and not lenient.production
