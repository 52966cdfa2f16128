"""A comparison as a page: tables, and two charts of what a choice is about."""

import math

from markupsafe import Markup

from moiety.cli.compare.result import LOCAL, Comparison
from moiety.cli.compare.show import promise
from moiety.plan.network import NETWORKS
from moiety.report.page import filled
from moiety.report.svg import Axis, Plot, axis
from moiety.report.text import decimal, seconds

LEAKAGE = "attribute inference"
"""What utility is drawn against: its gain over the attacker's own columns."""
MEASURES = (
    (
        "reconstruction",
        "The share of the variance of the other party's columns of an applicant that a linear "
        "attacker restores, R². He knows these columns of other applicants, and learns from them.",
    ),
    (
        "linkage",
        "How often he names the right one of a hundred applicants whose columns he has, from what "
        "he received of one of them.",
    ),
    (
        "attribute inference",
        "AUC with which he tells the other party's most telling column (above its median or not) "
        "from what he received and his own columns; the guess is his own columns alone.",
    ),
    (
        "membership inference",
        "AUC with which he tells people trained on from others by their scores (LiRA).",
    ),
    (
        "model extraction",
        "R² of the log-odds of a surrogate, trained on scores of people of whom he has all "
        "columns: as if both parties worked together.",
    ),
    (
        "uniformity of messages",
        "-log10 of the smallest p-value by which large messages of a computation on shares, as a "
        "computing party received them, are not uniform; corrected for the number of tests.",
    ),
)


def render(found: Comparison) -> str:
    """The page; see `moiety.report.page`."""
    links = dict.fromkeys(link for row in found.rows for link in row.traffic)
    known = [each for each in MEASURES if each[0] in found.attacks]
    return filled(
        "compare.html",
        found=found,
        links=list(links),
        measures=known,
        promise=promise,
        figures=(
            (
                "Utility against leakage",
                "The further to the upper left, the better.",
                _leakage(found),
            ),
            (
                "Cost against network",
                "An estimate from measured seconds, rounds and bytes; the scale is logarithmic.",
                _networks(found),
            ),
        ),
    )


def _leakage(found: Comparison) -> Markup:
    """AUC, and what an attack on one attribute gains."""
    points = []
    for row in found.rows:
        attack = row.found(LEAKAGE)
        gain = 0.0 if attack is None else max(0.0, attack.value - attack.guess)
        if attack is not None or row.way == LOCAL:
            points.append((gain, row.auc, row.way))
    gains, areas = [p[0] for p in points], [p[1] for p in points]
    most, low, high = max([0.05, *gains]), min(areas), max(areas)
    margin = max(0.02, 0.15 * (high - low))
    plot = Plot(
        axis(0, 1.25 * most, "AUC that the attack gains over own columns", decimal),
        axis(low - margin, high + margin, "AUC of the model", decimal),
    )
    for gain, area, way in points:
        plot.dot(gain, area, "joint")
        plot.note(gain, area, way, left=gain > 0.6 * most)
    spoken = "; ".join(
        f"{way}: {decimal(area)}, gain {decimal(gain)}" for gain, area, way in points
    )
    return plot.render("leakage", "Utility against leakage", spoken)


def _networks(found: Comparison) -> Markup:
    """Seconds of each way on each network."""
    rows = [row for row in found.rows if row.traffic]
    times = {name: [row.on(network) for row in rows] for name, network in NETWORKS.items()}
    least = min(min(each) for each in times.values())
    most = max(max(each) for each in times.values())
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    numbers = tuple(float(number) for number in range(1, len(rows) + 1))
    foot = Axis(0.5, len(rows) + 0.5, numbers, "{:.0f}".format, _numbered(found))
    ticks = tuple(float(tick) for tick in range(low, high + 1))
    plot = Plot(foot, Axis(low, high, ticks, lambda tick: seconds(10.0**tick), "Seconds"))
    for (style, left), (_, each) in zip(_STYLES, times.items(), strict=True):
        for number, took in zip(numbers, each, strict=True):
            plot.bar(number + left, number + left + 0.24, math.log10(took), style)
    words = [(f"{style} thick", name) for (style, _), name in zip(_STYLES, times, strict=True)]
    plot.legend(words, "upper left")
    spoken = "; ".join(
        f"{row.way}: "
        + ", ".join(f"{name} {seconds(row.on(net))}" for name, net in NETWORKS.items())
        for row in rows
    )
    return plot.render("networks", "Cost against network", spoken)


_STYLES = (("joint", -0.38), ("alone", -0.12), ("bad", 0.14))


def _numbered(found: Comparison) -> str:
    rows = [row.way for row in found.rows if row.traffic]
    return "; ".join(f"{number} {way}" for number, way in enumerate(rows, 1))
