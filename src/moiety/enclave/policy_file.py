"""Policies as files that people sign: what an environment must be, to be trusted by an institution.

A policy is a TOML file; its signatures are beside it, in FILE.sig. It names its signers, and how
many of them must have signed. Whoever uses it may name keys that must be among them: without
that, a file says of itself who made it. What is unset is refused; simulations have a section of
their own, with one pinned root, which a policy that says `production = true` must not have.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from moiety.agreement.fields import Fields, parse_toml, read_file
from moiety.agreement.signing import public_key, public_text
from moiety.enclave.policy import EnclavePolicy, Machine, Signer
from moiety.enclave.snp_policy import PARTS, SnpPolicy
from moiety.enclave.snp_verify import SnpGenuine
from moiety.enclave.verify import Genuine
from moiety.errors import AttestationFailed, ConfigError

VERSION = 1
TEES = ("sgx", "tdx", "snp")
ANY = ("any",)
DAY = 86_400


@dataclass(frozen=True)
class TeePolicy:
    """One institution's demands, for every kind of environment; `digest` is the file's SHA-256."""

    name: str
    production: bool
    signers: tuple[str, ...]
    threshold: int
    tees: frozenset[str]
    dcap: EnclavePolicy
    snp: SnpPolicy
    digest: bytes

    @classmethod
    def parse(cls, source: bytes, where: str) -> "TeePolicy":
        """The policy in a TOML text; ConfigError, naming the place, if it cannot be meant."""
        fields = Fields(parse_toml(source, where), where)
        fields.whole("version", low=VERSION, high=VERSION)
        tees = frozenset(fields.names("tees", []))
        if unknown := sorted(tees - set(TEES)):
            raise ConfigError(f"{where}: tees has {', '.join(unknown)}; known: {', '.join(TEES)}")
        policy = cls(
            name=fields.text("name"),
            production=fields.flag("production"),
            signers=_keys(fields),
            threshold=fields.whole("threshold", low=1, high=64),
            tees=tees,
            dcap=_dcap(fields, tees),
            snp=_snp(fields.table("snp", {})),
            digest=hashlib.sha256(source).digest(),
        )
        fields.done()
        policy._check(where)
        return policy

    @classmethod
    def load(cls, path: Path) -> "TeePolicy":
        """The policy in a file, its signatures not looked at."""
        return cls.parse(read_file(path), str(path))

    def _check(self, where: str) -> None:
        if self.threshold > len(self.signers):
            raise ConfigError(
                f"{where}: threshold = {self.threshold}, but there are {len(self.signers)} signers"
            )
        if self.production and self.dcap.allow_simulation:
            raise ConfigError(
                f"{where}: a policy for production admits no simulation",
                hint="remove [simulation], or say production = false",
            )

    def refusals(self, found: Genuine | SnpGenuine) -> tuple[str, ...]:
        """Every reason to refuse it, as sentences; none if it is acceptable."""
        if isinstance(found, Genuine):
            return self.dcap.refusals(found)
        kind = () if "snp" in self.tees else ("it is of the kind snp, which is not accepted",)
        return (*kind, *self.snp.refusals(found))

    def check(self, found: Genuine | SnpGenuine) -> None:
        """Returns if it is acceptable; AttestationFailed lists every refusal at once."""
        refusals = self.refusals(found)
        if refusals:
            raise AttestationFailed(
                f"refused by the policy '{self.name}':\n  - " + "\n  - ".join(refusals),
                hint="ask its operator, or have the policy changed and signed again",
            )


def _keys(fields: Fields) -> tuple[str, ...]:
    """The signers, each written in the one form that a key has: so none counts twice."""
    keys = fields.names("signers")
    for key in keys:
        if public_text(public_key(key)) != key:
            raise ConfigError(f"{fields.where}: '{key}' is another way to write a key")
    return keys


def _dcap(fields: Fields, tees: frozenset[str]) -> EnclavePolicy:
    """The sections [dcap], [sgx], [tdx] and [simulation] as one policy for Intel's quotes."""
    platform, sgx = fields.table("dcap", {}), fields.table("sgx", {})
    tdx, simulation = fields.table("tdx", {}), fields.table("simulation", {})
    days = _set(platform, "max_collateral_days", low=1, high=366)
    root = _simulated(simulation)
    policy = EnclavePolicy(
        tees=tees - {"snp"},
        measurements=_all_hex(sgx, "measurements"),
        signer=_signer(sgx.table("signer", {})),
        machines=frozenset(_machine(each) for each in tdx.tables("machines").values()),
        tcb_statuses=frozenset(platform.names("tcb_statuses", [])),
        accepted_advisories=frozenset(platform.names("accepted_advisories", [])),
        accepted_platform=frozenset(platform.names("accepted_platform", [])),
        min_tcb_evaluation=_set(platform, "min_tcb_evaluation"),
        ppids=_platforms(platform, "ppids"),
        max_age=days and days * DAY,
        allow_simulation=root is not None,
        simulation_root_sha256=root,
    )
    for section in (platform, sgx, tdx, simulation):
        section.done()
    return policy


def _set(fields: Fields, key: str, *, low: int = 0, high: int = 2**31) -> int | None:
    """The integer at `key`, None where it is unset."""
    return fields.whole(key, low=low, high=high) if key in fields.unread() else None


def _simulated(fields: Fields) -> bytes | None:
    """The SHA-256 of the one simulation root that is admitted; the section must say what it is."""
    if not fields.unread():
        return None
    if not fields.flag("protects_nothing", False):
        raise ConfigError(
            f"{fields.where}: a simulation keeps nothing from its host",
            hint="say protects_nothing = true if you mean to admit it all the same",
        )
    return _hex(fields.text("root_sha256"), 32, fields.where)


def _signer(fields: Fields) -> Signer | None:
    if not fields.unread():
        return None
    signer = Signer(
        _hex(fields.text("mr_signer"), 32, fields.where),
        fields.whole("product", high=2**16 - 1),
        fields.whole("min_security_version", high=2**16 - 1),
    )
    fields.done()
    return signer


def _machine(fields: Fields) -> Machine:
    names = ("mr_td", "rtmr0", "rtmr1", "rtmr2", "rtmr3")
    mr_td, *rtmrs = (_hex(fields.text(name), 48, fields.where) for name in names)
    fields.done()
    return Machine(mr_td, (rtmrs[0], rtmrs[1], rtmrs[2], rtmrs[3]))


def _snp(fields: Fields) -> SnpPolicy:
    floor = fields.table("min_tcb", {})
    policy = SnpPolicy(
        measurements=_all_hex(fields, "measurements"),
        min_tcb={part: floor.whole(part, high=255) for part in PARTS if part in floor.unread()},
        chip_ids=_platforms(fields, "chip_ids"),
        allow_vlek=fields.flag("allow_vlek", False),
        accepted_platform=frozenset(fields.names("accepted_platform", [])),
        demanded_platform=frozenset(fields.names("demanded_platform", [])),
    )
    floor.done()
    fields.done()
    return policy


def _platforms(fields: Fields, key: str) -> frozenset[bytes] | None:
    """The admitted platforms; None for `["any"]`, which must be said."""
    if (named := fields.names(key, [])) == ANY:
        return None
    return frozenset(_hex(each, len(each) // 2, fields.where) for each in named)


def _all_hex(fields: Fields, key: str) -> frozenset[bytes]:
    return frozenset(_hex(each, len(each) // 2, fields.where) for each in fields.names(key, []))


def _hex(text: str, size: int, where: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"{where}: '{text}' is not hexadecimal") from error
    if len(value) != size:
        raise ConfigError(f"{where}: '{text}' has {len(value)} bytes, not {size}")
    return value
