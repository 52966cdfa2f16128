"""The verbs of a trusted execution environment: what this machine has, and what it can prove."""

import hashlib
from pathlib import Path

import typer

from moiety.cli import console
from moiety.cli.attest import CollateralFile, Home, Simulate, find_attester, warn
from moiety.cli.tee_findings import look
from moiety.enclave.attester import Attester
from moiety.enclave.attester.scenario import Form
from moiety.enclave.attester.tpm import WHERE, Tpm
from moiety.enclave.tpm import TpmEvidence
from moiety.errors import AttestationFailed, UsageError

REPORT_DATA_SIZE = 64

tee = typer.Typer(no_args_is_help=True, help="Hardware that proves what it runs.")


@tee.command("quote")
def quote(
    out: Path = typer.Option(..., "--out", help="Where the quote is written."),
    report_data: str = typer.Option(
        "", "--report-data", help="Up to 64 bytes, hexadecimal; zeros follow."
    ),
    simulate: bool = Simulate,
    form: Form = typer.Option("sgx-v3", "--form", help="What a simulation quotes."),
    home: Path = Home,
    collateral: Path | None = CollateralFile,
    tpm: str = typer.Option("", "--tpm", help=f"Quote by a TPM instead, such as {WHERE}."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Have this machine's hardware quote what runs here.

    OUT gets the quote with what belongs to it: Intel's collateral, or the certificate table of
    SEV-SNP; of a TPM, its PCRs and the log of what was booted.
    """
    data = _report_data(report_data)
    if tpm and simulate:
        raise UsageError("a TPM is not simulated here", hint="leave out --simulate or --tpm")
    if tpm:
        body = _by_tpm(tpm, data, out)
    else:
        found = find_attester(simulate=simulate, home=home, collateral=collateral, form=form)
        body = _by_tee(found, data, out)
    text = "\n".join(f"{name:12} {value}" for name, value in body.items())
    console.result({"report_data": data.hex(), **body}, text, as_json=json)


def _by_tee(attester: Attester, data: bytes, out: Path) -> dict[str, object]:
    """Writes evidence; what is said of it."""
    out.write_bytes(attester.quote(data))
    warn(attester)
    return {
        "tee": attester.tee,
        "production": attester.production,
        "measurement": attester.measurement.hex(),
        "evidence": str(out),
    }


def _by_tpm(where: str, data: bytes, out: Path) -> dict[str, object]:
    """Writes a TPM's evidence; what is said of it."""
    with Tpm(where) as tpm:
        out.write_bytes(tpm.quote(data))
    pcrs = TpmEvidence.parse(out.read_bytes()).pcrs
    values = {f"PCR {number}": value.hex() for number, value in pcrs.items()}
    return {
        "tee": "tpm",
        "key": hashlib.sha256(tpm.key).hexdigest(),
        "evidence": str(out),
        **values,
    }


@tee.command("doctor")
def doctor(
    pccs: str = typer.Option("", "--pccs", help="HOST:PORT of your PCCS, if it is not set up."),
    collateral: Path | None = CollateralFile,
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Say what this machine has of SGX, TDX, SEV-SNP and TPM; exit with 5 if no TEE is usable."""
    findings = list(look(pccs=pccs, collateral=collateral))
    usable = [each.what for each in findings if each.proves]
    lines = [each.line for each in findings]
    verdict = f"usable: {', '.join(usable)}" if usable else "no TEE is usable on this machine"
    body = {"findings": [vars(each) for each in findings], "usable": usable}
    console.result(body, "\n".join([*lines, verdict]), as_json=json)
    if not usable:
        raise typer.Exit(AttestationFailed.exit_code)


def _report_data(text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise UsageError("--report-data is not hexadecimal", hint="two digits a byte") from error
    if len(data) > REPORT_DATA_SIZE:
        raise UsageError(
            f"{len(data)} bytes of report data, above {REPORT_DATA_SIZE}",
            hint="give a hash of what is longer",
        )
    return data.ljust(REPORT_DATA_SIZE, b"\0")
