"""`moiety explain`: which plan a secure function gets on a network, and why."""

import time
from pathlib import Path

import typer

from moiety.cli import console, load
from moiety.cli.load import Wanted
from moiety.function.function import FRACTION

Network = typer.Option("", help="lan (the default), wan, mobile, or 20ms,100Mbit.")
Measured = typer.Option(None, "--calibration", help="What moiety calibrate measured.")
Error = typer.Option(None, help="The largest error of an approximation, in units of its result.")
Force = typer.Option([], help="A way or an expansion to take wherever it is possible: DPF.")
Fraction = typer.Option(FRACTION, help="Fraction bits of real numbers.")


def explain(
    place: str = typer.Argument(metavar="FILE.py:FUNCTION"),
    shape: list[str] = typer.Option([], help="An argument's shape: x=1000,10."),
    arg: list[str] = typer.Option([], help="A public parameter's value: steps=3."),
    network: str = Network,
    calibration: Path = Measured,
    error: float = Error,
    force: list[str] = Force,
    fraction: int = Fraction,
    skip: list[str] = typer.Option([], help="A pass to leave out."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Show the plan of a secure function: ways, bytes, rounds, widths, errors."""
    wanted = Wanted(
        place,
        shapes=tuple(shape),
        arguments=tuple(arg),
        fraction=fraction,
        network=network,
        calibration=load.calibration(calibration),
        error=error,
        force=tuple(force),
        skip=tuple(skip),
    )
    page = wanted.compiled(time.perf_counter).explain()
    if json:
        console.result(page.data.json, "", as_json=True)
    else:
        console.out(console.printable(str(page)))
