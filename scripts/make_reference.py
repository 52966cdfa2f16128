"""Writes the pages of docs/ that follow from the code or from measurements, or checks them.

python scripts/make_reference.py             writes docs/reference/*.md, docs/figures.md, and the
                                             tables of docs/threat-model.md
python scripts/make_reference.py --check     prints what differs, and exits with 1 if anything does
"""

import difflib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import threat_table
import typer

from moiety import errors
from moiety.cli.main import app
from moiety.ops import Entry, table
from moiety.ops.expansions import Family, families
from moiety.ops.functions import FUNCTIONS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
THREATS = ROOT / "docs" / "threat-model.md"
_MADE = "Made from the code by `scripts/make_reference.py`; do not edit.\n"
_OPERATORS = """\
# Operators

{made}
Every secure way of every primitive under the profile `dealer` (two parties and a dealer), with its
price: formulas in bytes by the operands' sizes, each message padded to whole bytes. The tests
demand that metered traffic equals them exactly. Where a width or a ring changes the price, a way
has several lines.

- *Sent*: payload between the parties, `0→1` from party 0 to party 1, without frames and TLS.
- *Dealt*: corrections for party 1; party 0 gets a seed of 16 bytes for a whole program.
- *Reveals*: what a party learns. Where nothing is said, every message is uniform to its receiver,
  but for the zeros that fill its last byte.
- `int[n] shared 23 bits`: words whose declared range fits in 23 signed bits. `mod 2^10`: shares
  count modulo 2^10, and so messages carry 10 bits of each.

Operands that are public, or all in the clear at one party, cost nothing: their holder computes.
The dealt bytes of a truncation depend on its shift, too; the lines show several.
"""
_APPROXIMATED = """
## Approximated functions

Where its argument is shared, a function is replaced by one of its expansions when a plan is made:
the one with which the whole plan is fastest, among those that keep the accepted error. Where one
party holds the argument, it computes the function itself. *Error*: what is accepted where nothing
is said, in the units of the result; `Target(error=…)` and `--error` say something.

"""
_CLI = """\
# The command line

{made}
A result goes to standard output, progress to standard error. An error is a sentence and a hint on
standard error. With `--json` the result, or the error, is one line of JSON on standard output, and
each event of progress one on standard error. Exit codes: [errors.md](errors.md).
"""
_ERRORS = """\
# Errors and exit codes

{made}
An error says in one sentence what failed, where and with which values, never a secret, and hints at
a remedy. Peers are told fixed words instead, so that no path, name or number of one party reaches
another.

| exit code | error | meaning | what peers are told |
| ---: | --- | --- | --- |
| 0 | | done | |
"""


def pages() -> dict[Path, str]:
    """Every generated page with the text that it must have."""
    return {
        PAGES / "operators.md": operators(),
        PAGES / "cli.md": command_line(),
        PAGES / "errors.md": error_tree(),
        **_figures().pages(),
        THREATS: threat_table.between(THREATS.read_text(encoding="utf-8"), threat_table.tables()),
    }


def operators() -> str:
    """The operators, by family, cheapest first."""
    entries = table()
    text = _OPERATORS.format(made=_MADE)
    local = [entry for entry in entries if not entry.rounds]
    text += "\n## Without a message\n\n" + _rows(
        ("primitive", "meaning", "way", "source"),
        [(f"`{e.primitive}`", e.meaning, e.way, e.source) for e in local],
    )
    for name in dict.fromkeys(entry.primitive for entry in entries if entry.rounds):
        ways = [entry for entry in entries if entry.primitive == name and entry.rounds]
        text += f"\n## `{name}`\n\n{ways[0].meaning}\n\n{_ways(ways)}"
    return text + _APPROXIMATED + _rows(("function", "error", "expansions"), _expansions())


def _expansions() -> list[tuple[str, ...]]:
    """Each approximated function, what is accepted of it, and its families of expansions."""
    rows = []
    for name, function in FUNCTIONS.items():
        error = f"{function.tolerance:g}" if function.tolerance else "2⁻¹⁸ of the largest, 4 units"
        shown = (_family(group) for group in families(name))
        rows.append((f"`{name}`", error, "; ".join(shown)))
    return rows


def _family(group: Family) -> str:
    """The coarsest and the finest of a family."""
    return group[0].name if len(group) == 1 else f"{group[0].name} to {group[-1].name}"


def _ways(entries: list[Entry]) -> str:
    """For each way its source and what it reveals, then its prices."""
    parts = []
    for name in dict.fromkeys(entry.way for entry in entries):
        same = [entry for entry in entries if entry.way == name]
        said = f"**{name}**. Source: {same[0].source}."
        said += f" Reveals {same[0].reveals}." if same[0].reveals else ""
        rows = [(e.operands, str(e.rounds), e.sent, e.dealt or "0") for e in same]
        parts.append(f"{said}\n\n{_rows(('operands', 'rounds', 'sent', 'dealt'), rows)}")
    return "\n".join(parts)


def command_line() -> str:
    """Every verb with its arguments and options."""
    root: Any = typer.main.get_command(app)
    text = _CLI.format(made=_MADE)
    for path, command in _verbs(root, "moiety"):
        text += f"\n## `{_usage(path, command)}`\n\n{_plain(command.help)}\n"
        if command.params:
            rows = [_parameter(each) for each in command.params if not each.hidden]
            text += "\n" + _rows(("argument or option", "default", "meaning"), rows)
    return text


def _verbs(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from _verbs(child, f"{path} {name}")


def _usage(path: str, command: Any) -> str:
    arguments = [each.name.upper() for each in command.params if each.param_type_name == "argument"]
    return " ".join([path, *arguments])


def _parameter(each: Any) -> tuple[str, str, str]:
    flag = getattr(each, "is_flag", False)
    if each.param_type_name == "argument":
        name = each.name.upper()
    else:
        name = " / ".join(each.opts + each.secondary_opts) + ("" if flag else " VALUE")
    default = "" if flag or each.default in (None, "") else f"`{each.default}`"
    required = "required" if each.required else ""
    return f"`{name}`", default or required, getattr(each, "help", None) or ""


def _plain(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def error_tree() -> str:
    """The tree of errors, with exit codes."""
    rows = "".join(_error(error, 0) for error in errors.MoietyError.__subclasses__())
    tail = "| 130 | | interrupted from the keyboard | `it was interrupted` |\n"
    return _ERRORS.format(made=_MADE) + rows + tail


def _error(error: type[errors.MoietyError], depth: int) -> str:
    place = "&nbsp;" * 4 * depth + f"`{error.__name__}`"
    peer = issubclass(error, errors.PeerError)
    words = "the sentence itself, which is about the peer" if peer else f"`{error.public}`"
    meaning = (error.__doc__ or "").splitlines()[0]
    row = f"| {error.exit_code} | {place} | {meaning} | {words} |\n"
    return row + "".join(_error(child, depth + 1) for child in error.__subclasses__())


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '¦') for cell in line)} |\n" for line in lines)


def _figures() -> Any:
    """The module benches/figures.py, which is not part of the package."""
    sys.path.append(str(ROOT / "benches"))
    return importlib.import_module("figures")


def difference(path: Path, wanted: str) -> str:
    """A unified diff from the page as it is to the page as it must be; empty if they are equal."""
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    name = str(path.relative_to(ROOT))
    lines = (found.splitlines(), wanted.splitlines())
    return "\n".join(difflib.unified_diff(*lines, name, f"{name} as the code says", lineterm=""))


def main() -> None:
    """Writes all pages, or with --check prints the differences."""
    made = pages()
    if "--check" in sys.argv:
        faults = [text for path, page in made.items() if (text := difference(path, page))]
        print(
            "\n".join([*faults, "run: python scripts/make_reference.py"]) if faults else "", end=""
        )
        sys.exit(bool(faults))
    for path, page in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
