"""The verbs of those who say which environments may be trusted: check, sign, explain a policy."""

from pathlib import Path

import typer

from moiety.agreement.signing import SigningKey
from moiety.cli import console
from moiety.enclave.policy_file import TeePolicy
from moiety.enclave.policy_signing import load_policy, sign_policy, signatures_of, signers
from moiety.enclave.policy_words import explain as in_words

policy = typer.Typer(no_args_is_help=True, help="Policies: what an environment must be.")


@policy.command("check")
def check(
    file: Path = typer.Argument(..., help="The policy, TOML; its signatures are in FILE.sig."),
    signer: list[str] = typer.Option([], help="A key that must have signed; may be repeated."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Check that a policy can be meant, and that enough of its signers signed it.

    Without --signer the file alone says who its signers are: compare their keys another way.
    """
    found = load_policy(file, signer)
    signed = signers(file, found)
    text = f"'{found.name}' is signed by {len(signed)} of {len(found.signers)} signers:\n  " + (
        "\n  ".join(signed)
    )
    console.result({**_named(found), "signed_by": signed}, text, as_json=json)


@policy.command("sign")
def sign(
    file: Path = typer.Argument(..., help="The policy, TOML."),
    key: Path = typer.Option(..., help="Your signing key, PEM, as moiety init makes one."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Add your signature to FILE.sig. One changed byte of the policy needs new signatures."""
    found = sign_policy(file, SigningKey.load(key))
    signed = signers(file, found)
    text = f"{signatures_of(file)} has {len(signed)} of {found.threshold} signatures needed"
    console.result({**_named(found), "signed_by": signed}, text, as_json=json)


@policy.command("explain")
def explain(
    file: Path = typer.Argument(..., help="The policy, TOML; signed or not."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Say in words what a policy admits, and what it does not."""
    found = TeePolicy.load(file)
    admits, refuses = in_words(found)
    parts = [f"SHA-256 {found.digest.hex()}", "It admits:", *(f"  + {each}" for each in admits)]
    parts += ["It does not admit:", *(f"  - {each}" for each in refuses)]
    body = {**_named(found), "admits": admits, "refuses": refuses}
    console.result(body, "\n".join(parts), as_json=json)


def _named(found: TeePolicy) -> dict[str, object]:
    return {
        "policy": found.name,
        "sha256": found.digest.hex(),
        "production": found.production,
        "threshold": found.threshold,
    }
