"""Distributed point functions, against a slow reference written from the paper, bit by bit."""

import secrets

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import dpf_reference
from moiety import _core
from moiety.errors import PeerMisbehaved
from moiety.lang.cost import Cost, both_ways
from moiety.protocols import dpf, equality
from moiety.protocols.correlations import Correlation
from moiety.protocols.dpf import PrefixMask
from moiety.protocols.equality import PointMask
from moiety.ring import Stream, pack_words
from protocol_kit import both, contexts, integers

MASK = 2**64 - 1
COUNTS = [1, 7, 8, 63, 64, 65, 1000, 1025, 5003]


def reference_hash(block):
    """π(σ(x)) ^ σ(x) of one 128-bit number, by a fresh cipher."""
    low, high = block & MASK, block >> 64
    mixed = high | (high ^ low) << 64
    cipher = Cipher(algorithms.AES(b"moiety dpf key 1"), modes.ECB()).encryptor()
    return int.from_bytes(cipher.update(mixed.to_bytes(16, "little")), "little") ^ mixed


def reference_children(seed):
    """(seed, bit) of the left and the right child."""
    blocks = [reference_hash(seed | side) for side in (0, 1)]
    return [(block >> 1 << 1, block & 1) for block in blocks]


def reference_keys(point, roots, domain):
    """The correction words of Boyle, Gilboa, Ishai (CCS 2016), figure 1, and the last block."""
    seeds, bits, words = [root >> 1 << 1 for root in roots], [0, 1], []
    for level in range(domain - 7):
        side = point >> (domain - 1 - level) & 1
        grown = [reference_children(seed) for seed in seeds]
        seed_word = grown[0][1 - side][0] ^ grown[1][1 - side][0]
        flips = [grown[0][b][1] ^ grown[1][b][1] ^ (b == side) for b in (0, 1)]
        words.append((seed_word, flips))
        seeds = [grown[p][side][0] ^ (bits[p] * seed_word) for p in (0, 1)]
        bits = [grown[p][side][1] ^ (bits[p] & flips[side]) for p in (0, 1)]
    last = reference_hash(seeds[0]) ^ reference_hash(seeds[1]) ^ 1 << (point & 127)
    return words, last


def reference_share(party, root, words, last, place, domain):
    """One party's share of [point = place]: the whole path, no early ends, no parities."""
    seed, bit = root >> 1 << 1, party
    for level, (seed_word, flips) in enumerate(words):
        side = place >> (domain - 1 - level) & 1
        seed, child = reference_children(seed)[side]
        seed, bit = seed ^ (bit * seed_word), child ^ (bit & flips[side])
    block = reference_hash(seed) ^ (bit * last)
    return block >> (place & 127) & 1


def numbers(blocks):
    return [low | high << 64 for low, high in blocks.tolist()]


def reference_words(words, item):
    """The correction words of one key of a batch, in the reference's form."""
    *inner, last = words
    if not inner:
        return [], numbers(last)[item]
    low, high, flips = inner
    seeds = [(low[i, item].item() << 1) | high[i, item].item() << 64 for i in range(len(low))]
    sides = [flips[:, i, item].tolist() for i in range(len(low))]
    return list(zip(seeds, sides, strict=True)), numbers(last)[item]


def drawn(count, domain):
    roots = [np.frombuffer(secrets.token_bytes(16 * count), np.uint64) for _ in (0, 1)]
    roots = [root.reshape(count, 2) for root in roots]
    return integers(0, 2**domain - 1, max(count, 9))[:count], roots


@pytest.mark.parametrize("domain", [1, 7, 8, 9, 23, 63, 64])
def test_keys_are_those_of_the_reference(domain):
    points, roots = drawn(9, domain)
    words = dpf.generate(points, roots, domain)
    for item, point in enumerate(points.tolist()):
        pair = [numbers(root)[item] for root in roots]
        assert reference_words(words, item) == reference_keys(point, pair, domain)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("domain", [5, 7, 8, 24, 64])
def test_many_keys_are_those_of_numpy(domain, count):
    points, roots = drawn(count, domain)
    found, slow = (kind.generate(points, roots, domain) for kind in (dpf, dpf_reference))
    for words, expected in zip(found, slow, strict=True):
        assert np.array_equal(words, expected)


@pytest.mark.parametrize("domain", [7, 8, 10])
def test_shares_at_every_point_are_those_of_the_reference(domain):
    points, roots = drawn(8, domain)
    words = dpf.generate(points, roots, domain)
    every = np.broadcast_to(np.arange(2**domain, dtype=np.uint64)[:, None], (2**domain, 8)).copy()
    for party in (0, 1):
        equal = dpf_reference.at(party, (roots[party], *words), every, domain)
        prefix = dpf_reference.up_to(party, (roots[party], *words), every, domain)
        for item in range(8):
            key = reference_words(words, item)
            root = numbers(roots[party])[item]
            slow = [reference_share(party, root, *key, v, domain) for v in range(2**domain)]
            assert equal[:, item].tolist() == slow
        if party == 0:
            first, first_prefix = equal, prefix
    assert np.array_equal(first ^ equal, every == points)
    assert np.array_equal(first_prefix ^ prefix, points <= every)


def parts(correlation):
    """Both parties' packed parts and arrays, from fresh keys."""
    streams = [Stream(secrets.token_bytes(16), 0) for _ in (0, 1)]
    sent = correlation.deal(tuple(streams))
    sent = sent[len(sent) - correlation.size(0) :], sent
    again = [Stream(stream._key, 0) for stream in streams]
    return [correlation.take(p, again[p], sent[p]) for p in (0, 1)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("ring", [1, 7, 8, 24, 64])
def test_shares_of_points_are_those_of_numpy(ring, count):
    """One of many points is r itself, the others are anywhere."""
    pair = parts(PointMask(count, ring))
    r = sum(part.arrays()[0] for part in pair) & np.uint64(2**ring - 1)
    c = np.where(np.arange(count) % 3, integers(0, 2**ring - 1, max(count, 9))[:count], r)
    message, nothing = pack_words(c, ring), pack_words(np.zeros(count, np.uint64), ring)
    for party, part in enumerate(pair):
        _, *roots_and_words = part.arrays()
        key = roots_and_words[party], *roots_and_words[2:]
        expected = dpf_reference.at(party, key, c, ring)
        found = _core.point_shares(message, nothing, part.packed, 3, (count, ring), party == 0)
        assert found.dtype == np.uint8 and np.array_equal(found, expected)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("ring", [2, 8, 9, 24, 64])
def test_shares_of_signs_are_those_of_numpy(ring, count):
    pair, mask = parts(PrefixMask(count, ring)), np.uint64(2 ** (ring - 1) - 1)
    r = sum(part.arrays()[0] for part in pair)
    shifts = integers(0, 2**ring - 1, 9)[:7]
    c = integers(0, 2**ring - 1, max(count, 9))[:count]
    c = np.where(np.arange(count) % 3, c, r + shifts[6]) & np.uint64(2**ring - 1)
    message, nothing = pack_words(c, ring), pack_words(np.zeros(count, np.uint64), ring)
    for party, part in enumerate(pair):
        _, zero, one, top, *words = part.arrays()
        places = c - shifts[:, None]
        prefix = dpf_reference.up_to(party, ((zero, one)[party], *words), places & mask, ring - 1)
        high = (places >> np.uint64(ring - 1)).astype(np.uint8) & np.uint8(1)
        expected = prefix ^ top ^ (np.uint8(0) if party else ~high & np.uint8(1))
        found = _core.prefix_signs(
            message, nothing, part.packed, 4, (count, ring), shifts, party == 0
        )
        assert found.shape == (7, count) and np.array_equal(found, expected)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", [PrefixMask, PointMask])
def test_the_fast_way_deals_what_the_definition_deals(kind, count, monkeypatch):
    def keys():
        return Stream(bytes(range(16)), 3), Stream(bytes(range(1, 17)), 3)

    fast = [kind(count, ring).deal(keys()) for ring in (2, 9, 24, 64)]
    monkeypatch.setattr(kind, "_correct", Correlation._correct)
    monkeypatch.setattr(dpf, "generate", dpf_reference.generate)
    assert fast == [kind(count, ring).deal(keys()) for ring in (2, 9, 24, 64)]


@pytest.mark.parametrize("ring", [8, 9, 24, 40, 63, 64])
def test_the_sign_near_the_bounds(ring):
    half = 1 << (ring - 1)
    x = integers(-half, half - 1, 300)
    transcript = both((PrefixMask(x.size, ring),), lambda ctx, s: dpf.negative(ctx, s, ring), x)
    first, second = transcript.results
    assert np.array_equal(first ^ second, x.view(np.int64) < 0)
    assert transcript.cost == Cost((both_ways(ring * x.size),))


def test_one_opening_serves_several_thresholds():
    x = integers(-(2**20), 2**20, 20_000)
    shifts = np.array([-(2**20), -5, 0, 1, 2**20], np.int64)
    transcript = both(
        (PrefixMask(x.size, 23),),
        lambda ctx, s: dpf.negative(ctx, s, 23, shifts=shifts.view(np.uint64)),
        x,
    )
    first, second = transcript.results
    assert np.array_equal(first ^ second, x.view(np.int64) < shifts[:, None])
    assert len(transcript.rounds) == 1


@pytest.mark.parametrize(("ring", "size"), [(64, 920), (24, 275), (9, 34), (8, 17)])
def test_a_key_has_the_published_size_less_the_root(ring, size):
    """SIGMA, theorem 1: (n - ν)(λ + 2) + 2λ bits with λ = 128 and 127; a bit for the top of r."""
    assert PrefixMask(1, ring).size() == PrefixMask(1, ring).size(0) + 1 == size


def test_a_key_tells_nothing_of_a_fixed_point():
    """Keys for one point with fresh roots: each bit that a party sees is 1 half of the time."""
    count, domain = 20_000, 10
    for point in (0, 2**domain - 1):
        _, roots = drawn(count, domain)
        words = dpf.generate(np.full(count, point, np.uint64), roots, domain)
        seen = [word.reshape(-1, count) for word in words[:-1]] + [words[-1].T]
        for rows, width in zip(seen, (63, 64, 1, 64), strict=True):
            for row in rows.astype(np.uint64):
                for bit in range(width):
                    ones = int((row >> np.uint64(bit) & np.uint64(1)).sum())
                    assert abs(ones - count / 2) < 6 * (count / 4) ** 0.5


def test_parties_shares_differ_from_the_value():
    """A party's share of a sign is itself a fair coin, whatever the value."""
    x, ring = np.zeros(20_000, np.uint64), 12

    def side(ctx, share):
        sign = yield from dpf.negative(ctx, share, ring)
        return int(sign.sum())

    transcript = both((PrefixMask(x.size, ring),), side, x)
    assert all(abs(ones - 10_000) < 6 * 5000**0.5 for ones in transcript.results)


@pytest.mark.parametrize("ring", [7, 8, 33, 64])
def test_equal_at_once(ring):
    x = integers(0, 2**ring - 1, 300)
    x[::3] = 0
    transcript = both(
        (PointMask(x.size, ring),), lambda ctx, s: equality.zero_at_once(ctx, s, ring), x
    )
    first, second = transcript.results
    assert np.array_equal(first ^ second, x == 0)
    assert transcript.cost == Cost((both_ways(ring * x.size),))


def test_what_does_not_fit_is_refused():
    def answered(message):
        def side(ctx, x):
            protocol = dpf.negative(ctx, x, 21)
            next(protocol)
            with pytest.raises(PeerMisbehaved):
                protocol.send({1 - ctx.party: message})
            return None
            yield

        return side

    for message in (b"", bytes(28), bytes(30), b"\xff" * 29):
        both((PrefixMask(11, 21),), answered(message), np.zeros(11, np.uint64))
    (ctx, _) = contexts((PrefixMask(11, 21),))
    part, shifts = ctx.supply.packed(PrefixMask(11, 21)), np.zeros(1, np.uint64)
    for field, ring in ((3, 21), (5, 21), (4, 20), (4, 0), (4, 65), (4, 1)):
        with pytest.raises(ValueError, match=r"bits|length"):
            message = bytes(-(-11 * ring // 8))
            _core.prefix_signs(message, message, part, field, (11, ring), shifts, True)
    for domain in (0, 22, 65):
        with pytest.raises(ValueError, match="bits"):
            _core.deal_point_keys(part, part, 11, 21, domain)
