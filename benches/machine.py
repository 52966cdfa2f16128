"""What a figure depends on beside the code: the machine, the versions, how busy it was."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from moiety import __version__, _core

ROOT = Path(__file__).resolve().parent.parent


def facts():
    """Machine, system, versions, commit; `load` is the average of the last minute."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "moiety": __version__,
        "numpy": version("numpy"),
        "kernels": _core.cpu_features(),
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--", "src", "crates", "benches/*.py")),
        "load": round(os.getloadavg()[0], 2),
    }


def pin(party):
    """Gives this process one core, as if each party had a machine of its own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[party % os.cpu_count()]})


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
