"""The verb that appraises evidence from a file."""

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from moiety.agreement.fields import read_file
from moiety.agreement.signing import SigningKey
from moiety.cli import console
from moiety.enclave.appraise import Appraisal, Material, appraise
from moiety.enclave.certificate import read_certificates
from moiety.enclave.collateral import Cache, Kept, read_bundle
from moiety.enclave.ear import issue, status
from moiety.enclave.policy_signing import load_policy
from moiety.enclave.snp_verify import SnpGenuine
from moiety.enclave.verify import Genuine
from moiety.errors import AttestationFailed, UsageError


def verify(
    evidence: Path = typer.Argument(..., help="A quote, a report, a message, or a certificate."),
    policy: Path = typer.Option(..., help="The signed policy, TOML."),
    signer: list[str] = typer.Option([], help="A key that must have signed it; may be repeated."),
    collateral: Path | None = typer.Option(None, help="Collateral for Intel's quotes, JSON."),
    cache: Path | None = typer.Option(None, help="A folder of collateral."),
    chain: list[Path] = typer.Option([], help="AMD's certificates, PEM or DER; may be repeated."),
    at: str = typer.Option("", help="The time to verify at, as 2025-07-19T08:00:00Z; else now."),
    report: str = typer.Option("", "--report-data", help="What it must be about, hexadecimal."),
    token_key: Path | None = typer.Option(None, help="Your key that signs the token, PEM."),
    token: Path | None = typer.Option(None, help="Where a signed token of the result goes."),
    nonce: str = typer.Option("", help="What the token answers; else a fresh one."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Appraise evidence from a file by a signed policy; refused is exit code 5.

    Recognised are SGX and TDX quotes, SEV-SNP reports, messages that moiety packs, and RA-TLS
    certificates. All refusals are listed.
    """
    if (token is None) != (token_key is None):
        raise UsageError("--token and --token-key belong together", hint="give both, or neither")
    kept = (*(_bundle(collateral) if collateral else ()), *(Cache(cache) if cache else ()))
    found = appraise(
        read_file(evidence),
        Material(
            kept, tuple(each for path in chain for each in read_certificates(read_file(path)))
        ),
        load_policy(policy, signer),
        now=moment(at),
        about=_report_data(report) if report else None,
    )
    if token and token_key:
        told = issue(found, SigningKey.load(token_key), nonce or secrets.token_hex(16))
        token.write_text(told + "\n", encoding="ascii")
    _tell(found, as_json=json)


def _tell(found: Appraisal, *, as_json: bool) -> None:
    what = found.found
    if what is None:
        raise AttestationFailed(found.refusals[0], hint=found.hint)
    if found.refusals:
        raise AttestationFailed(
            f"refused by the policy '{found.policy.name}':\n  - " + "\n  - ".join(found.refusals),
            hint="ask its operator, or have the policy changed and signed again",
        )
    body = {**_described(found, what), **_platform(what), "notes": _notes(found)}
    console.result(body, "\n".join(_text(body)), as_json=as_json)


def _described(found: Appraisal, what: Genuine | SnpGenuine) -> dict[str, Any]:
    report = what.evidence.report if isinstance(what, Genuine) else what.report
    return {
        "accepted": found.accepted,
        "status": status(found),
        "tee": what.tee,
        "simulated": found.simulated,
        "relay_prone": found.relay_prone,
        "measurement": report.measurement.hex(),
        "report_data": report.report_data.hex(),
        "policy": found.policy.name,
        "policy_sha256": found.policy.digest.hex(),
        "evidence_sha256": found.evidence_sha256.hex(),
        "at": datetime.fromtimestamp(found.appraised_at, UTC).isoformat(),
    }


def _platform(what: Genuine | SnpGenuine) -> dict[str, Any]:
    if isinstance(what, SnpGenuine):
        tcb = what.report.tcb(what.product)
        return {"product": what.product, "tcb": tcb, "chip_id": what.report.chip_id.hex()}
    return {
        "tcb_status": what.tcb_status,
        "advisories": list(what.advisories),
        "tcb_evaluation": what.tcb_evaluation,
        "ppid": what.ppid.hex(),
    }


def _notes(found: Appraisal) -> list[str]:
    notes = []
    if found.simulated:
        notes.append("SIMULATED: it keeps nothing from its host")
    if found.relay_prone:
        notes.append("an RA-TLS certificate is open to relay: no key is to be released to it")
    if not found.compared:
        notes.append("what it is about was not compared: give --report-data")
    if found.warning:
        notes.append(found.warning)
    return notes


def _text(body: dict[str, Any]) -> list[str]:
    lines = [f"accepted by '{body['policy']}' ({body['status']})"]
    named = ("tee", "measurement", "report_data", "tcb_status", "product", "tcb", "at")
    lines += [f"  {name:<12} {body[name]}" for name in named if name in body]
    return [*lines, *(f"note: {note}" for note in body["notes"])]


def _bundle(path: Path) -> tuple[Kept, ...]:
    return read_bundle(read_file(path))


def moment(text: str) -> int:
    """A time in ISO 8601 with its zone, as seconds since 1970; now, for no text.

    Raises:
        UsageError: it is no such time.
    """
    if not text:
        return int(time.time())
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(f"'{text}' is not a time", hint="its form is 2025-07-19T08:00:00Z")
    return int(found.timestamp())


def _report_data(text: str) -> bytes:
    """64 bytes; fewer are filled with zeros, as quoting drivers do."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if not 1 <= len(found) <= 64:
        raise UsageError("--report-data is not hexadecimal of 1 to 64 bytes")
    return found.ljust(64, b"\0")
