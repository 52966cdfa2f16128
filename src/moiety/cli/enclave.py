"""The verbs of an enclave's operator."""

from pathlib import Path

import typer

from moiety.agreement.manifest import load_job
from moiety.cli import console
from moiety.cli.attest import CollateralFile, Home, Simulate, find_attester
from moiety.enclave.measure import measurement
from moiety.enclave.serve import serve as serve_jobs
from moiety.wire.certificates import make_credentials

enclave = typer.Typer(no_args_is_help=True, help="Serve as the enclave; measure its code.")


@enclave.command("measure")
def measure(json: bool = typer.Option(False, "--json", help="Print JSON for machines.")) -> None:
    """Print the measurement of the code installed here, for parties' policies."""
    value = measurement().hex()
    console.result({"measurement": value}, value, as_json=json)


@enclave.command("serve")
def serve(
    home: Path = Home,
    listen: str = typer.Option("127.0.0.1:7445", help="Where parties reach the enclave."),
    simulate: bool = Simulate,
    collateral: Path | None = CollateralFile,
    once: bool = typer.Option(False, "--once", help="Serve one job, then end."),
    job: list[Path] = typer.Option([], "--job", help="Serve this job only; may be repeated."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Serve jobs as the enclave of the hardware that is here, until interrupted.

    Its key pair and certificate live in memory. Without hardware that attests it does not start,
    unless told to --simulate: then a platform is made in HOME/platform at the first start, and
    parties pin HOME/platform/root.der.
    """
    attester = find_attester(simulate=simulate, home=home, collateral=collateral)
    serve_jobs(
        listen,
        credentials=make_credentials("enclave", 30),
        attester=attester,
        listener=console.listener("enclave", as_json=json),
        once=once,
        admitted=frozenset(load_job(path).hash for path in job),
    )
