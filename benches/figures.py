"""docs/figures.md from benches/results: every figure that the documentation quotes."""

from pathlib import Path

import cluster_figures
import compare_figures
import engine_figures
import transform_figures
from tables import load, size, table

PAGE = Path(__file__).parent.parent / "docs" / "figures.md"

SECTIONS = ("demo", "compare", "transform", "peers", "selection", "scale", "psi", "scoring")
SECTIONS += ("cluster", "core")
_HEAD = """\
# Figures

Made by `make bench` from `benches/results/*.json`; do not edit. Ranking figures, rounds and bytes
are the same on every machine; seconds are of the machine named here.
"""


def pages():
    """The page and its plot, from the results as they stand."""
    return {PAGE: render(), engine_figures.PLOT: engine_figures.plot(load("scale")["rows"])}


def render():
    """The page."""
    engine = (engine_figures.peers, engine_figures.selection, engine_figures.scale)
    ours = (compare_figures.compare, transform_figures.transform)
    sections = (_demo, *ours, *engine, _psi, _scoring, cluster_figures.cluster, _core)
    return "\n".join([_HEAD, _machine(), *(section() for section in sections)])


def _machine():
    lines = []
    for name in SECTIONS:
        facts = load(name)["machine"]
        state = " with changes" if facts["changed"] else ""
        at = f"commit {facts['commit'][:12]}{state}, load average {facts['load']:.1f} at the start"
        lines.append(f"| {name} | {at} |")
    kernels = ", ".join(f"{kernel} {path}" for kernel, path in facts["kernels"].items())
    software = f"Python {facts['python']}, NumPy {facts['numpy']}, moiety {facts['moiety']}"
    return "\n".join(
        [
            f"{facts['cores']} cores of {facts['processor']}, {facts['memory_gb']} GB, "
            f"{facts['system']}; {software}. Kernels in use: {kernels}.",
            "",
            "| section | measured at |",
            "| --- | --- |",
            *lines,
            "",
        ]
    )


def _demo():
    rows = []
    for each in load("demo")["rows"]:
        alone, joint, (low, high) = each["alone"], each["joint"], each["auc_interval"]
        rows.append(
            [
                ", ".join(filter(None, (each["story"], each["split"], each["model"]))),
                str(each["lender_columns"]),
                f"{alone['ks']:.3f} → {joint['ks']:.3f} ({joint['ks'] / alone['ks'] - 1:+.0%})",
                f"{alone['auc']:.3f} → {joint['auc']:.3f}",
                f"{low:+.3f} to {high:+.3f}",
                each["verdict"].removeprefix("Joining is ").removesuffix(" here"),
                f"{each['difference']:.1e}",
                f"{size(each['sent'])} / {size(each['received'])}",
                f"{each['training']:.1f}" if each["story"] != "credit" else "enclave",
                f"{each['seconds']:.0f} / {each['cpu']:.0f}",
            ]
        )
    first = load("demo")["rows"][0]
    note = (
        f"Processes on one machine; credit and lending: {first['clients']:,} common clients, "
        f"{first['applicants']:,} common applicants to score; rural: 500 clients of the credit "
        "union and 6,000 of each lender, 3,000 applicants. Alone → joint, on the applicants. "
        "*Difference*: the largest between secure and plaintext probabilities. *Sent / received*: "
        "the receiver's payload to and from the other computing party, all steps. *Training*: "
        "seconds by MPC. *Seconds*: the whole command, set-up of all folders included / what "
        "its processes computed together."
    )
    head = ["story, split, model", "own columns", "KS", "AUC", "95 % of the rise in AUC"]
    head += ["joining is", "difference", "sent / received", "training", "seconds / of processor"]
    return table("Whole jobs: `moiety demo`", head, rows, note)


def _psi():
    found = load("psi")
    rows = []
    ours = found["rows"][0].get("cpu")
    for each in found["rows"]:
        if "skipped" in each:
            rows.append([each["name"], f"left out: {each['skipped']}", "", "", "", ""])
            continue
        sent = [size(count) if count is not None else "–" for count in each["sent"]]
        learns = "both" if all(each["common"]) else "one"
        times = f"{each['cpu'] / ours:.2f}" if ours else "–"
        both = [f"{each[key]:.1f}" for key in ("seconds", "cpu")]
        rows.append([each["name"], *both, times, " / ".join(sent), learns])
    note = (
        f"{found['items']:,} × {found['items']:,} items, {found['common']:,} common; two "
        "processes, one core each; the slower party of the faster of two runs. moiety over TLS "
        "1.3, the others over plain TCP, to their advantage. SPU reads and writes CSV in its time "
        "and does not meter traffic. The ratio is of processor time, which other work on "
        "the machine disturbs least; above 1 is slower than moiety."
    )
    head = ["system", "seconds", "processor s", "moiety = 1", "sent by each", "who learns it"]
    return table("Private set intersection", head, rows, note)


def _scoring():
    rows = []
    for each in load("scoring")["rows"]:
        rows.append(
            [
                f"{each['model']}, {each['line']}",
                f"{each['applicants']:,}",
                str(each["rounds"] + 1),
                " / ".join(size(count) for count in each["sent"]),
                size(each["dealt"]),
                f"{1000 * each['median']:.0f}",
                f"{1000 * each['slowest']:.0f}",
                f"{1000 * each['dealing']:.0f}",
            ]
        )
    note = (
        "Two processes over TLS 1.3, one core each. *Rounds* include the one in which both show "
        "program and lot. *Sent*: by the receiver of scores (5 columns) / by the other (18). "
        "*Dealt*: to one party; the other gets a seed. Bytes and rounds are those predicted."
    )
    head = ["model, line", "applicants", "rounds", "sent", "dealt"]
    head += ["median ms", "slowest ms", "dealing ms"]
    return table("Scoring on shares", head, rows, note)


def _core():
    rows = [
        [each["kernel"], each["size"], f"{each['best']:.2f}", f"{each['median']:.2f}", each["unit"]]
        for each in load("core")["rows"]
    ]
    head = ["kernel", "size", "best", "median", "unit"]
    return table("Kernels of the Rust core", head, rows, "One call from Python.")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
