"""Sums of sines: fits, their bounds, and sigmoid, tanh and erf on shares against float64."""

import math
import secrets
from dataclasses import replace

import numpy as np
import pytest

from moiety import _core
from moiety.errors import UsageError
from moiety.lang.primitive import REGISTRY
from moiety.lang.types import SHARED, Private, words
from moiety.ops import fit
from moiety.ops.bounded import sines, sines_error
from moiety.ops.intervals import widen
from moiety.ops.recipe import Form
from moiety.protocols import additive, fourier
from moiety.protocols.comparison import Opened, SignMask
from moiety.protocols.correlations import Correlation
from moiety.protocols.dpf import PrefixMask
from moiety.protocols.fourier import Phase, PrefixWaveMask, SignWaveMask, WaveMask, Waves
from moiety.ring import Stream, pack_words, unpack_words
from plan_kit import by_way, grid, measured, planned
from protocol_kit import integers

COUNTS = [1, 7, 8, 63, 64, 65, 1000, 1025, 40_003]
FORM = Form("sigmoid", 8, 18, 32)
SHARP = np.vectorize(math.erf)


def logistic(x):
    return np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x)))


KNOWN = ["0x1.12987d6709b4ep-1", "-0x1.1616296400a96p-5", "0x1.af204ec1c3944p-5"]


def curve(name, *, clamped, terms=8, fraction=32):
    return lambda x: sines(x, name, terms, fraction, clamped=clamped).value


@pytest.mark.parametrize(("name", "reach", "terms"), [("sigmoid", 6, 8), ("erf", 2, 6)])
def test_a_fit_keeps_its_bound_everywhere(name, reach, terms):
    found = fit.sines(name, 16 * reach, terms)
    x = np.linspace(0, reach, 100_001)
    angles = 2 * np.pi * np.outer(x, np.arange(1, terms + 1)) / 2**found.period
    exact = logistic(x) - 0.5 if name == "sigmoid" else SHARP(x)
    worst = np.abs(np.sin(angles) @ found.amplitudes - exact).max()
    assert 0.9 * found.error < worst <= found.error


def test_fits_for_all_reals_are_as_good_as_published():
    reach, found, error = fit.anywhere("sigmoid", 8)
    assert error < 6e-4 and found.total < 3 and 7 < reach / 16 < 8
    assert fit.anywhere("sigmoid", 12)[2] < 1e-4


def test_a_fit_is_the_same_on_every_machine():
    """Bit for bit: parties that disagree by one unit would share garbage."""
    assert [b.hex() for b in fit.sines("sigmoid", 64, 3).amplitudes] == KNOWN


def series(square, last):
    """±1 / k! for k = last, last - 2, …, by Horner's rule: one rounded operation at a time."""
    total = np.zeros_like(square)
    for k in range(last, -1, -2):
        total = total * square + (-1.0) ** (k // 2) / math.factorial(k)
    return total


def multiples(c, period, terms):
    """Sine and cosine of each multiple of 2πc / 2^period, in the order of the kernel."""
    quadrant = c >> np.uint64(period - 2) & np.uint64(3)
    rest = (c & np.uint64((1 << (period - 2)) - 1)).astype(np.float64)
    angle = np.ldexp(rest, 2 - period) * (math.pi / 2) - math.pi / 4
    odd, even = angle * series(angle * angle, 15), series(angle * angle, 16)
    sine, cosine = (even + odd) * math.sqrt(0.5), (even - odd) * math.sqrt(0.5)
    turned, back = (quadrant & np.uint64(1)).astype(bool), quadrant >= 2
    sine, cosine = np.where(turned, cosine, sine), np.where(turned, -sine, cosine)
    first = sine, cosine = np.where(back, -sine, sine), np.where(back, -cosine, cosine)
    for _ in range(terms):
        yield sine, cosine
        sine, cosine = sine * first[1] + cosine * first[0], cosine * first[1] - sine * first[0]


def test_public_factors_use_only_operations_that_all_machines_round_alike():
    c = np.arange(0, 2**20, 97, dtype=np.uint64)
    for j, (sine, cosine) in enumerate(multiples(c, 20, 16), 1):
        angle = 2 * np.pi * ((j * c) % 2**20) / 2**20
        assert np.abs(sine - np.sin(angle)).max() < 1e-14
        assert np.abs(cosine - np.cos(angle)).max() < 1e-14


AMPLITUDES = (0.61, -1e-3, 2.5, 1e-9, -0.25)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("period", [2, 3, 21, 24, 64])
def test_a_sum_has_the_factors_of_the_definition(period, count):
    """Bit for bit, at either party: shares would not cancel otherwise."""
    waves = Waves(period, len(AMPLITUDES), 15, 35)
    c = integers(0, 2**period - 1, max(count, 9))[:count]
    opened = Opened(pack_words(c, period), pack_words(np.zeros_like(c), period), period)
    drawn = Stream(bytes(16), 3).bytes((10 * count * 35 + 7) // 8)
    drawn = drawn[:-1] + bytes([drawn[-1] & (0xFF >> -(10 * count * 35) % 8)])
    table = unpack_words(drawn, 10 * count, 35).reshape(2, 5, count)
    part = _core.Dealt(bytes(16), 0, 0, [(0, False), (10 * count * 35, True)], drawn)
    found = fourier.summed(Phase(opened, count, part, 1), waves, AMPLITUDES, 17, -3)
    total = np.full(count, -3).astype(np.uint64)
    for j, (sine, cosine) in enumerate(multiples(c, period, 5)):
        size = math.ldexp(AMPLITUDES[j], 17)
        for factor, share, sign in ((sine, table[0, j], 1), (cosine, table[1, j], -1)):
            total += np.rint(sign * factor * size).astype(np.int64).view(np.uint64) * share
    assert np.array_equal(found, total)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", ["plain", "signs", "prefixes"])
def test_the_fast_way_deals_what_the_definition_deals(kind, count, monkeypatch):
    waves = Waves(21, 8, 15, 35)
    mask = {
        "plain": WaveMask(count, waves),
        "signs": SignWaveMask(SignMask(count, 24), waves),
        "prefixes": PrefixWaveMask(PrefixMask(count, 24), waves),
    }[kind]

    def deal():
        return mask.deal((Stream(bytes(range(16)), 3), Stream(bytes(range(1, 17)), 3)))

    fast = deal()
    monkeypatch.setattr(type(mask), "_correct", Correlation._correct)
    assert fast == deal() and len(fast) == mask.size()


def test_waves_are_rounded_as_the_bound_demands():
    """Half a unit, and what the bound allows beyond: 0.7072 is that much above √½."""
    for waves in (Waves(24, 24, 15, 35), Waves(64, 12, 24, 51)):
        mask = WaveMask(20_000, waves)
        keys = secrets.token_bytes(16), secrets.token_bytes(16)
        sent = mask.deal((Stream(keys[0], 0), Stream(keys[1], 0)))
        parts = [mask.take(p, Stream(keys[p], 0), sent).arrays() for p in (0, 1)]
        r, table = (sum(arrays) for arrays in zip(*parts, strict=True))
        turns = (r.astype(object) * np.arange(1, waves.terms + 1)[:, None]) % 2**waves.period
        angles = 2 * np.pi * np.ldexp(turns.astype(np.float64), -waves.period)
        exact = np.ldexp(np.stack([np.cos(angles), np.sin(angles)]), waves.fraction)
        found = additive.signed(table, waves.ring).view(np.int64)
        assert np.abs(found - exact).max() <= 0.5 * 0.7072 * 2**0.5


def test_what_does_not_fit_is_refused():
    part = _core.Dealt(bytes(16), 0, 0, [(21 * 4, False), (2 * 3 * 4 * 35, False)])
    sizes, message = np.ones(3), bytes(11)
    good = (1, (4, 21), (21, 3, 15, 35), sizes, 0)
    assert _core.sum_waves(message, message, part, *good).size == 4
    for place, bad in (
        (0, 0),
        (1, (5, 21)),
        (2, (1, 3, 15, 35)),
        (2, (65, 3, 15, 35)),
        (2, (21, 3, 15, 34)),
        (2, (21, 4, 15, 35)),
        (2, (21, 3, 51, 35)),
        (3, np.ones(2)),
        (3, np.full(3, np.nan)),
        (3, np.full(3, 2.0**50)),
    ):
        with pytest.raises(ValueError, match=r"length|bits|finite"):
            _core.sum_waves(message, message, part, *good[:place], bad, *good[place + 1 :])
    for bits in (20, 22, 65):
        with pytest.raises(ValueError, match=r"length|bits"):
            _core.deal_waves(part, part, 1, (4, bits), (21, 3, 15, 35))


CASES = {
    "sigmoid, proven": ("sigmoid", logistic, 4.0, {"clamped": False}),
    "sigmoid, 12 terms": ("sigmoid", logistic, 7.0, {"clamped": False, "terms": 12}),
    "sigmoid, all reals": ("sigmoid", logistic, 2.0**20, {"clamped": True}),
    "tanh, proven": ("tanh", np.tanh, 3.0, {"clamped": False}),
    "tanh, all reals": ("tanh", np.tanh, 500.0, {"clamped": True}),
    "erf, all reals": ("erf", SHARP, 100.0, {"clamped": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_curves_on_shares_keep_the_stated_error(name):
    function, exact, bound, how = CASES[name]
    x = grid(-bound, bound, 18, near=[8.0, 7.5625, 7.5, 4.0, 1.0, 0.0])
    type = words(x.shape, SHARED, (-int(bound * 2**18), int(bound * 2**18)), 18)
    stated = sines_error(type, function, how.get("terms", 8), 32, clamped=how["clamped"])
    for plan in by_way(lambda x: {"y": curve(function, **how)(x)}, x=type):
        found, bound = measured(plan, "y", x=x)
        assert stated <= bound
        worst = np.abs(found - exact(np.ldexp(x.view(np.int64), -18))).max()
        assert worst <= stated < (1.6e-3 if "tanh" in name else 8e-4)
        assert worst > stated / 20, "the bound says nothing"


@pytest.mark.parametrize("fraction", [0, 1, 2, 3, 5])
@pytest.mark.parametrize(("name", "exact"), [("erf", SHARP), ("sigmoid", logistic)])
def test_few_fraction_bits_leave_no_word_between_the_reach_and_the_limits(name, exact, fraction):
    most = 30 << fraction
    x = np.arange(-most, most + 1, dtype=np.int64).view(np.uint64)
    type = words(x.shape, SHARED, (-most, most), fraction)
    stated = sines_error(type, name, 5, 32, clamped=True)
    for plan in by_way(lambda x: {"y": curve(name, clamped=True, terms=5)(x)}, x=type):
        found, _ = measured(plan, "y", x=x)
        assert np.abs(found - exact(np.ldexp(x.view(np.int64), -fraction))).max() <= stated


def test_the_limits_are_reached_far_out():
    x = np.array([-(2**61), -(2**40), 2**40, 2**61], np.int64).view(np.uint64)
    type = words((4,), SHARED, (-(2**61), 2**61), 18)
    for plan in by_way(lambda x: {"y": curve("sigmoid", clamped=True)(x)}, x=type):
        found, _ = measured(plan, "y", x=x)
        assert np.array_equal(found, [0, 0, 1, 1])


def test_a_curve_comes_back_to_wide_shares():
    x = grid(-4.0, 4.0, 18)
    type = words(x.shape, SHARED, (-(2**20), 2**20), 18)
    narrow = curve("sigmoid", clamped=False)
    plan = planned(lambda x: {"y": widen(narrow(x), shift=14)}, x=type)
    found, stated = measured(plan, "y", x=x)
    assert plan.program.nodes[-1].type.ring == 64 and len(plan.cost.rounds) == 2
    assert np.abs(found - logistic(np.ldexp(x.view(np.int64), -18))).max() <= stated < 8e-4


def test_one_round_and_three_bytes_for_a_proven_range():
    type = words((1000,), SHARED, (-(4 << 18), 4 << 18), 18)
    plan = planned(lambda x: {"y": curve("sigmoid", clamped=False)(x)}, x=type)
    assert len(plan.cost.rounds) == 1
    assert plan.cost.link(0, 1) == plan.cost.link(1, 0) == 1000 * 22 // 8


@pytest.mark.parametrize(
    ("bound", "arguments"),
    [(100.0, {"terms": 1}), (2.0**30, {"fraction": 60}), (4.0, {"fraction": 4})],
)
def test_what_cannot_be_accurate_is_refused(bound, arguments):
    type = words((4,), SHARED, (-int(bound * 2**18), int(bound * 2**18)), 18)
    with pytest.raises(UsageError):
        planned(lambda x: {"y": curve("sigmoid", clamped=True, **arguments)(x)}, x=type)


def test_a_range_beyond_the_reach_is_not_taken_for_proven():
    type = words((4,), SHARED, (-(40 << 18), 40 << 18), 18)
    with pytest.raises(UsageError, match="errs by"):
        REGISTRY["curve"].rule(type, form=FORM)


def test_whoever_holds_x_computes_alone():
    plan = planned(
        lambda x: {"y": curve("sigmoid", clamped=False)(x)},
        x=words((4,), Private(1), (-(4 << 18), 4 << 18), 18),
    )
    assert not plan.cost.rounds


def test_an_inexact_argument_adds_its_error_times_the_slope():
    exact = words((4,), SHARED, (-(4 << 18), 4 << 18), 18)
    proven = REGISTRY["curve"]
    assert proven.rule(replace(exact, error=4), form=FORM).error == 2**14
    near = [proven.accuracy(exact, errors=[e], form=FORM) for e in (0.0, 0.5)]
    assert near[1] - near[0] == pytest.approx(0.125)
