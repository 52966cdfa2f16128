"""Evidence belongs to one channel: relayed, replayed or mirrored evidence is refused."""

import hashlib
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from enclave_kit import BINDING, CLAIM, NOW, VERIFIER, quoted
from moiety.enclave.binding import Binding, Claim, bind, fresh_nonce
from moiety.enclave.evidence import Evidence
from moiety.errors import AttestationFailed


def refuses(evidence: Evidence, binding: Binding) -> None:
    with pytest.raises(AttestationFailed, match="not about this channel"):
        VERIFIER.verify(evidence, binding, now=NOW)


def test_report_data_are_the_documented_hash() -> None:
    elements = [
        b"moiety attestation v1",
        *(bytes([n] * 32) for n in (6, 1, 2, 7, 8)),
        b"lender",
        b"enclave",
        bytes([3] * 32),
        bytes([4] * 32),
        bytes([5] * 32),
    ]
    whole = b"".join(len(each).to_bytes(4, "little") + each for each in elements)
    assert BINDING.report_data == hashlib.sha512(whole).digest()


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WORDS = st.binary(min_size=32, max_size=32)


@st.composite
def bindings(draw: st.DrawFn) -> Binding:
    verifier, enclave = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    first, second = draw(st.lists(WORDS, min_size=2, max_size=2, unique=True))
    claim = Claim(
        verifier=verifier,
        enclave=enclave,
        verifier_nonce=first,
        enclave_nonce=second,
        job_hash=draw(WORDS),
        hpke_key=draw(WORDS),
        signing_key=draw(WORDS),
    )
    return Binding(claim, draw(WORDS), draw(WORDS), draw(WORDS))


@given(bindings(), bindings())
def test_different_bindings_have_different_transcripts(one: Binding, other: Binding) -> None:
    assert (one.transcript() == other.transcript()) == (one == other)


@pytest.mark.parametrize("name", [each.name for each in fields(Claim)])
def test_each_element_of_the_claim_counts(name: str) -> None:
    value = getattr(CLAIM, name)
    other = value + "x" if isinstance(value, str) else bytes([99] * 32)
    changed = replace(BINDING, claim=replace(CLAIM, **{name: other}))
    refuses(quoted(BINDING), changed)


@pytest.mark.parametrize("name", ["exporter", "verifier_spki", "enclave_spki"])
def test_each_element_of_the_channel_counts(name: str) -> None:
    refuses(quoted(BINDING), replace(BINDING, **{name: bytes([99] * 32)}))


def test_swapped_roles_are_refused() -> None:
    swapped = replace(
        CLAIM,
        verifier=CLAIM.enclave,
        enclave=CLAIM.verifier,
        verifier_nonce=CLAIM.enclave_nonce,
        enclave_nonce=CLAIM.verifier_nonce,
    )
    mirrored = Binding(swapped, BINDING.exporter, BINDING.enclave_spki, BINDING.verifier_spki)
    refuses(quoted(BINDING), mirrored)
    for same in ({"enclave": "lender"}, {"enclave_nonce": CLAIM.verifier_nonce}):
        with pytest.raises(AttestationFailed, match="the same"):
            replace(CLAIM, **same)


@pytest.mark.parametrize("name", ["verifier_nonce", "job_hash", "hpke_key", "signing_key"])
def test_elements_of_a_wrong_size_are_refused(name: str) -> None:
    with pytest.raises(AttestationFailed, match=f"{name} has 31 bytes"):
        replace(CLAIM, **{name: bytes(31)})


class Credentials:
    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder(subject, subject, self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )


class End:
    """One end of a TLS 1.3 session in memory."""

    def __init__(self, credentials: Credentials, *, server: bool) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.use_certificate(credentials.certificate)
        context.use_privatekey(credentials.key)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.connection = SSL.Connection(context)
        set_state = "set_accept_state" if server else "set_connect_state"
        getattr(self.connection, set_state)()
        self.own_certificate = credentials.certificate.public_bytes(Encoding.DER)

    @property
    def peer_certificate(self) -> bytes:
        peer = self.connection.get_peer_certificate(as_cryptography=True)
        return peer.public_bytes(Encoding.DER)

    def export(self, label: str, context: bytes, length: int = 32) -> bytes:
        return self.connection.export_keying_material(label.encode(), length, context)


def connect(client: Credentials, server: Credentials) -> tuple[End, End]:
    ends = End(client, server=False), End(server, server=True)
    for _ in range(4):
        for one, other in (ends, ends[::-1]):
            try:
                one.connection.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.connection.bio_write(one.connection.bio_read(1 << 16))
            except SSL.WantReadError:
                pass
    return ends


PARTY, INSIDE, HOST = Credentials("lender"), Credentials("enclave"), Credentials("host")


def fresh_claim() -> Claim:
    return replace(CLAIM, verifier_nonce=fresh_nonce(), enclave_nonce=fresh_nonce())


def test_both_ends_of_a_session_bind_alike() -> None:
    party, enclave = connect(PARTY, INSIDE)
    claim = fresh_claim()
    asked = bind(claim, party, attesting=False)
    assert asked == bind(claim, enclave, attesting=True)
    authentic = VERIFIER.verify(quoted(bind(claim, enclave, attesting=True)), asked, now=NOW)
    assert authentic.binding.claim.hpke_key == CLAIM.hpke_key


def test_the_exporter_is_asked_with_label_and_both_nonces() -> None:
    party, _ = connect(PARTY, INSIDE)
    label, context = "EXPORTER-moiety-attestation-v1", bytes([1] * 32 + [2] * 32)
    assert bind(CLAIM, party, attesting=False).exporter == party.export(label, context, 32)


@pytest.mark.parametrize("presents", [HOST, INSIDE], ids=["own key", "the enclave's leaked key"])
def test_relayed_evidence_is_refused(presents: Credentials) -> None:
    """The host ends two sessions and passes every message on, even with the enclave's TLS key."""
    party, facing_party = connect(PARTY, presents)
    facing_enclave, enclave = connect(PARTY, INSIDE)
    claim = fresh_claim()
    evidence = quoted(bind(claim, enclave, attesting=True))
    refuses(evidence, bind(claim, party, attesting=False))
    assert bind(claim, facing_enclave, attesting=False) == bind(claim, enclave, attesting=True)
    assert bind(claim, facing_party, attesting=True) == bind(claim, party, attesting=False)


def test_replayed_evidence_is_refused() -> None:
    party, enclave = connect(PARTY, INSIDE)
    old = quoted(bind(fresh_claim(), enclave, attesting=True))
    refuses(old, bind(fresh_claim(), party, attesting=False))
    claim = fresh_claim()
    earlier = quoted(bind(claim, enclave, attesting=True))
    later, _ = connect(PARTY, INSIDE)
    refuses(earlier, bind(claim, later, attesting=False))


def test_reflected_evidence_is_refused() -> None:
    """Evidence of an enclave about its own side does not pass as evidence of the other side."""
    one, other = connect(PARTY, INSIDE)
    claim = fresh_claim()
    refuses(quoted(bind(claim, one, attesting=True)), bind(claim, one, attesting=False))
    refuses(quoted(bind(claim, other, attesting=False)), bind(claim, one, attesting=False))


def test_an_unreadable_certificate_is_refused() -> None:
    party, _ = connect(PARTY, INSIDE)
    party.own_certificate = b"not a certificate"
    with pytest.raises(AttestationFailed, match="cannot be read"):
        bind(CLAIM, party, attesting=False)
