"""The verbs of a party: init, peer, data, job, run."""

from contextlib import nullcontext
from pathlib import Path

import typer

from moiety.agreement.manifest import Job, load_job
from moiety.audit import Recorder
from moiety.cli import console
from moiety.errors import ConfigError
from moiety.party.agree import sign
from moiety.party.conduct import run_job, stock_job
from moiety.party.config import Party, load_party
from moiety.party.policy import check_job
from moiety.party.setup import add_data, add_peer, init_party
from moiety.report.terminal import summary, to_json
from moiety.wire.channel import Heard

peer = typer.Typer(no_args_is_help=True, help="The parties that this one knows.")
data = typer.Typer(no_args_is_help=True, help="The tables that this party has.")
job = typer.Typer(no_args_is_help=True, help="Check a proposed job, and sign it.")

Home = typer.Option(Path("."), "--home", help="The party's folder.")
Json = typer.Option(False, "--json", help="Print JSON for machines.")


def init(
    name: str = typer.Argument(help="The party's name in jobs."),
    home: Path = Home,
    listen: str = typer.Option("127.0.0.1:7443", help="Where peers reach this party."),
    enclave: str = typer.Option("127.0.0.1:7445", help="Where the enclave is reached."),
    json: bool = Json,
) -> None:
    """Make a party's folder: keys, party.toml, and a policy that allows nothing yet."""
    card = init_party(home, name, listen=listen, enclave=enclave)
    console.result(
        {"party": name, "card": str(card)},
        f"{name} is set up in {home}. Give {card} to your partners; now edit {home}/policy.toml.",
        as_json=json,
    )


@peer.command("add")
def peer_add(card: Path, home: Path = Home, json: bool = Json) -> None:
    """Add a partner from its card; compare the fingerprints with it by telephone."""
    name = add_peer(home, card)
    known = load_party(home).peers[name]
    text = f"added {name} at {known.address}\n{known.certificate}\n{known.signing_key}"
    console.result({"peer": name, **vars(known)}, text, as_json=json)


@data.command("add")
def data_add(
    path: Path,
    name: str = typer.Option(..., help="What jobs call this table."),
    id: str = typer.Option(..., help="The column that identifies a person."),
    label: str = typer.Option("", help="The 0/1 column to be predicted, if this party has it."),
    schema: Path = typer.Option(None, help="Types and bounds; proposed where absent."),
    home: Path = Home,
    json: bool = Json,
) -> None:
    """Read a table whole against its schema, and add it to party.toml."""
    table = add_data(home, path, name=name, id=id, label=label or None, schema=schema)
    console.result(
        {"data": name, "rows": table.rows, "columns": list(table.names)},
        f"added {name}: {table.rows} rows, columns {', '.join(table.names)}",
        as_json=json,
    )


@job.command("check")
def job_check(path: Path, home: Path = Home, json: bool = Json) -> None:
    """Check a job against this party's policy; sign nothing."""
    party, proposal = load_party(home), load_job(path)
    check_job(party, proposal)
    text = f"{party.name}'s policy admits job {proposal.hash.hex()}"
    console.result({"job": proposal.hash.hex(), "admitted": True}, text, as_json=json)


@job.command("sign")
def job_sign(path: Path, home: Path = Home, json: bool = Json) -> None:
    """Check a job against this party's policy and sign its hash."""
    party, proposal = load_party(home), load_job(path)
    sign(party, proposal)
    text = f"{party.name} signed job {proposal.hash.hex()}: {proposal.purpose}"
    console.result({"job": proposal.hash.hex(), "signed_by": party.name}, text, as_json=json)


def run(
    path: Path = typer.Argument(help="The job that all parties signed."),
    name: str = typer.Option(..., "--as", help="Which party of the job this is."),
    home: Path = Home,
    view: Path | None = typer.Option(
        None, help="Write all that is received to this new file, to audit."
    ),
    json: bool = Json,
) -> None:
    """Run this party's part of a signed job; start the same at the other parties."""
    proposal = load_job(path)
    party = _party(home, name, proposal)
    listener = console.listener(name, as_json=json)
    with Recorder(view) if view else nullcontext() as recorder:
        outcome = run_job(party, proposal, listener, _noted(recorder))
    if json:
        console.out(to_json(outcome.report))
    else:
        console.stdout.print(summary(outcome.report))
        console.out(f"\nreport: {outcome.page}")


def offline(
    path: Path = typer.Argument(help="The job that all parties signed."),
    name: str = typer.Option(..., "--as", help="Which party of the job this is."),
    home: Path = Home,
    json: bool = Json,
) -> None:
    """Get what a run will need of its dealer ahead of time; start the same at the other parties."""
    proposal = load_job(path)
    party = _party(home, name, proposal)
    found = stock_job(party, proposal, console.listener(name, as_json=json))
    text = f"{found.lots:,} lots, {found.bytes:,} bytes: the next run of this job needs no dealer"
    if not found.lots:
        text = "the parties that compute have what the next run needs of a dealer"
    console.result(vars(found), text, as_json=json)


def _noted(recorder: Recorder | None) -> Heard | None:
    if recorder is None:
        return None
    return lambda step, sender, kind, payload: recorder.note(
        step, sender, payload, kind=kind.name.lower()
    )


def _party(home: Path, name: str, proposal: Job) -> Party:
    folder = home if (home / "party.toml").exists() else home / name
    party = load_party(folder)
    proposal.member(name)
    if party.name != name:
        raise ConfigError(f"{folder} is {party.name}'s folder, not {name}'s", hint="use --home")
    return party
