"""What was booted, as firmware logs it: replayed, or refused; never anything else."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.enclave.event_log import parse_log, replay
from moiety.errors import AttestationFailed
from tpm_kit import BOOTED, log_of


def test_a_log_is_replayed():
    separator = hashlib.sha256(bytes(32) + hashlib.sha256(bytes(4)).digest()).digest()
    pcrs = replay(parse_log(log_of(BOOTED)))
    assert set(pcrs) == set(range(8)) and pcrs[7] == separator
    assert [each.data for each in parse_log(log_of(BOOTED))][1] == b"firmware 1.2"


def test_the_locality_of_start_up_is_where_register_0_begins():
    begun = replay(parse_log(log_of([(0, "nothing", b"StartupLocality\0\3")])))
    assert begun == {0: bytes(31) + b"\3"}
    assert replay(parse_log(log_of([(1, "nothing", b"StartupLocality\0\3")]))) == {}


@pytest.mark.parametrize(
    "log, because",
    [
        (b"", "bytes expected"),
        (log_of([], algorithms=((4, 20),)), "without SHA-256"),
        (log_of([], algorithms=((11, 20),)), "without SHA-256"),
        (log_of([]).replace(b"Event03", b"Event02"), "another form"),
        (log_of([(0, "action", b"")])[:-4] + b"\xff\xff\xff\xff", "bytes expected"),
        (log_of([(24, "action", b"")]), "PCR 24"),
        (bytes((256 << 10) + 1), "above"),
    ],
)
def test_what_is_no_log(log, because):
    with pytest.raises(AttestationFailed, match=because):
        parse_log(log)


LONG = log_of(BOOTED)


@given(st.integers(0, len(LONG)), st.binary(max_size=40), st.integers(0, 40))
def test_any_log_is_replayed_or_refused(at, put, cut):
    try:
        replay(parse_log(LONG[:at] + put + LONG[at + cut :]))
    except AttestationFailed:
        pass
