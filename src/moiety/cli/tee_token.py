"""The verb that reads a token about an appraisal that somebody else made."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from moiety.agreement.fields import read_file
from moiety.cli import console
from moiety.cli.tee_verify import moment
from moiety.enclave.ear import Result, read_result


def token(
    file: Path = typer.Argument(..., help="The token that moiety tee verify wrote."),
    key: str = typer.Option(..., help="The key that must have signed it, ed25519:…"),
    nonce: str | None = typer.Option(None, help="What it must answer."),
    at: str = typer.Option("", help="The time to judge at, as 2025-07-19T08:00:00Z; else now."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Read a token about an appraisal; one that is not good is exit code 5.

    A good token may well say that the evidence was refused: look at its status.
    """
    told = read_file(file).decode("ascii", "replace")
    body = _described(read_result(told, key, now=moment(at), nonce=nonce))
    lines = [f"{name:<16} {value}" for name, value in body.items()]
    console.result(body, "\n".join(lines), as_json=json)


def _described(result: Result) -> dict[str, object]:
    return {
        "status": result.status,
        "simulated": result.simulated,
        "tee": result.tee,
        "vector": result.vector,
        "report_data": result.report_data.hex(),
        "evidence_sha256": result.evidence_sha256.hex(),
        "policy_sha256": result.policy_sha256.hex(),
        "refusals": list(result.refusals),
        "expires": datetime.fromtimestamp(result.expires, UTC).isoformat(),
        "nonce": result.nonce,
    }
