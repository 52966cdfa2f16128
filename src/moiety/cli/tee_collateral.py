"""The verbs of a cache of collateral: add bundles, fetch from a PCCS, list what expires when."""

import time
from pathlib import Path

import typer

from moiety.agreement.fields import read_file
from moiety.cli import console
from moiety.cli.tee_verify import moment
from moiety.enclave.appraise import recognise
from moiety.enclave.collateral import SOON, Cache, Kept, fetch, read_bundle
from moiety.enclave.quote import Quote
from moiety.enclave.ratls import RaTls
from moiety.errors import UsageError

collateral = typer.Typer(no_args_is_help=True, help="What Intel signs about its platforms.")

_CACHE = typer.Option(Path("collateral"), "--cache", help="The folder that it is kept in.")


@collateral.command("add")
def add(
    bundle: Path = typer.Argument(..., help="Collateral for one platform, or a list, JSON."),
    cache: Path = _CACHE,
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Keep what a bundle has that is newer than what is there."""
    _show(Cache(cache).add(read_bundle(read_file(bundle))), int(time.time()), as_json=json)


@collateral.command("fetch")
def fetch_(
    evidence: Path = typer.Argument(..., help="Evidence of the platform that is asked about."),
    pccs: str = typer.Option(..., help="The address of your PCCS: https://…"),
    cache: Path = _CACHE,
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Ask a PCCS, which learns which platform is asked about. There is no default address."""
    what = recognise(read_file(evidence)).what
    quote = Quote.parse(what.quote) if isinstance(what, RaTls) else what
    if not isinstance(quote, Quote):
        raise UsageError("a PCCS knows Intel's platforms only", hint="for AMD, give --chain")
    _show(Cache(cache).add([fetch(pccs, quote)]), int(time.time()), as_json=json)


@collateral.command("list")
def list_(
    cache: Path = _CACHE,
    at: str = typer.Option("", help="The time to judge at, as 2025-07-19T08:00:00Z; else now."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """List what is kept, and how many days are left."""
    _show(tuple(Cache(cache)), moment(at), as_json=json)


def _show(kept: tuple[Kept, ...], now: int, *, as_json: bool) -> None:
    rows = [{"platform": str(each.platform), "days_left": each.days_left(now)} for each in kept]
    marks = [" !" if each.days_left(now) < SOON else "" for each in kept]
    lines = [
        f"{row['platform']:<18} {row['days_left']:>4} days left{mark}"
        for row, mark in zip(rows, marks, strict=True)
    ]
    console.result({"collateral": rows}, "\n".join(lines or ["nothing"]), as_json=as_json)
