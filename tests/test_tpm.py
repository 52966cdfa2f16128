"""A TPM's quote, verified without a TPM; everything that may be wrong with one."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.enclave.tpm import (
    Attest,
    TpmEvidence,
    TpmPolicy,
    pack_tpm,
    qualifying,
    verify_tpm,
)
from moiety.errors import AttestationFailed, ConfigError, InternalError
from tpm_kit import log_of

DATA = bytes(range(64))
KEY = ec.generate_private_key(ec.SECP256R1())
VALUES = {n: bytes([n]) * 32 for n in (0, 4, 7)}


def sized(data):
    return len(data).to_bytes(2, "big") + data


def attested(values=VALUES, about=None, *, magic=0xFF544347, kind=0x8018, banks=1, bank=0x000B):
    """TPMS_ATTEST as a TPM writes it."""
    bits = sum(1 << n for n in values).to_bytes(3, "little")
    digest = hashlib.sha256(b"".join(values[n] for n in sorted(values))).digest()
    return b"".join(
        (
            magic.to_bytes(4, "big") + kind.to_bytes(2, "big"),
            sized(b"\0\x0b" + bytes(32)),
            sized(qualifying(DATA) if about is None else about),
            (7).to_bytes(8, "big") + (3).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"\1",
            (0x20190123).to_bytes(8, "big"),
            banks.to_bytes(4, "big") + bank.to_bytes(2, "big") + b"\3" + bits,
            sized(digest),
        )
    )


def signature(data, key=KEY, scheme=b"\0\x18\0\x0b"):
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return scheme + sized(r.to_bytes(48, "big")) + sized(s.to_bytes(48, "big"))


def spki(key=KEY):
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.DER, form)


def message(attest=None, *, values=VALUES, log=b"", key=KEY, **parts):
    attest = attested(values) if attest is None else attest
    told = {"key": spki(key), "attest": attest, "signature": signature(attest, key)}
    return pack_tpm(**{**told, **parts}, pcrs=values, log=log)


GOOD = message()


def test_what_a_tpm_signs_is_read():
    attest = TpmEvidence.parse(GOOD).attest
    assert attest == replace(attest, clock=7, resets=3, restarts=1, selected=(0, 4, 7))
    found = verify_tpm(TpmEvidence.parse(GOOD), DATA)
    with pytest.raises(InternalError):
        replace(found, explained=frozenset({0}), seal=None)


@pytest.mark.parametrize(
    "data, because",
    [
        (message(attested(magic=0)), "not a quote"),
        (message(attested(kind=0x8017)), "not a quote"),
        (message(attested(banks=2)), "other banks"),
        (message(attested(bank=0x000C)), "other banks"),
        (message(attested({})), "no PCRs"),
        (message(attested() + b"\0"), "1 bytes too many"),
        (message(values={0: bytes(32)}, attest=attested()), "32 bytes of 3 PCRs"),
        (message(signature=signature(attested(), scheme=b"\0\x14\0\x0b")), "not ECDSA"),
        (message(signature=signature(attested()) + b"\0"), "too many"),
        (b"", "not a message"),
    ],
)
def test_what_is_no_evidence(data, because):
    with pytest.raises(AttestationFailed, match=f"malformed.*{because}"):
        TpmEvidence.parse(data)


OTHER = ec.generate_private_key(ec.SECP256R1())
LARGE = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    "data, because",
    [
        (message(signature=signature(attested(), OTHER)), "does not fit its key"),
        (message(key=LARGE), "not one of P-256"),
        (message(key=OTHER, signature=signature(attested())), "does not fit"),
        (message(attested(about=DATA)), "not about this channel"),
        (message(attested(), values={**VALUES, 4: bytes(32)}), "not those that the TPM quoted"),
        (message(log=log_of([(0, "action", b"x")])), "does not lead to PCR 0"),
        (message(log=b"no log"), "malformed"),
    ],
)
def test_what_is_not_authentic(data, because):
    with pytest.raises(AttestationFailed, match=because):
        verify_tpm(TpmEvidence.parse(data), DATA)


def test_an_unreadable_key():
    with pytest.raises(AttestationFailed, match="cannot be read"):
        verify_tpm(replace(TpmEvidence.parse(GOOD), key=b"key"), DATA)


def test_all_refusals_are_told_at_once_and_what_is_unset_is_refused():
    found = verify_tpm(TpmEvidence.parse(GOOD), DATA)
    with pytest.raises(AttestationFailed) as told:
        TpmPolicy().accept(found)
    assert str(told.value).count("\n  - ") == 2
    demands = {0: frozenset({VALUES[0]}), 4: frozenset({bytes(32)}), 5: frozenset({bytes(32)})}
    with pytest.raises(AttestationFailed, match=r"key (.|\n)*PCR 4 is (.|\n)*5 is not quo"):
        TpmPolicy(keys=frozenset({bytes(32)}), pcrs=demands).accept(found)
    for wrong in ({"keys": frozenset({b"k"})}, {"pcrs": {24: frozenset({bytes(32)})}}):
        with pytest.raises(ConfigError, match="TPM policy"):
            TpmPolicy(**wrong)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_an_altered_quote_is_never_authentic(at, bit):
    altered = GOOD[:at] + bytes([GOOD[at] ^ 1 << bit]) + GOOD[at + 1 :]
    try:
        found = verify_tpm(TpmEvidence.parse(altered), DATA)
    except AttestationFailed:
        return
    assert found == verify_tpm(TpmEvidence.parse(GOOD), DATA)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_are_refused_by_our_own_refusal(data, at):
    for parse, good in ((Attest.parse, attested()), (TpmEvidence.parse, GOOD)):
        for each in (data, good[:at] + data):
            try:
                parse(each)
            except AttestationFailed:
                pass
