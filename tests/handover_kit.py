"""A trained model, the enclave that hands it over, and its messages to be changed."""

import hashlib
from functools import cache

import numpy as np

from moiety.agreement.signing import SigningKey
from moiety.enclave.handover import (
    ask,
    hand_over,
    receive_material,
    receive_share,
)
from moiety.enclave.job import train
from moiety.message import encode
from party_kit import NAMES, columns, job, line, outcomes

SIGNING = SigningKey.create()
DOMAIN = b"moiety model header v1\0"
MODEL = {"header": bytes, "signature": bytes, "salt": bytes, "arrays": dict[str, bytes]}
SALT = bytes(32)
LIMIT = 1 << 28


@cache
def trained():
    return train(job(), columns())


def handing_over(*asked, of=None, sends=None):
    """What the enclave makes of two parties' requests, and what each party gets."""
    of = of or job()

    def enclave_side(channels):
        try:
            return hand_over(
                of,
                trained(),
                signing=SIGNING,
                production=False,
                measurement=bytes(32),
                channels=dict(zip(NAMES, channels, strict=True)),
            )
        finally:
            for channel in channels:
                channel.close()

    def party_side(channel, index, batches):
        (sends or ask)(channel, batches)
        share = receive_share(channel, of, index, SIGNING.public)
        return share, [receive_material(channel) for _ in batches]

    with line("lender") as (lender, first), line("payco") as (payco, second):
        return outcomes(
            lambda: enclave_side([first, second]),
            lambda: party_side(lender, 0, asked[0]),
            lambda: party_side(payco, 1, asked[-1]),
        )


def share_of(party=0, signer=SIGNING, of=None, arrays=None, **changes):
    """An enclave's message with a share of zeros, its header signed, both changed as told."""
    shape = trained().model.shape
    zeros = {name: np.zeros_like(words) for name, words in trained().model.arrays.items()}
    sent = {name: words.tobytes() for name, words in zeros.items()}
    sent = sent if arrays is None else arrays(sent)
    facts = {
        "job": (of or job()).hash,
        "shape": shape.to_fields(),
        "simulated": True,
        "measurement": bytes(32),
        "rows": 60,
        "predictions": 1,
        "shares": [digest(sent)] * 2,
    }
    header = encode({**facts, **changes})
    signature = signer.sign(header, DOMAIN)
    return {"header": header, "signature": signature, "salt": SALT, "arrays": sent}


def digest(arrays):
    named = b"".join(name.encode() + b"\0" + arrays[name] for name in sorted(arrays))
    return hashlib.sha256(SALT + named).digest()


def shape(**changes):
    return {**trained().model.shape.to_fields(), **changes}
