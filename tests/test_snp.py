"""SEV-SNP: a recorded report of real hardware, its chain, each part broken in turn; the policy."""

import hashlib
import struct
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_kit import vector
from moiety.enclave import snp_verify
from moiety.enclave.certificate import Certificate, read_certificates
from moiety.enclave.snp import SIGNED, SIZE, SnpReport
from moiety.enclave.snp_policy import SnpPolicy
from moiety.enclave.snp_verify import AMD_ROOTS_SHA256, SnpGenuine, examine_snp
from moiety.errors import AttestationFailed, ConfigError, InternalError
from snp_kit import AT, CHIP, MADE, Vendor, made

FLOOR = {"boot_loader": 2, "tee": 0, "snp": 5, "microcode": 68}
POLICY = SnpPolicy(
    measurements=frozenset({MADE.measurement}),
    min_tcb=FLOOR,
    accepted_platform=frozenset({"smt_enabled"}),
)


@pytest.fixture(scope="module")
def raw() -> bytes:
    return vector("snp_milan_report.bin")


@pytest.fixture(scope="module")
def chain() -> tuple[Certificate, ...]:
    roots = read_certificates(vector("snp_milan_ask_ark.pem"))
    return (*read_certificates(vector("snp_milan_vcek.der")), *roots)


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return Vendor.make()


@pytest.fixture
def trusted(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """A vendor made here, whose root stands in for AMD's root of Milan."""
    pinned = hashlib.sha256(vendor.root.der).digest()
    monkeypatch.setitem(snp_verify.AMD_ROOTS_SHA256, "Milan", pinned)
    return vendor


def test_a_recorded_report_reads_as_amd_lays_it_out(raw: bytes) -> None:
    report = SnpReport.parse(raw)
    assert (report.version, report.vmpl, report.signing_key) == (2, 0, "vcek")
    assert report.report_data.hex().rstrip("0") == "0102030405"
    assert report.measurement == raw[0x90:0xC0] and report.chip_id == raw[0x1A0:0x1E0]
    assert report.tcb("Milan") == FLOOR
    assert report.policy == 0xB0000 and report.debug and not report.migratable
    assert report.platform == {"smt_enabled"}


def test_a_recorded_report_is_genuine_under_amds_root(
    raw: bytes, chain: tuple[Certificate, ...]
) -> None:
    found = examine_snp(SnpReport.parse(raw), chain, now=AT)
    assert (found.tee, found.product, found.production) == ("snp", "Milan", True)
    assert found.root_sha256 == AMD_ROOTS_SHA256["Milan"]
    assert examine_snp(SnpReport.parse(raw), chain[::-1], now=AT) == found


def test_the_recorded_machine_is_refused_for_debug_alone(
    raw: bytes, chain: tuple[Certificate, ...]
) -> None:
    found = examine_snp(SnpReport.parse(raw), chain, now=AT)
    policy = replace(POLICY, measurements=frozenset({found.report.measurement}))
    assert policy.refusals(found) == ("it is a debug machine: its host reads its memory",)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, SIZE - 1), bit=st.integers(0, 7))
def test_no_altered_bit_is_genuine(
    raw: bytes, chain: tuple[Certificate, ...], at: int, bit: int
) -> None:
    altered = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
    with pytest.raises(AttestationFailed):
        examine_snp(SnpReport.parse(altered), chain, now=AT)


@settings(max_examples=100, deadline=None)
@given(which=st.integers(0, 2), at=st.integers(0, 1 << 12), bit=st.integers(0, 7))
def test_no_altered_certificate_is_genuine(
    raw: bytes, chain: tuple[Certificate, ...], which: int, at: int, bit: int
) -> None:
    der = chain[which].der
    at %= len(der)
    altered = der[:at] + bytes([der[at] ^ 1 << bit]) + der[at + 1 :]
    with pytest.raises(AttestationFailed):
        replaced = [*chain[:which], Certificate.parse(altered), *chain[which + 1 :]]
        examine_snp(SnpReport.parse(raw), replaced, now=AT)


@pytest.mark.parametrize("now", [0, AT - 10 * 365 * 86_400, AT + 10 * 365 * 86_400])
def test_a_chain_outside_its_dates_is_refused(
    raw: bytes, chain: tuple[Certificate, ...], now: int
) -> None:
    with pytest.raises(AttestationFailed, match="not valid at the time"):
        examine_snp(SnpReport.parse(raw), chain, now=now)


@pytest.mark.parametrize("missing, because", [(0, "SEV-VCEK"), (1, "SEV-Milan"), (2, "AMD's root")])
def test_a_chain_that_lacks_a_certificate_is_refused(
    raw: bytes, chain: tuple[Certificate, ...], missing: int, because: str
) -> None:
    short = [*chain[:missing], *chain[missing + 1 :]]
    with pytest.raises(AttestationFailed, match=because):
        examine_snp(SnpReport.parse(raw), short, now=AT)


def test_another_root_is_not_amds(raw: bytes, vendor: Vendor) -> None:
    report, certificates = made(vendor)
    with pytest.raises(AttestationFailed, match="is AMD's root"):
        examine_snp(report, certificates, now=AT)
    with pytest.raises(AttestationFailed, match="is AMD's root"):
        examine_snp(SnpReport.parse(raw), certificates, now=AT)


def test_genuine_is_not_made_by_hand(raw: bytes, chain: tuple[Certificate, ...]) -> None:
    with pytest.raises(InternalError):
        SnpGenuine(SnpReport.parse(raw), "Milan", bytes(32), AT, seal=object())


def test_a_made_report_is_genuine_where_its_root_is_pinned(trusted: Vendor) -> None:
    report, certificates = made(trusted)
    assert POLICY.refusals(examine_snp(report, certificates, now=AT)) == ()


@pytest.mark.parametrize(
    "certified, because",
    [
        ({"microcode": 69}, "says security version 68 of microcode, its certificate says 69"),
        ({"snp": None}, "its certificate says None"),
        ({"chip": bytes(64)}, "of chip aaaa"),
        ({"chip": None}, "its certificate of 0000"),
        ({"leaf": "SEV-VLEK"}, "0 certificates are named 'SEV-VCEK'"),
        ({"curve": ec.SECP256R1()}, "not signed by the key"),
        ({"middle_signs_as": "pkcs1"}, "may not sign"),
        ({"middle_is_authority": False}, "'SEV-Milan' may not sign"),
        ({"middle_by_itself": True}, "'SEV-Milan' is not signed by 'ARK-Milan'"),
    ],
)
def test_a_certificate_of_something_else_is_refused(
    trusted: Vendor, certified: dict[str, object], because: str
) -> None:
    report, certificates = made(trusted, certified=certified)
    with pytest.raises(AttestationFailed, match=because):
        examine_snp(report, certificates, now=AT)


def test_a_cloud_operators_key_is_genuine_and_refused_unless_allowed(trusted: Vendor) -> None:
    report, certificates = made(trusted, signing_key=1, version=3)
    found = examine_snp(report, certificates, now=AT)
    assert (report.signing_key, report.version) == ("vlek", 3)
    (refusal,) = POLICY.refusals(found)
    assert "VLEK" in refusal
    assert replace(POLICY, allow_vlek=True).refusals(found) == ()


@pytest.mark.parametrize(
    "fields, because",
    [
        ({"policy": 0xB0000}, "debug"),
        ({"policy": 0x70000}, "may be migrated"),
        ({"report_id_ma": bytes(32)}, "may be migrated"),
        ({"vmpl": 1}, "privilege level 1"),
        ({"measurement": b"\x09" * 48}, "measurement 0909"),
    ],
)
def test_each_demand_on_a_machine_refuses_alone(
    trusted: Vendor, fields: dict[str, object], because: str
) -> None:
    report, certificates = made(trusted, **fields)
    (refusal,) = POLICY.refusals(examine_snp(report, certificates, now=AT))
    assert because in refusal


@pytest.mark.parametrize(
    "change, because",
    [
        ({"measurements": frozenset()}, "measurement"),
        ({"min_tcb": {**FLOOR, "snp": 6}}, "security version 5 of snp is below 6"),
        ({"min_tcb": {"boot_loader": 0, "tee": 0, "snp": 0}}, "no least security version of micro"),
        ({"chip_ids": frozenset()}, f"its chip {CHIP.hex()}"),
        ({"chip_ids": frozenset({bytes(64)})}, "its chip"),
        ({"accepted_platform": frozenset()}, "smt_enabled"),
        ({"demanded_platform": frozenset({"ciphertext_hiding"})}, "lacks ciphertext_hiding"),
    ],
)
def test_each_demand_of_a_policy_refuses_alone(
    trusted: Vendor, change: dict[str, object], because: str
) -> None:
    found = examine_snp(*made(trusted), now=AT)
    (refusal,) = replace(POLICY, **change).refusals(found)
    assert because in refusal
    assert replace(POLICY, chip_ids=frozenset({CHIP})).refusals(found) == ()


def test_what_is_unset_is_refused_all_at_once(trusted: Vendor) -> None:
    report, certificates = made(trusted, policy=0xF0000, vmpl=3, signing_key=1)
    refusals = SnpPolicy(chip_ids=frozenset()).refusals(examine_snp(report, certificates, now=AT))
    assert len(refusals) == 11


@pytest.mark.parametrize(
    "wrong",
    [
        {"measurements": frozenset({bytes(32)})},
        {"chip_ids": frozenset({bytes(16)})},
        {"min_tcb": {"kernel": 1}},
        {"accepted_platform": frozenset({"debug"})},
        {"demanded_platform": frozenset({"gold"})},
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="snp policy"):
        SnpPolicy(**wrong)


@given(st.binary(max_size=2 * SIZE) | st.binary(min_size=SIZE, max_size=SIZE))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for bytes_ in (data, struct.pack("<I", 2) + data[4:], data[:SIGNED].ljust(SIZE, b"\0")):
        try:
            SnpReport.parse(bytes_)
        except AttestationFailed:
            continue


@settings(max_examples=300)
@given(data=st.binary(max_size=300), at=st.integers(0, 1400), size=st.integers(0, 40))
def test_any_certificate_parses_or_is_refused(data: bytes, at: int, size: int) -> None:
    der = vector("snp_milan_vcek.der")
    for each in (data, der[:at] + data[:size] + der[at + size :], b"-----BEGIN X-----\n" + data):
        try:
            read_certificates(each)
        except AttestationFailed:
            continue


def test_a_key_of_another_kind_signed_nothing(vendor: Vendor) -> None:
    _, (leaf, middle, root) = made(vendor)
    for key in (leaf.key, b"no key", b""):
        with pytest.raises(AttestationFailed, match="'SEV-Milan' is not signed by somebody"):
            middle.check_signed_by(key, "somebody")
    middle.check_signed_by(root.key, "the root")
