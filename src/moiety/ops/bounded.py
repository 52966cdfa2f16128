"""Bounded functions that are odd about their centre, sigmoid, tanh and erf, as sums of sines.

Two primitives: one round where the range of x is proven to be within the reach of a fit, and one
for all reals.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from moiety.errors import UsageError
from moiety.lang.cost import Cost, both_ways
from moiety.lang.primitive import DEALER, Array, Correlated, Operand, all_shared, example, primitive
from moiety.lang.types import SHARED, Fixed, Type, signed_bits, words
from moiety.ops import rules
from moiety.ops.estimate import Estimate
from moiety.ops.fit import CURVES
from moiety.ops.intervals import read_as
from moiety.ops.recipe import Form, Recipe, anywhere, proven
from moiety.ops.work import keys, waves
from moiety.protocols import comparison, dpf, fourier, piecewise
from moiety.protocols.base import Context, Protocol
from moiety.protocols.comparison import SignMask
from moiety.protocols.dpf import PrefixMask
from moiety.protocols.fourier import Phase, PrefixWaveMask, SignWaveMask, WaveMask, Waves
from moiety.protocols.piecewise import BitsScale


def _within_reach(x: Type, *, form: Form) -> Type:
    rules.all_words(x)
    recipe = proven(x, form)
    if recipe.waves.period > x.ring:
        raise UsageError(f"{form} of {x} needs shares mod 2^{recipe.waves.period}")
    return recipe.type(x, form)


@primitive(
    rule=_within_reach,
    shapes=("n",),
    examples=(
        example(words((512,), SHARED, (-(4 << 18), 4 << 18), 18), form=Form("sigmoid", 5, 18, 32)),
        example(words((2, 3), SHARED, (-6, 6)), form=Form("sigmoid", 8, 0, 29)),
        example(words((8,), SHARED, (-300, 260), 8, ring=20), form=Form("erf", 6, 8, 24)),
    ),
)
def curve(x: Array, *, form: Form) -> Array:
    """The curve at x, where the range of x is within the reach of a fit."""
    return form.meaning(x)


def _near(x: Type, *, errors: Sequence[float], form: Form) -> float:
    """How far the result is from the curve of the real number that x stands for."""
    return proven(x, form).error + CURVES[form.name].slope * errors[0]


curve.accuracy = _near
curve.needs = lambda x, form: max(proven(x, form).waves.period, x.width)


@curve.way(
    DEALER,
    name="dealt sines",
    cost=lambda x, form: Cost((both_ways(x.size * proven(x, form).waves.period),)),
    bill=lambda x, form: (WaveMask(x.size, proven(x, form).waves),),
    work=lambda x, form: waves(x.size, form.terms),
    source="Zheng et al. (SecFormer, ACL 2024), Kei, Chow (SHAFT, NDSS 2025), with a dealer",
)
def _(ctx: Context, x: Operand, *, form: Form) -> Protocol[Array]:
    recipe = proven(x.type, form)
    mask = WaveMask(x.type.size, recipe.waves)
    phase = yield from fourier.opened(ctx, x.words.reshape(-1), mask)
    return recipe.value(ctx, phase).reshape(x.type.shape)


def _anywhere(x: Type, *, form: Form) -> Type:
    rules.all_words(x)
    recipe = anywhere(x, form)
    if _ring(x, recipe) > x.ring:
        raise UsageError(f"{form} of {x} needs shares mod 2^{_ring(x, recipe)}")
    return recipe.type(x, form)


def _ring(x: Type, recipe: Recipe) -> int:
    """What is opened: enough for x less either cut, and for a whole period."""
    return max(signed_bits(x.lo - recipe.cut, x.hi + recipe.cut), recipe.waves.period)


@primitive(
    rule=_anywhere,
    shapes=("n",),
    examples=(
        example(words((256,), SHARED, (-(1 << 40), 1 << 40), 18), form=Form("sigmoid", 5, 18, 32)),
        example(words((2, 3), SHARED, (-200, 10), 4), form=Form("erf", 5, 4, 29)),
    ),
)
def curve_anywhere(x: Array, *, form: Form) -> Array:
    """The curve at any x: its limits beyond the reach of a fit, for one opening of x."""
    return form.meaning(x)


def _near_anywhere(x: Type, *, errors: Sequence[float], form: Form) -> float:
    """As `_near`."""
    return anywhere(x, form).error + CURVES[form.name].slope * errors[0]


curve_anywhere.accuracy = _near_anywhere
curve_anywhere.needs = lambda x, form: _ring(x, anywhere(x, form))


def _digit_mask(x: Type, form: Form) -> SignWaveMask:
    recipe = anywhere(x, form)
    return SignWaveMask(SignMask(x.size, _ring(x, recipe)), recipe.waves)


def _digit_cost(x: Type, form: Form) -> Cost:
    mask = _digit_mask(x, form)
    tree = comparison.opened_bits(x.size, mask.sign.ring - 1)
    rounds = (both_ways(opened, opened) for opened in tree)
    return Cost((both_ways(x.size * mask.sign.ring), *rounds)) + _choice_cost(x, mask.waves)


def _choice_cost(x: Type, waves: Waves) -> Cost:
    return Cost((both_ways(2 * x.size, waves.ring * x.size),))


def _digit_bill(x: Type, form: Form) -> tuple[Correlated, ...]:
    mask = _digit_mask(x, form)
    tree = comparison.tree_triples(x.size, mask.sign.ring - 1)
    chosen = BitsScale(x.size, 2, mask.waves.ring)
    return mask, *(triples for triples in tree for _ in range(2)), chosen


@curve_anywhere.way(
    DEALER,
    name="dealt sines, clamped by digit tables",
    cost=_digit_cost,
    bill=_digit_bill,
    work=lambda x, form: waves(x.size, form.terms),
    source="as `curve`; both comparisons and the phase share one mask",
)
def _(ctx: Context, x: Operand, *, form: Form) -> Protocol[Array]:
    recipe, mask = anywhere(x.type, form), _digit_mask(x.type, form)
    opened = fourier.with_signs(ctx, x.words.reshape(-1), mask, recipe.shifts)
    return (yield from _chosen(ctx, recipe, (yield from opened), x.type.shape))


def _prefix_mask(x: Type, form: Form) -> PrefixWaveMask:
    recipe = anywhere(x, form)
    return PrefixWaveMask(PrefixMask(x.size, _ring(x, recipe)), recipe.waves)


def _prefix_cost(x: Type, form: Form) -> Cost:
    mask = _prefix_mask(x, form)
    return Cost((both_ways(x.size * mask.prefix.ring),)) + _choice_cost(x, mask.waves)


def _prefix_bill(x: Type, form: Form) -> tuple[Correlated, ...]:
    mask = _prefix_mask(x, form)
    return mask, BitsScale(x.size, 2, mask.waves.ring)


@curve_anywhere.way(
    DEALER,
    name="dealt sines, clamped by DPF",
    accepts=lambda x: all_shared(x) and x.width >= dpf.LEAF,
    cost=_prefix_cost,
    bill=_prefix_bill,
    work=lambda x, form: (
        keys(x.size, _prefix_mask(x, form).prefix.ring - 1, 2) + waves(x.size, form.terms)
    ),
    source="as `curve`; both prefix parities and the phase share one mask",
)
def _(ctx: Context, x: Operand, *, form: Form) -> Protocol[Array]:
    recipe, mask = anywhere(x.type, form), _prefix_mask(x.type, form)
    opened = fourier.with_prefixes(ctx, x.words.reshape(-1), mask, recipe.shifts)
    return (yield from _chosen(ctx, recipe, (yield from opened), x.type.shape))


def _chosen(
    ctx: Context, recipe: Recipe, opened: tuple[Phase, Array], shape: tuple[int, ...]
) -> Protocol[Array]:
    """The value where x is within the reach, else a limit."""
    phase, below = opened
    value = recipe.value(ctx, phase)
    flat = yield from piecewise.piecewise(ctx, below, value, recipe.lines, ring=recipe.waves.ring)
    return flat.reshape(shape)


def sines(x: Any, name: str, terms: int, fraction: int, *, clamped: bool) -> Estimate:
    """Sigmoid, tanh or erf of a traced x, with `fraction` fraction bits and a narrow ring.

    One round where the range of x suits the sines; clamped, for all reals, two by DPF or more by
    digit tables. `widen(…, shift=…)` brings it back to 64-bit shares.
    """
    if name == "tanh":
        return _tanh(x, terms, fraction, clamped=clamped)
    form = Form(name, terms, x.type.fraction, fraction)
    value = curve_anywhere(x, form=form) if clamped else curve(x, form=form)
    return Estimate(value, recipe_for(x.type, form, clamped=clamped).error)


def _tanh(x: Any, terms: int, fraction: int, *, clamped: bool) -> Estimate:
    """2·sigmoid(2x) - 1: nothing is sent for either factor."""
    doubled = read_as(x, fraction=halved(x.type))
    half = sines(doubled, "sigmoid", terms, fraction + 1, clamped=clamped)
    risen = read_as(half.value, fraction=0) - (1 << fraction)
    return Estimate(read_as(risen, fraction=fraction), 2 * half.error)


def halved(x: Type) -> int:
    """The fraction bits with which the words of x stand for 2x."""
    if not x.fraction:
        raise UsageError("tanh of an integer", hint="give it a fraction bit: multiply by 1.0")
    return x.fraction - 1


def sines_error(x: Type, name: str, terms: int, fraction: int, *, clamped: bool) -> float:
    """What `sines` would state."""
    if name == "tanh":
        doubled = replace(x, kind=Fixed(halved(x)))
        return 2 * sines_error(doubled, "sigmoid", terms, fraction + 1, clamped=clamped)
    form = Form(name, terms, x.fraction, fraction)
    return recipe_for(x, form, clamped=clamped).error


def recipe_for(x: Type, form: Form, *, clamped: bool) -> Recipe:
    """The recipe for all reals, or for those that x can be."""
    return anywhere(x, form) if clamped else proven(x, form)
