"""The demos' jobs, whole, in processes: each split of columns, each way to train."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from moiety.cli.oracle import compare_with_plaintext
from moiety.report.statements import verdict
from moiety.report.stored import from_json

CASES = (
    ("credit", "scorecard", "thin"),
    ("credit", "scorecard", "bills"),
    ("credit", "scorecard", "strong"),
    ("credit", "scorecard", "fate"),
    ("credit", "trees", "thin"),
    ("lending", "scorecard", "thin"),
    ("lending", "trees", "thin"),
    ("rural", "scorecard", ""),
)
"""Story, model, split; training is by MPC in all but the first story."""


def measure():
    """One row for each case, from the report that the lender gets."""
    return {"rows": [_run(*case) for case in CASES]}


def _run(story, model, split):
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "demo"
        command = [sys.executable, "-m", "moiety", "demo", story, "--json", "--no-oracle"]
        chosen = ["--folder", target, "--model", model, *(["--split", split] if split else [])]
        began, worked = time.perf_counter(), _processor()
        done = subprocess.run([*command, *chosen], capture_output=True, text=True, check=False)
        times = {"seconds": time.perf_counter() - began, "cpu": _processor() - worked}
        if done.returncode:
            raise RuntimeError(f"the demo failed: {done.stdout[-500:]}")
        oracle = compare_with_plaintext(target)
    report = from_json(done.stdout)
    return {"story": story, "split": split, "model": model, **times, **_facts(report, oracle)}


def _processor():
    """Seconds that all processes started and ended so far have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _facts(report, oracle):
    found = report.comparison
    training = sum(step.seconds for step in report.steps if step.part == "training")
    return {
        "training": training,
        "clients": report.columns[0].rows,
        "applicants": found.applicants,
        "lender_columns": len(report.columns),
        "alone": {"ks": found.alone.ks, "auc": found.alone.auc},
        "joint": {"ks": found.joint.ks, "auc": found.joint.auc},
        "auc_interval": found.auc_interval,
        "verdict": verdict(found).title,
        "rounds": sum(step.measured.rounds for step in report.steps),
        "sent": sum(step.measured.sent for step in report.steps),
        "received": sum(step.measured.received for step in report.steps),
        "difference": oracle.largest_difference,
        "auc_difference": oracle.auc_difference,
    }


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
