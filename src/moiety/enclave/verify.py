"""Evidence → Genuine → Authentic: signed by a platform, then about this channel; not yet accepted.

Two verifiers, one appraisal. `IntelVerifier` has Intel's root compiled in (by dcap-qvl) and takes
none; `SimulationVerifier` takes a root, and what it passes is never `production`. dcap-qvl checks
chains, revocation lists, dates and every signature, and refuses debug enclaves and revoked
platforms. Its claims-only policy is used, so that a stale platform is *named* here and *judged* in
`policy`, where every refusal is listed at once.
"""

import hashlib
import hmac
import json
from dataclasses import InitVar, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from dcap_qvl import QuoteCollateralV3, QuotePolicy, QuoteVerifier

from moiety.enclave.binding import Binding
from moiety.enclave.evidence import Evidence
from moiety.enclave.quote import TDX_TEE_TYPE, EnclaveReport, TdReport
from moiety.errors import AttestationFailed, ConfigError, InternalError
from moiety.wire.certificates import UNREADABLE

INTEL_ROOT_SHA256 = bytes.fromhex(
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
)
SIMULATION_NAME = "moiety SIMULATION ONLY"
PLATFORM_FLAGS = ("dynamic_platform", "cached_keys", "smt_enabled")

Tee = Literal["sgx", "tdx", "sim-sgx", "sim-tdx"]
_SEAL = object()
_SIMULATED: dict[Tee, Tee] = {"sgx": "sim-sgx", "tdx": "sim-tdx"}


@dataclass(frozen=True)
class Genuine:
    """Evidence that a platform under the named root signed, at `verified_at`; about nothing yet.

    `tcb_status` and `advisories` are the vendor's words about the platform; `platform_flags` are
    those of `PLATFORM_FLAGS` that its certificate sets; `tcb_evaluation` numbers the vendor's data
    that it was judged by, the older of TCB info and QE identity; `ppid` names the processor.
    `collateral_issued` is the oldest issue date of what the host supplied. Times are seconds since
    1970.
    """

    evidence: Evidence
    tee: Tee
    tcb_status: str
    advisories: tuple[str, ...]
    platform_flags: tuple[str, ...]
    tcb_evaluation: int
    ppid: bytes
    root_sha256: bytes
    collateral_issued: int
    verified_at: int
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError(f"{type(self).__name__} is made by a verifier only")

    @property
    def production(self) -> bool:
        """True for hardware under Intel's root; never for a simulation."""
        return self.tee in ("sgx", "tdx")


@dataclass(frozen=True)
class Authentic(Genuine):
    """Genuine evidence that is about this binding: a key may be released, if a policy accepts."""

    binding: Binding = field(repr=False)


class Verifier(Protocol):
    """Either verifier."""

    def verify(self, evidence: Evidence, binding: Binding, *, now: int) -> Authentic:
        """The evidence, authentic and about `binding`; AttestationFailed otherwise."""
        ...


class _Dcap:
    """What both verifiers do, each under its one root."""

    _engine: QuoteVerifier
    _root_sha256: bytes
    _simulated: bool

    def examine(self, evidence: Evidence, *, now: int) -> Genuine:
        """The evidence as its platform signs it, about whatever; AttestationFailed otherwise."""
        claims = _claims(self._engine, evidence, now)
        _check_same_reading(evidence, claims)
        return _genuine(evidence, claims, self._tee(claims), self._root_sha256, now)

    def verify(self, evidence: Evidence, binding: Binding, *, now: int) -> Authentic:
        """The evidence as its platform signs it about `binding`; `now` in seconds since 1970."""
        found = self.examine(evidence, now=now)
        if not hmac.compare_digest(evidence.report.report_data, binding.report_data):
            raise AttestationFailed(
                "evidence is not about this channel and job: its report data differ",
                hint="the evidence is from another session, another job or another peer: "
                "connect again",
            )
        same = {each.name: getattr(found, each.name) for each in fields(found)}
        return Authentic(**same, binding=binding, seal=_SEAL)

    def _tee(self, claims: dict[str, Any]) -> Tee:
        kind: Tee = "tdx" if claims["tee_type"] == TDX_TEE_TYPE else "sgx"
        return _SIMULATED[kind] if self._simulated else kind


class IntelVerifier(_Dcap):
    """Authenticity under Intel's SGX root, for SGX and TDX alike."""

    _root_sha256 = INTEL_ROOT_SHA256
    _simulated = False

    def __init__(self) -> None:
        self._engine = QuoteVerifier()


class SimulationVerifier(_Dcap):
    """Authenticity under a simulator's own root: shows the order of events, proves no secrecy."""

    _simulated = True

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
        self._root_sha256 = hashlib.sha256(root_der).digest()
        self._engine = QuoteVerifier(root_der)


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


def simulated_root(evidence: Evidence) -> bytes | None:
    """The root (DER) that evidence of a simulation names; None for what does not call itself one.

    Whoever verifies under it has shown nothing until it is compared with a pinned root.
    """
    try:
        root = x509.load_pem_x509_certificates(evidence.pck_chain)[-1]
        simulated = SIMULATION_NAME in root.subject.rfc4514_string()
    except UNREADABLE:
        return None
    return root.public_bytes(Encoding.DER) if simulated else None


def _advice(evidence: Evidence) -> str:
    """What to do about evidence that is not authentic, judged by what it calls itself."""
    if simulated_root(evidence) is not None:
        return "it is a SIMULATION's evidence; the policy admits none, or one under another root"
    return "get new collateral if a part expired; otherwise do not trust this platform"


def _genuine(
    evidence: Evidence, claims: dict[str, Any], tee: Tee, root_sha256: bytes, now: int
) -> Genuine:
    pck = claims["platform"]["pck"]
    return Genuine(
        evidence=evidence,
        tee=tee,
        tcb_status=claims["tcb"]["status"],
        advisories=tuple(sorted(claims["tcb"]["advisory_ids"])),
        platform_flags=_platform_flags(pck),
        tcb_evaluation=min(claims["tcb"]["eval_data_number"], claims["qe"]["tcb_eval_data_number"]),
        ppid=bytes(pck["ppid"]),
        root_sha256=root_sha256,
        collateral_issued=_issued(evidence),
        verified_at=now,
        seal=_SEAL,
    )


def _check_same_reading(evidence: Evidence, claims: dict[str, Any]) -> None:
    """What was verified is what was parsed: two parsers of one quote must not differ."""
    report, theirs = evidence.report, _flat(claims["report"])
    mine = _enclave_reading(report) if isinstance(report, EnclaveReport) else _td_reading(report)
    differing = [name for name, value in mine.items() if theirs.get(name) != value]
    if differing:
        raise AttestationFailed(f"two parsers read this quote differently: {', '.join(differing)}")


def _flat(report: dict[str, Any]) -> dict[str, Any]:
    """The fields of the one report that dcap-qvl read, whatever its kind; 1.5 holds a 1.0."""
    (found,) = report.values()
    return {**found.get("base", {}), **found}


def _enclave_reading(report: EnclaveReport) -> dict[str, Any]:
    return {
        "mr_enclave": report.mr_enclave.hex(),
        "mr_signer": report.mr_signer.hex(),
        "isv_prod_id": report.isv_prod_id,
        "isv_svn": report.isv_svn,
        "attributes": report.attributes.raw.hex(),
        "cpu_svn": report.cpu_svn.hex(),
        "report_data": report.report_data.hex(),
    }


def _td_reading(report: TdReport) -> dict[str, Any]:
    same = ("td_attributes", "xfam", "mr_td", "mr_config_id", "mr_seam", "tee_tcb_svn")
    registers = {f"rt_mr{n}": register.hex() for n, register in enumerate(report.rtmrs)}
    named = {name: getattr(report, name).hex() for name in (*same, "report_data")}
    return {**named, **registers}


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
    except UNREADABLE as error:
        raise AttestationFailed("collateral has an unreadable issue date") from error
