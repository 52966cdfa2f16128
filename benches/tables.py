"""Sections of docs/figures.md: results of a bench as a table, and sizes in words."""

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def load(name):
    """What a bench wrote down."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(title, head, rows, note):
    """A section: title, note, table; a cell that is a number is set right."""
    rule = ["---:" if index else "---" for index in range(len(head))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]
    return "\n".join([f"## {title}", "", note, "", *lines, ""])


def size(count):
    """A number of bytes in words."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5 or unit == "MB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1000
    return ""


def milliseconds(seconds):
    """A time in milliseconds."""
    return f"{1000 * seconds:,.0f}" if seconds >= 0.01 else f"{1000 * seconds:.1f}"
