"""From bytes to a quote, TDX above all: as dcap-qvl reads it, or refused; never anything else."""

import dcap_qvl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_kit import MRTD
from enclave_kit import NOW, PLATFORM, recorded_quote, split
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.evidence import Evidence, pack
from moiety.enclave.quote import QUOTE_LIMIT, Quote, TdReport
from moiety.errors import AttestationFailed

DATA = bytes(range(64))
FORMS = ["tdx-v4", "tdx-v5", "tdx-v5-td15"]
GOOD = {form: split(PLATFORM.evidence(DATA, MRTD, NOW, Scenario(form=form)))[0] for form in FORMS}
SAME = (
    "tee_tcb_svn",
    "mr_seam",
    "mr_signer_seam",
    "seam_attributes",
    "td_attributes",
    "xfam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    "report_data",
)


def check_against_dcap_qvl(quote: Quote) -> None:
    theirs = dcap_qvl.parse_quote(quote.raw)
    for name in ("version", "tee_type", "qe_svn", "pce_svn", "qe_vendor_id", "user_data"):
        assert getattr(quote.header, name) == getattr(theirs.header, name), name
    report, other = quote.report, theirs.report
    assert isinstance(report, TdReport)
    for name in SAME:
        assert getattr(report, name) == getattr(other, name), name
    assert report.rtmrs == (other.rt_mr0, other.rt_mr1, other.rt_mr2, other.rt_mr3)
    for name in ("tee_tcb_svn2", "mr_service_td"):
        value = getattr(report, name)
        assert value == getattr(other, name, bytes(len(value))), name
    assert quote.pck_chain.rstrip(b"\0") == theirs.cert_chain_pem_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_a_simulated_quote_of_a_td_reads_as_dcap_qvl_reads_it(form: str) -> None:
    quote = Quote.parse(GOOD[form])
    check_against_dcap_qvl(quote)
    assert quote.raw == GOOD[form]
    assert (quote.report.measurement, quote.report.report_data) == (MRTD, DATA)
    assert not quote.report.debug
    assert quote.qe_report.isv_prod_id == 2


def test_a_real_quote_of_a_td_reads_as_dcap_qvl_reads_it() -> None:
    evidence = Evidence.parse(recorded_quote("tdx"))
    quote = Quote.parse(split(recorded_quote("tdx"))[0])
    check_against_dcap_qvl(quote)
    assert evidence.report == quote.report
    assert quote.header.version == 4 and not quote.report.debug
    assert len(quote.raw) == 4936, "the driver's 70 zeros are left out"
    assert any(any(each) for each in quote.report.rtmrs)


def test_debug_is_any_bit_of_tud() -> None:
    for bit in range(8):
        flags = bytes([1 << bit]) + GOOD["tdx-v4"][169:176]
        altered = GOOD["tdx-v4"][:168] + flags + GOOD["tdx-v4"][176:]
        assert Quote.parse(altered).report.debug


@pytest.mark.parametrize("form", FORMS)
def test_only_zeros_may_follow_and_only_a_td(form: str) -> None:
    quote = GOOD[form]
    assert Quote.parse(quote + bytes(3000)).raw == quote
    for tail in (b"\1", bytes(69) + b"\1"):
        with pytest.raises(AttestationFailed, match="do not end where the quote ends"):
            Quote.parse(quote + tail)
    with pytest.raises(AttestationFailed, match=f"above {QUOTE_LIMIT}"):
        Quote.parse(quote + bytes(QUOTE_LIMIT))


@pytest.mark.parametrize(
    "form, at, value, because",
    [
        ("tdx-v4", 0, 3, "quote version 3"),
        ("tdx-v4", 0, 6, "quote version 6"),
        ("tdx-v4", 4, 0, "TEE type 0x0"),
        ("tdx-v5", 48, 1, "body of type 1"),
        ("tdx-v5", 48, 4, "body of type 4"),
        ("tdx-v5", 48, 3, "16 bytes expected|64 bytes expected"),
        ("tdx-v5-td15", 48, 2, "64 bytes too many"),
        ("tdx-v5", 53, 0xFF, "bytes expected"),
        ("tdx-v4", 764, 5, "type 5 are not of type 6"),
        ("tdx-v4", 766, 0, "type 6"),
    ],
)
def test_another_form_is_refused(form: str, at: int, value: int, because: str) -> None:
    altered = GOOD[form][:at] + bytes([value]) + GOOD[form][at + 1 :]
    with pytest.raises(AttestationFailed, match=because):
        Quote.parse(altered)


def parses_or_refuses(data: bytes) -> None:
    try:
        Quote.parse(data)
    except AttestationFailed:
        pass


@given(st.sampled_from(FORMS), st.data())
def test_a_cut_quote_is_refused(form: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(GOOD[form]) - 1))
    with pytest.raises(AttestationFailed):
        Quote.parse(GOOD[form][:cut])
    parses_or_refuses(GOOD[form][cut:] + GOOD[form][:cut])


@settings(max_examples=400)
@given(st.sampled_from(FORMS), st.data())
def test_an_altered_quote_parses_or_is_refused(form: str, data: st.DataObject) -> None:
    quote = GOOD[form]
    at = data.draw(st.integers(0, len(quote) - 1))
    put = data.draw(st.binary(min_size=1, max_size=8))
    parses_or_refuses(quote[:at] + put + quote[at + len(put) :])
    parses_or_refuses(quote[:at] + put + quote[at:])
    message = pack(quote, b"{}")
    with pytest.raises(AttestationFailed):
        Evidence.parse(message[:at])


@given(st.sampled_from([b"\4\0\2\0\x81\0\0\0", b"\5\0\2\0\x81\0\0\0"]), st.binary(max_size=1500))
def test_any_bytes_behind_a_head_parse_or_are_refused(head: bytes, rest: bytes) -> None:
    parses_or_refuses(head + rest)
    parses_or_refuses(head + bytes(40) + rest)
