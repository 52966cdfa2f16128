"""Evidence from files: recognised, examined by what is given, refused for all reasons at once."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_kit import BINDING, MEASURED, NOW, PLATFORM, RECORDED_AT, recorded_quote, split, vector
from moiety.enclave.appraise import EVIDENCE_LIMIT, Appraisal, Material, appraise, recognise
from moiety.enclave.certificate import read_certificates
from moiety.enclave.collateral import read_bundle
from moiety.enclave.evidence import pack
from moiety.enclave.policy_file import TeePolicy
from moiety.enclave.quote import Quote
from moiety.enclave.ratls import RaTls
from moiety.enclave.snp import SnpReport
from moiety.enclave.snp_table import CERTIFICATES, read_table
from moiety.errors import AttestationFailed
from policy_kit import SIMULATED, text
from ratls_kit import COLLATERAL, interoperable

TRIAL = TeePolicy.parse(text(SIMULATED, production=False).encode(), "trial")
PRODUCTION = TeePolicy.parse(text().encode(), "policy")
MESSAGE = PLATFORM.evidence(BINDING.report_data, MEASURED, NOW)


def table(*certificates: tuple[str, bytes], end: bool = True) -> bytes:
    """A host's certificate table."""
    names = {kind: guid.bytes for guid, kind in CERTIFICATES.items()} | {"other": b"\x05" * 16}
    at, head, body = 24 * (len(certificates) + end), b"", b""
    for kind, der in certificates:
        head += struct.pack("<16sII", names[kind], at + len(body), len(der))
        body += der
    return head + bytes(24 * end) + body


def recorded_table() -> bytes:
    ask, ark = read_certificates(vector("snp_milan_ask_ark.pem"))
    leaf = vector("snp_milan_vcek.der")
    return table(("VCEK", leaf), ("other", b"?"), ("ASK", ask.der), ("ARK", ark.der))


@pytest.mark.parametrize(
    "data, kind",
    [
        (lambda: MESSAGE, Quote),
        (lambda: split(MESSAGE)[0], Quote),
        (lambda: recorded_quote("sgx"), Quote),
        (lambda: vector("tdx_quote"), Quote),
        (lambda: vector("snp_milan_report.bin"), SnpReport),
        (lambda: pack(vector("snp_milan_report.bin"), recorded_table()), SnpReport),
        (lambda: vector("ratls_gramine_cert.pem"), RaTls),
        (interoperable, RaTls),
    ],
)
def test_each_kind_is_recognised(data, kind: type) -> None:
    assert isinstance(recognise(data()).what, kind)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 1 << 14), st.integers(0, 30))
def test_any_bytes_are_recognised_or_refused(data: bytes, at: int, size: int) -> None:
    for whole in (MESSAGE, split(MESSAGE)[0], vector("snp_milan_report.bin"), interoperable()):
        for each in (data, whole[:at] + data[:size] + whole[at + size :], whole[: at % len(whole)]):
            found = appraise(each, Material(), PRODUCTION, now=NOW)
            assert isinstance(found, Appraisal) and not found.accepted


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(AttestationFailed, match="above"):
        recognise(bytes(EVIDENCE_LIMIT + 1))


@pytest.mark.parametrize("kind", ["sgx", "tdx"])
def test_collateral_comes_with_a_quote_or_from_a_bundle(kind: str) -> None:
    quote, collateral = split(recorded_quote(kind))
    bundle = read_bundle(b"[" + collateral + b"," + COLLATERAL + b"]")
    found = appraise(quote, Material(bundle), PRODUCTION, now=RECORDED_AT)
    assert found.accepted, found.refusals
    assert appraise(recorded_quote(kind), Material(), PRODUCTION, now=RECORDED_AT).accepted
    lacking = appraise(quote, Material(), PRODUCTION, now=RECORDED_AT)
    assert "there is no collateral for" in lacking.refusals[0] and lacking.hint


def test_a_chain_comes_with_a_report_or_from_files() -> None:
    report = vector("snp_milan_report.bin")
    debug = ("it is a debug machine: its host reads its memory",)
    beside = appraise(pack(report, recorded_table()), Material(), PRODUCTION, now=RECORDED_AT)
    files = (*read_certificates(vector("snp_milan_vcek.der")),)
    files += read_certificates(vector("snp_milan_ask_ark.pem"))
    given_ = appraise(report, Material(chain=files), PRODUCTION, now=RECORDED_AT)
    assert beside.refusals == given_.refusals == debug
    alone = appraise(report, Material(), PRODUCTION, now=RECORDED_AT)
    assert "none of 0 certificates" in alone.refusals[0]


def test_what_it_is_about_is_compared_where_it_is_said() -> None:
    good = appraise(MESSAGE, Material(), TRIAL, now=NOW, about=BINDING.report_data)
    assert good.accepted and good.compared
    other = appraise(MESSAGE, Material(), TRIAL, now=NOW, about=bytes(64))
    assert not other.accepted and "not about the expected report data" in other.refusals[0]
    assert not appraise(MESSAGE, Material(), TRIAL, now=NOW).compared


def test_a_certificate_is_accepted_as_prone_to_relay() -> None:
    found = appraise(interoperable(), Material(read_bundle(COLLATERAL)), TRIAL, now=NOW)
    assert found.accepted and found.relay_prone and found.simulated


def test_a_simulation_is_refused_by_a_policy_for_production_with_all_else() -> None:
    found = appraise(MESSAGE, Material(), PRODUCTION, now=NOW)
    assert not found.accepted and len(found.refusals) == 3
    assert found.refusals[0] == "it is a simulation, which keeps nothing from its host"


def test_a_root_that_calls_itself_a_simulation_is_still_not_the_pinned_one() -> None:
    other = type(PLATFORM).make(now=NOW)
    data = other.evidence(BINDING.report_data, MEASURED, NOW)
    (refusal,) = appraise(data, Material(), TRIAL, now=NOW).refusals
    assert "another root" in refusal


@pytest.mark.parametrize(
    "data, because",
    [
        (struct.pack("<16sII", b"\x01" * 16, 24, 99), "ends at byte 123 of 24"),
        (table(("other", b"?"), end=False), "do not end"),
        (b"\x01" * 10, "do not end"),
        (table(("VCEK", b"\x30\x82")), "certificate is malformed"),
    ],
)
def test_a_table_that_is_malformed_is_refused(data: bytes, because: str) -> None:
    with pytest.raises(AttestationFailed, match=because):
        read_table(data)


@given(st.binary(max_size=200))
def test_any_table_is_read_or_refused(data: bytes) -> None:
    for each in (data, table(("VCEK", data)), table(("other", data))[:-1]):
        try:
            read_table(each)
        except AttestationFailed:
            continue
    assert read_table(b"") == read_table(bytes(24)) == ()
