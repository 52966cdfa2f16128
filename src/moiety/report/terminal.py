"""The report in a terminal."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from moiety.report import statements
from moiety.report.content import PartyReport
from moiety.report.cost import parts
from moiety.report.stored import to_json
from moiety.report.text import (
    count,
    decimal,
    figure,
    moment,
    percent,
    plain,
    power,
    seconds,
    signed,
    size,
    uplift,
)

__all__ = ["summary", "to_json"]

_STYLES = {"good": "bold green", "poor": "bold yellow", "plain": "bold"}


def summary(report: PartyReport) -> RenderableType:
    """The page's content in short. Names and purposes are shown as text, never as markup."""
    parts = [_header(report), _result(report), _numbers(report), _columns(report)]
    parts += [_steps(report), _latency(report), _learned(report), _trust(report), _oracle(report)]
    return Group(*(Group(part, "") for part in parts if part is not None))


def _header(report: PartyReport) -> RenderableType:
    header = report.header
    lines = [
        _text((header.purpose, "bold")),
        _text(f"{header.model}; finished {moment(header.date)}"),
        _text((f"job {header.job_hash}", "dim")),
    ]
    if header.simulated:
        lines.append(_text(("SIMULATED ", "bold red"), statements.SIMULATED))
    border = "red" if header.simulated else "dim"
    title = _text(f"moiety report of {header.party}")
    return Panel(Group(*lines), title=title, title_align="left", border_style=border)


def _result(report: PartyReport) -> RenderableType:
    found = report.comparison
    if found is None:
        return _text(statements.no_performance(report.header))
    said = statements.verdict(found, statements.whose(report.header))
    table = _table("", found.alone.name, found.joint.name, "Change", "Uplift")
    for name, before, after, rise in (
        ("KS", found.alone.ks, found.joint.ks, found.ks_uplift),
        ("AUC", found.alone.auc, found.joint.auc, found.auc_uplift),
    ):
        row = (decimal(before), decimal(after), signed(after - before), uplift(rise))
        _row(table, name, *row)
    title = _text((said.title, _STYLES[said.kind]))
    return Group(title, _text(f"{said.text} {statements.interval(found)}"), table)


def _columns(report: PartyReport) -> RenderableType | None:
    if not report.columns:
        return None
    table = _table("Own column", "Bins", "Rows", "IV")
    for each in report.columns:
        _row(table, each.name, count(len(each.bins)), count(each.rows), decimal(each.iv))
    return table


def _numbers(report: PartyReport) -> RenderableType | None:
    if not report.numbers:
        return None
    table = _table("Own column", "Rows", "Missing", "Mean", "Deviation", "Cut")
    for each in report.numbers:
        counts, size = (count(each.rows), count(each.missing)), max(each.rows, 1)
        moments = (figure(each.mean), figure(each.deviation))
        _row(table, each.name, *counts, *moments, percent(each.cut / size))
    return table


def _steps(report: PartyReport) -> RenderableType | None:
    if not report.steps:
        return None
    table = _table("Step", "Rounds", "Sent", "Received", "As predicted", "Time")
    marks = {True: Text("✓", "green"), False: Text("✗ differs", "bold red"), None: Text("–", "dim")}
    for step in (each for part in parts(report.steps) for each in part.brief):
        cost = step.measured
        traffic = (count(cost.rounds), size(cost.sent), size(cost.received))
        name = f"{step.name} with {step.peer}" if step.peer else step.name
        _row(table, name, *traffic, marks[step.equal], seconds(step.seconds))
    return table


def _latency(report: PartyReport) -> RenderableType | None:
    if not report.latencies:
        return None
    table = _table("Time for a score", "Applicants", "Rounds", "Median", "95th percentile")
    for each in report.latencies:
        times = (seconds(each.median), seconds(each.slow))
        _row(table, each.what, count(each.applicants), count(each.rounds), *times)
    return table


def _learned(report: PartyReport) -> RenderableType | None:
    if not report.learned:
        return None
    table = _table("Who learned", "Values", "What")
    table.columns[2].justify = "left"
    for each in report.learned:
        _row(table, each.party, count(each.values), each.what)
    return table


def _trust(report: PartyReport) -> RenderableType | None:
    trust = report.trust
    if trust is None or trust.evidence is None:
        return None
    evidence = trust.evidence
    met = sum(check.met for check in trust.checks)
    return _text(
        ("Enclave ", "bold"),
        f"{evidence.tee}, run by {trust.host}; TCB {evidence.tcb_status}; policy "
        f"{'accepted' if trust.accepted else 'refused'} ({met} of {len(trust.checks)}); ",
        (f"measurement {evidence.measurement}", "dim"),
    )


def _oracle(report: PartyReport) -> RenderableType | None:
    if report.oracle is None:
        return None
    found = report.oracle
    return _text(
        ("Against plaintext ", "bold"),
        f"largest difference {power(found.largest_difference)} in probability, "
        f"{power(found.auc_difference)} in AUC, on {count(found.applicants)} applicants "
        "(made by the demo, which holds both tables)",
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(first)
    for name in others:
        table.add_column(_text(name), justify="right")
    return table


def _row(table: Table, *cells: str | Text) -> None:
    table.add_row(*(_text(cell) if isinstance(cell, str) else cell for cell in cells))


def _text(*parts: str | tuple[str, str]) -> Text:
    """The parts, some with a style, as they are: rich would read a bare string as markup."""
    pairs = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((plain(words), style) for words, style in pairs))
