"""The verbs of a trusted execution environment: what this machine has, and what it can prove."""

import typer

tee = typer.Typer(no_args_is_help=True, help="Hardware that proves what it runs.")
