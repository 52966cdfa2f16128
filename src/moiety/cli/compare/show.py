"""A comparison in a terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from moiety.audit import Finding
from moiety.cli.compare.result import Comparison, Row
from moiety.report.text import count, decimal, seconds, signed, size

LEGEND = (
    "Figures are of this run, on this machine; membership inference and extraction are of the "
    "joint model in the clear, which all ways but the transform compute alike. Δ: AUC less that of "
    "pooled rows. Bytes: on all links. Memory: of the process that held most. Attacks: what was "
    "reached by each way's number, beside what a guess reaches; * where the 95 % interval lies "
    "above the guess. Of so many, one or two are starred by chance. An attack that finds nothing "
    "proves nothing."
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
    head = ("way", "AUC", "Δ", "KS", "time", "bytes", "rounds", "memory", "ε")
    rows = [
        (
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
        for number, row in enumerate(found.rows, 1)
    ]
    return _table(head, rows)


def _traffic(found: Comparison) -> Table:
    """Bytes between the parties, and to and from who helps them."""
    between = next((list(row.traffic)[:2] for row in found.rows if row.traffic), [])
    rows = []
    for number, row in enumerate(found.rows, 1):
        if row.traffic:
            direct = [size(row.traffic.get(link, 0)) for link in between]
            rows.append((f"{number} {row.way}", *direct, *_helped(row, between)))
    return _table(("bytes", *between, "to helper", "from helper"), rows)


def _helped(row: Row, between: list[str]) -> tuple[str, str]:
    parties = {link.partition(" → ")[0] for link in between}
    others = {link: n for link, n in row.traffic.items() if link not in between}
    if not others:
        return "–", "–"
    to = sum(n for link, n in others.items() if link.partition(" → ")[0] in parties)
    return size(to), size(sum(others.values()) - to)


def _trust(found: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("way", "who must be trusted with what", "hardware"):
        table.add_column(head, overflow="fold")
    for number, row in enumerate(found.rows, 1):
        table.add_row(f"{number}", row.trust, row.hardware)
    return table


def _leaks(found: Comparison) -> Table:
    rows = []
    for attack in found.attacks:
        made = [row.found(attack) for row in found.rows]
        guess = next(one.guess for one in made if one is not None)
        rows.append((attack, f"{guess:.2g}", *map(cell, made)))
    return _table(("attack", "guess", *map(str, range(1, 1 + len(found.rows)))), rows)


def promise(row: Row) -> str:
    """The differential privacy that a way gives, of a row's numbers; δ is on the page."""
    return "–" if row.epsilon is None else f"{row.epsilon:g}"


def cell(found: Finding | None) -> str:
    """What an attack found, with a star if that is more than a guess."""
    return "–" if found is None else f"{found.value:.2g}{'*' if found.leaks else ''}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Names on the left, which may be folded, and figures, which may not."""
    table = Table(box=None, pad_edge=False)
    table.add_column(head[0], overflow="fold")
    for place, name in enumerate(head[1:], 1):
        width = max(len(name), *(len(row[place]) for row in rows)) if rows else len(name)
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*row)
    return table
