"""The attested channel's messages, to be changed: what an honest party and enclave would say."""

from moiety import __version__
from moiety.enclave.binding import fresh_nonce
from moiety.enclave.handshake import present, receive_proposal
from moiety.message import decode, encode
from moiety.wire.frame import Kind
from party_kit import attester, job, keys, line, outcomes, signatures

EVIDENCE = {"nonce": bytes, "hpke_key": bytes, "signing_key": bytes, "evidence": bytes}
LIMIT = 1 << 20


def hello(**changes):
    """What an honest lender says first, changed; `...` leaves a field out."""
    said = {
        "version": __version__,
        "party": "lender",
        "job": job().source,
        "signatures": signatures(),
        "nonce": fresh_nonce(),
    }
    return {name: value for name, value in {**said, **changes}.items() if value is not ...}


def received(message, near="lender", kind=Kind.HELLO):
    payload = message if isinstance(message, bytes) else encode(message)

    def come(guest):
        with guest:
            guest.send(kind, payload)

    def judge(enclave):
        with enclave:
            return receive_proposal(enclave)

    with line(near) as (guest, enclave):
        _, found = outcomes(lambda: come(guest), lambda: judge(enclave))
    if isinstance(found, Exception):
        raise found
    return found


class Tap:
    """A channel that keeps what is sent instead of sending it."""

    def __init__(self, channel):
        self._channel, self.sent = channel, []

    def __getattr__(self, name):
        return getattr(self._channel, name)

    def send(self, kind, payload):
        self.sent.append(payload)


def evidence(channel, proposal, **scenario):
    """What an enclave would send as its evidence about this channel, in fields."""
    tap = Tap(channel)
    present(tap, proposal, attester(**scenario), keys())
    return decode(tap.sent[0], EVIDENCE, LIMIT)
