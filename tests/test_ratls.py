"""RA-TLS certificates: Gramine's recorded one, simulated ones, and each part broken in turn."""

import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_kit import NOW, VERIFIER, recorded_quote, split, vector
from moiety.enclave.certificate import Certificate, read_certificates
from moiety.enclave.evidence import pack
from moiety.enclave.quote import Quote
from moiety.enclave.ratls import GRAMINE, TAGGED, RaTls, RelayProne, examine_ratls, read_ratls
from moiety.enclave.verify import Authentic, IntelVerifier
from moiety.errors import AttestationFailed
from ratls_kit import (
    COLLATERAL,
    KEY,
    certificate,
    claims_for,
    gramine,
    interoperable,
    quoted_data,
    spki,
    tagged,
)

OTHER = ec.generate_private_key(ec.SECP256R1())


def read(der: bytes) -> RaTls:
    return read_ratls(Certificate.parse(der))


def test_gramines_recorded_certificate_names_its_key_in_both_forms() -> None:
    (found,) = read_certificates(vector("ratls_gramine_cert.pem"))
    both = read_ratls(found)
    assert (both.form, both.nonce) == ("tagged", None)
    assert both.key_sha256.hex().startswith("5a5a5b2d1774")
    assert Quote.parse(both.quote).report.report_data == both.report_data
    older = Quote.parse(found.extensions[GRAMINE])
    assert older.report.report_data == hashlib.sha256(found.key).digest().ljust(64, b"\0")


def test_gramines_recorded_certificate_is_not_genuine_by_others_collateral() -> None:
    found = read_ratls(read_certificates(vector("ratls_gramine_cert.pem"))[0])
    collateral = split(recorded_quote("sgx"))[1]
    with pytest.raises(AttestationFailed, match="not authentic"):
        examine_ratls(found, collateral, IntelVerifier(), now=1_752_912_000)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 1 << 14), bit=st.integers(0, 7))
def test_no_altered_bit_of_the_recorded_certificate_is_read(at: int, bit: int) -> None:
    der = read_certificates(vector("ratls_gramine_cert.pem"))[0].der
    at %= len(der)
    altered = der[:at] + bytes([der[at] ^ 1 << bit]) + der[at + 1 :]
    with pytest.raises(AttestationFailed):
        read(altered)


def test_a_simulated_certificate_is_genuine_and_prone_to_relay() -> None:
    found = read(interoperable())
    assert (found.form, found.nonce) == ("tagged", b"n" * 16)
    result = examine_ratls(found, COLLATERAL, VERIFIER, now=NOW)
    assert isinstance(result, RelayProne) and not isinstance(result.genuine, Authentic)
    assert (result.genuine.tee, result.form) == ("sim-sgx", "tagged")
    assert result.key_sha256 == hashlib.sha256(spki()).digest()


def test_gramines_form_is_read_where_it_stands_alone() -> None:
    whole = Certificate.parse(certificate({}))
    alone = Certificate(**{**vars(whole), "extensions": {GRAMINE: gramine()}})
    found = read_ratls(alone)
    assert found.form == "gramine"
    assert examine_ratls(found, COLLATERAL, VERIFIER, now=NOW).form == "gramine"
    moved = Certificate(**{**vars(whole), "extensions": {GRAMINE: quoted_data(b"other")}})
    with pytest.raises(AttestationFailed, match="not about its key"):
        examine_ratls(read_ratls(moved), COLLATERAL, VERIFIER, now=NOW)


def test_a_quote_of_another_certificate_is_refused() -> None:
    claims = claims_for(nonce=b"another one")
    found = read(certificate({TAGGED: tagged(claims, quoted_data(b"\x01" * 32))}))
    with pytest.raises(AttestationFailed, match="not about its key"):
        examine_ratls(found, COLLATERAL, VERIFIER, now=NOW)


@pytest.mark.parametrize(
    "der, because",
    [
        (lambda: certificate({}), "carries no quote"),
        (lambda: certificate({TAGGED: tagged(claims_for())}, signed_by=OTHER), "its own key"),
        (lambda: certificate({TAGGED: tagged(claims_for(OTHER))}), "name another key"),
        (lambda: certificate({TAGGED: tagged(cbor2.dumps({}))}), "name no key"),
        (lambda: certificate({TAGGED: tagged(cbor2.dumps({"pubkey-hash": b"\x01"}))}), "no key"),
        (lambda: certificate({TAGGED: tagged(claims_for(nonce="text"))}), "nonce"),
        (lambda: certificate({TAGGED: tagged(claims_for(), tag=60001)}), "tag 60000"),
        (lambda: certificate({TAGGED: b"\xff"}), "CBOR"),
        (lambda: certificate({TAGGED: tagged(claims_for()) + b"\0"}), "CBOR"),
        (lambda: certificate({TAGGED: cbor2.dumps(cbor2.CBORTag(60000, [b"q"]))}), "with claims"),
        (
            lambda: certificate(
                {TAGGED: tagged(cbor2.dumps({"pubkey-hash": cbor2.dumps([2, bytes(32)])}))}
            ),
            "unknown algorithm 2",
        ),
    ],
)
def test_a_certificate_that_is_not_so_is_refused(der, because: str) -> None:
    with pytest.raises(AttestationFailed, match=because):
        read(der())


@pytest.mark.parametrize("now", [NOW - 40 * 86_400, NOW + 40 * 86_400])
def test_a_certificate_outside_its_dates_is_refused(now: int) -> None:
    with pytest.raises(AttestationFailed, match="not valid at the time"):
        examine_ratls(read(interoperable()), COLLATERAL, VERIFIER, now=now)


@pytest.mark.parametrize("digest, size", [(7, 48), (8, 64)])
def test_other_hashes_of_the_key_are_known(digest: int, size: int) -> None:
    hashed = {48: hashlib.sha384, 64: hashlib.sha512}[size](spki()).digest()
    claims = cbor2.dumps({"pubkey-hash": cbor2.dumps([digest, hashed])})
    found = read(certificate({TAGGED: tagged(claims)}))
    assert examine_ratls(found, COLLATERAL, VERIFIER, now=NOW).genuine.tee == "sim-sgx"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_extension_is_read_or_refused(value: bytes) -> None:
    for each in (value, b"\xd9\xea\x60" + value, tagged(value, b"quote")):
        try:
            read(certificate({TAGGED: each}))
        except AttestationFailed:
            continue


def test_no_evidence_message_is_made_of_a_certificate() -> None:
    """What a certificate carries becomes no evidence about a channel."""
    found = read(interoperable())
    assert not hasattr(found, "collateral")
    assert pack(found.quote, b"{}") and KEY
