"""The verbs of `moiety`, its exit codes, and how errors are shown.

Exit codes: 0 done · 2 usage, configuration or data · 3 refused by a policy or a signature ·
4 a peer was lost or misbehaved · 5 attestation failed · 6 accuracy check failed ·
7 correlated randomness exhausted · 70 a fault in moiety · 130 interrupted.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import typer
from typer.exceptions import TyperException

from moiety import __version__
from moiety.cli import console
from moiety.cli.arena_party import arena_party
from moiety.cli.audit import audit
from moiety.cli.calibrate import calibrate
from moiety.cli.compare.verb import compare
from moiety.cli.dealer import dealer
from moiety.cli.demo import demo
from moiety.cli.doctor import doctor
from moiety.cli.enclave import enclave
from moiety.cli.explain import explain
from moiety.cli.party import data, init, job, offline, peer, run
from moiety.cli.tee import tee
from moiety.cli.tee_collateral import collateral
from moiety.cli.tee_policy import policy
from moiety.cli.tee_token import token
from moiety.cli.tee_verify import verify
from moiety.cli.transform import transform
from moiety.cli.try_ import try_
from moiety.errors import InternalError, MoietyError, UsageError

INTERRUPTED = 130

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
app.command()(offline)
app.add_typer(enclave, name="enclave")
app.add_typer(tee, name="tee")
tee.command()(verify)
tee.command()(token)
tee.add_typer(policy, name="policy")
tee.add_typer(collateral, name="collateral")
app.add_typer(dealer, name="dealer")
app.add_typer(transform, name="transform")
app.add_typer(audit, name="audit")
app.command()(explain)
app.command("try")(try_)
app.command()(calibrate)
app.command()(compare)
app.command(hidden=True)(arena_party)
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
    """Runs the command line; whatever goes wrong is one sentence with a hint, and an exit code."""
    try:
        code = app(prog_name="moiety", standalone_mode=False)
    except Exception as error:
        if "MOIETY_TRACEBACK" in os.environ:
            raise
        code = _show(_named(error))
    if code == INTERRUPTED:
        _tell("interrupted", "", INTERRUPTED)
    sys.exit(code)


def _named(error: Exception) -> MoietyError:
    """Any error as one of ours; a fault's own text is left out, for it could quote data."""
    if isinstance(error, MoietyError):
        return error
    if isinstance(error, TyperException):
        command = getattr(getattr(error, "ctx", None), "command_path", "moiety")
        return UsageError(error.format_message(), hint=f"{command} --help tells how")
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return UsageError(f"{where}{error.strerror}", hint="check the path, its rights, the disk")
    last = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"a fault in moiety: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}",
        hint="please report it; MOIETY_TRACEBACK=1 shows all, data perhaps included",
    )


def _show(error: MoietyError) -> int:
    _tell(str(error), error.hint, error.exit_code)
    return error.exit_code


def _tell(what: str, hint: str, code: int) -> None:
    if "--json" in sys.argv:
        console.out(json.dumps({"error": what, "hint": hint, "exit_code": code}))
    elif what:
        console.problem(what, hint)
