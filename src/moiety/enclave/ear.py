"""An appraisal as a signed token, for those who rely on it and did not appraise themselves.

An attestation result (RFC 9334 §8.4) in the form of an Entity Attestation Token (RFC 9711) with the
claims of EAR (draft-ietf-rats-ear): status, and a trustworthiness vector in the values of AR4SI
(draft-ietf-rats-ar4si). Signed as a JWS (RFC 7515, compact) with Ed25519 (RFC 8037).

What a token says is its signer's word: it is as good as that key, and as the policy whose SHA-256
it holds. It says nothing about who presents it. Simulations are at best a `warning`, and so is what
an RA-TLS certificate carried.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature

from moiety import __version__
from moiety.agreement.signing import SigningKey, public_key
from moiety.enclave.appraise import Appraisal, report_data
from moiety.enclave.verify import Genuine
from moiety.errors import AttestationFailed, UsageError

PROFILE = "tag:moiety,2026:ear/1"
LIFE = 300
"""Seconds for which a token is good."""
CLOCK_SKEW = 60
TOKEN_LIMIT = 64 << 10

Status = Literal["none", "affirming", "warning", "contraindicated"]
VECTOR = ("instance-identity", "configuration", "executables", "hardware", "runtime-opaque")
"""The claims that are made; of the rest of AR4SI's vector nothing is said."""

_AFFIRMED, _WARNED, _VISIBLE, _UNSIGNED = 2, 32, 96, 99
_NONCE = (8, 88)
_HEADER = {"alg": "EdDSA", "typ": "JWT"}


@dataclass(frozen=True)
class Result:
    """What a token says. `vector` holds AR4SI's numbers; times are in seconds since 1970."""

    status: Status
    simulated: bool
    tee: str
    vector: dict[str, int]
    report_data: bytes
    evidence_sha256: bytes
    policy_sha256: bytes
    refusals: tuple[str, ...]
    issued: int
    expires: int
    nonce: str


def issue(appraisal: Appraisal, key: SigningKey, nonce: str) -> str:
    """The signed token about an appraisal; its receiver asked with `nonce`, 8–88 characters.

    Raises:
        UsageError: the nonce is too short or too long.
    """
    low, high = _NONCE
    if not (low <= len(nonce) <= high and nonce.isascii()):
        raise UsageError(f"a nonce of {len(nonce)} characters", hint=f"use {low} to {high}, ASCII")
    signed = f"{_encode(_HEADER)}.{_encode(_claims(appraisal, key, nonce))}"
    return f"{signed}.{_text(key.private.sign(signed.encode()))}"


def read_result(token: str, key: str, *, now: int, nonce: str | None = None) -> Result:
    """What a token says that this key (`ed25519:…`) signed, which is good at `now`.

    Raises:
        AttestationFailed: another key signed it, it has expired, it answers another nonce, or it is
            no such token.
    """
    claims = _checked(token, key)
    try:
        result = _result(claims)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(f"its claims, {type(error).__name__}") from error
    if not result.issued - CLOCK_SKEW <= now < result.expires:
        raise AttestationFailed(
            f"the token is good for {result.expires - result.issued} s from {result.issued}, "
            f"and it is {now}",
            hint="ask for a new appraisal, or check the clock",
        )
    if nonce is not None and result.nonce != nonce:
        raise AttestationFailed("the token answers another nonce", hint="ask for a new appraisal")
    return result


def status(appraisal: Appraisal) -> Status:
    """`none` for what cannot be read, `contraindicated` for what is refused; else by the vector."""
    if not appraisal.readable:
        return "none"
    if not appraisal.accepted:
        return "contraindicated"
    cautious = appraisal.simulated or appraisal.relay_prone
    warned = cautious or max(vector(appraisal).values()) >= _WARNED
    return "warning" if warned else "affirming"


def vector(appraisal: Appraisal) -> dict[str, int]:
    """AR4SI's numbers for what was appraised: 2 affirms, from 32 warns, from 96 contradicts."""
    found = appraisal.found
    if found is None:
        return {"hardware": _UNSIGNED} if appraisal.readable else {}
    if not found.production:
        return {"executables": _WARNED}
    debug = found.evidence.report.debug if isinstance(found, Genuine) else found.report.debug
    claims = {"hardware": _hardware(appraisal), "runtime-opaque": _VISIBLE if debug else _AFFIRMED}
    if appraisal.accepted:
        claims |= {"executables": _AFFIRMED, "configuration": _AFFIRMED}
        if _listed(appraisal):
            claims["instance-identity"] = _AFFIRMED
    return claims


def _hardware(appraisal: Appraisal) -> int:
    found = appraisal.found
    stale = isinstance(found, Genuine) and (found.tcb_status != "UpToDate" or found.advisories)
    return _WARNED if stale else _AFFIRMED


def _listed(appraisal: Appraisal) -> bool:
    """Whether the policy names the platforms that it accepts."""
    dcap, policy = isinstance(appraisal.found, Genuine), appraisal.policy
    return (policy.dcap.ppids if dcap else policy.snp.chip_ids) is not None


def _claims(appraisal: Appraisal, key: SigningKey, nonce: str) -> dict[str, Any]:
    found = appraisal.found
    module = {
        "ear.status": status(appraisal),
        "ear.trustworthiness-vector": vector(appraisal),
        "ear.appraisal-policy-id": f"sha-256:{appraisal.policy.digest.hex()}",
        "moiety.simulated": appraisal.simulated,
        "moiety.evidence-sha256": appraisal.evidence_sha256.hex(),
        "moiety.report-data": report_data(found).hex() if found else "",
        "moiety.refusals": list(appraisal.refusals),
    }
    return {
        "eat_profile": PROFILE,
        "eat_nonce": nonce,
        "iat": appraisal.appraised_at,
        "exp": appraisal.appraised_at + LIFE,
        "ear.verifier-id": {"developer": key.public, "build": f"moiety {__version__}"},
        "submods": {found.tee if found else "unknown": module},
    }


def _result(claims: dict[str, Any]) -> Result:
    if claims["eat_profile"] != PROFILE:
        raise ValueError
    ((tee, module),) = claims["submods"].items()
    vector_, stated = dict(module["ear.trustworthiness-vector"]), module["ear.status"]
    if stated not in ("none", "affirming", "warning", "contraindicated"):
        raise ValueError
    return Result(
        status=stated,
        simulated=_typed(module["moiety.simulated"], bool),
        tee=tee,
        vector={name: _typed(value, int) for name, value in vector_.items()},
        report_data=bytes.fromhex(module["moiety.report-data"]),
        evidence_sha256=bytes.fromhex(module["moiety.evidence-sha256"]),
        policy_sha256=bytes.fromhex(module["ear.appraisal-policy-id"].removeprefix("sha-256:")),
        refusals=tuple(_typed(each, str) for each in module["moiety.refusals"]),
        issued=_typed(claims["iat"], int),
        expires=_typed(claims["exp"], int),
        nonce=_typed(claims["eat_nonce"], str),
    )


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _checked(token: str, key: str) -> dict[str, Any]:
    """The claims of a token whose signature is good."""
    parts = token.strip().split(".")
    if len(token) > TOKEN_LIMIT or len(parts) != 3 or not token.isascii():
        raise _malformed("it is not of three parts")
    try:
        public_key(key).verify(_bytes(parts[2]), f"{parts[0]}.{parts[1]}".encode())
        header, claims = (json.loads(_bytes(part)) for part in parts[:2])
    except InvalidSignature as error:
        raise AttestationFailed(
            f"the token is not signed by {key}", hint="do not rely on it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _malformed(type(error).__name__) from error
    if header != _HEADER or not isinstance(claims, dict):
        raise _malformed("its header")
    return claims


def _encode(fields: dict[str, Any]) -> str:
    return _text(json.dumps(fields, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Base64 in its one canonical form: otherwise one token could be written in several ways."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(data) != text:
        raise ValueError
    return data


def _malformed(what: str) -> AttestationFailed:
    return AttestationFailed(
        f"this is no token of an appraisal: {what}", hint="moiety tee verify --token makes one"
    )
