"""An appraisal of evidence from a file: recognised, examined, judged by a policy (RFC 9334 §4).

Whoever appraises a file has no channel to the environment. So an appraisal says what made the
evidence and whether a policy accepts that; to release a key it takes a channel, and `verify`.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from moiety.enclave.certificate import DER, Certificate, read_certificates
from moiety.enclave.collateral import Kept, choose, read_bundle
from moiety.enclave.evidence import Evidence, pack, unpack
from moiety.enclave.policy_file import TeePolicy
from moiety.enclave.quote import Quote
from moiety.enclave.ratls import RaTls, examine_ratls, read_ratls
from moiety.enclave.snp import SIZE, SnpReport
from moiety.enclave.snp_table import read_table
from moiety.enclave.snp_verify import SnpGenuine, examine_snp
from moiety.enclave.verify import Genuine, IntelVerifier, SimulationVerifier, simulated_root
from moiety.errors import AttestationFailed, DataError

EVIDENCE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Material:
    """What evidence is examined by: `collateral` for Intel's quotes, `chain` for AMD's reports."""

    collateral: tuple[Kept, ...] = ()
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True)
class Read:
    """Evidence as it was recognised; `beside` is what came with it, unread."""

    what: Quote | SnpReport | RaTls
    beside: bytes = field(repr=False)


@dataclass(frozen=True)
class Appraisal:
    """What was found, and every refusal; accepted where there is none. Times are in seconds.

    `found` is None for what no platform is shown to have signed. `relay_prone` evidence is that of
    an RA-TLS certificate. `compared` says whether the report data are the expected ones, `warning`
    that the collateral used will soon expire.
    """

    evidence_sha256: bytes
    policy: TeePolicy
    appraised_at: int
    readable: bool = False
    found: Genuine | SnpGenuine | None = None
    relay_prone: bool = False
    compared: bool = False
    refusals: tuple[str, ...] = ()
    hint: str = ""
    warning: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the policy accepts it."""
        return self.found is not None and not self.refusals

    @property
    def simulated(self) -> bool:
        """Whether a simulation made it."""
        return self.found is not None and not self.found.production


def recognise(data: bytes) -> Read:
    """The evidence in a file: a message of moiety, a quote, a report, or an RA-TLS certificate.

    Raises:
        AttestationFailed: it is none of these, or malformed.
    """
    if len(data) > EVIDENCE_LIMIT:
        raise AttestationFailed(f"evidence of {len(data)} bytes, above {EVIDENCE_LIMIT}")
    if data.startswith((b"-----BEGIN", DER)):
        return Read(read_ratls(read_certificates(data)[0]), b"")
    quote, beside = _parted(data)
    return Read(SnpReport.parse(quote) if len(quote) == SIZE else Quote.parse(quote), beside)


def appraise(
    data: bytes, material: Material, policy: TeePolicy, *, now: int, about: bytes | None = None
) -> Appraisal:
    """The appraisal of evidence by a policy; `about` are the 64 bytes that it must be about.

    Whatever is wrong with the evidence is a refusal in the result, not an error.
    """
    start = Appraisal(hashlib.sha256(data).digest(), policy, now)
    try:
        read = recognise(data)
    except AttestationFailed as error:
        return replace(start, refusals=(str(error),), hint=error.hint)
    start = replace(start, readable=True, relay_prone=isinstance(read.what, RaTls))
    try:
        found, used = _examine(read, material, now)
    except AttestationFailed as error:
        return replace(start, refusals=(str(error),), hint=error.hint)
    refusals = (*_about(found, about), *policy.refusals(found))
    return replace(
        start,
        found=found,
        compared=about is not None,
        refusals=refusals,
        warning=used.warning(now) if used else "",
    )


def report_data(found: Genuine | SnpGenuine) -> bytes:
    """What the environment had vouched for: 64 bytes."""
    whole = found.evidence if isinstance(found, Genuine) else found
    return whole.report.report_data


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """Quote or report, and what lies beside it in a message."""
    try:
        return unpack(data)
    except AttestationFailed:
        return data, b""


def _examine(read: Read, material: Material, now: int) -> tuple[Genuine | SnpGenuine, Kept | None]:
    """The evidence as its platform signed it, and the collateral that was used."""
    what = read.what
    if isinstance(what, SnpReport):
        return examine_snp(what, material.chain or read_table(read.beside), now=now), None
    quote = Quote.parse(what.quote) if isinstance(what, RaTls) else what
    used = _collateral(quote, read.beside, material)
    evidence = Evidence.parse(pack(quote.raw, used.raw))
    verifier = _verifier(evidence)
    if isinstance(what, RaTls):
        return examine_ratls(what, used.raw, verifier, now=now).genuine, used
    return verifier.examine(evidence, now=now), used


def _collateral(quote: Quote, beside: bytes, material: Material) -> Kept:
    """The given collateral, or else that which came with the quote."""
    if material.collateral or not beside:
        return choose(material.collateral, quote)
    try:
        return choose(read_bundle(beside), quote)
    except DataError as error:
        raise AttestationFailed(
            "what lies beside the quote is not collateral", hint="give collateral as a file"
        ) from error


def _verifier(evidence: Evidence) -> IntelVerifier | SimulationVerifier:
    """Intel's, unless the evidence calls itself a simulation: policies pin that one's root."""
    root = simulated_root(evidence)
    return IntelVerifier() if root is None else SimulationVerifier(root)


def _about(found: Genuine | SnpGenuine, about: bytes | None) -> Iterator[str]:
    said = report_data(found)
    if about is not None and not hmac.compare_digest(said, about):
        yield f"it is about {said.hex()}, not about the expected report data"
