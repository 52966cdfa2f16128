"""`moiety doctor`: what may stop a job before it starts, in words."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from cryptography import x509

from moiety import __version__, _core
from moiety.cli import console
from moiety.errors import MoietyError
from moiety.party.config import Party, load_party

SOON = 30
TIMEOUT = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    text: str


def doctor(
    home: Path = typer.Option(Path("."), "--home", help="The party's folder."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Check certificate, clock, port, peers and tables; exit with 2 if something is amiss."""
    findings = list(_look(home))
    lines = [f"{'✓' if each.good else '✗'} {each.what}: {each.text}" for each in findings]
    body = {"findings": [vars(finding) for finding in findings]}
    console.result(body, "\n".join(lines), as_json=json)
    if not all(finding.good for finding in findings):
        raise typer.Exit(2)


def _look(home: Path) -> Iterator[Finding]:
    paths = ", ".join(f"{kernel} {path}" for kernel, path in _core.cpu_features().items())
    yield Finding("versions", True, f"moiety {__version__}, {ssl.OPENSSL_VERSION}; {paths}")
    try:
        party = load_party(home)
        party.signing_key.sign_job(bytes(32))
        yield _certificate(party)
    except MoietyError as error:
        yield Finding("folder", False, str(error))
        return
    yield _clock(home)
    yield _port(party)
    addresses = {name: peer.address for name, peer in party.peers.items()}
    for name, address in {**addresses, "enclave": party.enclave_address}.items():
        yield _reach(name, address)
    for data in party.data.values():
        there = data.path.exists() and data.schema.exists()
        text = (
            f"{data.path.name} and its schema"
            if there
            else f"{data.path} or {data.schema} is missing"
        )
        yield Finding(f"data {data.name}", there, text)
    if party.rules.enclave.policy.allow_simulation:
        yield Finding("policy", True, "admits a SIMULATED enclave: not for production")


def _certificate(party: Party) -> Finding:
    certificate = x509.load_der_x509_certificate(party.credentials.certificate)
    left = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    text = f"valid for {left} more days" + ("; make a new one soon" if left < SOON else "")
    return Finding("certificate", left >= 0, text)


def _clock(home: Path) -> Finding:
    """A clock behind the newest file of the folder has been set back."""
    newest = max(path.stat().st_mtime for path in home.rglob("*"))
    ahead = newest - datetime.now(UTC).timestamp()
    text = (
        "is behind files written earlier"
        if ahead > 60
        else f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )
    return Finding("clock", ahead <= 60, text)


def _port(party: Party) -> Finding:
    host, _, port = party.listen.rpartition(":")
    try:
        with socket.create_server((host.strip("[]"), int(port))):
            return Finding("port", True, f"{party.listen} can be listened on")
    except (OSError, ValueError, OverflowError) as error:
        return Finding("port", False, f"{party.listen} cannot be listened on: {error}")


def _reach(name: str, address: str) -> Finding:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT):
            return Finding(name, True, f"answers at {address}")
    except (OSError, ValueError, OverflowError) as error:
        return Finding(
            name, True, f"does not answer at {address} now ({error}); start it for a job"
        )
