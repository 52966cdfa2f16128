"""`moiety demo credit`: the main job on real data, in three processes on this machine."""

import shutil
from pathlib import Path

import typer

from moiety.cli import console
from moiety.cli.oracle import compare_with_plaintext
from moiety.cli.processes import run_all
from moiety.cli.stage import Stage, Terms, set_stage
from moiety.data.credit import split_credit
from moiety.errors import UsageError
from moiety.report.stored import from_json
from moiety.report.terminal import summary
from moiety.run.steps import Event

demo = typer.Typer(no_args_is_help=True, help="Real-data stories on this machine.")

SPLITS = ("thin", "bills", "strong", "fate")
SEED = 20


@demo.callback()
def group() -> None:
    """Real-data stories on this machine."""


@demo.command("credit")
def credit(
    split: str = typer.Option("thin", help="Who has which columns: thin, bills, strong, fate."),
    model: str = typer.Option("scorecard", help="scorecard or trees."),
    overlap: float = typer.Option(0.8, min=0.05, max=1.0, help="Share of clients in common."),
    folder: Path = typer.Option(Path("moiety-demo"), help="Made anew each time."),
    oracle: bool = typer.Option(True, help="Compare with plaintext afterwards, outside the job."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """A rural lender and a payment company make a joint credit score, and pool nothing."""
    if split not in SPLITS or model not in ("scorecard", "trees"):
        raise UsageError(
            f"no demo with split '{split}' and model '{model}'",
            hint=f"splits: {', '.join(SPLITS)}; models: scorecard, trees",
        )
    _clear(folder)
    stage = set_stage(folder, split_credit(split, overlap=overlap, seed=SEED), Terms(model=model))
    if not json:
        _introduce(stage)
    run_all(stage, as_json=json)
    if oracle:
        _oracle(stage, as_json=json)
    _conclude(stage, as_json=json)


MARK = ".moiety-demo"


def _clear(folder: Path) -> None:
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise UsageError(
                f"{folder} is not empty and was not made by the demo",
                hint="choose another with --folder",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("made by moiety demo, which deletes it\n", encoding="utf-8")


def _introduce(stage: Stage) -> None:
    console.stderr.print(
        f"[bold]A rural lender and a payment company[/] make a joint credit score. "
        f"Three processes in {stage.folder}, connected by mutual TLS only.\n"
        f"lender: {stage.lender_text}\npayco:  {stage.payco_text}\n"
    )


def _oracle(stage: Stage, *, as_json: bool) -> None:
    found = compare_with_plaintext(stage.folder)
    text = (
        f"secure against plaintext scores: largest difference {found.largest_difference:.1e} "
        f"in probability, {found.auc_difference:+.1e} in AUC "
        "(the demo holds both tables, the job did not)"
    )
    console.listener("oracle", as_json=as_json)(Event("oracle", "noted", text))


def _conclude(stage: Stage, *, as_json: bool) -> None:
    report = stage.page("lender").with_name("report.json").read_text(encoding="utf-8")
    if as_json:
        console.out(report)
        return
    console.stdout.print(summary(from_json(report)))
    console.out(f"\nThe lender's report: {stage.page('lender')}")
    console.out(f"The payment company's: {stage.page('payco')}")
