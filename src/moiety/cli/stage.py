"""The demo's stage: three folders as three institutions would make them, by the same functions."""

import socket
from dataclasses import dataclass
from pathlib import Path

from moiety.agreement.fields import read_toml
from moiety.agreement.manifest import load_job
from moiety.data.credit import ID, LABEL, CreditSplit, split_credit
from moiety.enclave.attester.simulation import SimulationPlatform
from moiety.enclave.measure import measurement
from moiety.party.agree import sign
from moiety.party.config import load_party
from moiety.party.setup import add_data, add_peer, init_party

PURPOSE = "joint credit score of a rural lender and a payment company"
SEED = 20
PREDICTIONS = 6000

_POLICY = """\
purposes = ["{purpose}"]
models = ["scorecard", "trees"]
scores_to = ["lender"]
max_peer_rows = 40000
min_common = 500
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
max_rows = 40000

[parties.payco]
certificate = "{payco[certificate]}"
signing_key = "{payco[signing_key]}"
train = "clients"
score = "clients"
columns = {payco_columns}
max_rows = 40000

[alignment]
min_common = 500

[enclave]
host = "operator"

[release]
scores_to = "lender"
predictions = {predictions}
"""


@dataclass(frozen=True)
class Stage:
    """Where the demo's folders are, and what each party has."""

    folder: Path
    split: CreditSplit
    enclave_address: str

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
        job, home = str(self.folder / "job.toml"), self.folder
        serve = ["enclave", "serve", "--home", str(home / "enclave"), "--once"]
        return {
            "enclave": [*serve, "--listen", self.enclave_address],
            "lender": ["run", job, "--as", "lender", "--home", str(home / "lender")],
            "payco": ["run", job, "--as", "payco", "--home", str(home / "payco")],
        }


def set_stage(folder: Path, *, split: str, model: str, overlap: float) -> Stage:
    """Makes the folders of lender, payco and enclave, with keys, tables, policies and the job."""
    data = split_credit(split, overlap=overlap, seed=SEED)
    lender, payco, enclave = (f"127.0.0.1:{port}" for port in _free_ports(3))
    homes = {"lender": folder / "lender", "payco": folder / "payco"}
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
        (home / "policy.toml").write_text(_policy(name, data), encoding="utf-8")
    (folder / "job.toml").write_text(_job(cards, data, model), encoding="utf-8")
    for home in homes.values():
        sign(load_party(home), load_job(folder / "job.toml"))
    return Stage(folder, data, enclave)


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


def _policy(name: str, data: CreditSplit) -> str:
    columns = list(data.lender_columns if name == "lender" else data.payco_columns)
    tables = ("clients", "applicants") if name == "lender" else ("clients",)
    return _POLICY.format(
        purpose=PURPOSE,
        predictions=PREDICTIONS,
        columns="\n".join(f"{table} = {_list(columns)}" for table in tables),
        measurement=measurement().hex(),
    )


def _job(cards: dict[str, Path], data: CreditSplit, model: str) -> str:
    keys = {}
    for name, card in cards.items():
        fields = read_toml(card)
        keys[name] = {key: fields.text(key) for key in ("certificate", "signing_key")}
    return _JOB.format(
        purpose=PURPOSE,
        model=model,
        lender=keys["lender"],
        payco=keys["payco"],
        lender_columns=_list(list(data.lender_columns)),
        payco_columns=_list(list(data.payco_columns)),
        predictions=PREDICTIONS,
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
