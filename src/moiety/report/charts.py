"""The charts of a credit model: ROC, KS, predictions, tenths, capture, calibration."""

from collections.abc import Callable, Iterator

import numpy as np
from markupsafe import Markup

from moiety.report.content import Comparison, Distribution, FloatArray, Performance
from moiety.report.svg import Axis, Plot, axis, axis_from_zero
from moiety.report.text import count, decimal, percent

_RISKIEST = "Applicants, riskiest first"
_PREDICTED = "Predicted probability of going bad"


def roc(found: Comparison) -> Markup:
    """Both models' ROC curves."""
    plot = Plot(_share("Good applicants refused"), _share("Bad applicants refused"))
    plot.line((0, 1), (0, 1), "chance")
    entries = []
    for style, model in _models(found):
        plot.line(model.ranking.good, model.ranking.bad, style)
        entries.append((style, f"{model.name}: AUC {decimal(model.auc)}"))
    plot.legend([*reversed(entries), ("chance", "By chance: AUC 0.500")], "lower right")
    return plot.render("roc", "ROC curves of both models", _spoken(entries))


def ks(name: str, model: Performance) -> Markup:
    """How fast a model finds bad and good applicants, with the widest gap between them."""
    ranking = model.ranking
    plot = Plot(_share(_RISKIEST), _share("Found so far"))
    plot.line((0, 1), (0, 1), "chance")
    plot.line(ranking.applicants, ranking.good, "good")
    plot.line(ranking.applicants, ranking.bad, "bad")
    gap = np.nan_to_num(np.abs(ranking.bad - ranking.good))
    widest = int(np.argmax(gap)) if len(gap) else 0
    words = f"KS {decimal(model.ks)}"
    if len(gap) and gap[widest] > 0:
        points = (ranking.applicants, ranking.good, ranking.bad)
        x, low, high = (float(part[widest]) for part in points)
        words += f" at the riskiest {percent(x, 0)}"
        plot.line((x, x), (low, high), "gap")
        plot.dot(x, low, "gap", 2.5)
        plot.dot(x, high, "gap", 2.5)
        plot.note(x, max(low, 0.08), words, left=x > 0.6)
    plot.legend([("bad", "Bad applicants"), ("good", "Good applicants")], "lower right")
    return plot.render(name, f"KS curve of {model.name}", words)


def distribution(name: str, whose: str, shown: Distribution, top: float) -> Markup:
    """Where each group's predictions lie; each is drawn as a share of itself, the axis to `top`."""
    shares = [(_style(group), share) for group, share in _shares(shown)]
    reach = float(shown.edges[-1])
    foot = axis_from_zero(reach, _PREDICTED, _percent(reach))
    plot = Plot(foot, axis_from_zero(top, "Share of the group", _percent(top)))
    xs = [float(edge) for edge in np.repeat(shown.edges, 2)[1:-1]]
    for style, share in shares:
        ys = [float(value) for value in np.repeat(share, 2)]
        plot.area(xs, ys, style)
        plot.line(xs, ys, style)
    entries = [
        (_style(group), f"{group.capitalize()}: {count(int(n.sum()))}") for group, n in shown.groups
    ]
    plot.legend(entries, "upper right")
    return plot.render(name, f"Predictions: {whose}", f"Histograms. {_spoken(entries)}")


def highest_share(*shown: Distribution) -> float:
    """The highest point of these distributions, so that they can share an axis."""
    return max(float(share.max()) for each in shown for _, share in _shares(each))


def tenths(found: Comparison) -> Markup:
    """The bad rate of each tenth of the applicants under either model's ranking."""
    average = found.bad / found.applicants
    rates = [each.bad_rate for _, model in _models(found) for each in model.tenths]
    numbers = tuple(float(number) for number in range(1, 11))
    foot = Axis(0.5, 10.5, numbers, "{:.0f}".format, "Tenths of the applicants, riskiest first")
    highest = max([average, *rates])
    plot = Plot(foot, axis_from_zero(highest, "Bad rate", _percent(highest)))
    entries = []
    for (style, model), left in zip(_models(found), (-0.36, 0.02), strict=True):
        for each in model.tenths:
            plot.bar(each.number + left, each.number + left + 0.34, each.bad_rate, style)
        entries.append((f"{style} thick", model.name))
    plot.line((0.5, 10.5), (average, average), "average")
    plot.legend([*entries, ("average", f"Average {percent(average)}")], "upper right")
    rates_text = "; ".join(
        f"{model.name}: {', '.join(percent(each.bad_rate) for each in model.tenths)}"
        for _, model in _models(found)
    )
    return plot.render("tenths", "Bad rate by tenth of the applicants", rates_text)


def capture(found: Comparison) -> Markup:
    """The share of all bad applicants among the riskiest, under either model's ranking."""
    plot = Plot(_share(_RISKIEST), _share("Bad applicants found"))
    plot.line((0, 1), (0, 1), "chance")
    entries = []
    for style, model in _models(found):
        seen = np.cumsum([each.applicants for each in model.tenths]) / found.applicants
        caught = [each.capture for each in model.tenths]
        plot.line([0.0, *seen], [0.0, *caught], style)
        for x, y in zip(seen, caught, strict=True):
            plot.dot(float(x), y, style, 2.5)
        ranking = model.ranking
        third = float(np.interp(0.3, ranking.applicants, ranking.bad))
        entries.append(
            (style, f"{model.name}: {percent(third, 0)} in the riskiest {percent(0.3, 0)}")
        )
    plot.legend(list(reversed(entries)), "lower right")
    return plot.render("capture", "Bad applicants captured", _spoken(entries))


def calibration(found: Comparison) -> Markup:
    """Predicted against observed bad rates of the tenths, with 95 % intervals."""
    every = [each for _, model in _models(found) for each in model.tenths]
    highest = max(max(each.predicted, each.high) for each in every)
    foot = axis_from_zero(highest, _PREDICTED, _percent(highest))
    plot = Plot(foot, axis_from_zero(highest, "Observed bad rate", _percent(highest)))
    plot.line((0, foot.high), (0, foot.high), "chance")
    for style, model in _models(found):
        for each in model.tenths:
            plot.line((each.predicted,) * 2, (each.low, each.high), f"{style} whisker")
            plot.dot(each.predicted, each.bad_rate, style)
        rates = [each.bad_rate for each in model.tenths]
        plot.line([each.predicted for each in model.tenths], rates, style)
    entries = [(style, model.name) for style, model in _models(found)]
    plot.legend(list(reversed(entries)), "upper left")
    pairs = (
        f"predicted {percent(each.predicted)}, observed {percent(each.bad_rate)}"
        for each in found.joint.tenths
    )
    return plot.render("calibration", "Calibration of both models", "; ".join(pairs))


def _models(found: Comparison) -> Iterator[tuple[str, Performance]]:
    yield "alone", found.alone
    yield "joint", found.joint


def _shares(shown: Distribution) -> list[tuple[str, FloatArray]]:
    return [(group, n / max(n.sum(), 1.0)) for group, n in shown.groups]


def _share(label: str) -> Axis:
    return axis(0.0, 1.0, label, _percent(1.0))


def _percent(reach: float) -> Callable[[float], str]:
    """Percentages, with a decimal where the axis is short."""
    return lambda value: percent(value, 0 if reach >= 0.08 else 1 if reach >= 0.008 else 2)


def _style(group: str) -> str:
    return group if group in ("good", "bad") else "joint"


def _spoken(entries: list[tuple[str, str]]) -> str:
    return "; ".join(words for _, words in entries)
