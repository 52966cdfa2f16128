"""A stage: three folders as three institutions would make them, by the same functions."""

import socket
from dataclasses import dataclass
from pathlib import Path

from moiety.agreement.fields import read_toml
from moiety.agreement.manifest import load_job
from moiety.data.credit import ID, LABEL, CreditSplit
from moiety.enclave.attester.simulation import SimulationPlatform
from moiety.enclave.measure import measurement
from moiety.party.agree import sign
from moiety.party.config import load_party
from moiety.party.setup import add_data, add_peer, init_party

PURPOSE = "joint credit score of a rural lender and a payment company"

_POLICY = """\
purposes = ["{purpose}"]
models = ["scorecard", "trees"]
training = ["enclave"]
scores_to = ["lender"]
max_peer_rows = {max_rows}
min_common = {min_common}
max_predictions = {predictions}

[columns]
{columns}

[enclave]
hosts = ["operator"]
measurements = ["{measurement}"]
tcb_statuses = ["UpToDate"]
accepted_advisories = []
allow_simulation = true
simulation_root = "simulation-root.der"
"""

_JOB = """\
version = 1
purpose = "{purpose}"

[model]
kind = "{model}"

[parties.lender]
certificate = "{lender[certificate]}"
signing_key = "{lender[signing_key]}"
train = "clients"
score = "applicants"
columns = {lender_columns}
label = "default"
max_rows = {max_rows}

[parties.payco]
certificate = "{payco[certificate]}"
signing_key = "{payco[signing_key]}"
train = "clients"
score = "clients"
columns = {payco_columns}
max_rows = {max_rows}

[alignment]
min_common = {min_common}

[enclave]
host = "operator"

[release]
scores_to = "lender"
predictions = {predictions}
"""


@dataclass(frozen=True)
class Terms:
    """What the job and both parties' policies say, beside who brings which columns."""

    model: str = "scorecard"
    max_rows: int = 40_000
    min_common: int = 500
    predictions: int = 6000


@dataclass(frozen=True)
class Stage:
    """Where the folders of lender, payco and enclave are, and what each party has."""

    folder: Path
    split: CreditSplit
    enclave_address: str

    @property
    def job(self) -> Path:
        """The job that both parties sign."""
        return self.folder / "job.toml"

    @property
    def homes(self) -> dict[str, Path]:
        """The parties' folders."""
        return {name: self.folder / name for name in ("lender", "payco")}

    @property
    def lender_text(self) -> str:
        """What the lender has, in words."""
        booked, new = self.split.lender.num_rows, self.split.applicants.num_rows
        columns = ", ".join(self.split.lender_columns)
        return f"{booked:,} booked clients with outcomes, {new:,} applicants; {columns}"

    @property
    def payco_text(self) -> str:
        """What the payment company has, in words."""
        columns = ", ".join(self.split.payco_columns)
        return f"{self.split.payco.num_rows:,} clients, no outcomes; {columns}"

    def page(self, name: str) -> Path:
        """The report of a party."""
        return next((self.folder / name / "jobs").glob("*/report.html"))

    def commands(self) -> dict[str, list[str]]:
        """The arguments of `moiety` in each of the three processes."""
        home = str(self.folder / "enclave")
        serve = ["enclave", "serve", "--home", home, "--job", str(self.job), "--once"]
        return {
            "enclave": [*serve, "--listen", self.enclave_address],
            **{
                name: ["run", str(self.job), "--as", name, "--home", str(home)]
                for name, home in self.homes.items()
            },
        }

    def sign(self) -> None:
        """Both parties sign the job as it stands now."""
        for home in self.homes.values():
            sign(load_party(home), load_job(self.job))


def set_stage(folder: Path, data: CreditSplit, terms: Terms) -> Stage:
    """Makes the folders of lender, payco and enclave: keys, tables, policies and the signed job."""
    lender, payco, enclave = (f"127.0.0.1:{port}" for port in _free_ports(3))
    stage = Stage(folder, data, enclave)
    homes = stage.homes
    cards = {
        name: init_party(homes[name], name, listen=address, enclave=enclave)
        for name, address in (("lender", lender), ("payco", payco))
    }
    add_peer(homes["lender"], cards["payco"])
    add_peer(homes["payco"], cards["lender"])
    _tables(homes, data)
    platform = SimulationPlatform.create(folder / "enclave" / "platform")
    for name, home in homes.items():
        (home / "simulation-root.der").write_bytes(platform.root_der)
        (home / "policy.toml").write_text(_policy(name, data, terms), encoding="utf-8")
    stage.job.write_text(_job(cards, data, terms), encoding="utf-8")
    stage.sign()
    return stage


def _tables(homes: dict[str, Path], data: CreditSplit) -> None:
    plan = (
        ("lender", "clients", data.lender, LABEL),
        ("lender", "applicants", data.applicants, LABEL),
        ("payco", "clients", data.payco, None),
    )
    for name, table, rows, label in plan:
        path = homes[name] / f"{table}.parquet"
        schema = data.write(rows, path)
        add_data(homes[name], path, name=table, id=ID, label=label, schema=schema)


def _policy(name: str, data: CreditSplit, terms: Terms) -> str:
    columns = list(data.lender_columns if name == "lender" else data.payco_columns)
    tables = ("clients", "applicants") if name == "lender" else ("clients",)
    return _POLICY.format(
        purpose=PURPOSE,
        **vars(terms),
        columns="\n".join(f"{table} = {_list(columns)}" for table in tables),
        measurement=measurement().hex(),
    )


def _job(cards: dict[str, Path], data: CreditSplit, terms: Terms) -> str:
    keys = {}
    for name, card in cards.items():
        fields = read_toml(card)
        keys[name] = {key: fields.text(key) for key in ("certificate", "signing_key")}
    return _JOB.format(
        purpose=PURPOSE,
        **vars(terms),
        lender=keys["lender"],
        payco=keys["payco"],
        lender_columns=_list(list(data.lender_columns)),
        payco_columns=_list(list(data.payco_columns)),
    )


def _list(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
