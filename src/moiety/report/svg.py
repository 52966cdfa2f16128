"""A small plot as inline SVG: axes, lines, bars, marks and words, styled by the page's classes.

Colours live in the page's style sheet, so that one chart suits light, dark and paper. Values that
are not finite are left out; every text is escaped.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from moiety.report.text import plain

WIDTH, HEIGHT = 520, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 48

Values = Iterable[float]


@dataclass(frozen=True)
class Axis:
    """One axis: its range, where its ticks are, how they read, and what it measures."""

    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str]
    label: str

    def place(self, value: float) -> float:
        """Where the value lies, 0 at the low end and 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


def axis(low: float, high: float, label: str, text: Callable[[float], str]) -> Axis:
    """An axis with about five ticks at round values, widened where it has no length."""
    if not high - low > 1e-12:
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / 5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, tuple(step * tick for tick in range(first, last + 1)), text, label)


def axis_from_zero(high: float, label: str, text: Callable[[float], str]) -> Axis:
    """An axis from 0 to the next round value at or above `high`."""
    high = high if math.isfinite(high) and high > 0 else 1.0
    step = _round_step(high / 5)
    return axis(0.0, step * math.ceil(high / step - 1e-9), label, text)


def _round_step(rough: float) -> float:
    size = 10.0 ** math.floor(math.log10(rough))
    return size * next(step for step in (1, 2, 2.5, 5, 10) if step * size >= rough * (1 - 1e-9))


def element(tag: str, content: str = "", /, **attributes: float | str) -> Markup:
    """An SVG element with everything escaped; `class_` and `text_anchor` stand for their names."""
    written = ((name.rstrip("_").replace("_", "-"), _value(v)) for name, v in attributes.items())
    pairs = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in written)
    return Markup("<{}{}>{}</{}>").format(tag, pairs, shown(content), tag)


def _value(value: float | str) -> str:
    return plain(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def shown(value: object) -> object:
    """Markup as it is; anything else as a plain text, still to be escaped."""
    return value if isinstance(value, Markup) else plain(str(value))


class Plot:
    """A chart under construction: what is drawn later lies on top."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self._x, self._y = x, y
        self._parts: list[Markup] = []
        self._axes()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The position of a point, in units of the drawing."""
        across = LEFT + self._x.place(x) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - self._y.place(y) * (HEIGHT - TOP - BOTTOM)

    def line(self, xs: Values, ys: Values, style: str) -> None:
        """A line through the points."""
        if points := self._points(xs, ys):
            self._add("polyline", class_=f"line {style}", points=points)

    def area(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """The area between the line and the foot of the chart."""
        closed = self._points([xs[0], *xs, xs[-1]], [self._y.low, *ys, self._y.low])
        self._add("polygon", class_=f"area {style}", points=closed)

    def bar(self, left: float, right: float, top: float, style: str) -> None:
        """A bar from the foot of the chart up to `top`."""
        if math.isfinite(top):
            (x0, y0), (x1, y1) = self.at(left, top), self.at(right, self._y.low)
            self._add("rect", class_=f"bar {style}", x=x0, y=y0, width=x1 - x0, height=y1 - y0)

    def dot(self, x: float, y: float, style: str, radius: float = 3.5) -> None:
        """A round mark."""
        if math.isfinite(x) and math.isfinite(y):
            across, down = self.at(x, y)
            self._add("circle", class_=f"dot {style}", cx=across, cy=down, r=radius)

    def note(self, x: float, y: float, text: str, *, left: bool = False) -> None:
        """Strong words below a point, to its right or to its left."""
        across, down = self.at(x, y)
        place = (across - 8, down + 16) if left else (across + 8, down + 16)
        self._words("note strong", place, text, "end" if left else "start")

    def legend(self, entries: Sequence[tuple[str, str]], corner: str) -> None:
        """A key: (style, words) a line, in the `upper left`, `upper right` or `lower right`."""
        wide = 32 + 6.3 * max(len(words) for _, words in entries)
        x = LEFT + 12.0 if corner.endswith("left") else WIDTH - RIGHT - 6 - wide
        y = TOP + 12.0 if corner.startswith("upper") else HEIGHT - BOTTOM + 6 - 20.0 * len(entries)
        for style, words in entries:
            self._add("line", class_=f"line {style}", x1=x, y1=y, x2=x + 24, y2=y)
            self._words("note", (x + 32, y + 4), words, "start")
            y += 20

    def render(self, name: str, title: str, description: str) -> Markup:
        """The chart as SVG; `name` must be unique in its page, the others say what it shows."""
        spoken = element("title", title, id=f"{name}-title")
        spoken += element("desc", description, id=f"{name}-description")
        return element(
            "svg",
            spoken + Markup("").join(self._parts),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_labelledby=f"{name}-title {name}-description",
        )

    def _add(self, tag: str, **attributes: float | str) -> None:
        self._parts.append(element(tag, **attributes))

    def _words(self, style: str, place: tuple[float, float], text: str, anchor: str) -> None:
        x, y = place
        self._parts.append(element("text", text, class_=style, x=x, y=y, text_anchor=anchor))

    def _points(self, xs: Values, ys: Values) -> str:
        pairs = ((float(x), float(y)) for x, y in zip(xs, ys, strict=True))
        finite = (self.at(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y))
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in finite)

    def _axes(self) -> None:
        x, y = self._x, self._y
        for tick in y.ticks:
            (left, down), (right, _) = self.at(x.low, tick), self.at(x.high, tick)
            self._add("line", class_="grid", x1=left, y1=down, x2=right, y2=down)
            self._words("tick", (left - 8, down + 4), y.text(tick), "end")
        for tick in x.ticks:
            across, foot = self.at(tick, y.low)
            self._add("line", class_="axis", x1=across, y1=foot, x2=across, y2=foot + 4)
            self._words("tick", (across, foot + 18), x.text(tick), "middle")
        foot = HEIGHT - BOTTOM
        self._add("line", class_="axis", x1=LEFT, y1=foot, x2=WIDTH - RIGHT, y2=foot)
        self._words("label", ((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8), x.label, "middle")
        turn = f"translate(12 {(TOP + foot) / 2}) rotate(-90)"
        label = element("text", y.label, class_="label", transform=turn, text_anchor="middle")
        self._parts.append(label)


def balance(value: float, limit: float) -> Markup:
    """A little bar left or right of a middle line, as long as `value` is beside `limit`."""
    share = max(-1.0, min(1.0, value / limit)) if limit and math.isfinite(value) else 0.0
    left, style = 40 + min(0.0, share) * 40, "bad" if share > 0 else "good"
    bar = element("rect", class_=f"bar {style}", x=left, y=1, width=abs(share) * 40, height=8)
    middle = element("line", class_="axis", x1=40, y1=0, x2=40, y2=10)
    return element("svg", bar + middle, class_="balance", viewBox="0 0 80 10", aria_hidden="true")
