"""Bare protocols with a freshly dealt bill, and values near their bounds."""

import secrets

import numpy as np

from moiety.protocols.base import Context
from moiety.protocols.correlations import Supply
from moiety.ring import Stream
from moiety.run import twin


def contexts(bill):
    """Each party's context, with correlations from fresh seeds."""
    keys = secrets.token_bytes(16), secrets.token_bytes(16)
    sent = [item.deal((Stream(keys[0], i), Stream(keys[1], i))) for i, item in enumerate(bill)]
    found = []
    for party in (0, 1):
        parts = [data[len(data) - c.size(party) :] for c, data in zip(bill, sent, strict=True)]
        shares = [(c, c.take(party, Stream(keys[party], i), parts[i])) for i, c in enumerate(bill)]
        found.append(Context(party, Supply(shares)))
    return found


def both(bill, side, *shared):
    """Runs side(context, shares...) at two parties; shared words are split at random."""
    masks = [np.frombuffer(secrets.token_bytes(8 * x.size), np.uint64) for x in shared]
    masks = [mask.reshape(x.shape) for mask, x in zip(masks, shared, strict=True)]
    rest = [x - mask for x, mask in zip(shared, masks, strict=True)]
    first, second = contexts(bill)
    return twin.lockstep([side(first, *masks), side(second, *rest)])


def integers(lo, hi, count):
    """The bounds, their neighbours, zero if it lies between, and uniform values, as words."""
    edges = [v for v in (lo, lo + 1, hi - 1, hi, -1, 0, 1) if lo <= v <= hi]
    uniform = [lo + secrets.randbelow(hi - lo + 1) for _ in range(count - len(edges))]
    return np.array([v % 2**64 for v in edges + uniform], np.uint64)


def drawn(low, high, count):
    """So many of `integers`, the bounds first, however few."""
    return integers(low, high, max(count, 9))[:count]


def coins(*shape):
    """Fair bits."""
    count = int(np.prod(shape, dtype=int))
    return (np.frombuffer(secrets.token_bytes(count), np.uint8) & np.uint8(1)).reshape(shape)


def run(bill, side, words=(), bits=()):
    """What both parties return, with words shared by addition and bits by exclusive or."""
    halves = [coins(*bit.shape) for bit in bits]

    def with_bits(ctx, *shares):
        mine = [half if ctx.first else half ^ bit for half, bit in zip(halves, bits, strict=True)]
        return (yield from side(ctx, *shares, *mine))

    transcript = both(bill, with_bits, *words)
    return transcript.results
