"""A party's report as one HTML file: no script, no reference to anything outside it."""

import base64
import hashlib
from functools import cache
from itertools import zip_longest
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from moiety.errors import UsageError
from moiety.report import charts, cost, statements, svg, text
from moiety.report.content import Comparison, PartyReport, Tenth

_FILTERS = (
    text.count,
    text.decimal,
    text.figure,
    text.signed,
    text.percent,
    text.uplift,
    text.power,
    text.seconds,
    text.size,
    text.moment,
    text.strength,
    text.listing,
)


def render(report: PartyReport) -> str:
    """The page. Its policy (CSP) allows nothing but its own style sheet, named by hash."""
    return filled(
        "page.html",
        report=report,
        header=report.header,
        title=f"{report.header.party}: {report.header.purpose}",
        simulated=statements.SIMULATED,
        verdict=_verdict(report),
        interval=statements.interval(report.comparison) if report.comparison else "",
        no_performance=statements.no_performance(report.header),
        bins_explained=statements.bins_explained(report.header),
        numbers_explained=statements.numbers_explained(report.header),
        alone_explained=statements.alone_explained(report.comparison) if report.comparison else "",
        statements=statements.trust(report),
        figures=_figures(report.comparison) if report.comparison else (),
        tenths=_tenths(report.comparison) if report.comparison else (),
        scores=_scores(report),
        balance=svg.balance,
        woe_limit=_woe_limit(report),
        parts=cost.parts(report.steps),
        total=cost.whole("Total", report.steps),
    )


def filled(template: str, **given: object) -> str:
    """A page of this package, whose policy names its style sheet by hash."""
    environment = _environment()
    style = environment.get_template("page.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(style_hash=f"sha256-{digest}", **given)


def write(report: PartyReport, path: Path) -> None:
    """Writes the page to a file that only its owner can read, in place of an older one."""
    save(render(report), path)


def save(page: str, path: Path) -> None:
    """Writes a page so."""
    try:
        path.touch(mode=0o600)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the report {path}: {error.strerror}") from error


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("moiety.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=svg.shown,
    )
    environment.filters.update({each.__name__: each for each in _FILTERS})
    return environment


def _figures(found: Comparison) -> tuple[tuple[str, str, Markup], ...]:
    """Title, how to read it, chart."""
    alone, joint = found.alone, found.joint
    pair = (alone.distribution, joint.distribution)
    top = charts.highest_share(*pair)
    return (
        ("ROC", "The further towards the upper left, the better.", charts.roc(found)),
        (
            "Calibration",
            "On the diagonal, predictions come true. Bars: 95 % intervals.",
            charts.calibration(found),
        ),
        (
            f"KS: {alone.name}",
            "KS is the widest gap between the curves.",
            charts.ks("ks-alone", alone),
        ),
        (f"KS: {joint.name}", "The same applicants, joint ranking.", charts.ks("ks-joint", joint)),
        (
            f"Predictions: {alone.name}",
            "The less the groups overlap, the better.",
            charts.distribution("predictions-alone", alone.name, pair[0], top),
        ),
        (
            f"Predictions: {joint.name}",
            "Each group is drawn as a share of itself.",
            charts.distribution("predictions-joint", joint.name, pair[1], top),
        ),
        (
            "Bad rate by tenth",
            "A good ranking falls steeply from left to right.",
            charts.tenths(found),
        ),
        (
            "Capture",
            "Share of all bad applicants among those refused first.",
            charts.capture(found),
        ),
    )


def _tenths(found: Comparison) -> tuple[tuple[Tenth | None, Tenth | None], ...]:
    return tuple(zip_longest(found.alone.tenths, found.joint.tenths))


def _scores(report: PartyReport) -> Markup | None:
    if report.scores is None:
        return None
    top = charts.highest_share(report.scores)
    return charts.distribution("scores", "the applicants", report.scores, top)


def _woe_limit(report: PartyReport) -> float:
    bins = (each for column in report.columns for each in column.bins)
    return max((abs(each.woe) for each in bins if each.woe is not None), default=0.0)


def _verdict(report: PartyReport) -> statements.Statement | None:
    found = report.comparison
    return statements.verdict(found, statements.whose(report.header)) if found else None
