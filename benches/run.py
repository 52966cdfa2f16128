"""Measures every figure that the documentation quotes, and writes it down: `make bench`.

    python benches/run.py [SECTION …]        see SECTIONS; all by default

Each section becomes benches/results/SECTION.json with the facts of the machine;
docs/figures.md is made of these files, and nothing else.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cluster
import compare
import demo
import figures
import machine
import psi
import scale
import scoring
import selection
import transform

RESULTS = Path(__file__).parent / "results"


def core():
    """The kernels, by `bench_core.py`."""
    command = [sys.executable, Path(__file__).parent / "bench_core.py", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"rows": json.loads(done.stdout)["rows"]}


def peers():
    """The comparison with a peer, which it sets up in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "peers.json"
        command = [sys.executable, Path(__file__).parent / "peers" / "run.py", "--out", target]
        subprocess.run(command, check=True)
        return json.loads(target.read_text(encoding="utf-8"))


SECTIONS = {
    "demo": demo.measure,
    "compare": compare.measure,
    "transform": transform.measure,
    "peers": peers,
    "selection": selection.measure,
    "scale": scale.measure,
    "psi": psi.measure,
    "scoring": scoring.measure,
    "cluster": cluster.measure,
    "core": core,
}


def main():
    """Measures the sections named on the command line, one after the other."""
    chosen = sys.argv[1:] or list(SECTIONS)
    if unknown := set(chosen) - set(SECTIONS):
        sys.exit(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    RESULTS.mkdir(exist_ok=True)
    for name in chosen:
        facts, began = machine.facts(), time.perf_counter()
        found = {"machine": facts, **SECTIONS[name]()}
        found["took"] = round(time.perf_counter() - began, 1)
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {found['took']} s")
    for path, text in figures.pages().items():
        path.write_text(text, encoding="utf-8")
    print(f"{figures.PAGE.relative_to(machine.ROOT)} is written")


if __name__ == "__main__":
    main()
