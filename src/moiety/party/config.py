"""A party's folder: `party.toml`, its keys, its tables, and where a job keeps its files.

party.toml      who I am, whom I know, what I have: the engineer's file
policy.toml     what I allow: the security officer's file
keys/           signing.pem, tls.pem, tls.key: made by `moiety init`, never overwritten
jobs/HASH/      one folder a job: signatures, alignment, record, report
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from moiety.agreement.fields import Fields, read_file, read_toml
from moiety.agreement.manifest import LEAKAGE, Job
from moiety.agreement.signing import SigningKey
from moiety.data.table import Table, load_schema
from moiety.enclave.policy import EnclavePolicy
from moiety.enclave.policy_signing import load_policy
from moiety.enclave.verify import IntelVerifier, SimulationVerifier, Verifier
from moiety.errors import ConfigError
from moiety.transform.ledger import Ledger
from moiety.wire.certificates import Credentials


@dataclass(frozen=True)
class Peer:
    """Another party as this one knows it, from outside the job."""

    address: str
    certificate: str
    signing_key: str


@dataclass(frozen=True)
class DataSet:
    """A table that this party has: where it is and how it is read."""

    name: str
    path: Path
    schema: Path
    id: str
    label: str | None

    def load(self, columns: Iterable[str], *, labelled: bool) -> Table:
        """Its rows with these columns, and with the label, if it has one and that is wanted.

        Raises:
            DataError: the table does not hold what its schema declares.
        """
        label = self.label if labelled else None
        table = Table.load(self.path, load_schema(self.schema), id=self.id, label=label)
        return table.select(columns)


@dataclass(frozen=True)
class EnclaveRules:
    """What this party demands of an enclave before it releases a key."""

    hosts: tuple[str, ...]
    dealers: tuple[str, ...]
    """Certificates of dealers that are no enclaves."""
    verifier: Verifier
    policy: EnclavePolicy
    leakage: tuple[str, ...]
    """Admitted leakage profiles; unset, any: the weakest is one that a party must rule out."""


@dataclass(frozen=True)
class Budget:
    """What each person of this party may be charged, over all its data sets and releases."""

    max_epsilon: float
    delta: float


@dataclass(frozen=True)
class Rules:
    """This party's own policy: a job that asks for more is refused. What is unset is refused."""

    purposes: tuple[str, ...]
    models: tuple[str, ...]
    training: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    scores_to: tuple[str, ...]
    scored_by: tuple[str, ...]
    max_peer_rows: int
    min_common: int
    min_applicants: int
    max_predictions: int
    transform: Budget
    enclave: EnclaveRules


@dataclass(frozen=True)
class Party:
    """A loaded party folder."""

    home: Path
    name: str
    listen: str
    enclave_address: str
    silence: int
    """Seconds without a sign of life before a peer is given up."""
    patience: int
    """Seconds to wait for a peer or the enclave to come at all."""
    peers: dict[str, Peer]
    data: dict[str, DataSet]
    rules: Rules

    @property
    def signing_key(self) -> SigningKey:
        """The key under which this party signs jobs and its record."""
        return SigningKey.load(self.home / "keys" / "signing.pem")

    @property
    def credentials(self) -> Credentials:
        """The TLS certificate and key of this party."""
        return load_credentials(self.home)

    def data_set(self, name: str) -> DataSet:
        """The table of that name.

        Raises:
            ConfigError: `party.toml` has no such table.
        """
        if name not in self.data:
            known = ", ".join(sorted(self.data)) or "none"
            raise ConfigError(
                f"{self.name} has no data set '{name}'",
                hint=f"moiety data add adds one; known: {known}",
            )
        return self.data[name]

    @property
    def ledger(self) -> Ledger:
        """What this party's people have paid for transformed rows, and may pay."""
        return Ledger(self.home, self.rules.transform.max_epsilon, self.rules.transform.delta)

    def job_folder(self, job: Job) -> Path:
        """The folder where this party keeps a job's files; made if absent."""
        folder = self.home / "jobs" / job.hash.hex()[:16]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def load_credentials(home: Path) -> Credentials:
    """The TLS certificate and key in a folder made by `moiety init`."""
    keys = home / "keys"
    return Credentials(read_file(keys / "tls.pem"), read_file(keys / "tls.key"))


def load_party(home: Path) -> Party:
    """The party whose folder this is.

    Raises:
        ConfigError: `party.toml` is absent or wrong; the sentence names the key.
    """
    fields = read_toml(home / "party.toml")
    party = Party(
        home=home,
        name=fields.text("name"),
        listen=fields.text("listen"),
        enclave_address=fields.text("enclave", ""),
        silence=fields.whole("silence", 20, low=5, high=3600),
        patience=fields.whole("patience", 120, low=1, high=7 * 86400),
        peers={name: _peer(table) for name, table in fields.tables("peers").items()},
        data={name: _data(home, name, table) for name, table in fields.tables("data").items()},
        rules=load_rules(home),
    )
    fields.done()
    return party


def _peer(fields: Fields) -> Peer:
    peer = Peer(
        address=fields.text("address", ""),
        certificate=fields.text("certificate"),
        signing_key=fields.text("signing_key"),
    )
    fields.done()
    return peer


def _data(home: Path, name: str, fields: Fields) -> DataSet:
    data = DataSet(
        name=name,
        path=home / fields.text("path"),
        schema=home / fields.text("schema"),
        id=fields.text("id"),
        label=fields.text("label", "") or None,
    )
    fields.done()
    return data


def load_rules(home: Path) -> Rules:
    """The policy in a party's folder; what it leaves unset is refused."""
    fields = read_toml(home / "policy.toml")
    columns = fields.table("columns", {})
    rules = Rules(
        purposes=fields.names("purposes", []),
        models=fields.names("models", []),
        training=fields.names("training", []),
        columns={name: columns.names(name) for name in columns.unread()},
        scores_to=fields.names("scores_to", []),
        scored_by=fields.names("scored_by", ["mpc"]),
        max_peer_rows=fields.whole("max_peer_rows", 0),
        min_common=(least := fields.whole("min_common", 2**31)),
        min_applicants=fields.whole("min_applicants", least),
        max_predictions=fields.whole("max_predictions", 0),
        transform=_budget(fields.table("transform", {})),
        enclave=_enclave(home, fields.table("enclave", {})),
    )
    fields.done()
    return rules


def _budget(fields: Fields) -> Budget:
    budget = Budget(fields.real("max_epsilon", 0.0), fields.real("delta", 1e-6))
    if budget.max_epsilon < 0 or not 0 < budget.delta < 1:
        raise ConfigError(f"{fields.where}: max_epsilon is at least 0, delta between 0 and 1")
    fields.done()
    return budget


def _enclave(home: Path, fields: Fields) -> EnclaveRules:
    root = fields.text("simulation_root", "")
    root_der = read_file(home / root) if root else None
    rules = EnclaveRules(
        hosts=fields.names("hosts", []),
        dealers=fields.names("dealers", []),
        verifier=SimulationVerifier(root_der) if root_der else IntelVerifier(),
        policy=_signed(home, fields) if "policy" in fields.unread() else _policy(fields, root_der),
        leakage=fields.names("leakage", list(LEAKAGE)),
    )
    fields.done()
    unknown = [name for name in rules.leakage if name not in LEAKAGE]
    if unknown:
        known = ", ".join(LEAKAGE)
        raise ConfigError(f"{fields.where}: leakage has {', '.join(unknown)}; known: {known}")
    return rules


def _signed(home: Path, fields: Fields) -> EnclavePolicy:
    """The demands of a policy file, which all of the keys named here signed."""
    pinned = fields.names("policy_signers")
    if not pinned:
        raise ConfigError(
            f"{fields.where}: policy_signers is empty",
            hint="name the keys that must have signed the policy, as ed25519:…",
        )
    return load_policy(home / fields.text("policy"), pinned).dcap


def _policy(fields: Fields, root_der: bytes | None) -> EnclavePolicy:
    days = fields.whole("max_collateral_days", 30, low=1, high=366)
    return EnclavePolicy(
        measurements=frozenset(map(_measurement, fields.names("measurements", []))),
        tcb_statuses=frozenset(fields.names("tcb_statuses", [])),
        accepted_advisories=frozenset(fields.names("accepted_advisories", [])),
        accepted_platform=frozenset(fields.names("accepted_platform", [])),
        max_age=days * 86400,
        allow_simulation=fields.flag("allow_simulation", False),
        simulation_root_sha256=hashlib.sha256(root_der).digest() if root_der else None,
    )


def _measurement(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"measurement '{text}' is not hexadecimal") from error
