"""`moiety explain`: which plan a secure function gets on a network, and why."""

import time

import typer

from moiety.cli import console, load
from moiety.function.function import FRACTION
from moiety.plan.pipeline import Target


def explain(
    place: str = typer.Argument(metavar="FILE.py:FUNCTION"),
    shape: list[str] = typer.Option([], help="An argument's shape: x=1000,10."),
    arg: list[str] = typer.Option([], help="A public parameter's value: steps=3."),
    network: str = typer.Option("lan", help="lan, wan, mobile, or 20ms,100Mbit."),
    fraction: int = typer.Option(FRACTION, help="Fraction bits of real numbers."),
    skip: list[str] = typer.Option([], help="A pass to leave out."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Show the plan of a secure function: ways, bytes, rounds, widths, errors."""
    target = Target(network=network, skip=skip, clock=time.perf_counter)
    given = {**load.shapes(shape), **load.arguments(arg)}
    page = load.function(place).compile(given, target=target, fraction=fraction).explain()
    if json:
        console.result(page.data.json, "", as_json=True)
    else:
        console.out(str(page))
