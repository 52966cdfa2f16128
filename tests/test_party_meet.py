"""Parties meet, agree and part: strangers, expired certificates, other jobs, broken messages."""

import shutil
import socket
import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety import __version__
from moiety.agreement.record import Record
from moiety.agreement.signing import SigningKey
from moiety.errors import ConfigError, PeerLost, PeerMisbehaved, PolicyRefused
from moiety.message import encode
from moiety.party.agree import exchange, exchange_heads, now
from moiety.party.config import load_party
from moiety.party.meet import check_ready, meet_peers
from moiety.wire.certificates import fingerprint
from moiety.wire.frame import Kind
from moiety.wire.tls import Options, connect
from party_kit import job, line, other_job, outcomes, party, signatures, stage
from tls_kit import STRANGER, dated

# ── meeting ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lender():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    return replace(party("lender"), listen=address, patience=1)


def calling(lender, credentials, deadline=2.0):
    """A caller at the lender's door that pins the lender as it should."""
    pinned = fingerprint(lender.credentials.certificate)
    return connect(
        lender.listen, "lender", credentials=credentials, pinned=pinned, deadline=deadline
    )


def test_strangers_are_turned_away_and_the_peer_is_met(lender):
    told, met = [], []

    def door():
        met.append(meet_peers(lender, job(), Options(progress=told.append)))

    waiting = threading.Thread(target=door)
    waiting.start()
    while not _listens(lender.listen):
        time.sleep(0.02)
    with pytest.raises(PeerLost, match=r"lender stopped: the certificate .* is refused here"):
        calling(lender, STRANGER)
    with socket.create_connection(lender.listen.rsplit(":", 1)) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with calling(lender, party("payco").credentials) as channel:
        waiting.join(5)
        assert channel.peer == "lender"
    assert met[0]["payco"].peer == "payco"
    assert any("turned away: a caller from" in each and "pinned is payco" in each for each in told)
    met[0]["payco"].close()


def _listens(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_nobody_came(lender):
    began = time.monotonic()
    with pytest.raises(PeerLost, match=r"payco did not connect to .* within 1 s") as caught:
        meet_peers(lender, job(), Options())
    assert time.monotonic() - began < 3 and caught.value.hint


def test_only_a_stranger_came(lender):
    """After its patience the party says who was there instead: most likely a wrong pin."""
    found, stranger = outcomes(
        lambda: meet_peers(lender, job(), Options()), lambda: calling(lender, STRANGER)
    )
    assert isinstance(found, PolicyRefused) and "pinned is payco" in str(found)
    assert isinstance(stranger, PeerLost)


def test_a_peer_whose_certificate_expired_is_refused(lender):
    expired = dated(-9, -2)
    pinned = job().member("payco").certificate
    other = other_job((pinned, f"sha256:{fingerprint(expired.certificate).hex()}"))
    found, caller = outcomes(
        lambda: meet_peers(lender, other, Options()), lambda: calling(lender, expired)
    )
    assert isinstance(found, PolicyRefused) and "the certificate of payco is valid from" in str(
        found
    )
    assert "check this machine's clock" in found.hint
    assert isinstance(caller, PeerLost) and "is refused here" in str(caller)


def test_ones_own_expired_certificate_is_told_before_anything_is_sent(tmp_path):
    home = tmp_path / "payco"
    shutil.copytree(stage().homes["payco"], home)
    expired = dated(-9, -2)
    (home / "keys" / "tls.pem").write_bytes(expired.certificate_pem)
    (home / "keys" / "tls.key").write_bytes(expired.key_pem)
    with pytest.raises(PolicyRefused, match=r"certificate of payco \(this party\) is valid from"):
        check_ready(load_party(home), job())
    with pytest.raises(ConfigError, match="names no enclave"):
        check_ready(replace(party("payco"), enclave_address=""), job())
    check_ready(party("payco"), job())


def test_a_listener_that_is_not_the_lender_is_refused():
    payco = party("payco")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    known = {"lender": replace(payco.peers["lender"], address=address)}
    payco = replace(payco, peers=known, patience=1)
    impostor = replace(party("lender"), listen=address, patience=1)
    impostor = _with(impostor, STRANGER)
    found, other = outcomes(
        lambda: meet_peers(payco, job(), Options()), lambda: meet_peers(impostor, job(), Options())
    )
    assert isinstance(found, PolicyRefused) and "lender presented the certificate" in str(found)
    assert isinstance(other, PeerLost)


def _with(own, credentials):
    """The party as it would be with other TLS keys."""

    class Other(type(own)):
        @property
        def credentials(self):
            return credentials

    return Other(**vars(own))


# ── agreeing ────────────────────────────────────────────────────────────────────────────────


def said(**changes):
    """What payco says when the parties agree, changed."""
    honest = {
        "version": __version__,
        "job": job().hash,
        "signature": signatures()["payco"],
        "aligned": {},
    }
    return encode({**honest, **changes})


def agreed(message, kind=Kind.HELLO):
    with line("payco", "lender") as (payco, lender):
        payco.send(kind, message)
        return exchange(lender, job(), signatures()["lender"], {})


def test_two_parties_agree_and_know_what_both_have_kept():
    with line("lender", "payco") as (lender, payco):
        mine, theirs = outcomes(
            lambda: exchange(lender, job(), signatures()["lender"], {"train": b"a"}),
            lambda: exchange(payco, job(), signatures()["payco"], {"score": b"b"}),
        )
    assert mine == (signatures()["payco"], {"score": b"b"})
    assert theirs == (signatures()["lender"], {"train": b"a"})


STRANGER_KEY = SigningKey.create()


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (said(version="9.9"), PolicyRefused, "payco runs moiety 9.9"),
        (said(job=bytes(32)), PolicyRefused, "payco runs job 0000000000000000, this is"),
        (said(signature=bytes(64)), PolicyRefused, "signature of payco on the job"),
        (said(signature=b""), PolicyRefused, "signature of payco on the job"),
        (said(signature=signatures()["lender"]), PolicyRefused, "signature of payco on the job"),
        (
            said(signature=STRANGER_KEY.sign_job(job().hash)),
            PolicyRefused,
            "signature of payco on the job",
        ),
        (said(aligned=[]), PeerMisbehaved, "`aligned`"),
        (said(aligned={"train": 5}), PeerMisbehaved, "`aligned`"),
        (said(more=1), PeerMisbehaved, "does not belong"),
        (said()[:-1], PeerMisbehaved, "not plain CBOR"),
        (b"", PeerMisbehaved, "not plain CBOR"),
        (bytes(4097), PeerMisbehaved, "at most 4096"),
    ],
    ids=range(12),
)
def test_what_a_peer_may_not_say(message, error, text):
    with pytest.raises(error, match=text):
        agreed(message)


def test_a_peer_that_says_something_else_first():
    with pytest.raises(PeerMisbehaved, match="sent TICK where HELLO is due"):
        agreed(said(), kind=Kind.TICK)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(data):
    with pytest.raises(PeerMisbehaved):
        agreed(data)


def test_two_parties_with_different_jobs_both_refuse():
    other = other_job(("predictions = 60", "predictions = 59"))
    with line("lender", "payco") as (lender, payco):
        found = outcomes(
            lambda: exchange(lender, job(), signatures()["lender"], {}),
            lambda: exchange(payco, other, signatures(other)["payco"], {}),
        )
    assert all(isinstance(each, PolicyRefused) and "runs job" in str(each) for each in found)


# ── parting ─────────────────────────────────────────────────────────────────────────────────


def test_heads_of_records_are_exchanged(tmp_path):
    records = []
    for name in ("lender", "payco"):
        key = party(name).signing_key.private
        records.append(Record.create(tmp_path / name, name, key, job().hash, now()))
    with line("lender", "payco") as (lender, payco):
        mine, theirs = outcomes(
            lambda: exchange_heads(lender, records[0]), lambda: exchange_heads(payco, records[1])
        )
    assert mine == (records[1].head, 1) and theirs == (records[0].head, 1)
    for record in records:
        record.__exit__()


@pytest.mark.parametrize(
    "message",
    [b"", {"head": b"short", "lines": 1}, {"head": bytes(32), "lines": 0}, {"head": bytes(32)}],
)
def test_what_is_no_head_is_refused(tmp_path, message):
    key = party("lender").signing_key.private
    with (
        Record.create(tmp_path / "r", "lender", key, job().hash, now()) as record,
        line("payco", "lender") as (payco, lender),
    ):
        payco.send(Kind.RECORD, message if isinstance(message, bytes) else encode(message))
        with pytest.raises(PeerMisbehaved):
            exchange_heads(lender, record)
