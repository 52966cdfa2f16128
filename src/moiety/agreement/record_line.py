"""One line of a record: an event in canonical JSON, signed, with the hash of the line before.

Keys sorted, no spaces, ASCII, a newline after each line. The signature is Ed25519 over a
domain-separated SHA-256 of the same line without its `signature`.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from moiety.errors import InternalError

Scalar = str | int | float | bool | None
Body = Mapping[str, Scalar]

LINE_LIMIT = 1 << 16

_DOMAIN = b"moiety record line v1\x00"
_EVENT = re.compile(r"[a-z][a-z-]{0,39}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", re.ASCII)
_TYPES = {"sequence": int, "previous": str, "time": str, "event": str, "body": dict}


@dataclass(frozen=True)
class Entry:
    """One event of a record. `body` is flat: hashes, counts and names, never a secret."""

    sequence: int
    previous: str
    """SHA-256 of the line before, hex; 64 zeros in the first line."""
    time: str
    event: str
    body: Body

    def line(self, key: Ed25519PrivateKey) -> bytes:
        """The entry as a signed line, without the newline."""
        if not _well_typed(vars(self)):
            raise InternalError(f"the event {self.event!r} does not make a line of a record")
        signature = base64.b64encode(key.sign(_digest(self))).decode()
        line = _canonical({**vars(self), "signature": signature})
        if len(line) > LINE_LIMIT:
            raise InternalError(f"a line of {len(line)} bytes is too long for a record")
        return line

    def signed_by(self, key: Ed25519PublicKey, signature: bytes) -> bool:
        """Whether `signature` is this key's signature of the entry."""
        try:
            key.verify(signature, _digest(self))
        except InvalidSignature:
            return False
        return True


def parse_line(line: bytes) -> tuple[Entry, bytes] | None:
    """The entry and its signature, unchecked; None for any spelling but the canonical one."""
    if len(line) > LINE_LIMIT:
        return None
    try:
        fields = json.loads(line)
        signature = base64.b64decode(fields["signature"], validate=True)
        spelling = {**fields, "signature": base64.b64encode(signature).decode()}
        if _canonical(spelling) != line:
            return None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    del fields["signature"]
    return (Entry(**fields), signature) if _well_typed(fields) else None


def line_hash(line: bytes) -> str:
    """SHA-256 of a line without its newline, hex."""
    return hashlib.sha256(line).hexdigest()


def _well_typed(fields: Mapping[str, Any]) -> bool:
    return (
        {name: type(value) for name, value in fields.items()} == _TYPES
        and _EVENT.fullmatch(fields["event"]) is not None
        and _TIME.fullmatch(fields["time"]) is not None
        and all(isinstance(name, str) for name in fields["body"])
        and all(_is_scalar(value) for value in fields["body"].values())
    )


def _is_scalar(value: object) -> bool:
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, Scalar)


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(entry: Entry) -> bytes:
    return hashlib.sha256(_DOMAIN + _canonical(vars(entry))).digest()
