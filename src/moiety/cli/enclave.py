"""The verbs of an enclave's operator."""

from pathlib import Path

import typer

from moiety.agreement.manifest import load_job
from moiety.cli import console
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
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
    home: Path = typer.Option(Path("enclave"), "--home", help="The operator's folder."),
    listen: str = typer.Option("127.0.0.1:7445", help="Where parties reach the enclave."),
    once: bool = typer.Option(False, "--once", help="Serve one job, then end."),
    job: list[Path] = typer.Option([], "--job", help="Serve this job only; may be repeated."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Serve jobs as a SIMULATED enclave, until interrupted.

    Its key pair and certificate live in memory. The simulated platform is made in HOME/platform at
    the first start; parties pin HOME/platform/root.der.
    """
    folder = home / "platform"
    made = (folder / "root.der").exists()
    platform = SimulationPlatform.load(folder) if made else SimulationPlatform.create(folder)
    serve_jobs(
        listen,
        credentials=make_credentials("enclave", 30),
        attester=SimulationAttester(platform),
        listener=console.listener("enclave", as_json=json),
        once=once,
        admitted=frozenset(load_job(path).hash for path in job),
    )
