"""The verbs of `moiety`, its exit codes, and how errors are shown.

Exit codes: 0 done · 2 usage, configuration or data · 3 refused by a policy or a signature ·
4 a peer was lost or misbehaved · 5 attestation failed · 6 accuracy check failed ·
7 correlated randomness exhausted · 70 a fault in moiety · 130 interrupted.
"""

import json
import sys

import typer

from moiety import __version__
from moiety.cli import console
from moiety.cli.audit import audit
from moiety.cli.demo import demo
from moiety.cli.doctor import doctor
from moiety.cli.enclave import enclave
from moiety.cli.explain import explain
from moiety.cli.party import data, init, job, peer, run
from moiety.cli.try_ import try_, try_party
from moiety.errors import MoietyError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Joint machine learning on data that stays apart.",
)
app.command()(init)
app.add_typer(peer, name="peer")
app.add_typer(data, name="data")
app.add_typer(job, name="job")
app.command()(run)
app.add_typer(enclave, name="enclave")
app.add_typer(audit, name="audit")
app.command()(explain)
app.command("try")(try_)
app.command("try-party", hidden=True)(try_party)
app.command()(doctor)
app.add_typer(demo, name="demo")


def _version(wanted: bool) -> None:
    if wanted:
        console.out(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True),
) -> None:
    """Joint machine learning on data that stays apart."""


def main() -> None:
    """Runs the command line; an error is one sentence with a hint, and an exit code."""
    try:
        app()
    except MoietyError as error:
        _show(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.problem("interrupted", "")
        sys.exit(130)


def _show(error: MoietyError) -> None:
    if "--json" in sys.argv:
        body = {"error": str(error), "hint": error.hint, "exit_code": error.exit_code}
        console.out(json.dumps(body))
    else:
        console.problem(str(error), error.hint)
