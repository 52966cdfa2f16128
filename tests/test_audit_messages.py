"""Messages of runs: blunders are caught, uniform ones pass, and so do those of protocols."""

import numpy as np
import pytest

from audit_kit import accused, assert_seldom, least_squares
from moiety.audit import uniform
from moiety.errors import DataError
from moiety.ops.multiply import multiply
from moiety.run import twin
from secrecy_kit import fixed
from test_secrecy import own_share_sent, planted, triple_used_twice

RUNS, WORDS = 40, 64


def words(random, count=WORDS):
    return np.frombuffer(random.bytes(8 * count), np.uint64)


def sound(random, secret):
    """Two messages of masked words, and one of bits."""
    yield (words(random, 12) + np.uint64(secret)).tobytes()
    yield (np.uint64(secret) - words(random, 8)).tobytes()
    yield random.bytes(20)


def unmasked_word(random, secret):
    sent = words(random).copy()
    sent[17] = secret
    yield from (words(random).tobytes(), sent.tobytes())


def reused_mask(random, secret):
    mask = words(random)
    sent = np.uint64(secret) * np.arange(1, WORDS + 1, dtype=np.uint64)
    yield from ((mask + sent).tobytes(), words(random).tobytes(), (mask - sent).tobytes())


def reused_exclusive_or(random, secret):
    mask = words(random)
    yield from (mask.tobytes(), (mask ^ np.uint64(secret)).tobytes())


def few_random_bits(random, secret):
    yield (np.uint64(secret) + (words(random) >> np.uint64(8))).tobytes()


def repeated_word(random, secret):
    yield np.repeat(words(random, WORDS // 2), 2).tobytes()


def alternating_bits(random, secret):
    yield (words(random) | np.uint64(1) & ~np.uint64(2)).tobytes()


def length_of_secret(random, secret):
    yield words(random, WORDS + (secret > 5)).tobytes()


def message_of_secret(random, secret):
    yield words(random).tobytes()
    if secret > 5 and random.random() < 0.9:
        yield words(random, 1).tobytes()


UNEVEN = [
    unmasked_word,
    reused_mask,
    reused_exclusive_or,
    few_random_bits,
    repeated_word,
    alternating_bits,
]
DEPENDENT = [unmasked_word, reused_mask, length_of_secret, message_of_secret]


def runs(made, secret, seed, count=RUNS):
    random = np.random.default_rng((seed, secret))
    return [list(made(random, secret)) for _ in range(count)]


@pytest.mark.parametrize("made", UNEVEN)
def test_blunders_are_not_uniform(made):
    (found,) = uniform(runs(made, 3, 1))
    assert found.leaks and found.value > 6 and found.trials == RUNS
    assert "message" in found.measure and found.interval == (found.value, found.value)


@pytest.mark.parametrize("made", DEPENDENT)
def test_blunders_tell_the_secret(made):
    *_, independent, classified = uniform(runs(made, 3, 2), runs(made, 70_000, 2))
    assert independent.leaks and independent.value > 6
    assert classified.guess == 0.5 and classified.trials == RUNS
    assert classified.leaks == (made is not reused_mask), "no bit of one message tells it"


def test_the_test_that_found_it_is_named():
    found = uniform(runs(length_of_secret, 3, 3), runs(length_of_secret, 70_000, 3))
    assert [one.leaks for one in found[:3]] == [False, False, True]
    assert "length of message 0" in found[2].measure
    assert "0 ⊕ 2" in uniform(runs(reused_mask, 1, 3))[0].measure


def test_a_mask_that_serves_two_runs():
    first = runs(sound, 3, 4)
    again = [first[at - at % 2] for at in range(RUNS)]
    assert uniform(again)[0].leaks and not uniform(first)[0].leaks


def test_messages_that_are_far_apart_are_not_compared():
    assert uniform(runs(reused_mask, 3, 7), apart=2)[0].leaks
    assert not uniform(runs(reused_mask, 3, 7), apart=1)[0].leaks


def test_sound_messages_are_seldom_accused():
    def audit(random):
        seed = int(random.integers(2**32))
        return uniform(runs(sound, 3, seed, 24), runs(sound, 70_000, seed, 24), fit=least_squares)

    assert_seldom(accused(audit))


def test_padding_is_left_out():
    def padded(random, secret):
        yield random.bytes(40) + bytes([random.integers(8)])

    (whole,) = uniform(runs(padded, 3, 5))
    (cut,) = uniform(runs(padded, 3, 5), padded=True)
    assert whole.leaks and not cut.leaks


def views(program, party):
    brought = fixed(program)
    return [twin.run(program, brought).view(party) for _ in range(RUNS)]


@pytest.mark.parametrize("party", [0, 1])
def test_views_of_protocols(party):
    """Drawn from the system's randomness: the bar is far above chance."""
    honest = twin.alone(multiply, multiply.ways[-1], multiply.examples[0])
    assert uniform(views(honest, party))[0].value < 6
    assert uniform(views(planted(own_share_sent), party))[0].value > 6
    assert uniform(views(planted(triple_used_twice, rounds=2), party))[0].value > 6


def test_what_is_refused():
    with pytest.raises(DataError, match="no runs"):
        uniform([])
    with pytest.raises(DataError, match="too few"):
        uniform(runs(sound, 3, 6)[:19])
    with pytest.raises(DataError, match="without a byte"):
        uniform([[b""]] * RUNS)
