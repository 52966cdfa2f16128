"""TDX: a recorded quote of real hardware, judged by dcap-qvl under Intel's root, and by policy."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_kit import (
    BINDING,
    DAY,
    NOW,
    PLATFORM,
    RECORDED_AT,
    VERIFIER,
    About,
    recorded_quote,
    split,
)
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.evidence import Evidence, pack
from moiety.enclave.policy import EnclavePolicy, Machine
from moiety.enclave.quote import TdReport
from moiety.enclave.verify import Authentic, Genuine, IntelVerifier, SimulationVerifier
from moiety.errors import AttestationFailed, ConfigError

FLAGS = frozenset({"dynamic_platform", "cached_keys", "smt_enabled"})
SIGNED = [(0, 632), (636, 764), (770, 1218), (1220, 1252)]
"""Header and TD report, signature and key, QE report and its signature, QE authentication data."""


@pytest.fixture(scope="module")
def real() -> bytes:
    return recorded_quote("tdx")


@pytest.fixture(scope="module")
def found(real: bytes) -> Genuine:
    return IntelVerifier().examine(Evidence.parse(real), now=RECORDED_AT)


@pytest.fixture(scope="module")
def policy(found: Genuine) -> EnclavePolicy:
    report = found.evidence.report
    return EnclavePolicy(
        tees=frozenset({"tdx"}),
        machines=frozenset({Machine(report.mr_td, report.rtmrs)}),
        tcb_statuses=frozenset({"UpToDate"}),
        accepted_platform=FLAGS,
        min_tcb_evaluation=17,
        max_age=31 * DAY,
        ppids=frozenset({found.ppid}),
    )


def test_a_real_quote_is_genuine_under_intels_root(found: Genuine) -> None:
    assert (found.tee, found.production) == ("tdx", True)
    assert (found.tcb_status, found.advisories, found.tcb_evaluation) == ("UpToDate", (), 17)
    assert set(found.platform_flags) == FLAGS
    assert isinstance(found.evidence.report, TdReport) and len(found.ppid) == 16
    assert not isinstance(found, Authentic)


def test_a_real_quote_is_about_its_report_data_only(real: bytes) -> None:
    evidence = Evidence.parse(real)
    about = About(evidence.report.report_data)
    verified = IntelVerifier().verify(evidence, about, now=RECORDED_AT)
    assert (verified.tee, verified.binding) == ("tdx", about)
    with pytest.raises(AttestationFailed, match="not about this channel"):
        IntelVerifier().verify(evidence, BINDING, now=RECORDED_AT)


@pytest.mark.parametrize("shift", [-31 * DAY, DAY, 400 * DAY])
def test_a_real_quote_outside_its_collateral_is_refused(real: bytes, shift: int) -> None:
    with pytest.raises(AttestationFailed, match=r"(?i)expired|future|not ?valid"):
        IntelVerifier().examine(Evidence.parse(real), now=RECORDED_AT + shift)


def test_each_kind_needs_its_own_collateral(real: bytes) -> None:
    sgx = recorded_quote("sgx")
    for quote, collateral in ((split(real)[0], split(sgx)[1]), (split(sgx)[0], split(real)[1])):
        with pytest.raises(AttestationFailed, match="not authentic"):
            IntelVerifier().examine(Evidence.parse(pack(quote, collateral)), now=RECORDED_AT)


def test_a_simulations_root_passes_no_real_quote(real: bytes) -> None:
    with pytest.raises(AttestationFailed, match="not authentic"):
        SimulationVerifier(PLATFORM.root_der).examine(Evidence.parse(real), now=RECORDED_AT)


@settings(max_examples=200)
@given(st.sampled_from(SIGNED).flatmap(lambda r: st.integers(r[0], r[1] - 1)), st.integers(0, 7))
def test_no_altered_signed_bit_is_genuine(at: int, bit: int) -> None:
    quote, collateral = split(recorded_quote("tdx"))
    altered = quote[:at] + bytes([quote[at] ^ 1 << bit]) + quote[at + 1 :]
    with pytest.raises(AttestationFailed):
        IntelVerifier().examine(Evidence.parse(pack(altered, collateral)), now=RECORDED_AT)


@settings(max_examples=100)
@given(at=st.integers(0, 5005), bit=st.integers(0, 7))
def test_any_altered_bit_is_refused_or_changes_nothing(at: int, bit: int) -> None:
    quote, collateral = split(recorded_quote("tdx"))
    altered = quote[:at] + bytes([quote[at] ^ 1 << bit]) + quote[at + 1 :]
    try:
        evidence = Evidence.parse(pack(altered, collateral))
        found = IntelVerifier().examine(evidence, now=RECORDED_AT)
    except AttestationFailed:
        return
    assert found.evidence.report == Evidence.parse(recorded_quote("tdx")).report


def test_two_parsers_must_read_the_same(real: bytes) -> None:
    evidence = Evidence.parse(real)
    misread = replace(evidence.report, mr_td=bytes(48), rtmrs=(bytes(48),) * 4)
    object.__setattr__(evidence, "report", misread)
    with pytest.raises(AttestationFailed, match="differently: mr_td, rt_mr0, rt_mr1, rt_mr2"):
        IntelVerifier().examine(evidence, now=RECORDED_AT)


def test_a_policy_that_names_its_state_accepts_it(real: bytes, policy: EnclavePolicy) -> None:
    evidence = Evidence.parse(real)
    about = About(evidence.report.report_data)
    assert policy.accept(IntelVerifier().verify(evidence, about, now=RECORDED_AT)).production


@pytest.mark.parametrize(
    "change, because",
    [
        ({"tees": frozenset({"sgx"})}, "of the kind tdx"),
        ({"tcb_statuses": frozenset()}, "TCB status UpToDate"),
        ({"accepted_platform": FLAGS - {"smt_enabled"}}, "smt_enabled"),
        ({"min_tcb_evaluation": 18}, "TCB evaluation 17 is older than 18"),
        ({"ppids": frozenset({bytes(16)})}, "PPID 811dca2a"),
        ({"max_age": DAY}, "collateral is"),
    ],
)
def test_each_demand_refuses_alone(
    found: Genuine, policy: EnclavePolicy, change: dict[str, object], because: str
) -> None:
    (refusal,) = replace(policy, **change).refusals(found)
    assert because in refusal
    assert policy.refusals(found) == () == replace(policy, ppids=None).refusals(found)


def test_all_five_registers_count(found: Genuine, policy: EnclavePolicy) -> None:
    report = found.evidence.report
    assert len(replace(policy, machines=frozenset()).refusals(found)) == 5
    for n in range(5):
        registers = [report.mr_td, *report.rtmrs]
        registers[n] = b"\x01" * 48
        other = Machine(registers[0], tuple(registers[1:]))
        (refusal,) = replace(policy, machines=frozenset({other})).refusals(found)
        assert refusal.startswith(("mr_td" if n == 0 else f"rtmr{n - 1}") + " ")
        assert replace(policy, machines=policy.machines | {other}).refusals(found) == ()


def test_an_enclaves_measurement_accepts_no_machine(found: Genuine, policy: EnclavePolicy) -> None:
    measured = frozenset({found.evidence.report.mr_td[:32]})
    only = replace(policy, machines=frozenset(), measurements=measured)
    assert len(only.refusals(found)) == 5


@pytest.mark.parametrize("wrong", [{"tees": frozenset({"tpm"})}, {"tees": frozenset({"snp"})}])
def test_a_policy_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="tees"):
        EnclavePolicy(**wrong)
    with pytest.raises(ConfigError, match="48 bytes"):
        Machine(bytes(48), (bytes(48), bytes(48), bytes(48), bytes(32)))


@pytest.mark.parametrize("form", ["tdx-v4", "tdx-v5", "tdx-v5-td15"])
def test_a_simulated_machine_takes_the_same_path_and_stays_a_simulation(form: str) -> None:
    scenario = Scenario(form=form)
    data = PLATFORM.evidence(BINDING.report_data, bytes(range(48)), NOW, scenario)
    evidence = Evidence.parse(data)
    verified = VERIFIER.verify(evidence, BINDING, now=NOW)
    assert (verified.tee, verified.production) == ("sim-tdx", False)
    root = hashlib.sha256(PLATFORM.root_der).digest()
    policy = EnclavePolicy(
        tees=frozenset({"tdx"}),
        machines=frozenset({Machine(bytes(range(48)), evidence.report.rtmrs)}),
        tcb_statuses=frozenset({"UpToDate"}),
        max_age=DAY,
        allow_simulation=True,
        simulation_root_sha256=root,
    )
    assert not policy.accept(verified).production
    refusing = replace(policy, allow_simulation=False, simulation_root_sha256=None)
    with pytest.raises(AttestationFailed, match="keeps nothing from its host"):
        refusing.accept(verified)
    with pytest.raises(AttestationFailed, match="not authentic"):
        IntelVerifier().examine(evidence, now=NOW)


def test_a_debug_machine_is_never_genuine() -> None:
    scenario = Scenario(form="tdx-v4", debug=True)
    data = PLATFORM.evidence(BINDING.report_data, bytes(48), NOW, scenario)
    with pytest.raises(AttestationFailed, match=r"(?i)debug"):
        VERIFIER.examine(Evidence.parse(data), now=NOW)
