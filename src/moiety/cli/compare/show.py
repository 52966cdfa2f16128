"""A comparison in a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from moiety.audit import Finding
from moiety.cli.compare.result import Comparison, Row
from moiety.report.text import count, decimal, seconds, signed, size

LEGEND = (
    "Every figure is of this run, on this machine. Δ: AUC less that of pooled rows. Bytes: on all "
    "links. Memory: of the process that held most. Attacks: what was reached by each way's number, "
    "beside what a guess reaches; * where the 95 % interval lies above the guess. An attack that "
    "finds nothing proves nothing."
)


def shown(found: Comparison) -> RenderableType:
    """What each way reaches and costs, whom it trusts, and what attacks find. Δ: AUC to pooled."""
    about = Text(
        f"{found.purpose}: a {found.model} of {count(found.people)} common clients, judged on "
        f"{count(found.applicants)} applicants; {seconds(found.seconds)} in all"
    )
    tables = (_costs(found), _traffic(found), _trust(found), _leaks(found))
    return Group(about, *(part for table in tables for part in ("", table)), Text(LEGEND))


def _costs(found: Comparison) -> Table:
    table = _table("way", "AUC", "Δ", "KS", "time", "bytes", "rounds", "memory", "ε")
    for number, row in enumerate(found.rows, 1):
        table.add_row(
            f"{number} {row.way}",
            decimal(row.auc),
            signed(row.auc - found.pooled.auc),
            decimal(row.ks),
            seconds(row.seconds),
            size(row.bytes) if row.traffic else "–",
            count(row.rounds) if row.traffic else "–",
            size(row.peak),
            promise(row),
        )
    return table


def _traffic(found: Comparison) -> Table:
    links = list(dict.fromkeys(link for row in found.rows for link in row.traffic))
    table = _table("bytes", *links)
    for number, row in enumerate(found.rows, 1):
        if row.traffic:
            sizes = (size(row.traffic[link]) if link in row.traffic else "–" for link in links)
            table.add_row(f"{number}", *sizes)
    return table


def _trust(found: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("way", "who must be trusted with what", "hardware"):
        table.add_column(head, overflow="fold")
    for number, row in enumerate(found.rows, 1):
        table.add_row(f"{number}", row.trust, row.hardware)
    return table


def _leaks(found: Comparison) -> Table:
    numbers = map(str, range(1, 1 + len(found.rows)))
    table = _table("attack", "guess", *numbers)
    for attack in found.attacks:
        made = [row.found(attack) for row in found.rows]
        guess = next(one.guess for one in made if one is not None)
        table.add_row(attack, f"{guess:.3g}", *map(cell, made))
    return table


def promise(row: Row) -> str:
    """The differential privacy that a way gives, of a row's numbers; δ is on the page."""
    return "–" if row.epsilon is None else f"{row.epsilon:g}"


def cell(found: Finding | None) -> str:
    """What an attack found, with a star if that is more than a guess."""
    return "–" if found is None else f"{found.value:.3g}{'*' if found.leaks else ''}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for head in others:
        table.add_column(head, justify="right", no_wrap=" " not in head)
    return table
