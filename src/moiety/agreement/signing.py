"""Ed25519 signatures of job hashes, and the keys that make them."""

import base64
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from moiety.errors import ConfigError, PolicyRefused

_DOMAIN = b"moiety job signature v1\0"
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)
"""The points of order 1, 2, 4 and 8, sign bit cleared, also in their second encodings."""
_DERIVE = b"moiety party secret v1\0"


class SigningKey:
    """A party's Ed25519 signing key. Its repr shows the public half only."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    def __repr__(self) -> str:
        return f"SigningKey({self.public})"

    @classmethod
    def create(cls) -> "SigningKey":
        """A fresh key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """The key in a PEM file.

        Raises:
            ConfigError: the file is absent or holds no Ed25519 key.
        """
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"no signing key in {path}", hint="moiety init makes one") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ConfigError(f"{path} does not hold an Ed25519 key")
        return cls(private)

    def save(self, path: Path) -> None:
        """Writes the key as PEM, readable by its owner only; an existing file is refused."""
        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)

    @property
    def private(self) -> Ed25519PrivateKey:
        """The key for the record, which signs in its own domain."""
        return self._private

    @property
    def public(self) -> str:
        """The public key as `ed25519:<base64>`."""
        return public_text(self._private.public_key())

    def derive(self, label: bytes) -> bytes:
        """A 32-byte secret of this party's own for a label: HMAC-SHA256 under the private key."""
        return hmac.digest(self._private.private_bytes_raw(), _DERIVE + label, "sha256")

    def sign(self, message: bytes, domain: bytes) -> bytes:
        """A 64-byte signature of the message in a domain."""
        return self._private.sign(domain + message)

    def sign_job(self, job_hash: bytes) -> bytes:
        """A 64-byte signature of a job's hash."""
        return self.sign(job_hash, _DOMAIN)


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as `ed25519:<base64>`."""
    return public_text_of(key.public_bytes_raw())


def public_text_of(raw: bytes) -> str:
    """32 raw bytes of a public key as `ed25519:<base64>`."""
    return "ed25519:" + base64.b64encode(raw).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """The public key in `ed25519:<base64>`.

    Raises:
        ConfigError: the text is not of that form.
    """
    scheme, _, body = text.partition(":")
    try:
        raw = base64.b64decode(body, validate=True)
        if scheme == "ed25519" and not _of_small_order(raw):
            return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        pass
    raise ConfigError(f"'{text}' is not a signing key", hint="its form is ed25519:<base64>")


def _of_small_order(raw: bytes) -> bool:
    """Whether one constant signature would verify for every message under this key."""
    return raw[:-1] + bytes([raw[-1] & 0x7F]) in _SMALL_ORDER if len(raw) == 32 else False


def verify(signature: bytes, message: bytes, *, domain: bytes, key: str, what: str) -> None:
    """Returns if the signature is good; otherwise refuses, naming `what` was signed."""
    try:
        public_key(key).verify(signature, domain + message)
    except InvalidSignature as error:
        raise PolicyRefused(
            f"the signature of {what} is not by {key}",
            hint="sign again with the key that the job names",
        ) from error


def verify_job(signature: bytes, job_hash: bytes, *, signer: str, key: str) -> None:
    """Returns if `signer` signed this job hash under `key`; otherwise refuses."""
    what = f"{signer} on the job {job_hash.hex()[:16]}"
    verify(signature, job_hash, domain=_DOMAIN, key=key, what=what)


def write_private(path: Path, content: bytes) -> None:
    """Writes a new file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", hint="keys are never overwritten") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
