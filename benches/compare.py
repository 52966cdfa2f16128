"""All ways to do one task, compared: `moiety compare` on the credit story, columns divided."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def measure():
    """What the command prints for machines."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder) / "demo"
        moiety = [sys.executable, "-m", "moiety"]
        _run([*moiety, "demo", "credit", "--way", "transform", "--folder", stage, "--json"])
        page = Path(folder) / "comparison.html"
        printed = _run([*moiety, "compare", stage / "job.toml", "--out", page, "--json"])
    return json.loads(printed)


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[3]} failed: {done.stdout[-500:]}")
    return done.stdout


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
