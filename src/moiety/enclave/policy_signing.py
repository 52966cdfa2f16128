"""Signatures of a policy file: FILE.sig beside it, a line for each, key and signature.

A signature (Ed25519, in a domain of its own) covers the SHA-256 of the file's bytes: one changed
byte, even in a comment, needs new ones.
"""

import base64
from collections.abc import Collection
from pathlib import Path

from moiety.agreement.fields import read_file
from moiety.agreement.signing import SigningKey, public_key, verify
from moiety.enclave.policy_file import TeePolicy
from moiety.errors import ConfigError, PolicyRefused

_DOMAIN = b"moiety tee policy signature v1\0"


def signatures_of(path: Path) -> Path:
    """The file with a policy's signatures."""
    return path.with_name(path.name + ".sig")


def sign_policy(path: Path, key: SigningKey) -> TeePolicy:
    """The policy, with this key's signature added to FILE.sig.

    Raises:
        PolicyRefused: the policy does not name this key among its signers.
        ConfigError: the policy, or its signatures, cannot be read.
    """
    policy = TeePolicy.load(path)
    if key.public not in policy.signers:
        raise PolicyRefused(
            f"{key.public} is not among the signers that {path} names",
            hint="add it to signers, or sign with another key",
        )
    found = {**_read(path), key.public: key.sign(policy.digest, _DOMAIN)}
    good = {each: text for each, text in found.items() if _signed(policy, each, text)}
    lines = [f"{each} {base64.b64encode(text).decode()}\n" for each, text in good.items()]
    signatures_of(path).write_text("".join(lines), encoding="utf-8")
    return policy


def load_policy(path: Path, pinned: Collection[str] = ()) -> TeePolicy:
    """The policy in a file that enough of its signers signed, all the `pinned` ones among them.

    Raises:
        PolicyRefused: it is not; who is missing is said.
        ConfigError: a key in `pinned`, the policy, or its signatures cannot be read.
    """
    for key in pinned:
        public_key(key)
    policy = TeePolicy.load(path)
    signed = signers(path, policy)
    missing = sorted(set(pinned).difference(signed))
    if missing:
        raise PolicyRefused(
            f"{path} is not signed by {', '.join(missing)}",
            hint="have the policy signed by these keys: moiety tee policy sign",
        )
    if len(signed) < policy.threshold:
        raise PolicyRefused(
            f"{path} has {len(signed)} good signatures of its signers, not {policy.threshold}",
            hint="have it signed by more of them: moiety tee policy sign",
        )
    return policy


def signers(path: Path, policy: TeePolicy) -> tuple[str, ...]:
    """Those of the policy's signers whose signature in FILE.sig is good."""
    found = _read(path)
    return tuple(key for key in policy.signers if key in found and _signed(policy, key, found[key]))


def _signed(policy: TeePolicy, key: str, signature: bytes) -> bool:
    try:
        verify(signature, policy.digest, domain=_DOMAIN, key=key, what=f"'{policy.name}'")
    except PolicyRefused:
        return False
    return True


def _read(path: Path) -> dict[str, bytes]:
    beside = signatures_of(path)
    if not beside.exists():
        return {}
    try:
        lines = [line.split() for line in read_file(beside).decode("ascii").splitlines()]
        return {key: base64.b64decode(text, validate=True) for key, text in lines}
    except ValueError as error:
        raise ConfigError(
            f"{beside} does not hold signatures", hint="a line is a key and its signature"
        ) from error
