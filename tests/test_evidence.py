"""From bytes to evidence: as dcap-qvl reads them, or refused; never anything else."""

import json

import dcap_qvl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave_kit import BINDING, MEASURED, NOW, PLATFORM, recorded, split
from moiety.enclave.evidence import COLLATERAL_LIMIT, Evidence, pack
from moiety.enclave.quote import QUOTE_LIMIT, Attributes
from moiety.errors import AttestationFailed

GOOD = PLATFORM.evidence(BINDING.report_data, MEASURED, NOW)


def check_against_dcap_qvl(evidence: Evidence) -> None:
    theirs = dcap_qvl.parse_quote(evidence.quote)
    for name in ("version", "tee_type", "qe_svn", "pce_svn", "qe_vendor_id", "user_data"):
        assert getattr(evidence.header, name) == getattr(theirs.header, name), name
    assert evidence.header.att_key_type == theirs.header.attestation_key_type
    for name in ("cpu_svn", "mr_enclave", "mr_signer", "report_data"):
        assert getattr(evidence.report, name) == getattr(theirs.report, name), name
    assert evidence.report.attributes.raw == theirs.report.attributes
    assert evidence.pck_chain.rstrip(b"\0") == theirs.cert_chain_pem_bytes()


def test_a_simulated_quote_reads_as_dcap_qvl_reads_it() -> None:
    evidence = Evidence.parse(GOOD)
    check_against_dcap_qvl(evidence)
    assert evidence.report.mr_enclave == MEASURED
    assert (evidence.report.isv_prod_id, evidence.report.isv_svn) == (1, 1)
    assert dcap_qvl.parse_quote(evidence.quote).fmspc() == "00FFFF000000"


def test_a_real_quote_reads_as_dcap_qvl_reads_it() -> None:
    evidence = Evidence.parse(recorded())
    check_against_dcap_qvl(evidence)
    assert evidence.report.report_data.rstrip(b"\0") == b"Hello, world!"
    assert not evidence.report.attributes.debug
    assert evidence.qe_report.isv_svn == 10


@pytest.mark.parametrize("flags, debug", [(0x05, False), (0x07, True), (0x02, True), (0, False)])
def test_debug_is_bit_one(flags: int, debug: bool) -> None:
    assert Attributes(bytes([flags]) + bytes(15)).debug is debug


def parses_or_refuses(data: bytes) -> None:
    try:
        Evidence.parse(data)
    except AttestationFailed:
        pass


@given(st.binary(max_size=2000))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    parses_or_refuses(data)


@given(quote=st.binary(max_size=700), collateral=st.binary(max_size=200))
def test_any_parts_parse_or_are_refused(quote: bytes, collateral: bytes) -> None:
    parses_or_refuses(pack(quote, collateral))
    parses_or_refuses(pack(split(GOOD)[0], collateral))
    parses_or_refuses(pack(split(GOOD)[0][:436] + quote, split(GOOD)[1]))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, len(GOOD)))
def test_a_cut_or_shifted_message_is_refused(at: int, length: int) -> None:
    with pytest.raises(AttestationFailed):
        Evidence.parse(GOOD[:at])
    parses_or_refuses(GOOD[:at] + GOOD[at + 1 :] + b"\0")
    parses_or_refuses(GOOD[length:] + GOOD[:length])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_as_collateral_is_refused(value: object) -> None:
    with pytest.raises(AttestationFailed):
        Evidence.parse(pack(split(GOOD)[0], json.dumps(value).encode()))


def test_hostile_collateral_is_refused() -> None:
    quote, collateral = split(GOOD)
    parts = json.loads(collateral)
    hostile = [b"[" * 100_000, b"9" * 5000, b"\xff", b"", b"null"]
    for name in parts:
        hostile.append(json.dumps({key: parts[key] for key in parts if key != name}).encode())
        hostile.append(json.dumps({**parts, name: 7}).encode())
    hostile.append(json.dumps({**parts, "pck_crl": "zz"}).encode())
    for each in hostile:
        with pytest.raises(AttestationFailed, match="malformed: collateral"):
            Evidence.parse(pack(quote, each))


def test_bytes_after_the_quote_are_refused() -> None:
    quote, collateral = split(GOOD)
    for longer in (quote + b"\0", quote + bytes(1000)):
        with pytest.raises(AttestationFailed, match="do not end where the quote ends"):
            Evidence.parse(pack(longer, collateral))
    with pytest.raises(AttestationFailed, match="do not add up"):
        Evidence.parse(GOOD + b"\0")


def test_too_large_parts_are_refused() -> None:
    for quote, collateral in ((QUOTE_LIMIT + 1, 0), (0, COLLATERAL_LIMIT + 1)):
        with pytest.raises(AttestationFailed, match="bytes"):
            Evidence.parse(pack(bytes(quote), bytes(collateral)))


@pytest.mark.parametrize("offset, value", [(0, 4), (4, 0x81)])
def test_another_kind_of_quote_is_refused(offset: int, value: int) -> None:
    quote, collateral = split(GOOD)
    changed = quote[:offset] + bytes([value]) + quote[offset + 1 :]
    with pytest.raises(AttestationFailed, match="quote version"):
        Evidence.parse(pack(changed, collateral))
