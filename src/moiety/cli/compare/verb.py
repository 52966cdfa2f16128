"""The verb `moiety compare`."""

import json as json_format
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM, signal

import typer

from moiety.cli import console
from moiety.cli.compare import page
from moiety.cli.compare.compared import Subject
from moiety.cli.compare.result import Comparison
from moiety.cli.compare.show import shown
from moiety.cli.compare.task import load_task
from moiety.errors import UsageError
from moiety.report.page import save


def compare(
    path: Path = typer.Argument(help="A vertical job whose parties' folders are all at hand."),
    homes: Path | None = typer.Option(
        None, help="Where these folders are; by default, beside the job."
    ),
    out: Path = typer.Option(Path("comparison.html"), help="The page, made anew."),
    keep: Path | None = typer.Option(
        None, help="Keep what all runs leave behind in this new folder."
    ),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Do a job's task by every way, and show what each reaches, costs, needs and leaks.

    Only for who may have the tables of all parties: it pools them for the reference, and attacks.
    """
    began = time.perf_counter()
    if not out.parent.is_dir() or (keep is not None and keep.exists()):
        what = f"{out.parent} is no folder" if not out.parent.is_dir() else f"{keep} is there"
        raise UsageError(what, hint="--out in a folder that is there, --keep where nothing is")
    signal(SIGTERM, _ended)
    task = load_task(path, homes)
    with _folder(keep) as folder:
        subject = Subject(task)
        rows = tuple(subject.rows(folder, console.listener("compare", as_json=json)))
    found = Comparison.of(task, rows, subject.people, time.perf_counter() - began)
    save(page.render(found), out)
    if json:
        console.out(json_format.dumps(found.to_dict(), allow_nan=False))
        return
    console.stdout.print(shown(found))
    console.out(f"\npage: {out}")


def _ended(number: int, frame: object) -> None:
    """Ends as by an exception: what was started is stopped, and folders with keys are removed."""
    sys.exit(128 + number)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where runs have their folders; gone afterwards unless it is to be kept."""
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="moiety-compare-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
