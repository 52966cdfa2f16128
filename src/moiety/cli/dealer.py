"""The verb of a dealer that is no enclave."""

from pathlib import Path

import typer

from moiety.agreement.manifest import load_job, pin_text
from moiety.cli import console
from moiety.enclave.serve import serve as serve_jobs
from moiety.party.config import load_credentials
from moiety.party.setup import init_dealer
from moiety.wire.certificates import fingerprint

dealer = typer.Typer(no_args_is_help=True, help="Deal correlated randomness for jobs by MPC.")

Home = typer.Option(Path("dealer"), "--home", help="The dealer's folder.")
Json = typer.Option(False, "--json", help="Print JSON for machines.")


@dealer.command("init")
def init(home: Path = Home, json: bool = Json) -> None:
    """Make a dealer's folder with a certificate, and print what jobs pin of it."""
    init_dealer(home)
    certificate = pin_text(fingerprint(load_credentials(home).certificate))
    text = f'the dealer is set up in {home}; in job.toml: [dealer] certificate = "{certificate}"'
    console.result({"certificate": certificate}, text, as_json=json)


@dealer.command("serve")
def serve(
    home: Path = Home,
    listen: str = typer.Option("127.0.0.1:7446", help="Where parties reach the dealer."),
    once: bool = typer.Option(False, "--once", help="Serve one job, then end."),
    job: list[Path] = typer.Option([], "--job", help="Serve this job only; may be repeated."),
    json: bool = Json,
) -> None:
    """Serve jobs that name this dealer, until interrupted.

    It never sees a row, a model or a result. Together with one party, though, it could unmask the
    other: it must collude with nobody.
    """
    serve_jobs(
        listen,
        credentials=load_credentials(home),
        attester=None,
        listener=console.listener("dealer", as_json=json),
        once=once,
        admitted=frozenset(load_job(path).hash for path in job),
    )
