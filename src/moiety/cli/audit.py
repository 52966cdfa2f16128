"""The verbs of an auditor."""

from pathlib import Path

import typer

from moiety.agreement.record import verify_record
from moiety.cli import console

audit = typer.Typer(no_args_is_help=True, help="Check the record of a job, offline.")


@audit.callback()
def group() -> None:
    """Check the record of a job, offline."""


@audit.command("verify")
def verify(
    path: Path,
    key: str = typer.Option("", help="The signing key that must have made it (ed25519:…)."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Check every signature and link of a record; one altered byte is found."""
    seen = verify_record(path, key or None)
    console.result(seen.to_dict(), str(seen), as_json=json)
