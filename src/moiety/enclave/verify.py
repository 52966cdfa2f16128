"""Evidence → Authentic: signed by a genuine platform, about this channel. Not yet acceptable.

Two verifiers, one appraisal. `IntelVerifier` has Intel's root compiled in (by dcap-qvl) and takes
none; `SimulationVerifier` takes a root, and what it passes is never `production`. dcap-qvl checks
chains, revocation lists, dates and every signature, and refuses debug enclaves and revoked
platforms. Its claims-only policy is used, so that a stale platform is *named* here and *judged* in
`policy`, where every refusal is listed at once.
"""

import hashlib
import hmac
import json
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from cryptography import x509
from dcap_qvl import QuoteCollateralV3, QuotePolicy, QuoteVerifier

from moiety.enclave.binding import Binding
from moiety.enclave.evidence import Evidence
from moiety.enclave.quote import EnclaveReport
from moiety.errors import AttestationFailed, ConfigError, InternalError
from moiety.wire.certificates import UNREADABLE

INTEL_ROOT_SHA256 = bytes.fromhex(
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
)
SIMULATION_NAME = "moiety SIMULATION ONLY"
PLATFORM_FLAGS = ("dynamic_platform", "cached_keys", "smt_enabled")

Tee = Literal["sgx", "sim-sgx"]
_SEAL = object()


@dataclass(frozen=True)
class Authentic:
    """Evidence that a platform under the named root signed about this binding, at `verified_at`.

    `tcb_status` and `advisories` are the vendor's words about the platform; `platform_flags` are
    those of `PLATFORM_FLAGS` that its certificate sets. `collateral_issued` is the older of the
    issue dates of TCB info and QE identity. Times are seconds since 1970.
    """

    evidence: Evidence
    binding: Binding = field(repr=False)
    tee: Tee
    tcb_status: str
    advisories: tuple[str, ...]
    platform_flags: tuple[str, ...]
    root_sha256: bytes
    collateral_issued: int
    verified_at: int
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("Authentic is made by a verifier only")

    @property
    def production(self) -> bool:
        """True for hardware under Intel's root; never for a simulation."""
        return self.tee == "sgx"


class Verifier(Protocol):
    """Either verifier."""

    def verify(self, evidence: Evidence, binding: Binding, *, now: int) -> Authentic:
        """The evidence, authentic and about `binding`; AttestationFailed otherwise."""
        ...


class IntelVerifier:
    """Authenticity under Intel's SGX root."""

    def verify(self, evidence: Evidence, binding: Binding, *, now: int) -> Authentic:
        """The evidence as Intel's platforms sign it; `now` in seconds since 1970."""
        return _appraise(QuoteVerifier(), "sgx", INTEL_ROOT_SHA256, (evidence, binding), now)


class SimulationVerifier:
    """Authenticity under a simulator's own root: shows the order of events, proves no secrecy."""

    def __init__(self, root_der: bytes) -> None:
        """Raise ConfigError for a root that does not call itself a simulation."""
        try:
            subject = x509.load_der_x509_certificate(root_der).subject.rfc4514_string()
        except UNREADABLE as error:
            raise ConfigError("the simulation root is not a DER certificate") from error
        if SIMULATION_NAME not in subject:
            raise ConfigError(
                f"root {subject!r} is not a simulation's",
                hint=f"its subject says {SIMULATION_NAME!r}; for hardware use IntelVerifier",
            )
        self._root = root_der

    def verify(self, evidence: Evidence, binding: Binding, *, now: int) -> Authentic:
        """The evidence as this simulator signs it; `now` in seconds since 1970."""
        root_sha256 = hashlib.sha256(self._root).digest()
        engine = QuoteVerifier(self._root)
        return _appraise(engine, "sim-sgx", root_sha256, (evidence, binding), now)


def _appraise(
    engine: QuoteVerifier, tee: Tee, root_sha256: bytes, about: tuple[Evidence, Binding], now: int
) -> Authentic:
    evidence, binding = about
    claims = _claims(engine, evidence, now)
    _check_same_reading(evidence, claims)
    if not hmac.compare_digest(evidence.report.report_data, binding.report_data):
        raise AttestationFailed(
            "evidence is not about this channel and job: its report data differ",
            hint="the evidence is from another session, another job or another peer: connect again",
        )
    return Authentic(
        evidence=evidence,
        binding=binding,
        tee=tee,
        tcb_status=claims["tcb"]["status"],
        advisories=tuple(sorted(claims["tcb"]["advisory_ids"])),
        platform_flags=_platform_flags(claims["platform"]["pck"]),
        root_sha256=root_sha256,
        collateral_issued=_issued(evidence),
        verified_at=now,
        seal=_SEAL,
    )


def _claims(engine: QuoteVerifier, evidence: Evidence, now: int) -> dict[str, Any]:
    parts = evidence.collateral
    try:
        collateral = QuoteCollateralV3(
            parts.pck_crl_issuer_chain,
            parts.root_ca_crl,
            parts.pck_crl,
            parts.tcb_info_issuer_chain,
            parts.tcb_info,
            parts.tcb_info_signature,
            parts.qe_identity_issuer_chain,
            parts.qe_identity,
            parts.qe_identity_signature,
        )
        policy = QuotePolicy.claims_only(now)
        verified = engine.verify_with_policy(evidence.quote, collateral, now, policy)
    except (ValueError, OverflowError) as error:
        raise AttestationFailed(
            f"evidence is not authentic: {error}", hint=_advice(evidence)
        ) from error
    claims: dict[str, Any] = json.loads(verified.to_json())
    return claims


def _advice(evidence: Evidence) -> str:
    """What to do about evidence that is not authentic, judged by what it calls itself."""
    try:
        chain = x509.load_pem_x509_certificates(evidence.pck_chain)
        simulated = any(SIMULATION_NAME in each.subject.rfc4514_string() for each in chain)
    except UNREADABLE:
        simulated = False
    if simulated:
        return "it is a SIMULATION's evidence; the policy admits none, or one under another root"
    return "get new collateral if a part expired; otherwise do not trust this platform"


def _check_same_reading(evidence: Evidence, claims: dict[str, Any]) -> None:
    """What was verified is what was parsed: two parsers of one quote must not differ."""
    report = evidence.report
    if not isinstance(report, EnclaveReport):
        raise AttestationFailed("evidence is of a virtual machine (TDX), not of an SGX enclave")
    theirs = claims["report"]["SgxEnclave"]
    mine = {
        "mr_enclave": report.mr_enclave.hex(),
        "mr_signer": report.mr_signer.hex(),
        "isv_prod_id": report.isv_prod_id,
        "isv_svn": report.isv_svn,
        "attributes": report.attributes.raw.hex(),
        "cpu_svn": report.cpu_svn.hex(),
        "report_data": report.report_data.hex(),
    }
    differing = [name for name, value in mine.items() if theirs[name] != value]
    if differing:
        raise AttestationFailed(f"two parsers read this quote differently: {', '.join(differing)}")


def _platform_flags(pck: dict[str, Any]) -> tuple[str, ...]:
    """Flags that are set, or that dcap-qvl words in a way unknown here."""
    return tuple(flag for flag in PLATFORM_FLAGS if pck.get(flag) not in ("False", "Undefined"))


def _issued(evidence: Evidence) -> int:
    """The oldest issue date of TCB info, QE identity and the platforms' revocation list.

    The host supplies all three: an old list would hide that its platform was revoked since. The
    root's own list lives for years, so only its expiry counts.
    """
    documents = (evidence.collateral.tcb_info, evidence.collateral.qe_identity)
    dates = [json.loads(document)["issueDate"] for document in documents]
    try:
        revocations = x509.load_der_x509_crl(evidence.collateral.pck_crl).last_update_utc
        issued = [datetime.fromisoformat(date) for date in dates] + [revocations]
        return min(int(date.timestamp()) for date in issued)
    except ValueError as error:
        raise AttestationFailed("collateral has an unreadable issue date") from error
