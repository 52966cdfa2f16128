"""Two ends of a pinned TLS connection, for tests."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from moiety.wire.certificates import fingerprint, make_credentials, short
from moiety.wire.tls import connect, listen

LENDER = make_credentials("lender", 2)
PAYCO = make_credentials("payco", 2)
STRANGER = make_credentials("payco", 2)


def pin(credentials):
    return fingerprint(credentials.certificate)


def seen(credentials):
    return short(pin(credentials))


def dated(first, last):
    """Credentials for payco that are valid from `first` to `last` days from now."""
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "payco")])
    certificate = (
        x509.CertificateBuilder(name, name, PAYCO.key.public_key(), x509.random_serial_number())
        .not_valid_before(now + timedelta(days=first))
        .not_valid_after(now + timedelta(days=last))
        .sign(PAYCO.key, hashes.SHA256())
    )
    return replace(PAYCO, certificate_pem=certificate.public_bytes(Encoding.PEM))


@contextmanager
def meeting(*, caller=PAYCO, listener=LENDER, pins=None, pinned=None, options=(None, None)):
    """What the listener's and the caller's side get: a channel or an error."""
    pins = {"payco": pin(PAYCO)} if pins is None else pins

    def outcome(call):
        try:
            return call()
        except Exception as error:
            return error

    with (
        listen("127.0.0.1:0", credentials=listener, options=options[0]) as door,
        ThreadPoolExecutor(2) as pool,
    ):
        accepting = pool.submit(outcome, lambda: door.accept(pins, 10))
        calling = pool.submit(
            outcome,
            lambda: connect(
                door.address,
                "lender",
                credentials=caller,
                pinned=pin(listener) if pinned is None else pinned,
                deadline=10,
                options=options[1],
            ),
        )
        ends = accepting.result(20), calling.result(20)
        try:
            yield ends
        finally:
            for end in ends:
                if not isinstance(end, Exception):
                    end.close()


def both(left, right):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(left), pool.submit(right)]
        return [future.result(60) for future in futures]


# ── what a connection gives ─────────────────────────────────────────────────────────────────


PEER = """
import sys, time
from moiety.wire.certificates import Credentials
from moiety.wire.tls import Options, connect
from moiety.wire.watch import Watch
address, certificate, key, pinned = sys.argv[1:]
credentials = Credentials(certificate.encode(), key.encode())
pinned = bytes.fromhex(pinned)
options = Options(watch=Watch(beat=0.2))
channel = connect(address, "lender", credentials=credentials, pinned=pinned, options=options)
while True:
    time.sleep(1)
"""
