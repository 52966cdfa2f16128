"""Distributed point functions in NumPy: what the kernels must give, key by key and bit by bit.

Written from the papers that `moiety.protocols.dpf` names, over another implementation of AES. A key
is a party's roots, then the correction words as `key_fields` lists.
"""

from collections.abc import Callable, Iterator

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from moiety.protocols.correlations import Array
from moiety.protocols.dpf import LEAF, levels

CHUNK = 1 << 13
_FIXED_KEY = b"moiety dpf key 1"
_ONE = np.uint64(1)
_SEED = ~_ONE

Key = tuple[Array, ...]


def _hash(blocks: Array) -> Array:
    """π(σ(x)) ^ σ(x), σ(low, high) = (high, high ^ low), for blocks (…, 2) of words low, high."""
    mixed = np.empty_like(blocks)
    mixed[..., 0] = blocks[..., 1]
    mixed[..., 1] = blocks[..., 0] ^ blocks[..., 1]
    # each block is hashed by itself: a permutation is wanted, not a mode of encryption
    permutation = Cipher(algorithms.AES(_FIXED_KEY), modes.ECB()).encryptor()
    out = np.empty(mixed.nbytes + 16, np.uint8)
    permutation.update_into(mixed.reshape(-1).view(np.uint8).data, out.data)
    return mixed ^ out[: mixed.nbytes].view(np.uint64).reshape(mixed.shape)


def _child(seed: Array, side: Array) -> tuple[Array, Array]:
    """The seed (its last bit 0) and the bit of a child, before they are corrected."""
    seed = seed.copy()
    seed[..., 0] |= side
    block = _hash(seed)
    bit = block[..., 0] & _ONE
    block[..., 0] &= _SEED
    return block, bit


def _root(words: Array) -> Array:
    seed = words.copy()
    seed[..., 0] &= _SEED
    return seed


def _gate(bit: Array) -> Array:
    """All ones where the bit is 1, for the two words of a block."""
    return np.negative(bit)[..., np.newaxis]


def generate(point: Array, roots: tuple[Array, Array], domain: int) -> list[Array]:
    """The correction words of keys for flat points below 2^domain: the dealer's work."""
    parts = [
        _generate(point[chunk], (roots[0][chunk], roots[1][chunk]), domain)
        for chunk in _chunks(point.size)
    ]
    *inner, last = zip(*parts, strict=True)
    return [*(np.concatenate(words, axis=-1) for words in inner), np.concatenate(last)]


def _chunks(count: int) -> Iterator[slice]:
    return (
        (slice(begin, begin + CHUNK) for begin in range(0, count, CHUNK))
        if count
        else iter((slice(0, 0),))
    )


def _generate(point: Array, roots: tuple[Array, Array], domain: int) -> tuple[Array, ...]:
    depth = levels(domain)
    seeds = np.stack([_root(root) for root in roots])
    bits = np.repeat(np.array([[0], [1]], np.uint64), point.size, axis=1)
    words = np.empty((depth, point.size, 2), np.uint64)
    flips = np.empty((2, depth, point.size), np.uint8)
    for level in range(depth):
        side = point >> np.uint64(domain - 1 - level) & _ONE
        seeds, bits, words[level], flips[:, level] = _grow(seeds, bits, side)
    blocks = _hash(seeds)
    last = blocks[0] ^ blocks[1] ^ _unit(point & np.uint64((1 << LEAF) - 1))
    inner = (words[..., 0] >> _ONE, words[..., 1], flips) if depth else ()
    return (*inner, last)


def _grow(seeds: Array, bits: Array, side: Array) -> tuple[Array, Array, Array, Array]:
    """One level of both parties' paths to the point, and the words that correct it.

    Children on the other side are made equal; on this side the bits are made to differ.
    """
    here, there = _child(seeds, side), _child(seeds, side ^ _ONE)
    word = there[0][0] ^ there[0][1]
    kept, lost = here[1][0] ^ here[1][1] ^ _ONE, there[1][0] ^ there[1][1]
    flips = np.stack([np.where(side, lost, kept), np.where(side, kept, lost)])
    return here[0] ^ (_gate(bits) & word), here[1] ^ (bits & kept), word, flips


def _unit(place: Array) -> Array:
    """Blocks with one bit set."""
    high = place >> np.uint64(6)
    bit = _ONE << (place & np.uint64(63))
    return np.stack([np.where(high, np.uint64(0), bit), np.where(high, bit, np.uint64(0))], -1)


def _prefix(place: Array) -> Array:
    """Blocks with the bits up to and including the place set."""
    two, low, zero = np.uint64(2), np.uint64(63), np.uint64(0)
    below = (two << np.minimum(place, low)) - _ONE
    above = np.where(place > low, (two << (place & low)) - _ONE, zero)
    return np.stack([below, above], -1)


def up_to(party: int, key: Key, v: Array, domain: int) -> Array:
    """Shares of [r ≤ v]; v has shape (…, count), so one key serves several public points."""
    return _evaluate(party, key, v, domain, _prefix)


def at(party: int, key: Key, v: Array, domain: int) -> Array:
    """Shares of [r = v]; v has shape (…, count)."""
    return _evaluate(party, key, v, domain, _unit)


def _evaluate(
    party: int, key: Key, v: Array, domain: int, picked: Callable[[Array], Array]
) -> Array:
    result = np.empty(v.shape, np.uint8)
    for chunk in _chunks(v.shape[-1]):
        root, *inner, last = key
        part = (root[chunk], *(words[..., chunk] for words in inner), last[chunk])
        seed, bit, parity = _walk(party, part, v[..., chunk], domain)
        block = _hash(seed) ^ (_gate(bit) & part[-1])
        block &= picked(v[..., chunk] & np.uint64((1 << LEAF) - 1))
        found = np.bitwise_count(block[..., 0] ^ block[..., 1]) & np.uint8(1)
        result[..., chunk] = found ^ parity if picked is _prefix else found
    return result


def _walk(party: int, key: Key, v: Array, domain: int) -> tuple[Array, Array, Array]:
    """The seed and bit at the leaf of v, and the parity of all that is left of it."""
    seed = np.broadcast_to(_root(key[0]), (*v.shape, 2))
    bit = np.full(v.shape, party, np.uint64)
    parity = np.zeros(v.shape, np.uint64)
    for level in range(levels(domain)):
        _, low, high, flips = key[:4]
        side = v >> np.uint64(domain - 1 - level) & _ONE
        word = np.stack([low[level] << _ONE, high[level]], -1)
        flip = np.where(side, flips[1, level], flips[0, level])
        block, child = _child(seed, side)
        seed, child = block ^ (_gate(bit) & word), child ^ (bit & flip)
        parity ^= side & (bit ^ child)
        bit = child
    return seed, bit, parity.astype(np.uint8)
