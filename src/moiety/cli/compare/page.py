"""A comparison as a page: tables, and two charts of what a choice is about."""

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from moiety.cli.compare.result import LOCAL, Comparison, Row
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
        "attacker restores, R², from what he received and his own columns. He knows these columns "
        "of other applicants, and learns from them; the guess is by his own columns alone.",
    ),
    (
        "linkage",
        "How often he names the right one of a hundred applicants whose columns he has, from what "
        "he received of one of them.",
    ),
    (
        "reconstruction, projection known",
        "The same for the numbers that points were made of, by who knows the projection and the "
        "size of the noise, and has nothing else.",
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
        "extraction",
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
        title=f"Ways compared: {found.purpose}",
        found=found,
        links=list(links),
        measures=known,
        promise=promise,
        figures=(
            (
                "Utility against leakage",
                "The further to the upper left, the better. Numbers: see the table.",
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
    """AUC, and what an attack on one attribute gains; ways that lie together share a mark."""
    points = list(_points(found))
    gains, areas = [p[0] for p in points], [p[1] for p in points]
    most, low, high = max([0.05, *gains]), min(areas), max(areas)
    margin = max(0.02, 0.15 * (high - low))
    plot = Plot(
        axis(0, 1.25 * most, "AUC that the attack gains over own columns", decimal),
        axis(low - margin, high + margin, "AUC of the model", decimal),
    )
    near = 0.08 * most, 0.08 * (high - low + margin)
    for gain, area, numbers in _together(points, near):
        plot.dot(gain, area, "joint")
        plot.note(gain, area, ", ".join(map(str, numbers)), left=gain > 0.6 * most)
    names = {number: row.way for number, row in enumerate(found.rows, 1)}
    spoken = "; ".join(
        f"{names[n]}: {decimal(area)}, gain {decimal(gain)}" for gain, area, n in points
    )
    return plot.render("leakage", "Utility against leakage", spoken)


def _points(found: Comparison) -> Iterator[tuple[float, float, int]]:
    """What the attack gains on each way, the AUC of its model, and its number."""
    for number, row in enumerate(found.rows, 1):
        attack = row.found(LEAKAGE)
        if attack is not None or row.way == LOCAL:
            gain = 0.0 if attack is None else max(0.0, attack.value - attack.guess)
            yield gain, row.auc, number


def _together(
    points: Sequence[tuple[float, float, int]], near: tuple[float, float]
) -> list[tuple[float, float, list[int]]]:
    """Points, those joined to an earlier one that are near it."""
    found: list[tuple[float, float, list[int]]] = []
    for gain, area, number in points:
        for x, y, numbers in found:
            if abs(x - gain) <= near[0] and abs(y - area) <= near[1]:
                numbers.append(number)
                break
        else:
            found.append((gain, area, [number]))
    return found


def _networks(found: Comparison) -> Markup:
    """Seconds of each way on each network."""
    rows = [(number, row) for number, row in enumerate(found.rows, 1) if row.traffic]
    times = {name: [row.on(network) for _, row in rows] for name, network in NETWORKS.items()}
    every = [took for each in times.values() for took in each] or [1.0]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)) + 0.2)
    numbers = tuple(float(number) for number, _ in rows) or (1.0,)
    label = "Ways, by their numbers in the table"
    foot = Axis(numbers[0] - 0.5, numbers[-1] + 0.5, numbers, "{:.0f}".format, label)
    ticks = tuple(float(tick) for tick in range(low, high + 1))
    plot = Plot(foot, Axis(low, high, ticks, lambda tick: f"{10.0**tick:g} s", "Time"))
    for (style, left), each in zip(_STYLES, times.values(), strict=True):
        for number, took in zip(numbers, each, strict=False):
            plot.bar(number + left, number + left + 0.24, math.log10(took), style)
    words = [(f"{style} thick", name) for (style, _), name in zip(_STYLES, times, strict=True)]
    plot.legend(words, "upper left")
    spoken = "; ".join(f"{row.way}: {_spoken(row)}" for _, row in rows)
    return plot.render("networks", "Cost against network", spoken)


def _spoken(row: Row) -> str:
    return ", ".join(f"{name} {seconds(row.on(network))}" for name, network in NETWORKS.items())


_STYLES = (("joint", -0.38), ("alone", -0.12), ("bad", 0.14))
