"""The sections of docs/figures.md about the engine: against a peer, choosing, size."""

import math
from pathlib import Path

from tables import load, milliseconds, size, table

PLOT = Path(__file__).parent.parent / "docs" / "scale.svg"


def peers():
    """Every row of the comparison with its bar, met or not."""
    found, rows = load("peers"), []
    for each in found["rows"]:
        seconds, bar = each["seconds"], each["bar"]
        ours = seconds["total"]
        rows.append(
            [
                f"{each['work']}, {each['size']}",
                f"{milliseconds(ours['median'])} ({milliseconds(ours['min'])}–"
                f"{milliseconds(ours['max'])})",
                milliseconds(seconds["online"]["median"]),
                milliseconds(seconds["total over TLS"]["median"]),
                milliseconds(seconds["peer"]["median"]),
                f"{each['ratio']:.1f}×",
                f"{bar['ratio']}×, {'met' if each['met'] else '**not met**'}",
                f"{size(max(each['bytes sent']['each party']))} / "
                f"{size(each['bytes sent']['dealt'])}",
                str(each["rounds"]),
                f"{each['largest error']:.1e}",
            ]
        )
    note = (
        "PyPI `spu` 0.9.5 (SEMI2K, its own dealer-free preprocessing) and moiety in one run of "
        "`make bench-peers`: separate processes over plain TCP on the loopback, 18 fraction bits, "
        "medians of 5. *Total* is from the request for correlations to the later party's result, "
        "dealing included; *online* without it. *Sent* by each party online / dealt. Tables "
        "of loops are masked before the clock starts, as the peer's are shared before; the "
        "owned table is encoded and sent within it. " + _unmet(found["rows"])
    )
    head = ["work", "total ms (least–most)", "online ms", "over TLS", "peer ms", "ratio", "bar"]
    head += ["sent / dealt", "rounds", "largest error"]
    return table("The engine against a peer", head, rows, note)


LIMIT = (
    "The limit of these works is the processor: three processes share two cores, and what is dealt "
    "and opened is hashed and copied through the loopback at both ends. Of the total the two "
    "parties alone keep both cores busy for "
)
FEWER = (
    " At 24 bits the planner takes digits of 3 bits, which deal a third less and open a little "
    "more than digits of 4; with these the bytes are within the bar."
)


def _unmet(rows):
    """Why bars are not met, and what the limit is."""
    missed = [each for each in rows if not each["met"]]
    slow = [each for each in missed if each["ratio"] < each["bar"]["ratio"]]
    busy = [
        f"{milliseconds(each['seconds']['processor']['median'] / 2)} of "
        f"{milliseconds(each['seconds']['total']['median'])} ms ({each['work']})"
        for each in slow
    ]
    words = LIMIT + ", ".join(busy) + "; the dealer's share comes on top." if busy else ""
    many = any(
        each["online bytes per element"] > each["bar"].get("online bytes", 64) for each in missed
    )
    return words + FEWER if many else words


def selection():
    """The chosen plan of each situation against every forced one."""
    rows = []
    for situation in load("selection")["situations"]:
        for each in situation["rows"]:
            rows.append(
                [
                    f"{situation['name']}: {each['plan']}",
                    ", ".join(each["expansions"]),
                    milliseconds(each["median"]),
                    milliseconds(each["predicted"]),
                    str(each["rounds"]),
                    f"{size(max(each['sent']))} / {size(each['dealt'])}",
                    "{median:.2f} ({low:.2f}–{high:.2f})".format(**each["against"]),
                    "" if each["plan"] == "chosen" else each["it is"],
                ]
            )
    note = (
        "The plan that `select` chooses, and plans forced to single choices; two parties and a "
        "dealer over TLS, the LAN being the loopback, the WAN an emulated line of 20 ms one way "
        "and 100 Mbit/s. Dealing is included. *× the chosen*: the median ratio to the chosen "
        "plan's time in the same turn, with its 95 % interval. Forced plans that are as fast have "
        "as many rounds as the chosen one and differ by bytes that weigh little there."
    )
    head = ["situation: plan", "functions by", "ms", "predicted ms", "rounds", "sent / dealt"]
    head += ["× the chosen", "it is"]
    return table("What choosing is worth", head, rows, note)


def scale():
    """Time and memory against size."""
    rows = load("scale")["rows"]
    lines = [
        [
            f"{each['work']}, {each['elements']:,}",
            milliseconds(each["seconds"]),
            f"{1e9 * each['seconds'] / each['elements']:.0f}",
            size(each["memory"]),
            f"{each['memory'] / each['operands']:.1f}",
        ]
        for each in rows
    ]
    note = (
        "Two parties and a dealer over plain TCP, dealing included. *Memory* is the most that a "
        "party held, its operands included, beyond what it held without them.\n\n"
        "![Time against size, both logarithmic: straight lines](scale.svg)"
    )
    head = ["work, elements", "ms", "ns an element", "memory", "× the operands"]
    return table("Time and memory against size", head, lines, note)


WIDTH, HEIGHT, LEFT, BOTTOM = 520, 320, 64, 44
COLOURS = ("#1f6f8b", "#c2571a")


def plot(rows):
    """Seconds against elements, on logarithmic axes, as an SVG of its own."""
    works = list(dict.fromkeys(each["work"] for each in rows))
    exponents = [math.log10(each["elements"]) for each in rows]
    times = [math.log10(each["seconds"]) for each in rows]
    low, high = math.floor(min(times)), math.ceil(max(times))
    first, last = min(exponents), max(exponents)

    def at(elements, seconds):
        x = LEFT + (math.log10(elements) - first) / (last - first) * (WIDTH - LEFT - 24)
        y = (HEIGHT - BOTTOM) - (math.log10(seconds) - low) / (high - low) * (HEIGHT - BOTTOM - 20)
        return f"{x:.1f}", f"{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13" fill="#444">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        _, y = at(10**first, 10.0**power)
        words = f"{10.0**power:g} s"
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - 24}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{words}</text>')
    for power in range(round(first), round(last) + 1):
        x, _ = at(10**power, 10.0**low)
        parts.append(f'<text x="{x}" y="{HEIGHT - 24}" text-anchor="middle">{10**power:,}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">elements</text>')
    for number, work in enumerate(works):
        points = [at(e["elements"], e["seconds"]) for e in rows if e["work"] == work]
        path = "M" + "L".join(" ".join(point) for point in points)
        colour, below = COLOURS[number % len(COLOURS)], 24 + 18 * number
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in points]
        words = work.replace("<", "&lt;")
        parts.append(f'<text x="{LEFT + 12}" y="{below}" fill="{colour}">{words}</text>')
    return "\n".join([*parts, "</svg>", ""])
