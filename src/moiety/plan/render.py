"""An explanation as text for a terminal and as HTML for a notebook."""

import re
from html import escape

from moiety.plan.explain import Explanation, Line, Option, Part, Replaced


def text(explanation: Explanation) -> str:
    """A page of text."""
    head = [
        f"{explanation.title} on {explanation.network}",
        f"plan {explanation.hash[:16]}: {_traffic(explanation)}",
        _times(explanation),
        "",
    ]
    replaced = [part for one in explanation.replaced for part in _replaced(one)]
    steps = [part for line in explanation.lines if _told(line) for part in _step(line)]
    levels = ["", "levels", *(_level(at, part) for at, part in enumerate(explanation.parts))]
    passes = [
        "",
        "passes",
        *(
            f"  {one.name:11} {one.before:4} → {one.after:4} values  {1e3 * one.seconds:.1f} ms"
            for one in explanation.passes
        ),
    ]
    return "\n".join([*head, *replaced, *steps, *levels, *passes])


def summary(explanation: Explanation) -> str:
    """Rounds, bytes, predicted and measured time, in one line."""
    return f"{_traffic(explanation)}; {_times(explanation)}"


def _traffic(explanation: Explanation) -> str:
    sent = sum(part.sent for part in explanation.parts)
    received = sum(part.received for part in explanation.parts)
    return (
        f"{counted(explanation.rounds)}, 0→1 {sent:,} B, 1→0 {received:,} B, "
        f"dealt {explanation.dealt:,} B"
    )


def _times(explanation: Explanation) -> str:
    times = explanation.seconds
    shown = ", ".join(
        f"{name} {duration(times[name])}" for name in ("rounds", "bytes", "dealing", "work")
    )
    measured = explanation.measured_seconds
    after = f"; measured {duration(measured)}" if measured is not None else ""
    return f"about {duration(times['total'])} ({shown}){after}"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for limit, factor, name in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {name}"
    return f"{seconds:.3g} s"


def error(line: Line) -> str:
    """The error bound as text."""
    if line.error is None:
        return "error not stated"
    return f"error ≤ {line.error:.3g}" if line.error else "exact"


def _told(line: Line) -> bool:
    """Steps that send something, or have a line of their own; not the glue between."""
    return bool(line.option.rounds or line.rejected) or line.call.startswith("reveal")


def _step(line: Line) -> list[str]:
    own = [
        f"%{line.index} = {_brief(line.call)}    {line.source}",
        f"    {line.type}",
        f"    {line.width}; {error(line)}; {_when(line)}",
        f"    → {_option(line.option)}",
    ]
    return own + [f"      not {_option(one)}" for one in line.rejected]


def _brief(call: str) -> str:
    """A call with the beginnings of hashes."""
    return re.sub(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}", r"\1…", call)


def _when(line: Line) -> str:
    if line.option.rounds < 2:
        return f"round {line.ends}" if line.option.rounds else "no round"
    return f"rounds {line.begins + 1}–{line.ends}"


def counted(rounds: int) -> str:
    """So many rounds, as text."""
    return f"{rounds} round" if rounds == 1 else f"{rounds} rounds"


def _replaced(one: Replaced) -> list[str]:
    refused = (f"      not {each.name}: {each.why}" for each in one.refused)
    return [
        f"{one.asked}, error ≤ {one.budget:.3g} accepted    {one.source}",
        f"    → {_option(one.option)}",
        *(f"      not {_option(each)}" for each in one.rejected),
        *refused,
    ]


def _option(one: Option) -> str:
    stated = "" if one.error is None else f"error ≤ {one.error:.3g}, "
    return (
        f"{one.way}: {stated}{counted(one.rounds)}, {one.sent:,} B and {one.received:,} B, "
        f"dealt {one.dealt:,} B, {duration(one.seconds)}"
    )


def _level(at: int, part: Part) -> str:
    steps = " ".join(f"%{index}" for index in part.steps) or "local steps"
    took = part.measured
    measured = f" = measured, {duration(took.seconds)}" if took else ""
    sent = f"{part.sent:,} B and {part.received:,} B"
    return f"  {at}: {counted(part.rounds)}, {sent}{measured}: {steps}"


def html(explanation: Explanation) -> str:
    """A table; all text escaped."""
    names = ("step", "way", "rounds", "0→1", "1→0", "dealt", "width", "error", "rejected")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(
        [
            *map(_replaced_row, explanation.replaced),
            *(_row(line) for line in explanation.lines if _told(line)),
        ]
    )
    title = f"{escape(explanation.title)} on {escape(explanation.network)}"
    return (
        f"<h4>{title}</h4><p>{escape(summary(explanation))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(line: Line) -> str:
    rejected = "; ".join(map(_option, line.rejected))
    step = f"%{line.index} {_brief(line.call)} {line.source}"
    return _cells(step, line.option, line.width, error(line), rejected)


def _replaced_row(one: Replaced) -> str:
    others = [*map(_option, one.rejected), *(f"{each.name}: {each.why}" for each in one.refused)]
    stated = f"error ≤ {one.option.error:.3g} of {one.budget:.3g}"
    return _cells(f"{one.asked} {one.source}", one.option, "", stated, "; ".join(others))


def _cells(step: str, one: Option, width: str, stated: str, rejected: str) -> str:
    numbers = (one.rounds, f"{one.sent:,}", f"{one.received:,}", f"{one.dealt:,}")
    cells = (step, one.way, *numbers, width, stated, rejected)
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
