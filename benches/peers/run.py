"""Compares with PyPI `spu` 0.9.5 (SEMI2K) in one go; writes benches/results/peers.json.

    python benches/peers/run.py [--scale S] [--repeats R] [--peer DIR] [--out FILE]

The peer lives in an environment of its own, made once with Python 3.11 outside the repository
(some 1 GB; default: moiety-peer in the system's temporary folder). A ratio is the peer's total
time over ours, medians, our dealing included, both over plain TCP on loopback; our time over TLS
stands beside it. What a row cannot show for load on the machine is in its `load`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("spu==0.9.5", "jax==0.4.34", "jaxlib==0.4.34", "numpy==1.26.4")
BARS = {
    "multiply": {"ratio": 8},
    "x < 0, 64 bits": {"ratio": 25, "online bytes": 16},
    "x < 0, 24 bits": {"ratio": 50, "online bytes": 5},
    "x < 0, 24 bits, digits of 4": {"ratio": 50, "online bytes": 5},
    "sigmoid, all reals": {
        "ratio": 50,
        "error": 1e-3,
        "of peer's bytes": 1 / 20,
        "with dealt": 1 / 4,
    },
    "matmul": {"ratio": 4},
    "matmul, owned table": {"ratio": 40},
    "logistic step 65×30, range proven": {"ratio": 30},
    "logistic step 65×30, clamped": {"ratio": 15},
    "logistic step 1000×100, range proven": {"ratio": 25},
    "logistic step 1000×100, clamped": {"ratio": 15},
}
"""What each row is to reach: times as fast as the peer, bytes an element each way, and so on."""


def peer_python(folder: Path) -> Path:
    """The interpreter of the peer's environment, which is made if it is not there."""
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        print(f"setting up the peer in {folder} (once, about a minute)", file=sys.stderr)
        subprocess.run(["python3.11", "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / ".complete").touch()
    return python


def rows_of(command: list) -> list[dict]:
    """What a script prints as JSON; its chatter goes to the terminal only if it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(seconds: list[float]) -> dict:
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def reached(row: dict, peer: dict, ratio: float) -> dict:
    """What a row reached of what its bar may ask."""
    sent, theirs = sum(row["bytes"]), sum(map(float, filter(None, peer["bytes"]))) or float("nan")
    return {
        "ratio": ratio,
        "online bytes": max(row["bytes"]) / row["elements"] if row["elements"] else 0.0,
        "error": row["error"],
        "of peer's bytes": sent / theirs,
        "with dealt": (sent + row["dealt_bytes"]) / theirs,
    }


def judged(row: dict, peer: dict, tls: dict) -> dict:
    """One line of the result."""
    bar, total = BARS[row["work"]], spread(row["total"])
    ratio = statistics.median(peer["total"]) / total["median"]
    found = reached(row, peer, ratio)
    met = ratio >= bar["ratio"] and all(found[k] <= v for k, v in bar.items() if k != "ratio")
    return {
        "work": row["work"],
        "size": row["size"],
        "peer": "spu 0.9.5 SEMI2K",
        "seconds": {
            "online": spread(row["online"]),
            "dealt": spread(row["dealt"]),
            "total": total,
            "processor": spread(row["cpu"]),
            "total over TLS": spread(tls["total"]),
            "peer": spread(peer["total"]),
        },
        "bytes sent": {"each party": row["bytes"], "dealt": row["dealt_bytes"]},
        "online bytes per element": found["online bytes"],
        "bytes of the peer's": {"online": found["of peer's bytes"], "all": found["with dealt"]},
        "peer bytes sent": peer["bytes"],
        "rounds": row["rounds"],
        "peer messages": peer["messages"],
        "largest error": row["error"],
        "peer largest error": peer["error"],
        "ratio": ratio,
        "ratio over TLS": statistics.median(peer["total"]) / statistics.median(tls["total"]),
        "bar": bar,
        "met": met,
        "load": {"ours": row["load"], "peer": peer["load"]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Comparison with spu 0.9.5, in one run")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks all sizes")
    parser.add_argument("--repeats", type=int, default=5)
    folder = Path(tempfile.gettempdir()) / "moiety-peer"
    parser.add_argument("--peer", type=Path, default=folder, help="environment of the peer")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "peers.json")
    arguments = parser.parse_args()
    size = ["--scale", arguments.scale, "--repeats", arguments.repeats]
    peers = rows_of([peer_python(arguments.peer), HERE / "peer.py", *size])
    ours = rows_of([sys.executable, HERE / "own.py", "--json", *size])
    secured = rows_of([sys.executable, HERE / "own.py", "--json", "--tls", *size])
    by_name = {row["work"]: row for row in peers}
    rows = [judged(row, by_name[row["peer"]], tls) for row, tls in zip(ours, secured, strict=True)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"scale": arguments.scale, "rows": rows}
    arguments.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for row in rows:
        seconds, bar = row["seconds"], row["bar"]["ratio"]
        print(
            f"{row['work']:38}{row['size']:24}{1e3 * seconds['total']['median']:9.1f} ms"
            f"{1e3 * seconds['peer']['median']:9.1f} ms{row['ratio']:7.1f}× of {bar}×"
            f"  {'met' if row['met'] else 'NOT MET'}  (TLS {row['ratio over TLS']:.1f}×,"
            f" load {row['load']['ours']:.1f})"
        )


if __name__ == "__main__":
    main()
