"""A policy in words: what it admits, and what it does not."""

from collections.abc import Iterator

from moiety.enclave.policy import TCB_STATUSES, EnclavePolicy
from moiety.enclave.policy_file import DAY, TEES, TeePolicy
from moiety.enclave.snp import PLATFORM_BITS
from moiety.enclave.snp_policy import SnpPolicy
from moiety.enclave.verify import PLATFORM_FLAGS

_KINDS = {
    "sgx": "Intel SGX enclaves",
    "tdx": "virtual machines on Intel TDX",
    "snp": "virtual machines on AMD SEV-SNP",
}
_MANY = 4


def explain(policy: TeePolicy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the policy admits, and what it does not: sentences of both kinds."""
    admits = [*_general(policy)]
    for tee in TEES:
        if tee in policy.tees:
            admits += _admitted(policy, tee)
    return tuple(admits), tuple(_refused(policy))


def _general(policy: TeePolicy) -> Iterator[str]:
    use = "production" if policy.production else "trials, not for production"
    yield f"'{policy.name}' is for {use}; {policy.threshold} of {len(policy.signers)} must sign it."
    if policy.dcap.simulation_root_sha256 is not None:
        root = policy.dcap.simulation_root_sha256.hex()
        yield f"SIMULATIONS under the root {root}: they keep NOTHING from their host."


def _admitted(policy: TeePolicy, tee: str) -> Iterator[str]:
    code = {"sgx": _enclaves, "tdx": _machines, "snp": _snp_machines}[tee](policy)
    platform = _snp_platforms(policy.snp) if tee == "snp" else _platforms(policy.dcap)
    if not code or not platform:
        yield f"{_KINDS[tee]}: none, for {'no platform' if code else 'no code'} is named."
        return
    yield f"{_KINDS[tee]} {code}; {platform}."


def _enclaves(policy: TeePolicy) -> str:
    ways, signer = [_list("measured", policy.dcap.measurements)], policy.dcap.signer
    if signer is not None:
        ways.append(
            f"signed by {signer.mr_signer.hex()} as product {signer.isv_prod_id}, "
            f"security version {signer.min_isv_svn} or later"
        )
    return ", or ".join(way for way in ways if way)


def _machines(policy: TeePolicy) -> str:
    named = _list("with mr_td", frozenset(each.mr_td for each in policy.dcap.machines))
    return named and f"{named}, each with its four RTMRs"


def _snp_machines(policy: TeePolicy) -> str:
    return _list("measured", policy.snp.measurements)


def _platforms(policy: EnclavePolicy) -> str:
    """Empty where some demand is unset, so that no platform can be admitted."""
    if not policy.tcb_statuses or None in (policy.max_age, policy.min_tcb_evaluation):
        return ""
    if policy.ppids == frozenset():
        return ""
    which = "any processor" if policy.ppids is None else f"{len(policy.ppids)} named processors"
    parts = [
        f"on {which} of status {', '.join(sorted(policy.tcb_statuses))}",
        f"judged by TCB evaluation {policy.min_tcb_evaluation} or later",
        f"with collateral of at most {(policy.max_age or 0) // DAY} days",
    ]
    if policy.accepted_advisories:
        parts.append(f"even with {', '.join(sorted(policy.accepted_advisories))}")
    if policy.accepted_platform:
        parts.append(f"even with {', '.join(sorted(policy.accepted_platform))}")
    return ", ".join(parts)


def _snp_platforms(policy: SnpPolicy) -> str:
    if not policy.min_tcb or policy.chip_ids == frozenset():
        return ""
    which = "any chip" if policy.chip_ids is None else f"{len(policy.chip_ids)} named chips"
    versions = ", ".join(f"{part} {least}" for part, least in policy.min_tcb.items())
    key = "by the chip's key or a cloud operator's" if policy.allow_vlek else "by the chip's key"
    return f"on {which}, security versions at least {versions}, signed {key}"


def _refused(policy: TeePolicy) -> Iterator[str]:
    yield "Anything that can be debugged, and machines that may be migrated."
    if policy.dcap.simulation_root_sha256 is None:
        yield "Simulations."
    for tee in TEES:
        if tee not in policy.tees:
            yield f"{_KINDS[tee][0].upper()}{_KINDS[tee][1:]}."
    if policy.tees & {"sgx", "tdx"}:
        statuses = [
            each for each in (*TCB_STATUSES, "Revoked") if each not in policy.dcap.tcb_statuses
        ]
        yield f"Intel platforms of status {', '.join(statuses)}."
        yield "Intel platforms with any other advisory."
        yield from _flags("Intel", PLATFORM_FLAGS, policy.dcap.accepted_platform)
    if "snp" in policy.tees:
        if not policy.snp.allow_vlek:
            yield "AMD reports signed by a cloud operator's key (VLEK)."
        yield from _flags("AMD", ("smt_enabled",), policy.snp.accepted_platform)
        lacking = tuple(each for each in PLATFORM_BITS if each in policy.snp.demanded_platform)
        if lacking:
            yield f"AMD platforms without {', '.join(lacking)}."


def _flags(vendor: str, known: tuple[str, ...], accepted: frozenset[str]) -> Iterator[str]:
    refused = [flag for flag in known if flag not in accepted]
    if refused:
        yield f"{vendor} platforms with {', '.join(refused)}."


def _list(how: str, values: frozenset[bytes]) -> str:
    """The first few of the values; empty for none."""
    if not values:
        return ""
    shown = [each.hex() for each in sorted(values)]
    rest = f" and {len(shown) - _MANY} more" if len(shown) > _MANY else ""
    return f"{how} {', '.join(shown[:_MANY])}{rest}"
