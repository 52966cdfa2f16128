"""A stage: folders as several institutions would make them, by the same functions."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from moiety.agreement.fields import read_toml
from moiety.agreement.manifest import load_job, pin_text
from moiety.agreement.model import TRAINING
from moiety.data.credit import ID, CreditSplit
from moiety.enclave.attester.simulation import SimulationPlatform
from moiety.enclave.measure import measurement
from moiety.party.agree import sign
from moiety.party.config import DataSet, load_credentials, load_party
from moiety.party.setup import add_data, add_peer, init_dealer, init_party
from moiety.wire.certificates import fingerprint

_POLICY = """\
purposes = ["{purpose}"]
models = {models}
training = ["{training}"]
scores_to = ["{scores_to}"]
scored_by = ["{scored_by}"]
max_peer_rows = {max_rows}
min_common = {min_common}
min_applicants = {applicants}
max_predictions = {predictions}

[columns]
{columns}

{admitted}
"""

_ENCLAVE = """\
[enclave]
hosts = ["operator"]
leakage = ["{leakage}"]
measurements = ["{measurement}"]
tcb_statuses = ["UpToDate"]
accepted_advisories = []
allow_simulation = true
simulation_root = "simulation-root.der"
"""

_DEALER = """\
[enclave]
hosts = ["operator"]
dealers = ["{pinned}"]
"""

_TRANSFORM = """\
[transform]
max_epsilon = {budget}
delta = {delta}
"""

_JOB = """\
version = 1
purpose = "{purpose}"

[model]
kind = "{model}"
training = "{training}"
partition = "{partition}"
{options}{agreed}{parties}
{alignment}
{dealer}
[release]
scores_to = "{scores_to}"
scored_by = "{scored_by}"
predictions = {predictions}

[plan]
network = "lan"
"""

_MEMBER = """
[parties.{name}]
certificate = "{certificate}"
signing_key = "{signing_key}"
train = "{train}"
{score}columns = {columns}
{label}max_rows = {max_rows}
"""


@dataclass(frozen=True)
class Actor:
    """What one party has and brings: tables by name."""

    name: str
    tables: Mapping[str, pa.Table | DataSet]
    """To be written as files, or files that are there."""
    columns: tuple[str, ...]
    train: str
    score: str = ""
    label: str = ""
    about: str = ""
    """What it has, in words."""


@dataclass(frozen=True)
class Terms:
    """What the job and all policies say, beside who brings which columns."""

    model: str = "scorecard"
    max_rows: int = 40_000
    min_common: int = 500
    min_applicants: int = 0
    """Unset, as `min_common`."""
    predictions: int = 6000
    purpose: str = "joint credit score of a rural lender and a payment company"
    training: str = "enclave"
    dealer: bool = False
    """Whether a dealer that is no enclave deals."""
    scores_to: str = "lender"
    scored_by: str = "mpc"
    leakage: str = "fast"
    """The profile of the enclave that trains."""
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of a horizontal model: the agreed bins."""
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Of a horizontal model, and of a transform: the agreed centres and units."""
    horizontal: bool = False
    options: Mapping[str, int] = field(default_factory=dict)
    """Further numbers of the model, by name."""
    transform: Mapping[str, float | str] = field(default_factory=dict)
    """The job's `[transform]`."""
    budget: float = 100.0
    """What policies let a person be charged, where rows are transformed."""

    @property
    def helper(self) -> str:
        """Who stands beside the parties; nobody where rows are transformed."""
        if self.training == "transform":
            return ""
        return "dealer" if self.dealer else "enclave"


@dataclass(frozen=True)
class Stage:
    """Where the folders of all parties and of their helper are, and what each party has."""

    folder: Path
    actors: tuple[Actor, ...]
    terms: Terms
    address: str
    """Where the enclave, or the dealer, is reached."""

    @property
    def job(self) -> Path:
        """The job that all parties sign."""
        return self.folder / "job.toml"

    @property
    def homes(self) -> dict[str, Path]:
        """The parties' folders."""
        return {actor.name: self.folder / actor.name for actor in self.actors}

    def page(self, name: str) -> Path:
        """The report of a party."""
        return next((self.folder / name / "jobs").glob("*/report.html"))

    def commands(self, verb: str = "run") -> dict[str, list[str]]:
        """The arguments of `moiety` in each of the processes, the helper's first."""
        parties = {
            name: [verb, str(self.job), "--as", name, "--home", str(home)]
            for name, home in self.homes.items()
        }
        helper = self.terms.helper
        if not helper:
            return parties
        told = ["--job", str(self.job), "--once", "--listen", self.address]
        if helper == "enclave":
            told.append("--simulate")
        serve = [helper, "serve", "--home", str(self.folder / helper), *told]
        return {helper: serve, **parties}

    def sign(self) -> None:
        """All parties sign the job as it stands now."""
        for home in self.homes.values():
            sign(load_party(home), load_job(self.job))


def set_stage(folder: Path, actors: tuple[Actor, ...], terms: Terms) -> Stage:
    """Makes the folders of all: keys, tables, policies and the signed job."""
    *own, helper = (f"127.0.0.1:{port}" for port in _free_ports(len(actors) + 1))
    stage = Stage(folder, actors, terms, helper)
    homes = stage.homes
    cards = {
        actor.name: init_party(homes[actor.name], actor.name, listen=address, enclave=helper)
        for actor, address in zip(actors, own, strict=True)
    }
    for name, home in homes.items():
        for other, card in cards.items():
            if other != name:
                add_peer(home, card)
    admitted, dealer = _helper(stage)
    for actor in actors:
        _write_tables(homes[actor.name], actor)
        policy = _policy(actor, terms, admitted)
        (homes[actor.name] / "policy.toml").write_text(policy, encoding="utf-8")
    stage.job.write_text(_job(cards, stage, dealer), encoding="utf-8")
    stage.sign()
    return stage


def _helper(stage: Stage) -> tuple[str, str]:
    """Makes the enclave's platform or the dealer's keys; what policies and the job say of it."""
    terms = stage.terms
    if not terms.helper:
        told = "".join(f"{key} = {_value(value)}\n" for key, value in terms.transform.items())
        delta = terms.transform.get("delta", 1e-6)
        budget = max(terms.budget, float(terms.transform["epsilon"]))
        return _TRANSFORM.format(budget=budget, delta=delta), f"[transform]\n{told}"
    if terms.dealer:
        home = stage.folder / "dealer"
        init_dealer(home)
        pinned = pin_text(fingerprint(load_credentials(home).certificate))
        table = f'[dealer]\nhost = "operator"\ncertificate = "{pinned}"\n'
        return _DEALER.format(pinned=pinned), table
    platform = SimulationPlatform.create(stage.folder / "enclave" / "platform")
    for home in stage.homes.values():
        (home / "simulation-root.der").write_bytes(platform.root_der)
    admitted = _ENCLAVE.format(measurement=measurement().hex(), leakage=terms.leakage)
    return admitted, f'[enclave]\nhost = "operator"\nleakage = "{terms.leakage}"\n'


def _write_tables(home: Path, actor: Actor) -> None:
    for name, rows in actor.tables.items():
        if isinstance(rows, DataSet):
            add_data(home, rows.path, name=name, id=rows.id, label=rows.label, schema=rows.schema)
            continue
        path = home / f"{name}.parquet"
        label = actor.label if actor.label in rows.column_names else None
        schema = CreditSplit.write(rows, path)
        add_data(home, path, name=name, id=ID, label=label or None, schema=schema)


def _policy(actor: Actor, terms: Terms, admitted: str) -> str:
    labels = (actor.label,) if terms.training == "transform" and actor.label else ()
    allowed = _list((*actor.columns, *labels))
    columns = "\n".join(f"{table} = {allowed}" for table in actor.tables)
    least = terms.min_applicants or terms.min_common
    models = _list(TRAINING[terms.training])
    told = {"models": models, "columns": columns, "admitted": admitted, "applicants": least}
    return _POLICY.format(**vars(terms), **told)


def _job(cards: Mapping[str, Path], stage: Stage, dealer: str) -> str:
    terms = stage.terms
    tables = {"edges": terms.edges, "scales": terms.scales}
    agreed = "".join(_agreed(name, columns) for name, columns in tables.items() if columns)
    alignment = f"\n[alignment]\nmin_common = {terms.min_common}\n"
    if terms.min_applicants:
        alignment += f"min_applicants = {terms.min_applicants}\n"
    told = {
        **vars(terms),
        "agreed": agreed,
        "options": "".join(f"{name} = {value}\n" for name, value in terms.options.items()),
        "partition": "horizontal" if terms.horizontal else "vertical",
        "alignment": alignment,
        "dealer": dealer,
        "parties": "".join(_member(cards[each.name], each, terms) for each in stage.actors),
    }
    return _JOB.format(**told).replace("\n\n\n", "\n\n")


def _agreed(name: str, columns: Mapping[str, tuple[float, ...]]) -> str:
    return f"\n[model.{name}]\n" + "".join(f"{n} = {list(v)}\n" for n, v in columns.items())


def _member(card: Path, actor: Actor, terms: Terms) -> str:
    fields = read_toml(card)
    keys = {key: fields.text(key) for key in ("certificate", "signing_key")}
    return _MEMBER.format(
        name=actor.name,
        **keys,
        train=actor.train,
        score=f'score = "{actor.score}"\n' if actor.score else "",
        label=f'label = "{actor.label}"\n' if actor.label else "",
        columns=_list(actor.columns),
        max_rows=terms.max_rows,
    )


def _value(value: float | str) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _list(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
